//! The home and the volumes, without any container; and the form, which gives them to one.

use berth_e2e::demo::Demo;

use super::{
    driver::Browser,
    walk::{delete, look, sign_in, sign_out, small_and_dark},
};

pub(super) async fn home(browser: &Browser, demo: &Demo) {
    let language = browser.language;
    let tag = format!("{}-{}", language.tag(), std::process::id());
    let (volume, name) = (format!("data-{tag}"), format!("home-{tag}"));
    sign_in(browser, demo, "bob").await;
    browser.click("nav.bar a[href='/home']").await;
    browser.see_text("h1", language.pick("Home and volumes", "ホームとボリューム")).await;
    browser.see(".home-use").await;
    browser.see_no("main .skeleton:not(dialog *)").await;
    look(browser, "90-home").await;
    make_volume(browser, &volume).await;
    folder(browser, demo, &format!("from-{tag}")).await;

    lend_with_it(browser, demo, &name, &volume).await;
    in_use(browser, demo, &name, &volume).await;
    small_and_dark(browser, demo, &[("home", "/home"), ("form", "/new")]).await;

    browser.open(&demo.page(&format!("/c/{name}"))).await;
    browser.see(".head-state .phase.ok").await;
    delete(browser, &name).await;
    goes(browser, demo, &volume).await;
    sign_out(browser, demo).await;
}

async fn make_volume(browser: &Browser, volume: &str) {
    browser.click(".volumes .card-head button").await;
    browser.see("dialog#new-volume[open]").await;
    browser.fill("volume-name", "Not a name").await;
    browser.see("#volume-name[aria-invalid=true]").await;
    look(browser, "91-new-volume").await;
    browser.fill("volume-name", volume).await;
    browser.click("#new-volume label.check:nth-of-type(2) input").await;
    browser.click("#new-volume button[type=submit]").await;
    browser.see_no("dialog#new-volume[open]").await;
    browser.see(&row(volume)).await;
    look(browser, "92-volumes").await;
}

/// Into the home itself; it is a link like any other folder's.
async fn folder(browser: &Browser, demo: &Demo, name: &str) {
    browser.click(".files-tools .acts > button:nth-of-type(3)").await;
    browser.see("dialog#new-folder[open]").await;
    browser.fill("new-folder-name", name).await;
    browser.click("#new-folder button[type=submit]").await;
    browser.see_no("dialog#new-folder[open]").await;
    browser.click(&format!("tr[data-name='{name}'] a.file-name")).await;
    browser.see_text(".files-way [aria-current]", name).await;
    browser.see(".files-page .empty").await;
    assert!(browser.client.current_url().await.unwrap().as_str().contains("/home?path=/from-"));
    browser.open(&demo.page("/home")).await;
    browser.see(&format!("tr[data-name='{name}']")).await;
}

async fn lend_with_it(browser: &Browser, demo: &Demo, name: &str, volume: &str) {
    browser.open(&demo.page("/new")).await;
    browser.see("form.new").await;
    browser.fill("image", &demo.starter_image).await;
    browser.fill("name", name).await;
    browser.click("input[name=run_as]").await;
    browser.click("fieldset[aria-describedby^=volumes] > button").await;
    browser.see(".mounted select option").await;
    browser
        .run(&format!(
            "const select = document.querySelector('.mounted select');
             select.value = '{volume}';
             select.dispatchEvent(new Event('change', {{ bubbles: true }}));"
        ))
        .await;
    // A path is needed, and not this one.
    browser.click("form.new button[type=submit]").await;
    browser.see(".mounted input[aria-invalid=true]").await;
    type_into(browser, ".mounted input.code", "/etc/passwd").await;
    browser.see_text(".mounted .field-error", browser.language.pick("taken", "使えません")).await;
    look(browser, "93-form-mistakes").await;
    type_into(browser, ".mounted input.code", "/data").await;
    browser.see_no(".mounted input[aria-invalid=true]").await;
    browser.click("details.more > summary").await;
    browser.click("fieldset[aria-describedby^=environment] > button").await;
    type_into(browser, ".variable:not(.mounted) input:nth-of-type(1)", "TOKEN").await;
    type_into(browser, ".variable:not(.mounted) input:nth-of-type(2)", "hush").await;
    browser.click(".variable:not(.mounted) .check input").await;
    browser.see(".variable input[type=password]").await;
    // Only defined: it does not start by itself.
    browser.click("details.more > .check input").await;
    browser.see(".verdict:not(.muted)").await;
    look(browser, "94-form").await;
    browser.click("form.new button[type=submit]").await;
    browser.see_text("h1", name).await;
    let stopped = browser.language.pick("Stopped", "停止中");
    browser.see_text(".head-state .phase-word", stopped).await;
    browser.click(".page-head .acts button.button.primary").await;
    browser.see(".head-state .phase.ok").await;
    look(browser, "95-container").await;
}

/// What a container has is not deleted, and a new one like it keeps the secret without knowing it.
async fn in_use(browser: &Browser, demo: &Demo, name: &str, volume: &str) {
    browser.open(&demo.page("/home")).await;
    browser.see_text(&row(volume), name).await;
    browser.click(&format!("{} button", row(volume))).await;
    browser.see_text("#delete-volume .notice", name).await;
    browser.see("#delete-volume .button.danger[aria-disabled=true]").await;
    look(browser, "96-volume-in-use").await;
    browser.click("#delete-volume .dialog-acts .button:not(.danger)").await;
    browser.see_no("dialog#delete-volume[open]").await;

    browser.open(&demo.page(&format!("/new?from={name}"))).await;
    browser.see(".mounted").await;
    assert_eq!(
        browser.value("return document.querySelector('.mounted input.code').value").await,
        "/data"
    );
    browser.see(".variable input[type=password]").await;
    assert_eq!(
        browser.value("return document.querySelector('input[type=password]').value").await,
        "",
        "a secret is shown to nobody"
    );
}

async fn goes(browser: &Browser, demo: &Demo, volume: &str) {
    browser.open(&demo.page("/home")).await;
    // As long as the container is being removed it has the volume.
    browser.see(&format!("{}:not(:has(li))", row(volume))).await;
    browser.click(&format!("{} button", row(volume))).await;
    browser.see("dialog#delete-volume[open]").await;
    browser.see_no("#delete-volume .button.danger[aria-disabled=true]").await;
    look(browser, "97-delete-volume").await;
    browser.click("#delete-volume .button.danger").await;
    browser.see_no("dialog#delete-volume[open]").await;
    browser.see_no(&row(volume)).await;
}

fn row(volume: &str) -> String {
    format!("tr[data-volume='{volume}']")
}

async fn type_into(browser: &Browser, css: &str, text: &str) {
    let element = browser.see(css).await;
    element.clear().await.unwrap();
    element.send_keys(text).await.unwrap();
}
