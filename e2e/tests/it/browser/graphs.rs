//! Graphs in the browser: of a container as it is, of figures that are known, of a blade.

use std::time::{SystemTime, UNIX_EPOCH};

use berth_e2e::demo::Demo;
use berth_proto::v1::{Figures, GetFiguresResponse, GpuFigures, Limits, Point, Resolution};
use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use prost::Message as _;
use tokio::time::Instant;

use super::{
    accessibility,
    driver::{Browser, PATIENCE, PAUSE},
    saying::Speaker,
    walk::{look, sign_in, sign_out, small_and_dark},
};

const LEFT: char = '\u{e012}';
const HOME: char = '\u{e011}';
const ESCAPE: char = '\u{e00c}';
const GIB: u64 = 1 << 30;

const REFUSED: &str = "
    window.refused = [];
    document.addEventListener('securitypolicyviolation', (event) => {
        window.refused.push(event.violatedDirective + ' ' + event.sourceFile + ':' + event.lineNumber);
    });";

pub(super) async fn graphs(browser: &Browser, demo: &Demo) {
    let language = browser.language;
    let name = format!("graphs-{}-{}", language.tag(), std::process::id());
    let speaker = Speaker::lend(demo, "bob", name.clone()).await;
    speaker
        .say("timeout 20 yes > /dev/null & dd if=/dev/zero of=/tmp/some bs=1M count=40; sync")
        .await;
    sign_in(browser, demo, "bob").await;
    browser.open(&demo.page(&format!("/c/{name}"))).await;
    browser.see(".head-state .phase.ok").await;
    // The small ones come by themselves.
    browser.see(".glance .chart:nth-child(4) .chart-plot").await;
    look(browser, "80-glance").await;
    browser.click(&format!(".tabs a[href='/c/{name}/graphs']")).await;
    browser.see_text("h1", language.pick("Graphs of", "のグラフ")).await;
    browser.run(REFUSED).await;
    browser.see(".charts .chart:nth-child(4) .chart-plot").await;
    draws(browser).await;
    look(browser, "81-graphs").await;
    reads_out(browser).await;
    as_a_table(browser).await;
    for (number, words) in [(2, "82-graphs-three-days"), (3, "83-graphs-month")] {
        browser.click(&format!(".ranges .chip:nth-child({number})")).await;
        browser.see(&format!(".ranges .chip:nth-child({number})[aria-pressed=true]")).await;
        browser.see_no("main .skeleton").await;
        look(browser, words).await;
    }
    known_figures(browser).await;
    assert_eq!(browser.value("return window.refused.join(', ')").await, "");
    let pages = [("graphs", format!("/c/{name}/graphs")), ("overview", format!("/c/{name}"))];
    let pages: Vec<(&str, &str)> =
        pages.iter().map(|(name, page)| (*name, page.as_str())).collect();
    small_and_dark(browser, demo, &pages).await;
    browser.open(&demo.page("/c/no-such-container/graphs")).await;
    browser.see(".notice.bad").await;
    look(browser, "89-graphs-missing").await;
    speaker.give_back().await;
    sign_out(browser, demo).await;
    blade(browser, demo).await;
}

async fn draws(browser: &Browser) {
    const CPU: &str =
        "return document.querySelector('.charts .chart .line.first').getAttribute('d')";
    let deadline = Instant::now() + PATIENCE;
    // A line needs two looks.
    while !browser.value(CPU).await.as_str().is_some_and(|path| path.contains('L')) {
        assert!(Instant::now() < deadline, "no line is drawn");
        tokio::time::sleep(PAUSE).await;
    }
    // CPU and memory have limits, network and disk none.
    assert_eq!(
        browser.value("return document.querySelectorAll('.chart-plot .limit').length").await,
        2
    );
    // And it goes on.
    let before = browser.value(CPU).await;
    while browser.value(CPU).await == before {
        assert!(Instant::now() < deadline, "nothing new is drawn");
        tokio::time::sleep(PAUSE).await;
    }
}

async fn reads_out(browser: &Browser) {
    const SAID: &str = "return document.activeElement.getAttribute('aria-valuetext')";
    browser.run("document.querySelector('.chart-plot[role=slider]').focus()").await;
    press(browser, LEFT).await;
    // One moment, in all of them.
    browser.see(".chart:nth-child(4) .cursor").await;
    let last = browser.value(SAID).await;
    let unit = browser.language.pick("core", "コア");
    assert!(last.as_str().is_some_and(|said| said.contains(unit)), "{last}");
    press(browser, HOME).await;
    let first = browser.value(SAID).await;
    assert_ne!(first, last);
    look(browser, "84-graphs-read").await;
    press(browser, ESCAPE).await;
    browser.see_no(".cursor").await;
}

async fn as_a_table(browser: &Browser) {
    browser.click(".chart-table summary").await;
    browser.see(".chart-table tbody tr td:nth-child(7)").await;
    browser.run("document.querySelector('.chart-table').scrollIntoView()").await;
    look(browser, "85-graphs-table").await;
    browser.click(".chart-table summary").await;
    browser.see_no(".chart-table table").await;
    browser.run("scrollTo(0, 0)").await;
}

/// A container with GPUs and a day off, on each range, light, dark and small.
async fn known_figures(browser: &Browser) {
    const GAPS: &str = "return document.querySelector('.charts .line.first').getAttribute('d').split('M').length - 1";
    let answers = [
        (1, answer(Resolution::Look, 5, 720)),
        (2, answer(Resolution::FiveMinutes, 300, 864)),
        (3, answer(Resolution::Hour, 3600, 720)),
    ];
    for (range, answer) in answers {
        let bytes = framed(&answer);
        browser
            .run(&format!(
                "window.real ??= window.fetch;
                 const bytes = new Uint8Array({bytes:?});
                 window.fetch = (what, how) => String(what?.url ?? what).includes('/GetFigures')
                     ? Promise.resolve(new Response(bytes, {{ headers: {{ 'content-type': 'application/grpc-web+proto' }} }}))
                     : window.real(what, how);"
            ))
            .await;
        // Another one first: the same is not asked for again.
        let other = if range == 1 { 2 } else { 1 };
        browser.click(&format!(".ranges .chip:nth-child({other})")).await;
        browser.click(&format!(".ranges .chip:nth-child({range})")).await;
        browser.see(".charts .chart:nth-child(7) .chart-plot").await;
        assert_eq!(browser.value(GAPS).await, 2, "a gap is a gap");
        assert_eq!(
            browser.value("return document.querySelectorAll('.chart-plot .limit').length").await,
            3
        );
        for (theme, width, height) in
            [("light", 1200, 1250), ("dark", 1200, 1250), ("light", 390, 844)]
        {
            browser.run(&format!("document.documentElement.dataset.theme = '{theme}'")).await;
            browser.client.set_window_size(width, height).await.unwrap();
            let name = format!("86-graphs-known-{range}-{theme}-{width}");
            browser.picture(&name).await;
            accessibility::check(browser, &name).await;
        }
        browser.client.set_window_size(1200, 900).await.unwrap();
        browser.run("delete document.documentElement.dataset.theme").await;
    }
    browser.run("window.fetch = window.real").await;
}

fn answer(resolution: Resolution, every: u64, count: u64) -> GetFiguresResponse {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    // A tenth of the time it was off.
    let points = (0..count)
        .filter(|n| !(count * 4 / 10..count / 2).contains(n))
        .map(|n| point(now - (count - n) * every, n, resolution))
        .collect();
    let limits = Limits { cpu_millis: 4000, memory_bytes: 8 * GIB, gpu_memory_bytes: 139 * GIB };
    GetFiguresResponse { resolution: resolution.into(), points, limits: Some(limits) }
}

fn point(at: u64, n: u64, resolution: Resolution) -> Point {
    // Something that goes up and down, with a peak now and then.
    let wave = |period: u64, height: u64| {
        let place = n % period;
        height * place.min(period - place) * 2 / period
    };
    let small = |value: u64| u32::try_from(value).unwrap();
    let figures = |by: u64| Figures {
        cpu_millis: small((900 + wave(90, 1800) + wave(7, 300)) * by / 2),
        memory_bytes: (2 * GIB + wave(300, 4 * GIB)) * by / 2,
        network_in: (400_000 + wave(40, 12_000_000)) * by / 2,
        network_out: (100_000 + wave(60, 3_000_000)) * by / 2,
        disk_read: wave(25, 80_000_000) * by / 2,
        disk_write: wave(33, 30_000_000) * by / 2,
        processes: 12,
        gpu: Some(GpuFigures {
            percent: Some(small(wave(50, 60) * by / 2 + 10)),
            memory_bytes: 40 * GIB + wave(200, 30 * GIB) * by / 2,
            power_milliwatts: Some(small(90_000 + wave(50, 300_000) * by / 2)),
        }),
    };
    let peak = (resolution != Resolution::Look).then(|| figures(3));
    let time = prost_types::Timestamp { seconds: i64::try_from(at).unwrap(), nanos: 0 };
    Point { time: Some(time), mean: Some(figures(2)), peak }
}

/// As gRPC-web sends it: the message, and that all is well.
fn framed(answer: &GetFiguresResponse) -> Vec<u8> {
    let frame = |flag: u8, body: &[u8]| {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[flag], length.as_slice(), body].concat()
    };
    [frame(0, &answer.encode_to_vec()), frame(0x80, b"grpc-status: 0\r\n")].concat()
}

async fn blade(browser: &Browser, demo: &Demo) {
    sign_in(browser, demo, "admin").await;
    browser.open(&demo.page("/admin/nodes")).await;
    browser.click("a.node-name").await;
    browser.see(".charts .chart:nth-child(4) .chart-plot").await;
    look(browser, "87-graphs-blade").await;
    small_and_dark(browser, demo, &[("blade", "/admin/nodes/this-machine")]).await;
    sign_out(browser, demo).await;
}

async fn press(browser: &Browser, value: char) {
    let keyboard = KeyActions::new("keyboard".to_owned())
        .then(KeyAction::Down { value })
        .then(KeyAction::Up { value });
    browser.client.perform_actions(keyboard).await.unwrap();
}
