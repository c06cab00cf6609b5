//! The ways through the console.

use berth_e2e::{demo::Demo, lend::GUEST_PORT};
use fantoccini::Locator;

use super::{
    accessibility,
    driver::{Browser, PAUSE},
};

/// A phone that many have.
const PHONE: (u32, u32) = (390, 844);
const DESK: (u32, u32) = (1200, 900);

/// Sign in, lend, follow the endpoint, give back.
pub(super) async fn student(browser: &Browser, demo: &Demo) {
    let language = browser.language;
    let name = format!("walk-{}", language.tag());
    sign_in(browser, demo, "alice").await;
    browser.see_text("h1", language.pick("My containers", "マイコンテナ")).await;
    look(browser, "2-containers").await;

    // A form with mistakes says so at each field, before anything is sent.
    browser.click("main a[href='/new']").await;
    browser.see("form.new").await;
    browser.fill("image", "Not An Image").await;
    browser.fill("guest_ports", "70000").await;
    browser.click("form.new button[type=submit]").await;
    browser.see("#image[aria-invalid=true]").await;
    browser.see("#guest_ports[aria-invalid=true]").await;
    look(browser, "3-mistakes").await;

    browser.fill("image", &demo.starter_image).await;
    browser.fill("name", &name).await;
    browser.fill("guest_ports", &GUEST_PORT.to_string()).await;
    browser.see(".verdict:not(.muted)").await;
    look(browser, "4-new").await;
    browser.click("form.new button[type=submit]").await;

    // Its page follows it until it runs.
    browser.see_text("h1", &name).await;
    browser.see(".head-state .phase.ok").await;
    browser.see_text(".phase-word", language.pick("Running", "実行中")).await;
    browser.see(".endpoints a").await;
    look(browser, "5-running").await;
    follow_endpoint(browser).await;

    // A reload finds it again, and so does the list.
    browser.open(&demo.page(&format!("/c/{name}"))).await;
    browser.see(".head-state .phase.ok").await;
    browser.open(&demo.page("/")).await;
    browser.see(&format!(".row a[href='/c/{name}']")).await;
    look(browser, "6-list").await;

    small_and_dark(
        browser,
        demo,
        &[("list", "/"), ("page", &format!("/c/{name}")), ("new", "/new"), ("account", "/account")],
    )
    .await;

    stop_and_start(browser, demo, &name).await;
    delete(browser, &name).await;
    sign_out(browser, demo).await;
}

/// The blades, and what lets another one join.
pub(super) async fn administrator(browser: &Browser, demo: &Demo) {
    sign_in(browser, demo, "admin").await;
    browser.click("nav.bar a[href='/admin/nodes']").await;
    browser.see_text("main", "this-machine").await;
    look(browser, "20-blades").await;
    browser.click(".page-head button.primary").await;
    browser.see("dialog#join-token[open]").await;
    browser.see_text("#join-token code", "berth-agent join 'berth-join:").await;
    look(browser, "21-join").await;
    browser.click("#join-token .dialog-acts button").await;
    browser.see_no("dialog#join-token[open]").await;
    small_and_dark(browser, demo, &[("blades", "/admin/nodes"), ("everybody", "/?owner=-")]).await;
    browser.open(&demo.page("/no/such/page")).await;
    browser.see("main h1").await;
    look(browser, "22-not-found").await;
    sign_out(browser, demo).await;
}

/// A picture, and nothing that keeps people out.
pub(super) async fn look(browser: &Browser, name: &str) {
    browser.picture(name).await;
    accessibility::check(browser, name).await;
}

pub(super) async fn sign_in(browser: &Browser, demo: &Demo, account: &str) {
    let language = browser.language;
    // Any page leads to it, and back.
    browser.open(&demo.url).await;
    browser.see("#account").await;
    browser.click(&format!("button.chip[lang={}]", language.tag())).await;
    browser.see(&format!("html[lang={}]", language.tag())).await;
    browser.see_text("h1", language.pick("Sign in", "ログイン")).await;
    look(browser, "0-sign-in").await;
    browser.fill("account", account).await;
    browser.fill("password", "certainly not this").await;
    browser.click("button[type=submit]").await;
    browser.see(".sign-in [role=alert]").await;
    look(browser, "1-refused").await;
    browser.fill("account", account).await;
    browser.fill("password", &demo.user(account).unwrap().password).await;
    browser.click("button[type=submit]").await;
    browser.see("nav.bar").await;
}

/// A container that runs, from the form; leads to its page.
pub(super) async fn lend(browser: &Browser, demo: &Demo, name: &str) {
    browser.open(&demo.page("/new")).await;
    browser.see("form.new").await;
    browser.fill("image", &demo.starter_image).await;
    browser.fill("name", name).await;
    browser.see(".verdict:not(.muted)").await;
    browser.click("form.new button[type=submit]").await;
    browser.see_text("h1", name).await;
    browser.see(".head-state .phase.ok").await;
}

/// The link opens a tab of its own; what answers is the program in the container.
async fn follow_endpoint(browser: &Browser) {
    let client = &browser.client;
    let console = client.window().await.unwrap();
    let address = client
        .find(Locator::Css(".endpoints a"))
        .await
        .unwrap()
        .attr("href")
        .await
        .unwrap()
        .expect("a link");
    browser.click(".endpoints a").await;
    let tab = loop {
        let tabs = client.windows().await.unwrap();
        if let Some(tab) = tabs.into_iter().find(|tab| *tab != console) {
            break tab;
        }
        tokio::time::sleep(PAUSE).await;
    };
    client.switch_to_window(tab).await.unwrap();
    if !browser.has_loaded().await {
        browser.open(&address).await;
    }
    browser.see_text("body", "inside your container").await;
    browser.picture("5-endpoint").await;
    client.close_window().await.unwrap();
    client.switch_to_window(console).await.unwrap();
}

pub(super) async fn small_and_dark(browser: &Browser, demo: &Demo, pages: &[(&str, &str)]) {
    for (theme, size, number) in [("dark", DESK, 10), ("dark", PHONE, 11), ("light", PHONE, 12)] {
        browser.client.set_window_size(size.0, size.1).await.unwrap();
        browser.run(&format!("localStorage.setItem('berth.theme', '{theme}')")).await;
        for (name, path) in pages {
            browser.open(&demo.page(path)).await;
            browser.see("nav.bar").await;
            browser.see("main h1").await;
            // A dialog that is not open may be waiting for its moment.
            browser.see_no("main .skeleton:not(dialog *)").await;
            browser.see_no("main:has(.terminal-page):not(:has(.terminal-state:empty))").await;
            browser.see_no("main .log-box:empty").await;
            look(browser, &format!("{number}-{theme}-{}-{name}", size.0)).await;
            no_sideways(browser, name).await;
        }
    }
    browser.run("localStorage.removeItem('berth.theme')").await;
    browser.client.set_window_size(DESK.0, DESK.1).await.unwrap();
}

/// A page that is wider than the screen is not made for it.
async fn no_sideways(browser: &Browser, place: &str) {
    let script =
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    let beyond = browser.client.execute(script, Vec::new()).await.unwrap();
    assert!(beyond.as_i64().is_some_and(|beyond| beyond <= 0), "{place} is {beyond} px too wide");
}

async fn stop_and_start(browser: &Browser, demo: &Demo, name: &str) {
    let language = browser.language;
    browser.open(&demo.page(&format!("/c/{name}"))).await;
    browser.see(".head-state .phase.ok").await;
    browser.click(".page-head .acts button.button").await;
    browser.see_text(".head-state .phase-word", language.pick("Stopped", "停止中")).await;
    look(browser, "7-stopped").await;
    browser.click(".page-head .acts button.button.primary").await;
    browser.see(".head-state .phase.ok").await;
}

pub(super) async fn delete(browser: &Browser, name: &str) {
    browser.click(".page-head .acts .button.danger").await;
    browser.see("dialog#delete-container[open]").await;
    look(browser, "8-delete").await;
    browser.click("#delete-container .button.danger").await;
    browser.see_text("h1", browser.language.pick("My containers", "マイコンテナ")).await;
    browser.see_no(&format!(".row a[href='/c/{name}']")).await;
    browser.picture("9-gone").await;
}

pub(super) async fn sign_out(browser: &Browser, demo: &Demo) {
    browser.open(&demo.page("/account")).await;
    browser.click("section[aria-labelledby=you] button").await;
    browser.see("#account").await;
    // What was there for the one who was signed in is not there for the next.
    browser.open(&demo.page("/")).await;
    browser.see("#account").await;
}
