//! Every field of the form with what it must not have: the answer names the field, and nothing is made.

use berth_proto::v1::CreateContainerRequest;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::world::{Who, World, request};

type Change = Box<dyn Fn(&mut CreateContainerRequest)>;

fn bad(
    cases: &mut Vec<(&'static str, Change)>,
    field: &'static str,
    change: impl Fn(&mut CreateContainerRequest) + 'static,
) {
    cases.push((field, Box::new(change)));
}

/// Names: empty, long, dots, slashes, NUL, newline, right-to-left, emoji, look-alikes, a dash first, upper case.
fn names(cases: &mut Vec<(&'static str, Change)>) {
    let long = "x".repeat(300);
    for name in [
        "",
        &long,
        ".",
        "..",
        "/",
        "a/b",
        "../../containers",
        "a\0",
        "\0",
        "a\n",
        "a b",
        " a",
        "a ",
        "\u{202e}abc",
        "😀",
        "コンテナ",
        "ａ",
        "а",
        "-a",
        "A",
        "Jupyter",
        "a_b",
        "a.b",
        "%2e%2e",
        "a?b",
        "a#b",
    ] {
        let name = name.to_owned();
        bad(cases, "name", move |request| request.name = name.clone());
    }
}

/// Numbers: what is below the runtime's minimum, above the site's maximum, negative, or no number at all.
fn numbers(cases: &mut Vec<(&'static str, Change)>) {
    for cpu in [1, 9, 8001, u32::MAX] {
        bad(cases, "cpu_millis", move |request| request.cpu_millis = cpu);
    }
    for memory in [1, 6 * 1024 * 1024 - 1, 33 << 30, 1 << 63, u64::MAX] {
        bad(cases, "memory_bytes", move |request| request.memory_bytes = memory);
    }
    for gpus in [5, u32::MAX] {
        bad(cases, "gpus", move |request| request.gpus = gpus);
    }
    for (seconds, nanos) in
        [(0, 0), (-1, 0), (59, 0), (i64::MIN, 0), (i64::MAX, 0), (3600, -1), (3600, i32::MAX)]
    {
        let lease = prost_types::Duration { seconds, nanos };
        bad(cases, "lease", move |request| request.lease = Some(lease));
    }
    for runtime in [2, 3, -1, i32::MAX] {
        bad(cases, "runtime", move |request| request.runtime = runtime);
    }
}

/// Ports: 0, beyond the last, twice, too many, no numbers.
fn ports(cases: &mut Vec<(&'static str, Change)>) {
    for ports in
        [vec![0], vec![65_536], vec![70_000], vec![u32::MAX], vec![80, 80], (1..=17).collect()]
    {
        bad(cases, "guest_ports", move |request| request.guest_ports = ports.clone());
    }
    for text in [
        "0",
        "70000",
        "80 80",
        "80,80",
        "x",
        "-1",
        "1.5",
        "8080/tcp",
        "18446744073709551616",
        "80\0",
        "８０",
    ] {
        bad(cases, "guest_ports_text", move |request| {
            request.guest_ports = Vec::new();
            request.guest_ports_text = text.into();
        });
    }
}

/// The environment: names that are none, names that are not the user's to set, values that end a string or fill a ledger.
fn environment(cases: &mut Vec<(&'static str, Change)>) {
    let megabyte = "x".repeat(1_000_000);
    for (key, value) in [
        ("", "x"),
        ("A B", "x"),
        ("A=B", "x"),
        ("1A", "x"),
        ("A\0", "x"),
        ("A\n", "x"),
        ("Ａ", "x"),
        ("😀", "x"),
        ("NVIDIA_VISIBLE_DEVICES", "all"),
        ("nvidia_visible_devices", "all"),
        ("CUDA_MPS_PIPE_DIRECTORY", "/"),
        ("BERTH_TOKEN", "x"),
        ("A", "x\0y"),
        ("A", &megabyte),
        (&"K".repeat(300), "x"),
    ] {
        let (key, value) = (key.to_owned(), value.to_owned());
        bad(cases, "environment", move |request| {
            request.environment.insert(key.clone(), value.clone());
        });
    }
    bad(cases, "environment", |request| {
        request.environment = (0..300).map(|n| (format!("K{n}"), String::new())).collect();
    });
    for text in [
        "A",
        "A=1 B",
        "A=1 A=2",
        "A='x",
        "=x",
        "1A=x",
        "NVIDIA_VISIBLE_DEVICES=all",
        "A=x\0y",
        &format!("A={megabyte}"),
    ] {
        let text = text.to_owned();
        bad(cases, "environment_text", move |request| request.environment_text = text.clone());
    }
}

/// Images: nothing, paths, upper case, digests that are none, what would be part of a URL.
fn images(cases: &mut Vec<(&'static str, Change)>) {
    let long = "x".repeat(5000);
    for image in [
        "",
        " ",
        "../../containers",
        "/etc/passwd",
        "Python",
        "python:",
        "python:3 ",
        "python:a/b",
        "a//b",
        "a@sha256:12",
        "a@md5:d41d8cd98f00b204e9800998ecf8427e",
        "a?b=c",
        "a#b",
        "a\0",
        "a\n",
        "http://a/b",
        "-a",
        "a:-b",
        "日本",
        "a%2fb",
        "a/../b",
        "localhost:x/a",
        &long,
    ] {
        let image = image.to_owned();
        bad(cases, "image", move |request| request.image = image.clone());
    }
}

/// The rest of the form.
fn others(cases: &mut Vec<(&'static str, Change)>) {
    for words in
        [vec![String::new()], vec!["a\0".into()], vec!["x".repeat(10_000)], vec!["x".into(); 300]]
    {
        bad(cases, "command", move |request| request.command = words.clone());
    }
    for text in ["sh -c 'open", "a\0", &"x ".repeat(300), &"x".repeat(10_000)] {
        let text = text.to_owned();
        bad(cases, "command_text", move |request| request.command_text = text.clone());
    }
    for (key, value) in
        [("", "x"), ("a b", "x"), ("a", "x y"), ("a", "x\0"), ("日", "x"), (&"k".repeat(64), "x")]
    {
        let (key, value) = (key.to_owned(), value.to_owned());
        bad(cases, "node_labels", move |request| {
            request.node_labels.insert(key.clone(), value.clone());
        });
    }
    bad(cases, "node_labels", |request| {
        request.node_labels = (0..17).map(|n| (format!("k{n}"), String::new())).collect();
    });
    for id in
        ["x", "0190A5C2-7A5B-7C3D-8E4F-123456789ABC", "0190a5c27a5b7c3d8e4f123456789abc", "\0"]
    {
        bad(cases, "request_id", move |request| request.request_id = id.into());
    }
}

#[tokio::test]
async fn nothing_bad_is_made() {
    let world = World::new().await;
    let mut ann = world.containers(Who::Ann).await;
    let mut cases = Vec::new();
    for group in [names, numbers, ports, environment, images, others] {
        group(&mut cases);
    }
    // Fields without a bad value: booleans.
    let free = ["tty", "stdin"];
    let covered: std::collections::BTreeSet<&str> =
        cases.iter().map(|(field, _)| *field).chain(free).collect();
    assert_eq!(covered.len(), 17, "every field of the form: {covered:?}");

    let before = world.handle.committed().sequence;
    for (field, change) in cases {
        let mut asked = request("box");
        change(&mut asked);
        let shown: String = format!("{asked:?}").chars().take(300).collect();
        let status = ann.create_container(asked).await.expect_err(&shown);
        assert_eq!(status.code(), Code::InvalidArgument, "{shown}: {status:?}");
        let details = status.get_error_details();
        let violations = &details.bad_request().unwrap().field_violations;
        for violation in violations {
            let named = violation.field.split('[').next().unwrap();
            assert_eq!(named, field, "{shown}");
            assert!(!violation.description.is_empty());
        }
        assert!(!violations.is_empty(), "{shown}");
        assert_eq!(details.error_info().unwrap().reason, "INVALID_ARGUMENT");
    }
    assert_eq!(world.handle.committed().sequence, before, "nothing was made");
    ann.create_container(request("box")).await.unwrap();
}
