//! What somebody in front of a terminal sees.

use std::time::{Duration, Instant};

use berth_proto::agent::v1::{self as wire, RelayEndReason as Reason, relay_frame::Body};
use futures::stream;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use crate::bench::{Container, Folder, PATIENCE, Viewer, docker, next, resident};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
async fn echo_exit_code_and_those_who_come_late() {
    let (folder, container) = (Folder::new(), Container::new());
    let holders = folder.holders().await;
    let started = holders.start(container.order(&[])).await.unwrap();
    assert_eq!((started.number, started.ended), (1, false));
    assert_eq!(started.command, ["/bin/ash"]);
    assert!(started.start_time.is_some());
    let mut viewer = Viewer::new(&holders, &container, 1).await;
    assert_eq!((viewer.terminal.number, viewer.terminal.attached, viewer.from), (1, 1, 0));
    viewer.line("echo $TERM-$BERTH_TERMINAL-$((40+2))").await;
    viewer.until("xterm-256color-1-42").await;
    // What begins like a header of 4 GiB.
    viewer.line(r"printf '\001\0\0\0\377\377\377\377'; echo after-$((1+1))").await;
    viewer.until("after-2").await;
    // Somebody without anything to say still reads.
    let attach = wire::TerminalAttach {
        number: 1,
        container_id: container.id.to_string(),
        ..wire::TerminalAttach::default()
    };
    let mut silent = holders.attach(attach, stream::empty()).await.unwrap();
    viewer.line("exit 7").await;
    let (_, end) = viewer.end().await;
    assert_eq!((end.reason(), end.exit_code), (Reason::Exited, 7));
    let mut last = None;
    while let Some(body) = next(&mut silent).await {
        last = Some(body);
    }
    assert_eq!(last, Some(Body::End(end.clone())));

    let listed = holders.list(container.id).await;
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].ended, listed[0].exit_code, listed[0].attached), (true, 7, 0));
    let mut late = Viewer::new(&holders, &container, 1).await;
    let (text, again) = late.end().await;
    assert!(text.contains("xterm-256color-1-42") && text.contains("after-2"), "{text:?}");
    assert_eq!(late.seen.len() as u64, listed[0].printed_bytes);
    assert_eq!(again, end);

    let second = holders.start(container.order(&["sleep", "555"])).await.unwrap();
    assert_eq!(second.number, 2);
    holders.end(container.id, 2).await.unwrap();
    assert_eq!(container.count("sleep 555"), 0);
    let (_, end) = Viewer::new(&holders, &container, 2).await.end().await;
    assert_eq!((end.reason(), end.exit_code), (Reason::Exited, 129));
    let missing = holders.end(container.id, 3).await.unwrap_err();
    assert_eq!(missing.reason(), Reason::NoSuchTerminal);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
async fn two_see_the_same_and_the_last_who_spoke_has_the_size() {
    let (folder, container) = (Folder::new(), Container::new());
    let holders = folder.holders().await;
    holders.start(container.order(&[])).await.unwrap();
    let mut one = Viewer::sized(&holders, &container, 1, Some((40, 120))).await;
    one.line("stty size").await;
    one.until("40 120").await;
    let mut two = Viewer::sized(&holders, &container, 1, Some((30, 90))).await;
    assert_eq!(two.terminal.attached, 2);
    two.line("stty size").await;
    two.until("30 90").await;
    two.say(Body::Size(wire::Size { rows: 31, columns: 91 })).await;
    two.line("stty size").await;
    two.until("31 91").await;
    one.line("stty size; echo done-$((1+1))").await;
    let before = two.until("done-2").await;
    assert!(before.contains("40 120"), "{before:?}");
    one.line("exit").await;
    let read = async |mut viewer: Viewer| {
        let from = usize::try_from(viewer.from).unwrap();
        (from, viewer.end().await)
    };
    let (first, second) = tokio::join!(read(one), read(two));
    let (all, _) = Viewer::new(&holders, &container, 1).await.end().await;
    for (from, (text, end)) in [first, second] {
        assert_eq!(text, all[from..]);
        assert_eq!(end.reason(), Reason::Exited);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
async fn a_flood_is_held_up_by_its_slow_reader_and_holds_up_nobody() {
    let (folder, container) = (Folder::new(), Container::new());
    let holders = folder.holders().await;
    holders.start(container.order(&[])).await.unwrap();
    holders.start(container.order(&[])).await.unwrap();
    let mut quiet = Viewer::new(&holders, &container, 2).await;
    quiet.line("echo ready-$((1+1))").await;
    quiet.until("ready-2").await;
    let pid = folder.pids()[0];
    let before = resident(pid);

    let slow = Viewer::new(&holders, &container, 1).await;
    slow.line("yes 0123456789012345678901234567890123456789").await;
    // Until it stands still: half a ring and what is on its way.
    let printed = async || holders.list(container.id).await[0].printed_bytes;
    let mut last = 0;
    let stands = timeout(Duration::from_secs(15), async {
        loop {
            let now = printed().await;
            for turn in 0..20 {
                quiet.line(&format!("echo turn-$(({turn}+100))-")).await;
                quiet.until(&format!("turn-{}-", turn + 100)).await;
            }
            if now > 0 && now == last {
                return now;
            }
            last = now;
        }
    });
    let stands = stands.await.expect("it stands still while its reader does");
    assert!(stands < 2 << 20, "{stands} bytes");
    let asked = Instant::now();
    quiet.line("echo still-$((1+1))").await;
    quiet.until("still-2").await;
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    let grown = resident(pid).saturating_sub(before);
    assert!(grown < 8 << 10, "{grown} KiB more");

    // Goes on with its reader, and misses nothing.
    let mut slow = slow;
    let mut total = 0;
    while total < 4 << 20 {
        match next(&mut slow.output).await {
            Some(Body::Data(bytes)) => total += bytes.len() as u64,
            other => panic!("{other:?}"),
        }
    }
    assert!(resident(pid).saturating_sub(before) < 8 << 10);
    // Nobody looks: it runs on.
    drop(slow);
    let at = printed().await;
    timeout(PATIENCE, async { while printed().await < at + (1 << 20) {} }).await.unwrap();
    // Whoever comes back is told where it goes on.
    let back = Viewer::new(&holders, &container, 1).await;
    assert!(back.from > total, "{} after {total}", back.from);
    holders.end(container.id, 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
async fn who_has_missed_a_part_gets_the_screen_painted_anew() {
    let (folder, container) = (Folder::new(), Container::new());
    let holders = folder.holders().await;
    let script = "trap 'echo winch-$((1+1))' WINCH; head -c 400000 /dev/zero; echo ready; \
                  while :; do sleep 0.1; done";
    holders.start(container.order(&["sh", "-c", script])).await.unwrap();
    let mut whole = Viewer::sized(&holders, &container, 1, Some((24, 80))).await;
    whole.until("ready").await;
    let mut late = Viewer::sized(&holders, &container, 1, Some((24, 80))).await;
    assert!(late.from > 0);
    late.until("winch-2").await;
    holders.end(container.id, 1).await.unwrap();
    assert_eq!(late.end().await.1.reason(), Reason::Exited);
}

/// Ten megabytes at once, bytes that are no text, a screen that is stopped, a shell that is shot: group B9.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
async fn what_nobody_types_by_hand() {
    let (folder, container) = (Folder::new(), Container::new());
    let holders = folder.holders().await;
    holders.start(container.order(&[])).await.unwrap();
    let mut viewer = Viewer::new(&holders, &container, 1).await;
    let pasted: Vec<u8> = (0..=255).cycle().take(10 << 20).collect();
    viewer
        .line("stty raw -echo; echo ready-$((1+1)); head -c 10485760 | sha256sum; stty sane")
        .await;
    viewer.until("ready-2").await;
    for part in pasted.chunks(64 << 10) {
        viewer.say(Body::Data(bytes::Bytes::copy_from_slice(part))).await;
    }
    let digest = Sha256::digest(&pasted);
    let hex = digest.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    viewer.until(&hex).await;

    // Ctrl-S stops the screen for everybody until Ctrl-Q, and nothing is lost.
    viewer.say(Body::Data(bytes::Bytes::from_static(b"\x13"))).await;
    viewer.line("echo stopped-$((1+1))").await;
    viewer.say(Body::Data(bytes::Bytes::from_static(b"\x11"))).await;
    viewer.until("stopped-2").await;
    viewer.line("kill -9 $$").await;
    let (_, end) = viewer.end().await;
    assert_eq!((end.reason(), end.exit_code), (Reason::Exited, 137));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
async fn what_cannot_be_started() {
    let (folder, container, bare) = (Folder::new(), Container::new(), Container::without_shell());
    let holders = folder.holders().await;
    let end = holders.start(bare.order(&[])).await.unwrap_err();
    assert_eq!(end.reason(), Reason::CommandNotFound);
    assert!(end.detail.contains("the image has no shell"), "{}", end.detail);
    let end = holders.start(container.order(&["nope"])).await.unwrap_err();
    assert_eq!(end.reason(), Reason::CommandNotFound);
    assert!(end.detail.contains("executable file not found"), "{}", end.detail);

    for number in 1..=20 {
        holders.start(container.order(&["sleep", "600"])).await.unwrap();
        assert_eq!(holders.list(container.id).await.len(), number);
    }
    let end = holders.start(container.order(&["sleep", "600"])).await.unwrap_err();
    assert_eq!(end.reason(), Reason::TooMany);
    assert!(holders.start(bare.order(&["/bin/busybox", "sleep", "600"])).await.is_ok());

    let first = holders.list(container.id).await[0].number;
    let mut viewer = Viewer::new(&holders, &container, first).await;
    docker(&["kill", container.engine.as_str()]);
    let (_, end) = viewer.end().await;
    assert_eq!(end.reason(), Reason::ContainerNotRunning);
    let end = holders.start(container.order(&[])).await.unwrap_err();
    assert_eq!(end.reason(), Reason::ContainerNotRunning);
    let nobody = Container { id: bare.id, engine: container.engine.clone() };
    docker(&["rm", "-f", container.engine.as_str()]);
    let end = holders.start(nobody.order(&[])).await.unwrap_err();
    assert_eq!(end.reason(), Reason::ContainerNotRunning);
}
