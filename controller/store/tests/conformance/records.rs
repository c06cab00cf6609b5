//! Records with every field at its worst.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use berth_core::{
    account::{AccountName, LocalAccount, Role, Session, User},
    clock::Timestamp,
    container::{
        Container, ContainerName, ContainerSpec, DesiredPhase, Leaving, Placement, PortBinding,
        RuntimeKind, StopCause,
    },
    fault::{Fault, FaultKind},
    id::{
        ContainerId, Epoch, NodeId, RequestId, SessionId, ShareLinkId, StoreId, UserId, VolumeId,
    },
    image::ImageRef,
    join::{JoinToken, UsedBy},
    node::{Availability, Gpu, Inventory, Liveness, Node, PortRange},
    observed::{Observed, ObservedPhase, PullProgress},
    resources::{GpuId, Resources},
    share::ShareLink,
    storage::{Enforcement, Holder, HomeMount, Mapping, Posix, RunAs, Scope, Storage, Store},
    volume::{Access, Volume, VolumeMount, VolumeName, VolumePlace, VolumeState},
};
use proptest::{
    array::uniform32,
    collection::{btree_map, btree_set, vec},
    option,
    prelude::{Just, Strategy, any},
    prop_oneof,
    sample::select,
    strategy::ValueTree,
    test_runner::TestRunner,
};
use uuid::Uuid;

/// The same in every run.
pub(crate) fn some<T>(strategy: impl Strategy<Value = T>, count: usize) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// A container that differs from others in its number alone.
pub(crate) fn plain_container(number: u128) -> Container {
    Container {
        id: ContainerId::new(Uuid::from_u128(number)),
        owner: UserId::new(Uuid::from_u128(number % 100)),
        name: ContainerName::parse(&format!("c{number}")).unwrap(),
        request_id: None,
        created_at: Timestamp(1),
        spec: ContainerSpec {
            image: ImageRef::parse("alpine").unwrap(),
            command: Vec::new(),
            environment: BTreeMap::new(),
            guest_ports: Vec::new(),
            gpus: 0,
            resources: Resources::default(),
            tty: false,
            stdin: false,
            node_labels: BTreeMap::new(),
            runtime: RuntimeKind::Docker,
            unpublished: Vec::new(),
            run_as: RunAs::Account,
            holder: None,
            secrets: Default::default(),
            lease: None,
            volumes: Vec::new(),
        },
        lease_ends_at: Timestamp(2),
        desired: DesiredPhase::Running,
        stop_cause: None,
        incarnation: 1,
        restart_nonce: 0,
        placement: None,
        admitted: false,
        waiting: None,
        revision: 0,
        observed: None,
    }
}

pub(crate) fn plain_account(name: &str) -> LocalAccount {
    LocalAccount {
        account: AccountName::parse(name).unwrap(),
        display_name: name.to_owned(),
        role: Role::Student,
        posix: None,
        password_hash: "$argon2id$".to_owned(),
        disabled: false,
    }
}

pub(crate) fn user() -> impl Strategy<Value = User> {
    (id(UserId::new), account_name(), text(), role(), posix(), any::<bool>(), time()).prop_map(
        |(id, account, display_name, role, posix, suspended, created_at)| User {
            id,
            account,
            display_name,
            role,
            posix,
            suspended,
            created_at,
        },
    )
}

pub(crate) fn session() -> impl Strategy<Value = Session> {
    let fields = (id(SessionId::new), id(UserId::new), sha256(), text(), text(), time(), time());
    fields.prop_map(|(id, user, token_sha256, device, address, created_at, expires_at)| Session {
        id,
        user,
        token_sha256,
        device,
        address,
        created_at,
        expires_at,
    })
}

pub(crate) fn share_link() -> impl Strategy<Value = ShareLink> {
    let ids = (id(ShareLinkId::new), id(ContainerId::new), id(UserId::new));
    (ids, any::<u16>(), sha256(), time(), time()).prop_map(
        |((id, container, created_by), port, token_sha256, created_at, expires_at)| ShareLink {
            id,
            container,
            port,
            token_sha256,
            created_by,
            created_at,
            expires_at,
        },
    )
}

pub(crate) fn join_token() -> impl Strategy<Value = JoinToken> {
    let used_by = (id(NodeId::new), sha256())
        .prop_map(|(node, public_key_sha256)| UsedBy { node, public_key_sha256 });
    (sha256(), time(), option::of(used_by)).prop_map(|(token_sha256, expires_at, used_by)| {
        JoinToken { token_sha256, expires_at, used_by }
    })
}

pub(crate) fn local_account() -> impl Strategy<Value = LocalAccount> {
    (account_name(), text(), role(), option::of(posix()), text(), any::<bool>()).prop_map(
        |(account, display_name, role, posix, password_hash, disabled)| LocalAccount {
            account,
            display_name,
            role,
            posix,
            password_hash,
            disabled,
        },
    )
}

pub(crate) fn node() -> impl Strategy<Value = Node> {
    let people = (id(NodeId::new), text(), time(), time(), select(AVAILABILITIES));
    let reports = (number(), inventory(), text(), number(), small(), ports());
    (people, reports).prop_map(|(people, reports)| {
        let (id, name, joined_at, certificate_expires_at, availability) = people;
        let (
            desired_generation,
            inventory,
            agent_version,
            reconciled_generation,
            orphans,
            excluded,
        ) = reports;
        Node {
            id,
            name,
            joined_at,
            certificate_expires_at,
            availability,
            desired_generation,
            inventory,
            agent_version,
            reconciled_generation,
            orphans,
            spoke_in: (orphans % 2 == 0)
                .then_some(Epoch::new(Uuid::from_u128(u128::from(orphans)))),
            excluded_ports: excluded,
            liveness: Liveness::Unknown,
            liveness_since: Timestamp::default(),
            troubles: Default::default(),
        }
    })
}

pub(crate) fn container() -> impl Strategy<Value = Container> {
    let people = (
        id(ContainerId::new),
        id(UserId::new),
        "[a-z0-9][a-z0-9-]{0,30}",
        option::of(id(RequestId::new)),
        time(),
        spec(),
        time(),
        select(DESIRED_PHASES),
    );
    let rest = (
        option::of(stop_cause()),
        small(),
        number(),
        option::of(placement()),
        any::<bool>(),
        option::of(observed()),
    );
    (people, rest).prop_map(|(people, rest)| {
        let (id, owner, name, request_id, created_at, spec, lease_ends_at, desired) = people;
        let (stop_cause, incarnation, restart_nonce, placement, admitted, observed) = rest;
        Container {
            id,
            owner,
            name: ContainerName::parse(&name).unwrap(),
            request_id,
            created_at,
            spec,
            lease_ends_at,
            desired,
            stop_cause,
            incarnation,
            restart_nonce,
            placement,
            admitted,
            waiting: None,
            revision: 0,
            observed,
        }
    })
}

const ROLES: &[Role] = &[Role::Student, Role::Teacher, Role::Administrator];
const AVAILABILITIES: &[Availability] = &[Availability::Active, Availability::Cordoned];
const DESIRED_PHASES: &[DesiredPhase] =
    &[DesiredPhase::Running, DesiredPhase::Stopped, DesiredPhase::Removed];
const RUNTIMES: &[RuntimeKind] = &[RuntimeKind::Docker, RuntimeKind::Kubernetes];
const OBSERVED_PHASES: &[ObservedPhase] = &[
    ObservedPhase::Absent,
    ObservedPhase::Pulling,
    ObservedPhase::Starting,
    ObservedPhase::Running,
    ObservedPhase::Stopping,
    ObservedPhase::Exited,
    ObservedPhase::Removed,
    ObservedPhase::Failed,
];
const FAULT_KINDS: &[FaultKind] = &[
    FaultKind::ImageNotFound,
    FaultKind::RegistryUnreachable,
    FaultKind::PortInUse { port: u16::MAX },
    FaultKind::CommandNotFound,
    FaultKind::NoGpuRuntime,
    FaultKind::FirewallMissing,
    FaultKind::NoSpace,
    FaultKind::StorageMissing,
    FaultKind::HomeOwner,
    FaultKind::Unsupported,
    FaultKind::Network,
    FaultKind::Engine,
    FaultKind::ForeignContainer,
];
const IMAGES: &[&str] =
    &["alpine", "localhost:5000/a/b:t", "registry.example.edu/pytorch:2.6-cuda12"];
const TEXTS: &[&str] = &[
    "",
    "\0",
    "%00%25\0%",
    "'; DROP TABLE \"user\"; --",
    "日本語 😀",
    "\u{202e}abc\u{feff}",
    "{\"a\":[1]}\n\\",
];

fn id<T: Debug>(make: fn(Uuid) -> T) -> impl Strategy<Value = T> {
    any::<u128>().prop_map(move |number| make(Uuid::from_u128(number)))
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![select(TEXTS).prop_map(str::to_owned), any::<String>(), "x{5000}"]
}

fn number() -> impl Strategy<Value = u64> {
    let edge = u64::MAX / 2;
    prop_oneof![select(vec![0, 1, edge, edge + 1, u64::MAX]), any::<u64>()]
}

fn small() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(u32::MAX), any::<u32>()]
}

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![select(vec![i64::MIN, -1, 0, i64::MAX]), any::<i64>()].prop_map(Timestamp)
}

fn sha256() -> impl Strategy<Value = [u8; 32]> {
    uniform32(any::<u8>())
}

fn role() -> impl Strategy<Value = Role> {
    select(ROLES)
}

fn account_name() -> impl Strategy<Value = AccountName> {
    "[a-z0-9][a-z0-9._-]{4,31}".prop_map(|name| AccountName::parse(&name).unwrap())
}

fn texts() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map(text(), text(), 0..4)
}

fn ports() -> impl Strategy<Value = BTreeSet<u16>> {
    btree_set(any::<u16>(), 0..5)
}

fn gpu_id() -> impl Strategy<Value = GpuId> {
    "(GPU|MIG)-[0-9a-f]{8}".prop_map(|id| GpuId::parse(&id).unwrap())
}

fn resources() -> impl Strategy<Value = Resources> {
    (small(), number()).prop_map(|(cpu, memory)| Resources::new(cpu, memory))
}

fn fault() -> impl Strategy<Value = Fault> {
    (select(FAULT_KINDS), text()).prop_map(|(kind, detail)| Fault { kind, detail })
}

fn stop_cause() -> impl Strategy<Value = StopCause> {
    let exited = (any::<i32>(), any::<bool>(), any::<bool>()).prop_map(
        |(exit_code, out_of_memory, at_once)| StopCause::Exited {
            exit_code,
            out_of_memory,
            at_once,
        },
    );
    prop_oneof![
        Just(StopCause::ByUser),
        Just(StopCause::LeaseEnded),
        Just(StopCause::OverQuota),
        exited,
        fault().prop_map(StopCause::Failed)
    ]
}

fn spec() -> impl Strategy<Value = ContainerSpec> {
    let image = select(IMAGES).prop_map(|image| ImageRef::parse(image).unwrap());
    let first = (image, vec(text(), 0..4), texts(), vec(any::<u16>(), 0..4), small());
    let second = (resources(), any::<bool>(), any::<bool>(), texts(), select(RUNTIMES));
    let third = (
        select([RunAs::Account, RunAs::Image].as_slice()),
        option::of(holder()),
        vec(mount(), 0..3),
    );
    (first, second, third).prop_map(
        |(
            (image, command, environment, guest_ports, gpus),
            (resources, tty, stdin, node_labels, runtime),
            (run_as, holder, volumes),
        )| ContainerSpec {
            image,
            command,
            environment,
            unpublished: guest_ports.iter().copied().skip(2).collect(),
            guest_ports,
            gpus,
            resources,
            tty,
            stdin,
            node_labels,
            runtime,
            run_as,
            holder,
            volumes,
            secrets: ["TOKEN".to_owned()].into(),
            lease: Some(std::time::Duration::from_secs(u64::from(gpus))),
        },
    )
}

fn posix() -> impl Strategy<Value = Posix> {
    (1000..=i32::MAX.cast_unsigned(), 1..=i32::MAX.cast_unsigned())
        .prop_map(|(uid, gid)| Posix::new(uid, gid).unwrap())
}

fn holder() -> impl Strategy<Value = Holder> {
    (account_name(), posix()).prop_map(|(account, posix)| Holder { account, posix })
}

fn store() -> impl Strategy<Value = Store> {
    let scope = select([Scope::Shared, Scope::Local].as_slice());
    let enforcement = select([Enforcement::Enforced, Enforcement::Metered].as_slice());
    (id(StoreId::new), scope, enforcement).prop_map(|(id, scope, enforcement)| Store {
        id,
        scope,
        enforcement,
    })
}

fn storage() -> impl Strategy<Value = Storage> {
    let mapping = select([Mapping::Unsupported, Mapping::Supported].as_slice());
    (option::of(store()), option::of(store()), mapping)
        .prop_map(|(homes, volumes, mapping)| Storage { homes, volumes, mapping })
}

fn volume_name() -> impl Strategy<Value = VolumeName> {
    "[a-z0-9][a-z0-9-]{0,30}".prop_map(|name| VolumeName::parse(&name).unwrap())
}

fn mount() -> impl Strategy<Value = VolumeMount> {
    let access = select([Access::ReadWrite, Access::ReadOnly].as_slice());
    let scope = select([Scope::Shared, Scope::Local].as_slice());
    (id(VolumeId::new), scope, text(), access)
        .prop_map(|(volume, scope, path, access)| VolumeMount { volume, scope, path, access })
}

pub(crate) fn volume() -> impl Strategy<Value = Volume> {
    let scope = select([Scope::Shared, Scope::Local].as_slice());
    let state = select([VolumeState::Active, VolumeState::Deleting].as_slice());
    let place = (id(StoreId::new), option::of(id(NodeId::new)))
        .prop_map(|(store, node)| VolumePlace { store, node });
    let ids = (id(VolumeId::new), id(UserId::new));
    (ids, volume_name(), scope, holder(), time(), option::of(place), state).prop_map(
        |((id, owner), name, scope, holder, created_at, place, state)| Volume {
            id,
            owner,
            name,
            scope,
            holder,
            created_at,
            place,
            state,
        },
    )
}

fn placement() -> impl Strategy<Value = Placement> {
    let port = (any::<u16>(), any::<u16>()).prop_map(|(guest, host)| PortBinding { guest, host });
    let home = select([HomeMount::None, HomeMount::Plain, HomeMount::Mapped].as_slice());
    (id(NodeId::new), vec(gpu_id(), 0..3), vec(port, 0..3), home).prop_map(
        |(node, gpus, ports, home)| Placement {
            node,
            leaving: Some(Leaving {
                resources: Resources::new(1, 2),
                gpus: gpus.clone(),
                volumes: vec![],
            }),
            gpus,
            ports,
            home,
        },
    )
}

fn observed() -> impl Strategy<Value = Observed> {
    let pull = (number(), number())
        .prop_map(|(done_bytes, total_bytes)| PullProgress { done_bytes, total_bytes });
    let first =
        (small(), select(OBSERVED_PHASES), option::of(fault()), any::<bool>(), option::of(time()));
    let second = (
        option::of(time()),
        any::<i32>(),
        any::<bool>(),
        option::of(text()),
        option::of(pull),
        number(),
    );
    (first, second).prop_map(
        |(
            (incarnation, phase, fault, retrying, started_at),
            (finished_at, exit_code, out_of_memory, image_digest, pull, restart_nonce),
        )| Observed {
            incarnation,
            phase,
            fault,
            retrying,
            started_at,
            finished_at,
            exit_code,
            out_of_memory,
            image_digest,
            pull,
            restart_nonce,
        },
    )
}

fn inventory() -> impl Strategy<Value = Inventory> {
    let gpu = (gpu_id(), text(), number()).prop_map(|(id, model, memory_bytes)| Gpu {
        id,
        model,
        memory_bytes,
    });
    let range = (any::<u16>(), any::<u16>()).prop_map(|(start, end)| PortRange { start, end });
    let first = (resources(), resources(), vec(gpu, 0..3), texts(), text(), range);
    let second = (ports(), vec(select(RUNTIMES), 0..3), text(), text(), vec(fault(), 0..3));
    (first, second, storage()).prop_map(
        |(
            (total, foreign, gpus, labels, address, ports),
            (foreign_ports, runtimes, engine_version, kernel_version, problems),
            storage,
        )| Inventory {
            total,
            foreign,
            gpus,
            labels,
            address,
            ports,
            foreign_ports,
            runtimes,
            engine_version,
            kernel_version,
            storage,
            problems,
        },
    )
}
