//! How long somebody who comes for the first time waits.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use fantoccini::{Client, wd::WebDriverCompatibleCommand};
use serde_json::{Value, json};
use url::Url;

use super::Driver;

/// Between two looks; the page itself has noted the time.
const PAUSE: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs in the page before anything of its own. Its clock begins with the navigation. The time is taken when the frame
/// that shows the field has been drawn.
const STOPWATCH: &str = "
(() => {
  const usable = () => {
    const field = document.querySelector('#account');
    return field && !field.disabled && !field.readOnly && field.checkVisibility();
  };
  const look = () => {
    if (!usable()) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => { window.berthUsable = performance.now(); }));
  };
  const observer = new MutationObserver(look);
  observer.observe(document, { attributes: true, childList: true, subtree: true });
})();";

/// Nothing until the field is usable.
const READ: &str = "
const usable = window.berthUsable;
if (usable === undefined) return null;
const entries = performance.getEntriesByType('resource');
const page = performance.getEntriesByType('navigation')[0];
const bytes = entries.reduce((sum, entry) => sum + entry.encodedBodySize, page.encodedBodySize);
const cached = entries.filter((entry) => entry.transferSize === 0 && entry.encodedBodySize > 0).length;
return { usable, bytes, cached };";

/// One load of the start page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// From the navigation's start until the sign-in form can be typed into.
    pub usable_ms: f64,
    /// Compressed, without headers.
    pub bytes: f64,
}

/// Opens `address` in a browser that has never seen it.
pub async fn first_page(driver: &Driver, profile: &Path, address: &str) -> Result<Load> {
    let client = driver.open(profile).await?;
    let load = tokio::time::timeout(PATIENCE, load(&client, address))
        .await
        .unwrap_or_else(|_| anyhow::bail!("nobody can sign in after {PATIENCE:?}"));
    let closed = client.close().await;
    let load = load?;
    closed.context("the browser does not end")?;
    Ok(load)
}

async fn load(client: &Client, address: &str) -> Result<Load> {
    let watch = Cdp("Page.addScriptToEvaluateOnNewDocument", json!({ "source": STOPWATCH }));
    client.issue_cmd(watch).await.context("the browser takes no script")?;
    client.goto(address).await.with_context(|| format!("{address} does not open"))?;
    loop {
        let seen = client.execute(READ, Vec::new()).await?;
        if !seen.is_null() {
            return read(&seen);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn read(seen: &Value) -> Result<Load> {
    let number = |name: &str| seen[name].as_f64().with_context(|| format!("no {name} in {seen}"));
    ensure!(number("cached")? < 0.5, "something came from a cache: {seen}");
    Ok(Load { usable_ms: number("usable")?, bytes: number("bytes")? })
}

/// A command of the browser's own protocol, which the driver passes on.
#[derive(Debug)]
struct Cdp(&'static str, Value);

impl WebDriverCompatibleCommand for Cdp {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        let body = json!({ "cmd": self.0, "params": self.1 });
        (http::Method::POST, Some(body.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_page_says() {
        let load = read(&json!({"usable": 412.5, "bytes": 200_000, "cached": 0})).unwrap();
        assert_eq!(load, Load { usable_ms: 412.5, bytes: 200_000.0 });
        assert!(read(&json!({"usable": 412.5, "bytes": 1, "cached": 2})).is_err());
        assert!(read(&json!({"usable": "soon", "bytes": 1, "cached": 0})).is_err());
    }

    #[test]
    fn a_command_goes_to_its_session() {
        let base = Url::parse("http://127.0.0.1:9515/").unwrap();
        let command = Cdp("Page.enable", json!({}));
        let endpoint = command.endpoint(&base, Some("abc")).unwrap();
        assert_eq!(endpoint.as_str(), "http://127.0.0.1:9515/session/abc/goog/cdp/execute");
        let (method, body) = command.method_and_body(&endpoint);
        assert_eq!(method, http::Method::POST);
        assert_eq!(body.as_deref(), Some(r#"{"cmd":"Page.enable","params":{}}"#));
    }
}
