//! What axe-core finds on a page.

use super::driver::Browser;

const RULES: &str = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']";

/// Fails with every violation and the elements that have it.
pub(super) async fn check(browser: &Browser, place: &str) {
    let file = std::env::var_os("BERTH_AXE").expect("BERTH_AXE names axe.min.js");
    let axe = std::fs::read_to_string(file).unwrap();
    browser.run(&axe).await;
    let script = format!(
        "const done = arguments[arguments.length - 1];
         axe.run(document, {{ runOnly: {RULES} }}).then(
           result => done(result.violations.flatMap(violation => violation.nodes.map(
             node => violation.id + ': ' + violation.help + ' at ' + node.target.join(' ') + ': ' + node.failureSummary))),
           error => done(['axe failed: ' + error]));"
    );
    let found = browser.client.execute_async(&script, Vec::new()).await.unwrap();
    let violations: Vec<String> = serde_json::from_value(found).unwrap();
    assert!(violations.is_empty(), "{place}:\n{}", violations.join("\n"));
}
