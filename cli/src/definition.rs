//! Definitions as YAML: several in a file, and mistakes told with their place.

use std::fmt;

use anyhow::Result;
use berth_core::definition::Definition;
use serde_saphyr::with_deserializer_from_str_with_options;

/// Where in a file something is wrong, and what.
#[derive(Debug)]
pub(crate) struct Mistake {
    file: String,
    /// From one; none where the whole file is meant.
    place: Option<(u64, u64)>,
    path: String,
    said: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        if !matches!(self.path.as_str(), "" | ".") {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.said)
    }
}

impl std::error::Error for Mistake {}

/// All of a file's, or its first mistake. `file` is what it is called in messages.
pub(crate) fn read(file: &str, text: &str) -> Result<Vec<Definition>, Mistake> {
    documents(text).iter().map(|document| one(file, document)).collect()
}

fn one(file: &str, document: &str) -> Result<Definition, Mistake> {
    let options = serde_saphyr::options! {
        // Secrets may stand in the lines around.
        with_snippet: false,
        // "no" is a country, and a word.
        strict_booleans: true,
    };
    let mut path = String::new();
    with_deserializer_from_str_with_options(document, options, |deserializer| {
        serde_path_to_error::deserialize(deserializer).map_err(|error| {
            path = error.path().to_string();
            error.into_inner()
        })
    })
    .map_err(|error: serde_saphyr::Error| {
        let location = error.location();
        let mut said = error.without_snippet().to_string();
        if let Some(end) = said.rfind(" at line ") {
            said.truncate(end);
        }
        let place = location.map(|at| (at.line(), at.column()));
        Mistake { file: file.to_owned(), place, path, said }
    })
}

/// Each with as many empty lines before it as other lines are, so that its lines keep their numbers. A line that begins with
/// three dashes begins a document, whatever it stands in: so says YAML.
fn documents(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for (lines, line) in text.lines().enumerate() {
        let marks = line
            .strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']));
        if let Some(current) = documents.last_mut()
            && !(marks && has_content(current))
        {
            current.push_str(line);
            current.push('\n');
        } else {
            documents.push(format!("{}{line}\n", "\n".repeat(lines)));
        }
    }
    documents.retain(|document| has_content(document));
    documents
}

/// More than comments, directives and marks.
fn has_content(document: &str) -> bool {
    document.lines().any(|line| {
        let line = line.trim();
        !(line.is_empty() || line.starts_with(['#', '%']) || matches!(line, "---" | "..."))
    })
}

pub(crate) fn write(definitions: &[Definition]) -> Result<String> {
    Ok(serde_saphyr::to_string_multiple(definitions)?)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use berth_core::{
        definition::{ApiVersion, Cpu, Kind, Lease, MASK, Memory, Metadata, Mount, Spec, Variable},
        storage::RunAs,
    };
    use proptest::{option, prelude::*};

    use super::*;

    const TWO: &str = "# two
---
apiVersion: berth/v1
kind: Container
metadata: {name: one}
spec:
  image: alpine
  command:
  - sh
  - -c
  - |
    echo begin
    # no comment
    --- no document
  cpu: 2
  memory: 512Mi
---
# the second
apiVersion: berth/v1
kind: Container
metadata:
  name: two
spec:
  image: python:3.13
  environment:
    VERSION: \"1.10\"
    TOKEN:
      secret: s3cret
";

    #[test]
    fn several_in_a_file() {
        let read = read("f", TWO).unwrap();
        assert_eq!(read.len(), 2);
        let (one, two) = (&read[0].spec, &read[1].spec);
        assert_eq!(one.command[2], "echo begin\n# no comment\n--- no document\n");
        assert_eq!((one.cpu, one.memory), (Some(Cpu(2000)), Some(Memory(512 << 20))));
        assert_eq!(two.environment["VERSION"], Variable::Plain("1.10".into()));
        assert_eq!(two.environment["TOKEN"], Variable::Secret("s3cret".into()));
        assert!(super::read("f", "# nothing\n---\n...\n").unwrap().is_empty());
    }

    #[test]
    fn mistakes_have_a_line_and_a_path() {
        for (from, to, said) in [
            ("  image: python:3.13", "  imagee: python", "f:24:3: spec.imagee: "),
            ("\"1.10\"", "1.10", "f:26:14: spec.environment.VERSION: "),
            ("secret: s3cret", "secrt: s3cret", "f:28:7: spec.environment.TOKEN"),
            ("cpu: 2", "cpu: many", "f:15:8: spec.cpu: "),
            ("  image: alpine", "  image: [", "f:"),
            (
                "kind: Container\nmetadata: {name: one}",
                "kind: Pod\nmetadata: {name: one}",
                "f:4:7: kind: ",
            ),
            ("metadata: {name: one}", "metadata: {}", "f:5:"),
        ] {
            assert!(TWO.contains(from), "{from}");
            let mistake = read("f", &TWO.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(mistake.starts_with(said), "{to}: {mistake}");
            assert!(!mistake.contains("s3cret"), "{mistake}");
        }
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let mut definitions = read("f", TWO).unwrap();
        let odd = [
            "yes",
            "1.10",
            "0x1F",
            "~",
            "",
            " ",
            "a: b",
            "# x",
            "two\nlines\n",
            MASK,
            "日本",
            "\t",
            "- a",
            "null",
            "---",
        ];
        for (number, value) in odd.into_iter().enumerate() {
            let key = format!("V{number}");
            definitions[0].spec.environment.insert(key.clone(), Variable::Plain(value.into()));
            definitions[1].spec.environment.insert(key, Variable::Secret(value.into()));
            definitions[0].spec.command.push(value.to_owned());
        }
        let text = write(&definitions).unwrap();
        assert_eq!(read("f", &text).unwrap(), definitions, "{text}");
    }

    fn texts() -> impl Strategy<Value = BTreeMap<String, String>> {
        proptest::collection::btree_map("[A-Z]{1,3}|\\PC{1,3}", ".{0,6}|\\PC*|[ \\n:#-]{1,4}", 0..4)
    }

    prop_compose! {
        fn spec()(
            words in (".{1,8}", proptest::collection::vec("\\PC{0,5}|[\\n\\t -]{0,3}", 0..3)),
            plain in texts(),
            secret in texts(),
            ports in proptest::collection::vec(any::<u32>(), 0..3),
            amounts in (any::<u32>(), option::of(any::<u32>()), option::of(any::<u64>()), option::of(0..1_u64 << 40)),
            flags in (any::<bool>(), any::<bool>(), any::<bool>()),
            node_labels in texts(),
        ) -> Spec {
            let (image, command) = words;
            let (gpus, cpu, memory, lease) = amounts;
            let (tty, stdin, as_image) = flags;
            let plain = plain.into_iter().map(|(key, value)| (key, Variable::Plain(value)));
            let secret = secret.into_iter().map(|(key, value)| (key, Variable::Secret(value)));
            Spec {
                image,
                command,
                environment: plain.chain(secret).collect(),
                published_ports: ports.iter().copied().take(1).collect(),
                ports,
                gpus,
                cpu: cpu.map(Cpu),
                memory: memory.map(Memory),
                lease: lease.map(|seconds| Lease(Duration::from_secs(seconds))),
                tty,
                stdin,
                run_as: if as_image { RunAs::Image } else { RunAs::Account },
                volumes: vec![Mount { name: "data".into(), path: "/data".into(), read_only: tty }],
                node_labels,
            }
        }
    }

    proptest! {
        #[test]
        fn any_definition_there_and_back(specs in proptest::collection::vec(spec(), 1..3)) {
            let define = |spec| Definition {
                api_version: ApiVersion::V1,
                kind: Kind::Container,
                metadata: Metadata { name: "box".into() },
                spec,
            };
            let definitions: Vec<Definition> = specs.into_iter().map(define).collect();
            let text = write(&definitions).unwrap();
            prop_assert_eq!(read("f", &text).map_err(|error| error.to_string()), Ok(definitions), "{}", text);
        }
    }
}
