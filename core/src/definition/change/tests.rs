use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    clock::Timestamp,
    container::{ContainerName, DesiredPhase, Placement, RuntimeKind},
    id::{ContainerId, NodeId, UserId},
    image::ImageRef,
    resources::GIB,
    storage::{HomeMount, RunAs},
    violation::Problem,
};

fn limits() -> Limits {
    Limits {
        default_resources: Resources::new(1000, GIB),
        maximum_resources: Resources::new(8000, 32 * GIB),
        maximum_gpus: 4,
        default_lease: Duration::from_secs(3600),
        maximum_lease: Duration::from_secs(24 * 3600),
        raw_ports: RawPorts::Default,
    }
}

fn text(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Somewhere, with a plain variable and a secret one.
fn container() -> Container {
    Container {
        id: ContainerId::new(Uuid::from_u128(1)),
        owner: UserId::new(Uuid::from_u128(2)),
        name: ContainerName::parse("box").unwrap(),
        request_id: None,
        created_at: Timestamp(0),
        spec: ContainerSpec {
            image: ImageRef::parse("python:3.13").unwrap(),
            command: vec![],
            environment: text(&[("A", "1"), ("TOKEN", "s3cret")]),
            guest_ports: vec![80, 81],
            gpus: 1,
            resources: Resources::new(1000, GIB),
            tty: false,
            stdin: false,
            node_labels: BTreeMap::new(),
            runtime: RuntimeKind::Docker,
            unpublished: vec![81],
            run_as: RunAs::Account,
            holder: None,
            volumes: vec![],
            secrets: ["TOKEN".to_owned()].into(),
            lease: Some(Duration::from_secs(3600)),
        },
        lease_ends_at: Timestamp(0),
        desired: DesiredPhase::Running,
        stop_cause: None,
        incarnation: 1,
        restart_nonce: 1,
        placement: Some(Placement {
            node: NodeId::new(Uuid::from_u128(3)),
            gpus: vec![],
            ports: vec![],
            home: HomeMount::None,
            leaving: None,
        }),
        admitted: true,
        waiting: None,
        revision: 0,
        observed: None,
    }
}

fn change(field: Field, set: impl FnOnce(&mut CreateRequest)) -> Change {
    let mut wanted = CreateRequest::default();
    set(&mut wanted);
    Change { fields: [field].into(), wanted }
}

fn outcome(old: &Container, change: &Change) -> Plan {
    plan(old, &merge(old, change, &limits()).unwrap().spec)
}

fn needs(change: &Change) -> bool {
    let plan = outcome(&container(), change);
    assert!(!plan.changes.is_empty());
    plan.is_recreation()
}

#[test]
fn what_an_engine_cannot_change() {
    assert!(needs(&change(Field::Image, |r| r.image = "alpine".into())));
    assert!(needs(&change(Field::Command, |r| r.command = vec!["sh".into()])));
    assert!(needs(&change(Field::Environment, |r| r.environment = text(&[("A", "2")]))));
    assert!(needs(&change(Field::SecretEnvironment, |_| {})));
    assert!(needs(&change(Field::Cpu, |r| r.cpu_millis = 2000)));
    assert!(needs(&change(Field::Memory, |r| r.memory_bytes = 2 * GIB)));
    assert!(needs(&change(Field::Gpus, |r| r.gpus = 2)));
    assert!(needs(&change(Field::Tty, |r| r.tty = true)));
    assert!(needs(&change(Field::Stdin, |r| r.stdin = true)));
    assert!(needs(&change(Field::RunAs, |r| r.run_as = Some(RunAs::Account))));
    assert!(!needs(&change(Field::Lease, |r| r.lease_seconds = Some(7200))));
    assert!(!needs(&change(Field::NodeLabels, |r| r.node_labels = text(&[("rack", "1")]))));
}

#[test]
fn what_has_no_blade_is_made_anew_for_nothing() {
    let nowhere = Container { placement: None, ..container() };
    let plan = outcome(&nowhere, &change(Field::Image, |r| r.image = "alpine".into()));
    assert_eq!(plan.changes, [Field::Image].into());
    assert!(!plan.is_recreation());
}

#[test]
fn ports_that_the_blade_knows_of() {
    let mut old = container();
    let ports =
        |ports: &'static [u32]| change(Field::GuestPorts, move |r| r.guest_ports = ports.into());
    // The site publishes what is new.
    assert_eq!(outcome(&old, &ports(&[80, 81, 82])).recreation, [Field::GuestPorts].into());
    // Without a port of the blade it is only a name.
    let opt_in = Limits { raw_ports: RawPorts::OptIn, ..limits() };
    let new = merge(&old, &ports(&[80, 81, 82]), &opt_in).unwrap().spec;
    assert_eq!(new.published(), [80]);
    assert!(!plan(&old, &new).is_recreation());
    assert_eq!(plan(&old, &new).changes, [Field::GuestPorts].into());
    let new =
        merge(&old, &change(Field::PublishedPorts, |r| r.published_ports = vec![81]), &opt_in);
    assert_eq!(plan(&old, &new.unwrap().spec).recreation, [Field::PublishedPorts].into());
    // What it has it keeps, though nobody gets that any more.
    let forbidden = Limits { raw_ports: RawPorts::Forbidden, ..limits() };
    let same = change(Field::PublishedPorts, |r| r.published_ports = vec![80]);
    assert_eq!(plan(&old, &merge(&old, &same, &forbidden).unwrap().spec), Plan::default());
    let more = change(Field::PublishedPorts, |r| r.published_ports = vec![80, 81]);
    assert_eq!(merge(&old, &more, &forbidden).unwrap_err()[0].field, "published_ports");
    old.spec.unpublished.clear();
    let fewer = merge(&old, &ports(&[80]), &forbidden).unwrap().spec;
    assert_eq!(fewer.published(), [] as [u16; 0]);
}

#[test]
fn a_mask_keeps_a_secret() {
    let old = container();
    let secrets = |pairs: &[(&str, &str)]| {
        let pairs = text(pairs);
        change(Field::SecretEnvironment, move |r| r.secret_environment = pairs)
    };
    assert_eq!(outcome(&old, &secrets(&[("TOKEN", MASK)])), Plan::default());
    let new = merge(&old, &secrets(&[("TOKEN", "other")]), &limits()).unwrap().spec;
    assert_eq!(new.environment, text(&[("A", "1"), ("TOKEN", "other")]));
    assert_eq!(plan(&old, &new).recreation, [Field::SecretEnvironment].into());
    let nothing = merge(&old, &secrets(&[("OTHER", MASK)]), &limits()).unwrap_err();
    assert_eq!(
        (nothing[0].field.as_str(), &nothing[0].problem),
        ("secret_environment[OTHER]", &Problem::SecretNotKept)
    );

    // A plain variable becomes a secret as it is: nobody has to start anew for that.
    let both = Change {
        fields: [Field::Environment, Field::SecretEnvironment].into(),
        wanted: CreateRequest {
            secret_environment: text(&[("A", MASK), ("TOKEN", MASK)]),
            ..CreateRequest::default()
        },
    };
    let hidden = outcome(&old, &both);
    assert_eq!(hidden.changes, [Field::Environment, Field::SecretEnvironment].into());
    assert!(!hidden.is_recreation());
    let twice = merge(
        &old,
        &change(Field::Environment, |r| r.environment = text(&[("TOKEN", "x")])),
        &limits(),
    );
    assert_eq!(twice.unwrap_err()[0].problem, Problem::EnvironmentDuplicate);
}

#[test]
fn what_it_has_it_may_keep() {
    let tight = Limits {
        maximum_resources: Resources::new(500, GIB / 2),
        maximum_gpus: 0,
        maximum_lease: Duration::from_secs(60),
        ..limits()
    };
    let old = container();
    let image = change(Field::Image, |r| r.image = "alpine".into());
    assert_eq!(merge(&old, &image, &tight).unwrap().spec.resources, old.spec.resources);
    let more = change(Field::Cpu, |r| r.cpu_millis = 1001);
    assert_eq!(merge(&old, &more, &tight).unwrap_err()[0].field, "cpu_millis");
}

proptest! {
    /// What is not named stays; what is named with the value that it has changes nothing.
    #[test]
    fn only_what_is_named_changes(fields in proptest::collection::btree_set(proptest::sample::select(&Field::ALL), 0..5)) {
        let old = container();
        let mut wanted = request_of(&old);
        wanted.lease_seconds = Some(3600);
        wanted.secret_environment = text(&[("TOKEN", MASK)]);
        let same = Change { fields: fields.clone(), wanted };
        prop_assert_eq!(plan(&old, &merge(&old, &same, &limits()).unwrap().spec), Plan::default());
        let other = CreateRequest {
            image: "alpine".into(),
            command: vec!["x".into()],
            environment: text(&[("B", "2")]),
            secret_environment: text(&[("OTHER", "3")]),
            guest_ports: vec![80, 90],
            published_ports: vec![80],
            gpus: 2,
            run_as: Some(RunAs::Account),
            cpu_millis: 3000,
            memory_bytes: 3 * GIB,
            lease_seconds: Some(120),
            tty: true,
            stdin: true,
            node_labels: text(&[("a", "b")]),
            ..CreateRequest::default()
        };
        let new = merge(&old, &Change { fields: fields.clone(), wanted: other }, &limits()).unwrap().spec;
        let changes = plan(&old, &new).changes;
        // Which ports are published follows from which there are; volumes are looked up elsewhere.
        let ports = |fields: &BTreeSet<Field>| -> BTreeSet<Field> {
            let elsewhere = [Field::PublishedPorts, Field::Volumes];
            fields.iter().copied().filter(|f| !elsewhere.contains(f)).collect()
        };
        prop_assert_eq!(ports(&changes), ports(&fields));
    }
}
