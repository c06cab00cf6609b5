//! A terminal in the browser: what is typed is answered, and nothing is lost when the line or the page is.

use std::time::Duration;

use berth_e2e::demo::Demo;
use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use tokio::time::Instant;

use super::{
    driver::{Browser, PATIENCE, PAUSE},
    walk::{delete, lend, look, sign_in, sign_out, small_and_dark},
};

const ENTER: char = '\u{e007}';
const CONTROL: char = '\u{e009}';
const SHIFT: char = '\u{e008}';

/// What waits to be drawn is bounded whatever a program prints.
const BEHIND: i64 = 4 << 20;

/// Remembers what the page's policy refuses, what is put on the clipboard, and the sockets: the page does not say.
const SPY: &str = "
    window.refused = [];
    document.addEventListener('securitypolicyviolation', (event) => {
        window.refused.push(event.violatedDirective + ' ' + event.sourceFile + ':' + event.lineNumber);
    });
    window.clipped = [];
    Object.defineProperty(navigator, 'clipboard', { value: {
        writeText: (text) => { window.clipped.push(text); return Promise.resolve(); } } });
    window.sockets = [];
    const Real = window.WebSocket;
    window.WebSocket = class extends Real {
        constructor(...args) {
            if (window.blocked) throw new Error('blocked');
            super(...args);
            window.sockets.push(this);
        }
    };";

pub(super) async fn terminal(browser: &Browser, demo: &Demo) {
    let language = browser.language;
    // Another one when an earlier walk left its own behind.
    let name = format!("shell-{}-{}", language.tag(), std::process::id());
    sign_in(browser, demo, "bob").await;
    lend(browser, demo, &name).await;
    // Nothing of it is loaded before it is needed.
    let lazy = "return performance.getEntriesByType('resource').filter((e) => e.name.includes('/lazy/terminal')).length";
    assert_eq!(browser.value(lazy).await, 0);

    browser.run(SPY).await;
    browser.click(".page-head .acts a.button.primary").await;
    browser.see(".terminal-screen .xterm").await;
    type_line(browser, "echo $((6*7))").await;
    see(browser, "\n42\n").await;
    // Bytes of one letter may come apart; the colour is one that needs a style of its own.
    type_line(
        browser,
        r"printf '\346\227\245'; printf '\346\234'; sleep 0.2; printf '\254\350\252\236\n'",
    )
    .await;
    see(browser, "\n日本語\n").await;
    type_line(browser, r"printf '\033[38;2;200;60;60mrosy\033[0m\n'").await;
    see(browser, "\nrosy\n").await;
    look(browser, "30-terminal").await;
    filters(browser).await;
    survives_cuts(browser).await;
    survives_floods(browser).await;
    waits_for_a_slow_screen(browser).await;
    works_without_sockets(browser).await;
    says_when_it_is_cut_off(browser).await;
    assert_eq!(browser.value("return window.refused.join(', ')").await, "");
    leaves_by_keyboard(browser).await;
    reload(browser, demo, &name).await;
    small_and_dark(browser, demo, &[("terminal", &format!("/c/{name}/terminal"))]).await;
    ends(browser).await;
    browser.open(&demo.page(&format!("/c/{name}"))).await;
    delete(browser, &name).await;
    sign_out(browser, demo).await;
}

/// A program may neither name the page nor fill the clipboard.
async fn filters(browser: &Browser) {
    let title = browser.value("return document.title").await;
    type_line(
        browser,
        r"printf '\033]0;taken\007\033]2;taken\007\033]52;c;dGFrZW4=\007'; echo sent",
    )
    .await;
    see(browser, "\nsent\n").await;
    assert_eq!(browser.value("return document.title").await, title);
    assert_eq!(browser.value("return window.clipped.length").await, 0);
}

/// The line breaks while something is printed: all of it is there, once.
async fn survives_cuts(browser: &Browser) {
    type_line(browser, "for i in 1 2 3 4 5 6 7 8; do echo part-$i-end; sleep 0.2; done; echo all")
        .await;
    for part in ["part-2-end", "part-5-end"] {
        see(browser, &format!("\n{part}\n")).await;
        browser.run("window.sockets.at(-1).close()").await;
    }
    let text = see(browser, "\nall\n").await;
    for i in 1..=8 {
        let part = format!("\npart-{i}-end");
        assert_eq!(text.matches(&part).count(), 1, "{part} in {text}");
    }
    assert!(browser.value("return window.sockets.length").await.as_i64() >= Some(3));
}

async fn survives_floods(browser: &Browser) {
    type_line(browser, "yes 0123456789012345678901234567890123456789").await;
    see(browser, "\n0123456789012345678901234567890123456789\n").await;
    let until = Instant::now() + Duration::from_secs(4);
    while Instant::now() < until {
        let most = browser
            .value("return document.querySelector('.terminal-screen').berthScreen.most")
            .await;
        assert!(most.as_i64() < Some(BEHIND), "{most} bytes wait to be drawn");
        tokio::time::sleep(PAUSE).await;
    }
    let most =
        browser.value("return document.querySelector('.terminal-screen').berthScreen.most").await;
    let stopped = Instant::now();
    keys(
        browser,
        &[
            KeyAction::Down { value: CONTROL },
            KeyAction::Down { value: 'c' },
            KeyAction::Up { value: 'c' },
            KeyAction::Up { value: CONTROL },
        ],
    )
    .await;
    type_line(browser, "echo still $((40+2)) here").await;
    see(browser, "\nstill 42 here\n").await;
    eprintln!(
        "after a flood ({most} bytes behind at most), an answer within {:?}",
        stopped.elapsed()
    );
}

/// A screen that draws nothing: the line that cannot wait is closed, and one that can goes on where it ended.
async fn waits_for_a_slow_screen(browser: &Browser) {
    const DRAWN: &str = "return window.drawn.reduce((sum, bytes) => sum + bytes, 0)";
    browser
        .run(
            "window.drawn = [];
             const screen = document.querySelector('.terminal-screen').berthScreen;
             window.draw = screen.parsed;
             screen.parsed = (bytes) => window.drawn.push(bytes);",
        )
        .await;
    type_line(browser, "yes 0123456789012345678901234567890123456789").await;
    let deadline = Instant::now() + PATIENCE;
    while browser.value("return window.sockets.at(-1).readyState").await != 3 {
        assert!(Instant::now() < deadline, "{} bytes wait", browser.value(DRAWN).await);
        tokio::time::sleep(PAUSE).await;
    }
    let sockets = browser.value("return window.sockets.length").await;
    let waiting = browser.value(DRAWN).await.as_i64();
    assert!(waiting < Some(BEHIND), "{waiting:?} bytes wait to be drawn");
    interrupt(browser).await;
    browser
        .run(
            "document.querySelector('.terminal-screen').berthScreen.parsed = window.draw;
             window.drawn.forEach((bytes) => window.draw(bytes));",
        )
        .await;
    type_line(browser, "echo caught $((84/2)) up").await;
    see(browser, "\ncaught 42 up\n").await;
    // And back to the quicker line, once it is quiet.
    let deadline = Instant::now() + PATIENCE;
    while browser.value("return window.sockets.length").await == sockets {
        assert!(Instant::now() < deadline, "it stays with the slower line");
        tokio::time::sleep(PAUSE).await;
    }
}

async fn interrupt(browser: &Browser) {
    keys(
        browser,
        &[
            KeyAction::Down { value: CONTROL },
            KeyAction::Down { value: 'c' },
            KeyAction::Up { value: 'c' },
            KeyAction::Up { value: CONTROL },
        ],
    )
    .await;
}

/// The pair of calls, where something on the way refuses WebSockets.
async fn works_without_sockets(browser: &Browser) {
    browser.run("window.blocked = true; window.sockets.at(-1).close()").await;
    type_line(browser, "echo by $((2*3*7)) calls").await;
    see(browser, "\nby 42 calls\n").await;
    browser.run("window.blocked = false").await;
}

/// Without any way to the controller: a quiet line says so, and what is typed goes nowhere.
async fn says_when_it_is_cut_off(browser: &Browser) {
    browser
        .run(
            "window.blocked = true;
             window.real = window.fetch;
             window.fetch = () => Promise.reject(new TypeError('cut off'));
             document.querySelector('.terminal-screen').berthScreen.focus();",
        )
        .await;
    // By now it may be either of the two lines: both have ended.
    type_line(browser, "sleep 1; echo before").await;
    browser.run("window.sockets.at(-1).close()").await;
    let language = browser.language;
    browser.see_text(".terminal-state", language.pick("Connection lost", "接続が切れました")).await;
    look(browser, "33-terminal-lost").await;
    type_line(browser, "echo into the void").await;
    browser.run("window.blocked = false; window.fetch = window.real").await;
    browser.see_text(".terminal-state", language.pick("Back again", "再接続しました")).await;
    type_line(browser, "echo $((40+2)) and on").await;
    let text = see(browser, "\n42 and on\n").await;
    assert!(!text.contains("void"), "{text}");
}

/// Tab belongs to the program, so there is another way out.
async fn leaves_by_keyboard(browser: &Browser) {
    keys(
        browser,
        &[
            KeyAction::Down { value: CONTROL },
            KeyAction::Down { value: SHIFT },
            KeyAction::Down { value: 'L' },
            KeyAction::Up { value: 'L' },
            KeyAction::Up { value: SHIFT },
            KeyAction::Up { value: CONTROL },
        ],
    )
    .await;
    browser.see(".terminal-tabs a[aria-current]:focus").await;
}

async fn reload(browser: &Browser, demo: &Demo, name: &str) {
    browser.open(&demo.page(&format!("/c/{name}/terminal"))).await;
    let text = see(browser, "\nby 42 calls\n").await;
    assert!(text.ends_with(['#', '$']), "questions of old are answered again: {text}");
    type_line(browser, "echo and $((4*3)) more").await;
    see(browser, "\nand 12 more\n").await;
}

async fn ends(browser: &Browser) {
    browser.see(".terminal-screen .xterm").await;
    type_line(browser, "exit 3").await;
    browser.see_text(".terminal-page > .notice", browser.language.pick("code 3", "コード3")).await;
    look(browser, "31-terminal-ended").await;
    browser.click(".terminal-page > .notice button").await;
    browser.see_no(".terminal-page > .notice").await;
    type_line(browser, "echo new $((1+1))").await;
    see(browser, "\nnew 2\n").await;
    browser.click(".terminal-tabs li:has([aria-current]) button").await;
    browser.see("dialog#end-terminal[open]").await;
    look(browser, "32-terminal-close").await;
    browser.click("#end-terminal .button.danger").await;
    browser.see_no("dialog#end-terminal[open]").await;
    browser.see_no(".terminal-page").await;
}

/// Into what has the focus, as a keyboard does.
pub(super) async fn type_line(browser: &Browser, line: &str) {
    browser.run("document.querySelector('.terminal-screen textarea').focus()").await;
    let actions: Vec<KeyAction> = line
        .chars()
        .chain([ENTER])
        .flat_map(|value| [KeyAction::Down { value }, KeyAction::Up { value }])
        .collect();
    keys(browser, &actions).await;
}

async fn keys(browser: &Browser, actions: &[KeyAction]) {
    let keyboard =
        actions.iter().fold(KeyActions::new("keyboard".to_owned()), |keyboard, action| {
            keyboard.then(action.clone())
        });
    browser.client.perform_actions(keyboard).await.unwrap();
}

/// What is on the screen and above it, with `text` in it.
pub(super) async fn see(browser: &Browser, text: &str) -> String {
    const READ: &str = "const screen = document.querySelector('.terminal-screen')?.berthScreen; return screen ? '\\n' + screen.text() : ''";
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = browser.value(READ).await.as_str().unwrap_or_default().to_owned();
        if seen.contains(text) || format!("{seen}\n").contains(text) {
            return seen;
        }
        let end: String =
            seen.chars().rev().take(2000).collect::<Vec<_>>().into_iter().rev().collect();
        assert!(Instant::now() < deadline, "{text:?} is not on the screen, but {end}");
        tokio::time::sleep(PAUSE).await;
    }
}
