//! A container as a file: got, changed, applied, copied, and its secret told to nobody.

use std::fs;

use berth_e2e::demo::Demo;

use super::{Terminal, text};

fn field<'a>(definition: &'a str, key: &str) -> Option<&'a str> {
    definition.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": "))
}

/// Of `berth ps`: where its one endpoint leads.
fn endpoint(terminal: &Terminal) -> String {
    let rows = terminal.says(&["ps", "-o", "json"], b"");
    let rows: serde_json::Value = serde_json::from_str(&rows).unwrap();
    let row = rows.as_array().unwrap().iter().find(|row| row["name"] == terminal.name.as_str());
    row.unwrap()["endpoints"][0]["url"].as_str().unwrap().to_owned()
}

#[test]
#[ignore = "needs a running demo: BERTH_DEMO"]
fn a_container_as_a_file() {
    let demo = Demo::from_environment().unwrap();
    let terminal = Terminal::new();
    let alice = demo.user("alice").unwrap();
    let ca = demo.ca_file.display().to_string();
    let login = ["login", &demo.url, "-a", "alice", "--password-stdin", "--ca-file", &ca];
    terminal.says(&login, alice.password.as_bytes());
    let name = terminal.name.as_str();
    let file = terminal.home.path().join("container.yaml");
    let path = file.display().to_string();
    let write = |more: &str| {
        let image = &demo.starter_image;
        let definition = format!(
            "# made by hand\napiVersion: berth/v1\nkind: Container\nmetadata: {{name: {name}}}\nspec:\n  \
             image: {image}\n  ports: [8080]\n  memory: 64Mi\n  lease: 1h\n{more}"
        );
        fs::write(&file, definition).unwrap();
    };
    let apply = |arguments: &[&str]| {
        let arguments = [&["apply", "-f", path.as_str()], arguments].concat();
        terminal.berth(&arguments, b"")
    };

    // Mistakes have their place, and nothing is made.
    write("  memroy: 1Gi\n");
    let output = apply(&[]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("container.yaml:10:3: spec.memroy"), "{said}");

    let secret = "  environment:\n    A: one\n    TOKEN: {secret: hunter2}\n";
    write(secret);
    assert!(text(&apply(&["--dry-run"]).stdout).contains("would be created"));
    assert!(text(&apply(&["--stopped"]).stdout).contains("defined"));
    let defined = terminal.says(&["get", name, "-o", "yaml"], b"");
    assert!(!defined.contains("hunter2") && defined.contains("********"), "{defined}");
    terminal.says(&["start", name], b"");
    let script = ["exec", name, "--", "sh", "-c", "echo $A $TOKEN; touch /tmp/written"];
    assert_eq!(terminal.says(&script, b""), "one hunter2\n");
    let at = endpoint(&terminal);

    // What is got and applied is nothing; a lease is in place.
    fs::write(&file, terminal.says(&["get", name, "-o", "yaml"], b"")).unwrap();
    assert!(text(&apply(&[]).stdout).contains("unchanged"));
    let got = fs::read_to_string(&file).unwrap();
    assert_eq!(field(&got, "lease"), Some("1h"), "{got}");
    fs::write(&file, got.replace("lease: 1h", "lease: 2h")).unwrap();
    assert!(text(&apply(&[]).stdout).contains("changed (lease)"));

    // Other variables take another container; the secret stays.
    let other = got.replace("A: one", "A: two");
    assert_ne!(other, got);
    fs::write(&file, other).unwrap();
    assert!(text(&apply(&["--dry-run"]).stdout).contains("would be made anew (environment)"));
    let refused = apply(&["--no-input"]);
    assert_eq!(refused.status.code(), Some(7), "{refused:?}");
    let script = ["exec", name, "--", "sh", "-c", "echo $A; ls /tmp/written"];
    assert_eq!(terminal.says(&script, b""), "one\n/tmp/written\n");
    assert!(text(&apply(&["--recreate"]).stdout).contains("made anew (environment)"));
    terminal.says(&["start", name], b"");
    let script = ["exec", name, "--", "sh", "-c", "echo $A $TOKEN; ls /tmp/written"];
    let said = terminal.berth(&script, b"");
    assert_eq!(text(&said.stdout), "two hunter2\n", "{said:?}");
    assert_eq!(endpoint(&terminal), at, "its port is where it was");

    // The same for another one, with the secret; nothing of what it wrote.
    let copy = format!("{name}-b");
    terminal.says(&["duplicate", name, &copy, "--stopped"], b"");
    terminal.says(&["start", &copy], b"");
    let said = terminal.says(&["exec", &copy, "--", "sh", "-c", "echo $A $TOKEN"], b"");
    assert_eq!(said, "two hunter2\n");
    let both = terminal.says(&["get", name, &copy, "-o", "yaml"], b"");
    assert_eq!(both.matches("kind: Container").count(), 2);
    let all = terminal.says(&["get", "-o", "json"], b"");
    assert!(all.contains(&copy) && !all.contains("hunter2"), "{all}");
    for name in [name, &copy] {
        terminal.says(&["rm", "-y", name], b"");
    }
}
