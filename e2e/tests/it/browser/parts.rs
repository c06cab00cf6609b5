//! Pages that are fetched when they are visited: what is said when they cannot be, and the way on.

use berth_e2e::demo::Demo;

use super::{
    driver::Browser,
    walk::{look, sign_in, sign_out},
};

pub(super) async fn parts(browser: &Browser, demo: &Demo) {
    let language = browser.language;
    sign_in(browser, demo, "alice").await;
    browser.see_text("h1", language.pick("My containers", "マイコンテナ")).await;
    let parts = "return performance.getEntriesByType('resource').filter((e) => e.name.includes('/lazy/')).length";
    assert_eq!(browser.value(parts).await, 0);

    // The network is away: a sentence, and once it is back the page.
    browser
        .run(
            "window.real = window.fetch;
             window.fetch = (what, how) => String(what?.url ?? what).includes('/berth.v1.')
                 ? window.real(what, how) : Promise.reject(new TypeError('cut off'));",
        )
        .await;
    browser.click("nav.bar a[href='/new']").await;
    browser.see("main .notice.bad").await;
    look(browser, "50-part-away").await;
    browser.run("window.fetch = window.real").await;
    browser.click("main .notice.bad button").await;
    browser.see("form.new").await;
    // Once it is here it stays.
    browser.click("nav.bar a[href='/']").await;
    browser.see_text("h1", language.pick("My containers", "マイコンテナ")).await;
    browser.run("window.fetch = () => Promise.reject(new TypeError('cut off'))").await;
    browser.click("nav.bar a[href='/new']").await;
    browser.see("form.new").await;

    // Another version has been installed: this one's parts are gone, and a reload helps.
    browser.open(&demo.page("/")).await;
    browser.see("nav.bar").await;
    browser
        .run(
            "window.real = window.fetch;
             window.fetch = (what, how) => {
                 const url = String(what?.url ?? what);
                 if (url.includes('/berth.v1.')) return window.real(what, how);
                 if (url.includes('/lazy/')) return Promise.resolve(new Response('', { status: 404 }));
                 return Promise.resolve(new Response('<html>another</html>'));
             };",
        )
        .await;
    browser.click("nav.bar a[href='/new']").await;
    browser.see("main .notice.wait button").await;
    look(browser, "51-part-replaced").await;
    browser.click("main .notice.wait button").await;
    browser.see("form.new").await;
    sign_out(browser, demo).await;
}
