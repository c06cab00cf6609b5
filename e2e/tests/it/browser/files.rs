//! Files in the browser: sent, cut off, gone on with, looked at, renamed, fetched, deleted.

use std::{
    fs,
    hash::{BuildHasher as _, RandomState},
    path::{Path, PathBuf},
    process::Command,
};

use berth_e2e::demo::Demo;
use fantoccini::{
    Locator,
    actions::{InputSource as _, KeyAction, KeyActions},
};
use tokio::time::Instant;

use super::{
    driver::{Browser, PATIENCE, PAUSE},
    terminal,
    walk::{delete, lend, look, sign_in, sign_out, small_and_dark},
};

const ENTER: char = '\u{e007}';
const BACKSPACE: char = '\u{e003}';
const F2: char = '\u{e032}';
const DELETE: char = '\u{e017}';

/// As much as goes in one request.
const SLICE: usize = 8 << 20;

/// Counts what is sent, and does with the next slices what the test wants: lose them on the way, or hold them back.
const SPY: &str = "
    window.sent = 0;
    window.lose = 0;
    window.hold = false;
    window.lost = 0;
    window.refused = [];
    document.addEventListener('securitypolicyviolation', (event) => {
        window.refused.push(event.violatedDirective + ' ' + event.sourceFile + ':' + event.lineNumber);
    });
    const send = XMLHttpRequest.prototype.send;
    XMLHttpRequest.prototype.send = function (body) {
        const length = body ? body.size : 0;
        if (length && window.hold && window.sent > 0) return;
        if (length && window.lose > 0 && window.sent > 0) {
            window.lose -= 1;
            window.lost += 1;
            send.call(this, body);
            this.abort();
            return;
        }
        window.sent += length;
        send.call(this, body);
    };";

pub(super) async fn files(browser: &Browser, demo: &Demo) {
    let language = browser.language;
    let name = format!("files-{}-{}", language.tag(), std::process::id());
    let local = tempfile::tempdir().unwrap();
    sign_in(browser, demo, "alice").await;
    lend(browser, demo, &name).await;
    browser.click(&format!(".tabs a[href='/c/{name}/files']")).await;
    browser.see_text("h1", language.pick("Files in", "のファイル")).await;
    browser.see_no("main .skeleton:not(dialog *)").await;

    browser.open(&demo.page(&format!("/c/{name}/files?path=/"))).await;
    browser.see("tr[data-name=etc]").await;
    look(browser, "40-files-root").await;
    browser.open(&demo.page(&format!("/c/{name}/files?path=/tmp"))).await;
    make_folder(browser, "work 作業").await;
    press_on(browser, "work 作業", ENTER).await;
    browser.see_text(".files-way [aria-current]", "work 作業").await;
    browser.see(".files-page .empty").await;
    look(browser, "41-files-empty").await;

    let large = local.path().join("large.bin");
    fs::write(&large, noise(2 * SLICE + SLICE / 2 + 17)).unwrap();
    survives_cuts(browser, &large).await;
    same_bytes(browser, &large).await;
    asks_before_replacing(browser, local.path()).await;
    goes_on_after_a_reload(browser, demo, &name, local.path()).await;
    takes_folders(browser, local.path()).await;
    takes_what_is_dropped(browser).await;
    assert_eq!(browser.value("return window.refused.join(', ')").await, "");
    in_the_container(browser, demo, &name, &large).await;

    many(browser, demo, &name, local.path()).await;
    let here = format!("/c/{name}/files?path=/tmp/work%20%E4%BD%9C%E6%A5%AD");
    browser.open(&demo.page(&here)).await;
    renames(browser).await;
    orders_and_finds(browser).await;
    deletes(browser).await;
    small_and_dark(
        browser,
        demo,
        &[("files", &here), ("files-root", &format!("/c/{name}/files?path=/"))],
    )
    .await;
    missing(browser, demo, &name).await;
    stopped(browser, demo, &name, &here).await;
    browser.open(&demo.page(&format!("/c/{name}"))).await;
    delete(browser, &name).await;
    sign_out(browser, demo).await;
}

async fn make_folder(browser: &Browser, name: &str) {
    browser.click(".files-tools .acts > button:nth-of-type(3)").await;
    browser.see("dialog#new-folder[open]").await;
    browser.fill("new-folder-name", "no/such").await;
    browser.see("#new-folder-name[aria-invalid=true]").await;
    browser.fill("new-folder-name", name).await;
    look(browser, "42-new-folder").await;
    browser.click("#new-folder button[type=submit]").await;
    browser.see_no("dialog#new-folder[open]").await;
    browser.see(&row(name)).await;
}

/// The second slice is lost twice on the way: it comes again, and the file is whole.
async fn survives_cuts(browser: &Browser, file: &Path) {
    browser.run(SPY).await;
    browser.run("window.lose = 2").await;
    choose(browser, &[file]).await;
    browser.see(".transfers").await;
    browser.see(&row("large.bin")).await;
    browser.see_text(".transfer-step.ok", browser.language.pick("Done", "完了")).await;
    assert_eq!(browser.value("return window.lost").await, 2);
    look(browser, "43-files-sent").await;
}

async fn asks_before_replacing(browser: &Browser, local: &Path) {
    let size = |browser: &Browser| {
        let script =
            format!("return document.querySelector(`{} td.figures`).textContent", row("large.bin"));
        let client = browser.client.clone();
        async move { client.execute(&script, Vec::new()).await.unwrap() }
    };
    let before = size(browser).await;
    let other = local.join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("large.bin"), b"small").unwrap();
    choose(browser, &[&other.join("large.bin")]).await;
    browser.see("dialog#upload-exists[open]").await;
    look(browser, "44-files-exists").await;
    browser.click("#upload-exists .dialog-acts .button:not(.primary)").await;
    browser.see_no("dialog#upload-exists[open]").await;
    browser.see_text(".transfer-step", browser.language.pick("Skipped", "スキップ")).await;
    assert_eq!(size(browser).await, before);

    fs::write(other.join("twice.txt"), b"first").unwrap();
    choose(browser, &[&other.join("twice.txt")]).await;
    browser.see(&row("twice.txt")).await;
    fs::write(other.join("twice.txt"), b"second one").unwrap();
    choose(browser, &[&other.join("twice.txt")]).await;
    browser.see("dialog#upload-exists[open]").await;
    browser.click("#upload-exists .button.primary").await;
    browser.see_text(&format!("{} td.figures", row("twice.txt")), "10 B").await;
}

/// The page goes while a file is on its way. Chosen again, only the rest of it is sent.
async fn goes_on_after_a_reload(browser: &Browser, demo: &Demo, name: &str, local: &Path) {
    let file = local.join("resumed.bin");
    let size = 2 * SLICE + 5;
    fs::write(&file, noise(size)).unwrap();
    browser.run("window.sent = 0; window.hold = true").await;
    choose(browser, &[&file]).await;
    let percent = (SLICE * 100 / size).to_string();
    browser.see_text(".transfer-step", &percent).await;
    look(browser, "49-files-sending").await;
    pauses(browser, &percent).await;
    let here = browser.client.current_url().await.unwrap();
    let path = format!("{}?{}", here.path(), here.query().unwrap_or_default());
    browser.open(&demo.page(&format!("/c/{name}"))).await;
    browser.see(".head-state .phase.ok").await;
    browser.open(&demo.page(&path)).await;
    browser.see(&row("large.bin")).await;
    browser.run(SPY).await;
    choose(browser, &[&file]).await;
    browser.see(&row("resumed.bin")).await;
    browser.see_text(".transfer-step.ok", browser.language.pick("Done", "完了")).await;
    assert_eq!(browser.value("return window.sent").await, size - SLICE);
    same_bytes(browser, &file).await;
}

/// While it is paused it says so, and it goes on from where it was.
async fn pauses(browser: &Browser, percent: &str) {
    let language = browser.language;
    browser.click(".transfer .acts button").await;
    browser.see_text(".transfer-step", language.pick("Paused", "一時停止中")).await;
    browser.click(".transfer .acts button").await;
    browser.see_text(".transfer-step", percent).await;
}

/// From a page, a mail, a desktop: the whole page takes it.
async fn takes_what_is_dropped(browser: &Browser) {
    browser
        .run(
            "const data = new DataTransfer();
             data.items.add(new File(['dropped here'], 'dropped.txt'));
             for (const kind of ['dragover', 'drop']) {
                 document.querySelector('h1').dispatchEvent(new DragEvent(kind, {
                     dataTransfer: data, bubbles: true, cancelable: true }));
             }",
        )
        .await;
    browser.see_text(&format!("{} td.figures", row("dropped.txt")), "12 B").await;
    browser.see_no(".files-drop").await;
}

/// With the folders in it.
async fn takes_folders(browser: &Browser, local: &Path) {
    let folder = local.join("tree");
    fs::create_dir_all(folder.join("inner")).unwrap();
    fs::write(folder.join("a.txt"), b"a").unwrap();
    fs::write(folder.join("inner/b.txt"), b"bb").unwrap();
    let input =
        browser.client.find_all(Locator::Css(".files-tools input[type=file]")).await.unwrap();
    input[1].send_keys(folder.to_str().unwrap()).await.unwrap();
    browser.see(&row("tree")).await;
    press_on(browser, "tree", ENTER).await;
    browser.see(&row("inner")).await;
    browser.see(&row("a.txt")).await;
    press_on(browser, "inner", ENTER).await;
    browser.see(&row("b.txt")).await;
    for _ in 0..2 {
        press(browser, BACKSPACE).await;
    }
    browser.see(&row("large.bin")).await;
}

/// What is there is what was sent, as a program in the container reads it.
async fn in_the_container(browser: &Browser, demo: &Demo, name: &str, file: &Path) {
    browser.open(&demo.page(&format!("/c/{name}/terminal"))).await;
    browser.see(".terminal-screen .xterm").await;
    terminal::type_line(browser, "sha256sum /tmp/work*/large.bin | cut -c 1-64").await;
    terminal::see(browser, &format!("\n{}\n", sha256(file))).await;
    terminal::type_line(browser, "cat /tmp/work*/tree/inner/b.txt; cat /tmp/work*/twice.txt; echo")
        .await;
    terminal::see(browser, "bbsecond one\n").await;
    terminal::type_line(
        browser,
        "cd /tmp/work*; touch .hidden a10 a2 $(printf 'bad\\377name'); echo made",
    )
    .await;
    terminal::see(browser, "\nmade\n").await;
}

/// Many at once, and a folder of more than is listed.
async fn many(browser: &Browser, demo: &Demo, name: &str, local: &Path) {
    const FILES: usize = 120;
    let language = browser.language;
    terminal::type_line(
        browser,
        "mkdir /tmp/few /tmp/many; cd /tmp/many; seq -w 1 10400 | xargs touch; ln -s /tmp/few ../to-few; ln -s /tmp/many/00001 ../to-file; echo all made",
    )
    .await;
    terminal::see(browser, "\nall made\n").await;
    browser.open(&demo.page(&format!("/c/{name}/files?path=/tmp/many"))).await;
    // Which of them are listed is the blade's to say.
    browser.see_text(".files-page .notice.wait", "10000").await;
    look(browser, "60-files-many").await;
    browser.click(".files-foot button").await;
    browser.see("tbody tr:nth-child(301)").await;

    // A link to a folder is one that can be gone into.
    browser.open(&demo.page(&format!("/c/{name}/files?path=/tmp"))).await;
    press_on(browser, "to-few", ENTER).await;
    browser.see(".files-page .empty").await;
    // One that leads to a file says so, and gives the file.
    press(browser, BACKSPACE).await;
    press_on(browser, "to-file", ENTER).await;
    browser.see(".files-page .notice.bad").await;
    browser.see(".files-page .notice.bad + .acts a[download]").await;
    browser.open(&demo.page(&format!("/c/{name}/files?path=/tmp/few"))).await;
    browser.see(".files-page .empty").await;
    let paths: Vec<_> = (0..FILES).map(|number| local.join(format!("{number}.txt"))).collect();
    for path in &paths {
        fs::write(path, path.to_str().unwrap()).unwrap();
    }
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    choose(browser, &paths).await;
    browser.see_text(".files-foot", &FILES.to_string()).await;
    let all = language.pick("120 of 120 files", "120件中120件完了");
    browser.see_text(".transfers-head", all).await;
    browser.see_no(".transfers-head .acts button:nth-of-type(2)").await;
    // They go on while another page is looked at.
    choose(browser, &paths).await;
    browser.see("dialog#upload-exists[open]").await;
    browser.click("#upload-exists input[type=checkbox]").await;
    browser.click("#upload-exists .button.primary").await;
    browser.see_no("dialog#upload-exists[open]").await;
    browser.click("nav.bar a[href='/']").await;
    browser.see(&format!(".row a[href='/c/{name}']")).await;
    browser.click(&format!(".row a[href='/c/{name}']")).await;
    browser.click(&format!(".tabs a[href='/c/{name}/files']")).await;
    browser.see_text(".transfers-head", all).await;
    browser.click(".transfers-head .acts button").await;
    browser.see_no(".transfers").await;
}

async fn renames(browser: &Browser) {
    press_on(browser, "twice.txt", F2).await;
    browser.see("dialog#rename[open]").await;
    // What is typed replaces the name but not its ending.
    let chosen = "const field = document.querySelector('#rename-name');
        return field === document.activeElement && field.value.slice(field.selectionStart, field.selectionEnd)";
    let deadline = Instant::now() + PATIENCE;
    while browser.value(chosen).await != "twice" {
        assert!(Instant::now() < deadline, "the name is not selected");
        tokio::time::sleep(PAUSE).await;
    }
    // One that is taken is refused with a sentence.
    browser.fill("rename-name", "large.bin").await;
    browser.click("#rename button[type=submit]").await;
    browser.see("#rename .notice.bad").await;
    look(browser, "45-files-rename").await;
    browser.fill("rename-name", "once.txt").await;
    browser.click("#rename button[type=submit]").await;
    browser.see_no("dialog#rename[open]").await;
    browser.see(&row("once.txt")).await;
    browser.see_no(&row("twice.txt")).await;
}

async fn orders_and_finds(browser: &Browser) {
    const NAMES: &str = "return [...document.querySelectorAll('tr[data-name]')].map((row) => row.dataset.name).join(' ')";
    browser.see_no(&row(".hidden")).await;
    assert_eq!(
        browser.value(NAMES).await,
        "tree a2 a10 dropped.txt large.bin once.txt resumed.bin"
    );
    // What cannot be named is seen, and nothing can be done with it.
    browser.see_text("tbody tr:not([data-name])", "name").await;
    assert_eq!(browser.value("return document.querySelectorAll('tbody tr:not([data-name]) :is(a, button, input)').length").await, 0);
    browser.click("thead th:nth-child(3) button").await;
    browser.see("th[aria-sort=descending]").await;
    assert_eq!(
        browser.value(NAMES).await,
        "tree large.bin resumed.bin dropped.txt once.txt a2 a10"
    );
    browser.click("thead th:nth-child(2) button").await;
    browser.click(".files-find .chip").await;
    browser.see(&row(".hidden")).await;
    look(browser, "46-files-hidden").await;
    browser
        .client
        .find(Locator::Css("input[type=search]"))
        .await
        .unwrap()
        .send_keys("LARGE")
        .await
        .unwrap();
    browser.see_no(&row("once.txt")).await;
    assert_eq!(browser.value(NAMES).await, "large.bin");
    browser.client.find(Locator::Css("input[type=search]")).await.unwrap().clear().await.unwrap();
    browser
        .run("document.querySelector('input[type=search]').dispatchEvent(new Event('input'))")
        .await;
    browser.see(&row("once.txt")).await;
}

async fn deletes(browser: &Browser) {
    press_on(browser, "a10", DELETE).await;
    browser.see("dialog#delete-files[open]").await;
    browser.see_text("#delete-files", "a10").await;
    browser.click("#delete-files .button.danger").await;
    browser.see_no(&row("a10")).await;
    browser.see_no("dialog#delete-files[open]").await;
    for name in ["tree", "a2"] {
        browser.click(&format!("{} input[type=checkbox]", row(name))).await;
    }
    browser.click(".files-bar .button.danger").await;
    browser.see("dialog#delete-files[open]").await;
    browser.see_text("#delete-files", "2").await;
    look(browser, "47-files-delete").await;
    browser.click("#delete-files .button.danger").await;
    browser.see_no(&row("tree")).await;
    browser.see_no(&row("a2")).await;
    browser.see(&row("large.bin")).await;
}

async fn missing(browser: &Browser, demo: &Demo, name: &str) {
    browser.open(&demo.page(&format!("/c/{name}/files?path=/no/such"))).await;
    browser.see(".files-page .notice.bad").await;
    look(browser, "48-files-missing").await;
}

/// A container that does not run has its files still.
async fn stopped(browser: &Browser, demo: &Demo, name: &str, here: &str) {
    browser.open(&demo.page(&format!("/c/{name}"))).await;
    browser.see(".head-state .phase.ok").await;
    browser.click(".page-head .acts button.button").await;
    let word = browser.language.pick("Stopped", "停止中");
    browser.see_text(".head-state .phase-word", word).await;
    browser.open(&demo.page(here)).await;
    browser.see(&row("large.bin")).await;
    press_on(browser, "once.txt", DELETE).await;
    browser.click("#delete-files .button.danger").await;
    browser.see_no(&row("once.txt")).await;
}

/// Through the chooser that the button opens.
async fn choose(browser: &Browser, files: &[&Path]) {
    let input = browser.client.find(Locator::Css(".files-tools input[type=file]")).await.unwrap();
    let names: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
    input.send_keys(&names.join("\n")).await.unwrap();
}

/// By the link that a person would save it with.
async fn same_bytes(browser: &Browser, file: &Path) {
    let name = file.file_name().unwrap().to_str().unwrap();
    let script = format!(
        "const done = arguments[arguments.length - 1];
         (async () => {{
             const link = document.querySelector(`{} a.file-name[download]`);
             const bytes = await (await fetch(link.href)).arrayBuffer();
             const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
             done([...digest].map((byte) => byte.toString(16).padStart(2, '0')).join(''));
         }})().catch((error) => done(String(error)))",
        row(name)
    );
    let expected = sha256(file);
    let deadline = Instant::now() + PATIENCE;
    loop {
        // A network that changes cuts off what is on its way.
        let got = browser.client.execute_async(&script, Vec::new()).await.unwrap();
        if got == expected.as_str() {
            break;
        }
        assert!(Instant::now() < deadline, "{name} came back as {got}, not {expected}");
        tokio::time::sleep(PAUSE).await;
    }
    // The browser saves it, and the page stays.
    browser.click(&format!("{} a.file-name", row(name))).await;
    browser.see(&format!("{} a.file-name", row(name))).await;
}

fn row(name: &str) -> String {
    format!("tr[data-name=\"{name}\"]")
}

async fn press_on(browser: &Browser, name: &str, key: char) {
    browser.see(&row(name)).await;
    let script = format!("document.querySelector(`{} .file-name`).focus()", row(name));
    browser.run(&script).await;
    press(browser, key).await;
}

async fn press(browser: &Browser, value: char) {
    let keyboard = KeyActions::new("keyboard".to_owned())
        .then(KeyAction::Down { value })
        .then(KeyAction::Up { value });
    browser.client.perform_actions(keyboard).await.unwrap();
}

/// Nothing that compresses, and never twice the same.
fn noise(length: usize) -> Vec<u8> {
    let mut noise = vec![0; length];
    let seed = RandomState::new().hash_one(length).to_le_bytes();
    blake3::Hasher::new().update(&seed).finalize_xof().fill(&mut noise);
    noise
}

fn sha256(file: &Path) -> String {
    let output = Command::new("sha256sum").arg(file).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}
