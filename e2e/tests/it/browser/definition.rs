//! The definition of a container that is there: changed in place, changed anew, and taken for another one.

use berth_e2e::demo::Demo;

use super::{
    driver::Browser,
    walk::{delete, lend, look, sign_in, sign_out, small_and_dark},
};

pub(super) async fn definition(browser: &Browser, demo: &Demo) {
    let language = browser.language;
    let name = format!("def-{}-{}", language.tag(), std::process::id());
    sign_in(browser, demo, "bob").await;
    lend(browser, demo, &name).await;
    open(browser, &name).await;
    assert_eq!(
        browser.value("return document.querySelector('#image').value").await,
        demo.starter_image.as_str()
    );
    browser.see_no("#name").await;
    look(browser, "a0-definition").await;

    // What an engine can do is done at once.
    browser
        .run(
            "const select = document.querySelector('#lease');
             select.value = '3600';
             select.dispatchEvent(new Event('change', { bubbles: true }));",
        )
        .await;
    browser.click("form.new button[type=submit]").await;
    browser.see(".head-state .phase.ok").await;
    browser.see_text("section[aria-labelledby=lease] strong", language.pick("minutes", "分")).await;

    anew(browser, &name).await;
    small_and_dark(browser, demo, &[("definition", &format!("/c/{name}/definition"))]).await;
    duplicate(browser, demo, &name).await;

    browser.open(&demo.page("/c/no-such-container/definition")).await;
    browser.see(".notice.bad").await;
    look(browser, "a5-definition-missing").await;
    browser.open(&demo.page(&format!("/c/{name}"))).await;
    browser.see(".head-state .phase.ok").await;
    delete(browser, &name).await;
    sign_out(browser, demo).await;
}

async fn open(browser: &Browser, name: &str) {
    browser.click(&format!(".tabs a[href='/c/{name}/definition']")).await;
    browser.see_text("h1", browser.language.pick("Definition of", "の構成")).await;
    browser.see("form.new").await;
}

/// What takes another container is asked about first, and nothing happens to those who say no.
async fn anew(browser: &Browser, name: &str) {
    let language = browser.language;
    open(browser, name).await;
    browser.click("details.more > summary").await;
    browser.click("fieldset[aria-describedby^=environment] > button").await;
    for (number, text) in [(1, "COURSE"), (2, "systems")] {
        let css = format!(".variable:not(.mounted) input:nth-of-type({number})");
        browser.see(&css).await.send_keys(text).await.unwrap();
    }
    browser.click("form.new button[type=submit]").await;
    browser.see("dialog#anew[open]").await;
    browser.see_text("#anew", language.pick("environment", "環境変数")).await;
    look(browser, "a1-anew").await;
    browser.click("#anew .dialog-acts .button:not(.danger)").await;
    browser.see_no("dialog#anew[open]").await;
    browser.see("form.new").await;
    browser.click("form.new button[type=submit]").await;
    browser.see("dialog#anew[open]").await;
    browser.click("#anew .button.danger").await;
    browser.see_no("form.new").await;
    browser.see(".head-state .phase.ok").await;
    browser.click("section[aria-labelledby=definition] details summary").await;
    browser.see_text("section[aria-labelledby=definition] details", "COURSE").await;
    look(browser, "a2-made-anew").await;
}

async fn duplicate(browser: &Browser, demo: &Demo, name: &str) {
    browser.open(&demo.page(&format!("/c/{name}/definition"))).await;
    browser.click(&format!("a[href='/new?from={name}']")).await;
    browser.see_text("h1", browser.language.pick("New container", "コンテナを作成")).await;
    browser.click("details.more > summary").await;
    browser.see(".variable:not(.mounted)").await;
    assert_eq!(
        browser.value("return document.querySelector('.variable:not(.mounted) input').value").await,
        "COURSE"
    );
    look(browser, "a4-duplicate").await;
}
