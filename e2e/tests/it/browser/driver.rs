//! A browser of our own for one test, and the few things that a person does with it.

use std::{path::PathBuf, time::Duration};

use berth_e2e::browser::Driver;
use fantoccini::{Client, Locator, elements::Element, error::CmdError};

/// For what the console or a container does; two slow cores with everything cold.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at a page, which tells nobody when it changes.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Japanese,
}

impl Language {
    pub(super) fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Japanese => "ja",
        }
    }

    pub(super) fn pick(self, english: &'static str, japanese: &'static str) -> &'static str {
        match self {
            Language::English => english,
            Language::Japanese => japanese,
        }
    }
}

pub(super) struct Browser {
    pub(super) client: Client,
    pub(super) language: Language,
    pictures: PathBuf,
}

/// Ends browser and driver also when the test fails.
pub(super) async fn with_browser<F>(language: Language, test: impl FnOnce(Browser) -> F)
where
    F: Future<Output = ()> + 'static,
{
    let driver = Driver::start().unwrap();
    let profile = tempfile::tempdir().unwrap();
    let client = driver.open(profile.path()).await.unwrap();
    let pictures = PathBuf::from(
        std::env::var_os("BERTH_SCREENSHOTS").expect("BERTH_SCREENSHOTS is a folder"),
    );
    std::fs::create_dir_all(&pictures).unwrap();
    let browser = Browser { client: client.clone(), language, pictures: pictures.clone() };
    let local = tokio::task::LocalSet::new();
    let test = local.spawn_local(test(browser));
    let outcome = local.run_until(test).await;
    if outcome.is_err()
        && let Ok(picture) = client.screenshot().await
    {
        let name = format!("failed-{}-{}.png", language.tag(), std::process::id());
        std::fs::write(pictures.join(&name), picture).unwrap();
        let address =
            client.current_url().await.map_or_else(|_| String::new(), |url| url.to_string());
        let page = client.source().await.unwrap_or_default();
        eprintln!("at {address}, see {name}\n{}", page.get(..4000).unwrap_or(&page));
    }
    let closed = client.close().await;
    drop(driver);
    if let Err(error) = outcome {
        std::panic::resume_unwind(error.into_panic());
    }
    closed.unwrap();
}

impl Browser {
    /// Chromium aborts what it loads whenever a network interface comes or goes, and each container brings one: then a
    /// person reloads.
    pub(super) async fn open(&self, address: &str) {
        for _ in 0..20 {
            match self.client.goto(address).await {
                Ok(()) => {}
                Err(error) if error.to_string().contains("ERR_NETWORK_CHANGED") => continue,
                Err(error) => panic!("{address} does not open: {error}"),
            }
            if self.has_loaded().await {
                return;
            }
        }
        panic!("{address} does not open: the network changes all the time");
    }

    /// Whether the page is there, with all that it consists of; false where it has to be loaded again.
    pub(super) async fn has_loaded(&self) -> bool {
        const STATE: &str = "
            if (document.querySelector('#main-frame-error')) return 'broken';
            const boot = document.querySelector('#boot');
            if (!boot) return 'loaded';
            const said = boot.textContent;
            return said.includes('could not be loaded') || said.includes('読み込めません') ? 'broken' : 'loading';";
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < deadline {
            let state = self.client.execute(STATE, Vec::new()).await.unwrap();
            match state.as_str() {
                Some("loaded") => return true,
                Some("broken") => return false,
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
        panic!("the page does not load");
    }

    pub(super) async fn see(&self, css: &str) -> Element {
        match self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await {
            Ok(element) => element,
            Err(error) => panic!("{css} does not appear: {error}"),
        }
    }

    /// Waits until nothing matches.
    pub(super) async fn see_no(&self, css: &str) {
        self.until(css, "is still there", async |found| found.is_empty()).await;
    }

    pub(super) async fn see_text(&self, css: &str, text: &str) {
        self.until(css, &format!("does not say {text:?}"), async |found| {
            for element in found {
                if element.text().await.is_ok_and(|said| said.contains(text)) {
                    return true;
                }
            }
            false
        })
        .await;
    }

    async fn until(&self, css: &str, otherwise: &str, done: impl AsyncFn(Vec<Element>) -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let found = self.client.find_all(Locator::Css(css)).await.unwrap();
            if done(found).await {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{css} {otherwise}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// A page that is being redrawn may replace the element between finding and clicking it.
    pub(super) async fn click(&self, css: &str) {
        for _ in 0..20 {
            match self.see(css).await.click().await {
                Ok(()) => return,
                Err(error) if is_passing(&error) => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => panic!("{css} cannot be clicked: {error}"),
            }
        }
        panic!("{css} cannot be clicked: something is in its way");
    }

    pub(super) async fn fill(&self, id: &str, text: &str) {
        let field = self.see(&format!("#{id}")).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    pub(super) async fn run(&self, script: &str) {
        self.client.execute(script, Vec::new()).await.unwrap();
    }

    /// What a script comes back with.
    pub(super) async fn value(&self, script: &str) -> serde_json::Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    pub(super) async fn picture(&self, name: &str) {
        let picture = self.client.screenshot().await.unwrap();
        let file = format!("{}-{name}.png", self.language.tag());
        std::fs::write(self.pictures.join(file), picture).unwrap();
    }
}

fn is_passing(error: &CmdError) -> bool {
    let text = error.to_string();
    error.is_stale_element_reference()
        || text.contains("not clickable")
        || text.contains("intercepted")
        || text.contains("not interactable")
}
