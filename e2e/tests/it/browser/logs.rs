//! Logs in the browser: as they come, after a cut, in a flood, searched, saved, after the end.

use std::time::Duration;

use berth_e2e::demo::Demo;
use fantoccini::{
    Locator,
    actions::{InputSource as _, KeyAction, KeyActions},
};
use tokio::time::Instant;

use super::{
    driver::{Browser, PATIENCE, PAUSE},
    saying::Speaker,
    walk::{look, sign_in, sign_out, small_and_dark},
};

const ENTER: char = '\u{e007}';
const END: char = '\u{e010}';

/// The page keeps so many lines, and takes them away by the hundred.
const ROWS: i64 = 5_200;
const HEAP: i64 = 160 << 20;

/// Lets the test cut the line, keeps what the page's policy refuses and what is saved, and counts.
const SPY: &str = "
    window.refused = [];
    document.addEventListener('securitypolicyviolation', (event) => {
        window.refused.push(event.violatedDirective + ' ' + event.sourceFile + ':' + event.lineNumber);
    });
    window.real ??= window.fetch;
    window.away = false;
    window.fetch = async (what, how) => {
        if (window.away) throw new TypeError('cut off');
        const answer = await window.real(what, how);
        if (!String(what?.url ?? what).includes('LogService') || !answer.body) return answer;
        const reader = answer.body.getReader();
        const body = new ReadableStream({
            start(control) {
                window.cut = () => { control.error(new TypeError('cut off')); reader.cancel(); };
            },
            pull(control) {
                return reader.read().then(({ done, value }) => done ? control.close() : control.enqueue(value));
            },
            cancel() { return reader.cancel(); },
        });
        return new Response(body, { status: answer.status, headers: answer.headers });
    };
    const click = HTMLAnchorElement.prototype.click;
    HTMLAnchorElement.prototype.click = function () {
        window.saved = this.download;
        click.call(this);
    };
    const make = URL.createObjectURL;
    URL.createObjectURL = (blob) => {
        blob.text().then((text) => { window.content = text; });
        return make.call(URL, blob);
    };";

/// Colours, both streams, letters of all kinds, a line that is long and one that writes over itself.
const BEGINNING: &str = r#"
    for n in $(seq 1 60); do echo "line $n of the beginning"; done
    echo 'hello 日本語 こんにちは'
    printf '\033[32mINFO\033[0m listening on \033[1;36mhttp://0.0.0.0:8080\033[0m \033[33mwith a warning\033[0m \033[91mand an error\033[0m\n'
    printf '10%%\r50%%\r100%%\n'
    printf '\033]0;title\007\033[2Jno \033[35mtitle\033[0m <b>and no tags</b>\n'
    printf 'a\tb\tc\n'
    echo 'Error: something on standard error' >&2
    echo "long $(seq -s ' ' 1 200)"
    echo ready"#;

pub(super) async fn logs(browser: &Browser, demo: &Demo) {
    let language = browser.language;
    let name = format!("logs-{}-{}", language.tag(), std::process::id());
    let speaker = Speaker::lend(demo, "alice", name.clone()).await;
    sign_in(browser, demo, "alice").await;
    browser.open(&demo.page(&format!("/c/{name}"))).await;
    browser.see(".head-state .phase.ok").await;
    browser.run(SPY).await;
    browser.click(&format!(".tabs a[href='/c/{name}/logs']")).await;
    browser.see_text("h1", language.pick("Logs of", "のログ")).await;
    browser.see(".log-nothing").await;
    look(browser, "70-logs-empty").await;

    speaker.say(BEGINNING).await;
    browser.see_text(".log-text", "ready").await;
    shows(browser).await;
    look(browser, "71-logs").await;
    finds(browser).await;
    changes_its_look(browser).await;
    stays_where_one_reads(browser, &speaker).await;
    comes_back(browser, &speaker).await;
    saves(browser).await;
    survives_floods(browser, &speaker).await;
    assert_eq!(browser.value("return window.refused.join(', ')").await, "");

    let page = format!("/c/{name}/logs");
    small_and_dark(browser, demo, &[("logs", &page)]).await;
    ends(browser, demo, &speaker, &page).await;
    speaker.give_back().await;
    sign_out(browser, demo).await;
}

async fn shows(browser: &Browser) {
    browser.see_text(".log-text", "hello 日本語 こんにちは").await;
    browser.see_text(".log-line.error .log-text", "something on standard error").await;
    browser.see_text(".log-text .c2", "INFO").await;
    browser.see_text(".log-text .c6.b", "http://0.0.0.0:8080").await;
    browser.see_text(".log-text .c9", "and an error").await;
    let all = text(browser).await;
    assert!(all.contains("\nno title <b>and no tags</b>\n"), "{all}");
    assert!(all.contains("\n100%\n") && !all.contains("50%"), "{all}");
    assert_eq!(browser.value("return document.querySelectorAll('.log-box b').length").await, 0);
    assert!(at_end(browser).await, "the newest line is not in sight");
}

async fn finds(browser: &Browser) {
    let language = browser.language;
    search(browser, "ERROR").await;
    browser.see("mark.here").await;
    browser.see_text(".logs-find [role=status]", language.pick("3 of 3", "3件中3件目")).await;
    press(browser, ENTER).await;
    browser.see_text(".logs-find [role=status]", language.pick("1 of 3", "3件中1件目")).await;
    browser.click(".logs-find button:nth-of-type(1)").await;
    browser.see_text(".logs-find [role=status]", language.pick("3 of 3", "3件中3件目")).await;
    look(browser, "72-logs-search").await;
    browser.click(".logs-find button.chip").await;
    browser.see_no(".log-line:not(:has(mark))").await;
    assert_eq!(browser.value("return document.querySelectorAll('.log-line').length").await, 2);
    look(browser, "73-logs-only").await;
    search(browser, "no such words").await;
    browser.see_no(".log-line").await;
    let none = language.pick("Not found", "見つかりません");
    browser.see_text(".logs-find [role=status]", none).await;
    search(browser, "").await;
    browser.see_text(".log-text", "line 1 of the beginning").await;
    browser.see_no("mark").await;
}

async fn changes_its_look(browser: &Browser) {
    browser.click(".logs-tools .chips .chip:nth-child(2)").await;
    browser.see(".log-time").await;
    browser.click(".logs-tools .chips .chip:nth-child(3)").await;
    browser.see_no(".log-box.wrap").await;
    let sideways =
        "const box = document.querySelector('.log-box'); return box.scrollWidth > box.clientWidth";
    assert_eq!(browser.value(sideways).await, true);
    look(browser, "74-logs-times").await;
    browser.click(".logs-tools .chips .chip:nth-child(3)").await;
    browser.see(".log-box.wrap").await;
    browser.click(".logs-tools .chips .chip:nth-child(2)").await;
    browser.see_no(".log-time").await;
}

/// Lines that come do not move what somebody reads; at the end they are there.
async fn stays_where_one_reads(browser: &Browser, speaker: &Speaker) {
    browser.run("document.querySelector('.log-box').scrollTop = 40").await;
    browser.see(".log-newest").await;
    speaker.say("for n in 1 2 3; do echo later $n; done").await;
    browser.see_text(".log-newest", "3").await;
    assert!(!text(browser).await.contains("later"));
    assert_eq!(browser.value("return document.querySelector('.log-box').scrollTop").await, 40);
    look(browser, "75-logs-newer").await;
    browser.run("document.querySelector('.log-box').focus()").await;
    press(browser, END).await;
    browser.see_text(".log-text", "later 3").await;
    browser.see_no(".log-newest").await;
    speaker.say("echo and now").await;
    browser.see_text(".log-text", "and now").await;
    assert!(at_end(browser).await, "the newest line is not in sight");
}

/// The line is away for a while: it says so, and nothing is missing or there twice.
async fn comes_back(browser: &Browser, speaker: &Speaker) {
    let language = browser.language;
    browser.run("window.away = true; window.cut()").await;
    let lost = language.pick("Connection lost", "接続が切れました");
    browser.see_text(".logs-state", lost).await;
    speaker.say("for n in $(seq 1 20); do echo while away $n; done").await;
    look(browser, "76-logs-lost").await;
    browser.run("window.away = false").await;
    browser
        .see_text(".log-note.ok", language.pick("nothing is missing", "欠けた行はありません"))
        .await;
    browser.see_text(".log-text", "while away 20").await;
    let all = text(browser).await;
    for n in 1..=20 {
        assert_eq!(all.matches(&format!("\nwhile away {n}\n")).count(), 1, "{n} in {all}");
    }
    look(browser, "77-logs-back").await;
}

async fn saves(browser: &Browser) {
    browser.click(".logs-head .button").await;
    let deadline = Instant::now() + PATIENCE;
    let content = loop {
        if let Some(content) = browser.value("return window.content ?? null").await.as_str() {
            break content.to_owned();
        }
        assert!(Instant::now() < deadline, "nothing is saved");
        tokio::time::sleep(PAUSE).await;
    };
    let name = browser.value("return window.saved").await;
    assert!(name.as_str().is_some_and(|name| name.ends_with(".log")), "{name}");
    assert!(content.contains("line 1 of the beginning\n"), "{content}");
    // As the program printed it.
    assert!(
        content.contains("\u{1b}[32mINFO") && content.ends_with("while away 20\n"),
        "{content}"
    );
}

/// Far more than can be read: the page keeps a few thousand lines and its pace, and says what it leaves out.
async fn survives_floods(browser: &Browser, speaker: &Speaker) {
    browser
        .run(
            "window.longest = 0;
             let last = performance.now();
             const beat = () => {
                 const now = performance.now();
                 window.longest = Math.max(window.longest, now - last);
                 last = now;
                 if (!window.still) setTimeout(beat, 10);
             };
             beat();",
        )
        .await;
    speaker
        .say("yes 'a line of the flood that nobody can read, some hundred letters long, with a number 0123456789' & echo $! > /tmp/flood")
        .await;
    let until = Instant::now() + Duration::from_secs(10);
    let mut most = 0;
    while Instant::now() < until {
        let rows = browser.value("return document.querySelectorAll('.log-line').length").await;
        most = most.max(rows.as_i64().unwrap_or(0));
        assert!(most <= ROWS, "{most} lines are on the page");
        tokio::time::sleep(PAUSE).await;
    }
    browser.see(".log-gone").await;
    let heap = browser.value("return performance.memory?.usedJSHeapSize ?? 0").await;
    assert!(heap.as_i64() < Some(HEAP), "{heap} bytes");
    let longest = browser.value("return Math.round(window.longest)").await;
    look(browser, "78-logs-flood").await;
    speaker.say("kill $(cat /tmp/flood); sleep 1; echo the flood is over").await;
    let stopped = Instant::now();
    // Programs built for tests pass on little more than half a megabyte a second.
    let last = "return document.querySelector('.log-part:last-of-type')?.textContent.includes('the flood is over') ?? false";
    while browser.value(last).await != true {
        assert!(stopped.elapsed() < 3 * PATIENCE, "the end of the flood does not come");
        tokio::time::sleep(PAUSE).await;
    }
    eprintln!(
        "in a flood {most} lines, {heap} bytes, {longest} ms without an answer at most; its end seen within {:?}",
        stopped.elapsed()
    );
    assert!(longest.as_i64() < Some(2000), "{longest} ms without an answer");
    browser.run("window.still = true").await;
}

/// It is there after the end, and goes on when the container does.
async fn ends(browser: &Browser, demo: &Demo, speaker: &Speaker, page: &str) {
    let language = browser.language;
    browser.open(&demo.page(page)).await;
    browser.see_text(".log-text", "the flood is over").await;
    speaker.say("echo last words; false").await;
    browser.see_text(".logs-state", language.pick("Ended", "終了")).await;
    browser.see_text(".log-note", language.pick("has ended here", "ここで終了しました")).await;
    browser.open(&demo.page(page)).await;
    browser.see_text(".log-text", "last words").await;
    look(browser, "79-logs-ended").await;
    speaker.start().await;
    browser.see_text(".logs-state", language.pick("Live", "受信中")).await;
    speaker.say("echo back again").await;
    browser.see_text(".log-text", "back again").await;
}

async fn text(browser: &Browser) -> String {
    const READ: &str = "return '\\n' + [...document.querySelectorAll('.log-line')].map((line) => line.textContent + '\\n').join('')";
    browser.value(READ).await.as_str().unwrap_or_default().to_owned()
}

async fn at_end(browser: &Browser) -> bool {
    const READ: &str = "const box = document.querySelector('.log-box'); return box.scrollHeight - box.scrollTop - box.clientHeight < 3";
    browser.value(READ).await == true
}

async fn search(browser: &Browser, words: &str) {
    let field = browser.client.find(Locator::Css("input[type=search]")).await.unwrap();
    field.clear().await.unwrap();
    browser
        .run("const field = document.querySelector('input[type=search]'); field.dispatchEvent(new Event('input')); field.focus()")
        .await;
    if !words.is_empty() {
        field.send_keys(words).await.unwrap();
    }
}

async fn press(browser: &Browser, value: char) {
    let keyboard = KeyActions::new("keyboard".to_owned())
        .then(KeyAction::Down { value })
        .then(KeyAction::Up { value });
    browser.client.perform_actions(keyboard).await.unwrap();
}
