use std::collections::BTreeMap;

use berth_core::{
    clock::Timestamp,
    container::{Container, ContainerName, ContainerSpec, DesiredPhase, RuntimeKind},
    create::Limits,
    definition::change::{Plan, merge, plan},
    guest_port::RawPorts,
    id::{ContainerId, NodeId, UserId},
    image::ImageRef,
    resources::{GIB, Resources},
    storage::HomeMount,
    text::Language,
};
use proptest::{option, prelude::*, sample::select};
use uuid::Uuid;

use super::*;
use crate::convert::container::{View, container};

fn variables() -> impl Strategy<Value = BTreeMap<String, String>> {
    proptest::collection::btree_map("[A-Z][A-Z0-9_]{0,5}", "\\PC{0,8}", 0..5)
}

prop_compose! {
    fn spec()(
        environment in variables(),
        secrets in proptest::collection::btree_set("[A-Z][A-Z0-9_]{0,5}", 0..3),
        guest_ports in proptest::collection::btree_set(1..=u16::MAX, 0..5),
        hidden in 0usize..3,
        amounts in (0u32..5, 10u32..64_000, 6u64 << 20..64 << 30, option::of(60u64..1_000_000)),
        flags in (any::<bool>(), any::<bool>(), any::<bool>()),
        command in proptest::collection::vec("[^\0]{1,5}", 0..3),
    ) -> ContainerSpec {
        let (gpus, cpu, memory, lease) = amounts;
        let (tty, stdin, as_image) = flags;
        let guest_ports: Vec<u16> = guest_ports.into_iter().collect();
        let mut environment = environment;
        environment.extend(secrets.iter().map(|name| (name.clone(), "hunter2".to_owned())));
        ContainerSpec {
            image: ImageRef::parse("python:3.13").unwrap(),
            command,
            environment,
            unpublished: guest_ports.iter().copied().take(hidden).collect(),
            guest_ports,
            gpus,
            resources: Resources::new(cpu, memory),
            tty,
            stdin,
            node_labels: [("rack".to_owned(), "1".to_owned())].into(),
            runtime: RuntimeKind::Docker,
            run_as: if as_image { RunAs::Image } else { RunAs::Account },
            holder: None,
            volumes: vec![],
            secrets,
            lease: lease.map(Duration::from_secs),
        }
    }
}

fn container_of(spec: ContainerSpec) -> Container {
    Container {
        id: ContainerId::new(Uuid::from_u128(1)),
        owner: UserId::new(Uuid::from_u128(2)),
        name: ContainerName::parse("box").unwrap(),
        request_id: None,
        created_at: Timestamp(0),
        spec,
        lease_ends_at: Timestamp(0),
        desired: DesiredPhase::Running,
        stop_cause: None,
        incarnation: 1,
        restart_nonce: 1,
        placement: Some(berth_core::container::Placement {
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

proptest! {
    /// Whatever the site allows by now.
    #[test]
    fn what_is_got_and_applied_changes_nothing(
        spec in spec(),
        raw_ports in select([RawPorts::Default, RawPorts::OptIn, RawPorts::Forbidden].as_slice()),
    ) {
        let old = container_of(spec);
        let grace = Duration::ZERO;
        let view = View { container: &old, owner: "ann", node: None, grace, apps: None, language: Language::English };
        let got = definition(container(view));
        let shown = format!("{got:?}");
        prop_assert!(!shown.contains("hunter2"), "{}", shown);
        let limits = Limits {
            default_resources: Resources::new(1000, GIB),
            maximum_resources: Resources::new(1000, GIB),
            maximum_gpus: 0,
            default_lease: Duration::from_secs(3600),
            maximum_lease: Duration::from_secs(3600),
            raw_ports,
        };
        let request = update_request(got.clone());
        let asked = change(request.container.unwrap(), request.update_mask.as_ref()).unwrap();
        let merged = merge(&old, &asked, &limits).unwrap();
        prop_assert_eq!(plan(&old, &merged.spec), Plan::default());
        let after = Container { spec: merged.spec, ..old };
        let view = View { container: &after, owner: "ann", node: None, grace, apps: None, language: Language::English };
        prop_assert_eq!(definition(container(view)), got);
    }
}

#[test]
fn what_a_definition_does_not_say_of_amounts_is_not_asked_for() {
    let spec = Spec { image: "a".into(), memory: Some(Memory(1)), ..Spec::default() };
    let silent = Definition {
        api_version: ApiVersion::V1,
        kind: Kind::Container,
        metadata: Metadata { name: "box".into() },
        spec,
    };
    let request = update_request(silent);
    let asked = change(request.container.unwrap(), request.update_mask.as_ref()).unwrap();
    let not_asked: Vec<Field> =
        Field::ALL.into_iter().filter(|field| !asked.fields.contains(field)).collect();
    assert_eq!(not_asked, [Field::Cpu, Field::Lease]);
}
