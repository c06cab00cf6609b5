//! `berth apply`

use std::{collections::BTreeSet, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use berth_core::definition::{Definition, MASK, Spec, Variable, change::Field};
use berth_proto::{convert::definition as convert, v1};
use clap::Args;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::wait::Containers;
use crate::{
    Ended,
    client::Client,
    definition,
    output::{ask, is_yes, may_ask, note, say},
    text::definition as words,
};

/// A change was not made, because it needs a re-creation that nobody allowed; the table in the help.
const NEEDS_RECREATION: u8 = 7;
/// The service's word for it.
const VIOLATION: &str = "NEEDS_RECREATION";

const HELP: &str = "What an engine cannot change takes a re-creation: name, ports, home and volumes stay, what was \
written elsewhere is lost. That is done after asking, or with --recreate. Running containers keep running, stopped ones stay \
stopped.

apiVersion: berth/v1
kind: Container
metadata: {name: thesis}
spec:
  image: python:3.13
  command: [python, -m, http.server, \"8888\"]
  environment:
    LANG: ja_JP.UTF-8
    API_TOKEN: {secret: \"...\"}     # shown as ******** from then on, which keeps it
  ports: [8888]                    # publishedPorts, gpus, tty, stdin, runAs: image, nodeLabels, volumes
  cpu: \"2\"                         # or 500m; cpu, memory and lease may be left out
  memory: 4Gi
  lease: 8h";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Apply {
    /// A file with one or several definitions (YAML or JSON); - is standard input
    #[arg(short, long)]
    file: PathBuf,
    /// Whose containers they are (administrators); others' are changed, not made
    #[arg(long, default_value = "")]
    owner: String,
    /// What is made is not started
    #[arg(long)]
    stopped: bool,
    /// Says what would be done, and does nothing
    #[arg(long)]
    dry_run: bool,
    /// Makes containers anew where that is needed, without asking
    #[arg(long)]
    recreate: bool,
}

impl Apply {
    pub(crate) async fn run(self) -> Result<()> {
        let definitions = self.read()?;
        let mut client = Client::signed_in()?.containers();
        let mut worst = None;
        for definition in definitions {
            let name = definition.metadata.name.clone();
            let done = self.one(&mut client, definition).await;
            // Others are not left undone for it.
            let code = match done {
                Ok(code) => code,
                Err(error) => {
                    let (sentence, code) = crate::verdict(&error);
                    note(&format!("berth: {name}: {sentence}"))?;
                    Some(code)
                }
            };
            worst = worst.or(code);
        }
        match worst {
            None => Ok(()),
            Some(code) => Err(Ended(code).into()),
        }
    }

    fn read(&self) -> Result<Vec<Definition>> {
        let from_input = self.file.as_os_str() == "-";
        let file = if from_input { "-".to_owned() } else { self.file.display().to_string() };
        let text = match from_input {
            true => std::io::read_to_string(std::io::stdin()),
            false => std::fs::read_to_string(&self.file),
        };
        let text = text.with_context(|| format!("{file} cannot be read"))?;
        let definitions = definition::read(&file, &text)?;
        if definitions.is_empty() {
            bail!(words::nothing_in(&file));
        }
        let mut names = BTreeSet::new();
        for definition in &definitions {
            let name = &definition.metadata.name;
            if !names.insert(name) {
                bail!(words::twice(&file, name));
            }
        }
        Ok(definitions)
    }

    /// Answers with an exit code where something was left undone.
    async fn one(&self, client: &mut Containers, wanted: Definition) -> Result<Option<u8>> {
        let name = wanted.metadata.name.clone();
        let get = v1::GetContainerRequest { name, owner: self.owner.clone() };
        match client.get_container(get).await {
            Ok(found) => self.change(client, found.into_inner(), wanted).await,
            Err(status) if status.code() == Code::NotFound && self.owner.is_empty() => {
                self.make(client, wanted).await.map(|()| None)
            }
            Err(status) => Err(status.into()),
        }
    }

    async fn make(&self, client: &mut Containers, wanted: Definition) -> Result<()> {
        let name = wanted.metadata.name.clone();
        let request = v1::CreateContainerRequest {
            stopped: self.stopped,
            request_id: super::run::request_id(),
            ..convert::create_request(wanted)
        };
        if self.dry_run {
            // Refuses what would be refused.
            let request = v1::ExplainPlacementRequest { container: Some(request) };
            client.explain_placement(request).await?;
            return say(&words::would_be_created(&name));
        }
        super::run::create(client, request).await?;
        say(&if self.stopped { words::defined(&name) } else { words::created(&name) })
    }

    async fn change(
        &self,
        client: &mut Containers,
        found: v1::Container,
        wanted: Definition,
    ) -> Result<Option<u8>> {
        let name = wanted.metadata.name.clone();
        // Where it never was anywhere, a secret changes without a word.
        let says_secrets = found.node.is_empty() && says_secrets(&wanted.spec);
        let before = convert::definition(found).spec;
        let mut request = convert::update_request(wanted);
        request.validate_only = self.dry_run;
        if let Some(container) = &mut request.container {
            container.owner.clone_from(&self.owner);
        }
        let status = match client.update_container(request.clone()).await {
            Ok(after) => {
                let after = convert::definition(after.into_inner()).spec;
                let mut keys = different(&before, &after);
                if says_secrets {
                    keys.insert(Field::SecretEnvironment.key());
                }
                say(&self.changed(&name, &keys))?;
                return Ok(None);
            }
            Err(status) => status,
        };
        let Some(keys) = needs_recreation(&status) else { return Err(status.into()) };
        if self.dry_run {
            say(&words::would_be_made_anew(&name, &keys))?;
            return Ok(None);
        }
        if !self.may_recreate(&name, &keys)? {
            note(&words::not_made_anew(&name, &keys))?;
            return Ok(Some(NEEDS_RECREATION));
        }
        request.allow_recreation = true;
        client.update_container(request).await?;
        say(&words::made_anew(&name, &keys))?;
        Ok(None)
    }

    fn changed(&self, name: &str, keys: &BTreeSet<&str>) -> String {
        let listed = keys.iter().copied().collect::<Vec<_>>().join(", ");
        match (keys.is_empty(), self.dry_run) {
            (true, _) => words::unchanged(name),
            (false, true) => words::would_be_changed(name, &listed),
            (false, false) => words::changed(name, &listed),
        }
    }

    fn may_recreate(&self, name: &str, keys: &str) -> Result<bool> {
        if self.recreate {
            return Ok(true);
        }
        if !may_ask() {
            return Ok(false);
        }
        Ok(is_yes(&ask(&words::ask_made_anew(name, keys), "--recreate")?))
    }
}

/// What the re-creation is for, if that is what keeps the change from being made.
fn needs_recreation(status: &Status) -> Option<String> {
    let failure = status.get_details_precondition_failure()?;
    let fields = failure.violations.iter().filter(|violation| violation.r#type == VIOLATION);
    let keys: BTreeSet<&str> =
        fields.map(|violation| Field::parse(&violation.subject).map_or("?", Field::key)).collect();
    (!keys.is_empty()).then(|| keys.into_iter().collect::<Vec<_>>().join(", "))
}

fn says_secrets(spec: &Spec) -> bool {
    spec.environment.values().any(|variable| match variable {
        Variable::Plain(_) => false,
        Variable::Secret(value) => value != MASK,
    })
}

/// The keys of what differs.
fn different(before: &Spec, after: &Spec) -> BTreeSet<&'static str> {
    // Taken apart whole, so that a new field cannot be forgotten here.
    let Spec {
        image,
        command,
        environment,
        ports,
        published_ports,
        gpus,
        cpu,
        memory,
        lease,
        tty,
        stdin,
        run_as,
        node_labels,
        volumes,
    } = before;
    [
        (Field::Image, *image != after.image),
        (Field::Command, *command != after.command),
        (Field::Environment, *environment != after.environment),
        (Field::GuestPorts, *ports != after.ports),
        (Field::PublishedPorts, *published_ports != after.published_ports),
        (Field::Gpus, *gpus != after.gpus),
        (Field::Cpu, *cpu != after.cpu),
        (Field::Memory, *memory != after.memory),
        (Field::Lease, *lease != after.lease),
        (Field::Tty, *tty != after.tty),
        (Field::Stdin, *stdin != after.stdin),
        (Field::RunAs, *run_as != after.run_as),
        (Field::NodeLabels, *node_labels != after.node_labels),
        (Field::Volumes, *volumes != after.volumes),
    ]
    .into_iter()
    .filter(|(_, differs)| *differs)
    .map(|(field, _)| field.key())
    .collect()
}

#[cfg(test)]
mod tests {
    use tonic_types::{ErrorDetails, PreconditionViolation};

    use super::*;

    #[test]
    fn what_differs_is_named_as_in_the_file() {
        let before = Spec { image: "a".into(), ports: vec![80], ..Spec::default() };
        assert!(different(&before, &before).is_empty());
        let after = Spec { tty: true, ports: vec![], ..before.clone() };
        assert_eq!(different(&before, &after), ["ports", "tty"].into());
    }

    #[test]
    fn only_a_re_creation_is_asked_for() {
        let refused = |of_type: &str| {
            let violation = PreconditionViolation::new(of_type, "memory_bytes", "memory");
            let details = ErrorDetails::with_precondition_failure([violation]);
            Status::with_error_details(Code::FailedPrecondition, "no", details)
        };
        assert_eq!(needs_recreation(&refused(VIOLATION)).as_deref(), Some("memory"));
        assert_eq!(needs_recreation(&refused("DOES_NOT_FIT")), None);
        assert_eq!(needs_recreation(&Status::unavailable("")), None);
    }
}
