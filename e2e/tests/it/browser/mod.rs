//! The console in Chromium. Pictures go to the folder that `BERTH_SCREENSHOTS` names; `BERTH_AXE` names axe.min.js, which
//! finds what keeps people out.

mod accessibility;
mod definition;
mod driver;
mod files;
mod graphs;
mod home;
mod logs;
mod parts;
mod saying;
mod terminal;
mod walk;

use berth_e2e::demo::Demo;

use self::driver::{Language, with_browser};

#[tokio::test]
#[ignore = "needs a running demo: BERTH_DEMO"]
async fn lend_and_give_back_in_english() {
    let demo = Demo::from_environment().unwrap();
    with_browser(Language::English, async move |browser| walk::student(&browser, &demo).await)
        .await;
}

#[tokio::test]
#[ignore = "needs a running demo: BERTH_DEMO"]
async fn lend_and_give_back_in_japanese() {
    let demo = Demo::from_environment().unwrap();
    with_browser(Language::Japanese, async move |browser| walk::student(&browser, &demo).await)
        .await;
}

#[tokio::test]
#[ignore = "needs a running demo: BERTH_DEMO"]
async fn blades_in_english() {
    let demo = Demo::from_environment().unwrap();
    with_browser(Language::English, async move |browser| {
        walk::administrator(&browser, &demo).await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a running demo: BERTH_DEMO"]
async fn blades_in_japanese() {
    let demo = Demo::from_environment().unwrap();
    with_browser(Language::Japanese, async move |browser| {
        walk::administrator(&browser, &demo).await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a running demo: BERTH_DEMO"]
async fn terminal_in_english() {
    let demo = Demo::from_environment().unwrap();
    with_browser(Language::English, async move |browser| {
        terminal::terminal(&browser, &demo).await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a running demo: BERTH_DEMO"]
async fn terminal_in_japanese() {
    let demo = Demo::from_environment().unwrap();
    with_browser(Language::Japanese, async move |browser| {
        terminal::terminal(&browser, &demo).await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a running demo: BERTH_DEMO"]
async fn files_in_english() {
    let demo = Demo::from_environment().unwrap();
    with_browser(Language::English, async move |browser| files::files(&browser, &demo).await).await;
}

#[tokio::test]
#[ignore = "needs a running demo: BERTH_DEMO"]
async fn files_in_japanese() {
    let demo = Demo::from_environment().unwrap();
    with_browser(Language::Japanese, async move |browser| files::files(&browser, &demo).await)
        .await;
}

#[tokio::test]
#[ignore = "needs a running demo: BERTH_DEMO"]
async fn parts_in_english() {
    let demo = Demo::from_environment().unwrap();
    with_browser(Language::English, async move |browser| parts::parts(&browser, &demo).await).await;
}

#[tokio::test]
#[ignore = "needs a running demo: BERTH_DEMO"]
async fn parts_in_japanese() {
    let demo = Demo::from_environment().unwrap();
    with_browser(Language::Japanese, async move |browser| parts::parts(&browser, &demo).await)
        .await;
}

#[tokio::test]
#[ignore = "needs a running demo: BERTH_DEMO"]
async fn graphs_in_english() {
    let demo = Demo::from_environment().unwrap();
    with_browser(Language::English, async move |browser| graphs::graphs(&browser, &demo).await)
        .await;
}

#[tokio::test]
#[ignore = "needs a running demo: BERTH_DEMO"]
async fn graphs_in_japanese() {
    let demo = Demo::from_environment().unwrap();
    with_browser(Language::Japanese, async move |browser| graphs::graphs(&browser, &demo).await)
        .await;
}

#[tokio::test]
#[ignore = "needs a running demo: BERTH_DEMO"]
async fn logs_in_english() {
    let demo = Demo::from_environment().unwrap();
    with_browser(Language::English, async move |browser| logs::logs(&browser, &demo).await).await;
}

#[tokio::test]
#[ignore = "needs a running demo: BERTH_DEMO"]
async fn logs_in_japanese() {
    let demo = Demo::from_environment().unwrap();
    with_browser(Language::Japanese, async move |browser| logs::logs(&browser, &demo).await).await;
}

#[tokio::test]
#[ignore = "needs a running demo: BERTH_DEMO"]
async fn home_in_english() {
    let demo = Demo::from_environment().unwrap();
    with_browser(Language::English, async move |browser| home::home(&browser, &demo).await).await;
}

#[tokio::test]
#[ignore = "needs a running demo: BERTH_DEMO"]
async fn home_in_japanese() {
    let demo = Demo::from_environment().unwrap();
    with_browser(Language::Japanese, async move |browser| home::home(&browser, &demo).await).await;
}

#[tokio::test]
#[ignore = "needs a running demo: BERTH_DEMO"]
async fn definition_in_english() {
    let demo = Demo::from_environment().unwrap();
    with_browser(Language::English, async move |browser| {
        definition::definition(&browser, &demo).await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a running demo: BERTH_DEMO"]
async fn definition_in_japanese() {
    let demo = Demo::from_environment().unwrap();
    with_browser(Language::Japanese, async move |browser| {
        definition::definition(&browser, &demo).await;
    })
    .await;
}
