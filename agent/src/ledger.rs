//! The ledger on disk: protobuf, written as a whole. After any crash there is the old content or the new one.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use berth_core::desired::{DesiredSet, DesiredUpdate, accept};
use berth_proto::{
    agent::v1 as wire,
    convert::agent::{self as convert, Malformed},
};
use berth_reconcile::ledger::{Begun, Content, Ledger, Restart};
use prost::Message as _;

use crate::slots::{Found, Slots};

/// Raised when a field changes its meaning; fields that are only added need no new one.
const FORMAT: u32 = 1;

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the ledger {} cannot be read", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("the ledger {} is damaged", path.display())]
    Damaged { path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("the ledger {} has format {format}; this agent knows {FORMAT}: a newer one wrote it", path.display())]
    Newer { path: PathBuf, format: u32 },
}

pub struct LedgerFile {
    slots: Arc<Slots>,
}

impl LedgerFile {
    /// Two files beside each other, called like `path` with other extensions.
    pub fn new(path: PathBuf) -> Self {
        Self { slots: Arc::new(Slots::new(&path)) }
    }

    /// Nothing on a blade that has never written one. A file that cannot be read is an error and not nothing: acting without
    /// what was promised would be worse than not starting.
    pub fn load(&self) -> Result<Content, LoadError> {
        let path = || self.slots.path().to_owned();
        let damaged = |source| LoadError::Damaged { path: path(), source };
        let bytes = match self.slots.read() {
            Ok(Found::Newest(bytes)) => bytes,
            Ok(Found::Nothing) => return Ok(Content::default()),
            Ok(Found::Damaged) => return Err(damaged("no whole copy".into())),
            Err(source) => return Err(LoadError::Io { path: path(), source }),
        };
        let ledger =
            wire::Ledger::decode(bytes.as_slice()).map_err(|error| damaged(error.into()))?;
        if ledger.format != FORMAT {
            return Err(LoadError::Newer { path: path(), format: ledger.format });
        }
        content_from_wire(ledger).map_err(|error| damaged(error.into()))
    }
}

#[async_trait]
impl Ledger for LedgerFile {
    async fn write(&self, content: &Content) -> io::Result<()> {
        let bytes = content_to_wire(content).encode_to_vec();
        let slots = Arc::clone(&self.slots);
        // A flush takes milliseconds on a busy disk; the session's heartbeats must not wait for it.
        tokio::task::spawn_blocking(move || slots.write(&bytes)).await.map_err(io::Error::other)?
    }
}

/// Writes a file as a whole, durably.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let directory = path.parent().ok_or_else(|| io::Error::other("a path without a directory"))?;
    let temporary = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    fs::File::open(directory)?.sync_all()
}

fn content_to_wire(content: &Content) -> wire::Ledger {
    wire::Ledger {
        format: FORMAT,
        set: content.set.as_ref().map(|set| {
            convert::desired_to_wire(&DesiredUpdate {
                epoch: set.epoch,
                generation: set.generation,
                base: None,
                containers: set.containers.values().cloned().collect(),
                removed: Vec::new(),
                digest: set.digest(),
            })
        }),
        retained: content.retained.values().map(convert::desired_container_to_wire).collect(),
        restarts: content
            .restarts
            .iter()
            .map(|(id, restart)| wire::RestartRecord {
                container_id: id.to_string(),
                incarnation: restart.incarnation,
                applied: restart.applied,
                begun: restart.begun.map(|begun| wire::BegunRestart {
                    nonce: begun.nonce,
                    started_before: Some(convert::timestamp_to_wire(begun.started_before)),
                }),
            })
            .collect(),
    }
}

#[derive(Debug, thiserror::Error)]
enum ContentError {
    #[error("a field cannot be read")]
    Malformed(#[from] Malformed),
    #[error("the set does not match its digest")]
    Digest,
    #[error("a container's id cannot be read")]
    Id,
}

fn content_from_wire(ledger: wire::Ledger) -> Result<Content, ContentError> {
    let set: Option<DesiredSet> = match ledger.set {
        None => None,
        Some(set) => {
            let update = convert::desired_from_wire(set)?;
            Some(accept(None, update).map_err(|_| ContentError::Digest)?)
        }
    };
    let mut content = Content { set, ..Content::default() };
    for retained in ledger.retained {
        let retained = convert::desired_container_from_wire(retained)?;
        content.retained.insert(retained.id, retained);
    }
    for record in ledger.restarts {
        let id = record.container_id.parse().map_err(|_| ContentError::Id)?;
        let begun = record.begun.map(|begun| Begun {
            nonce: begun.nonce,
            started_before: begun
                .started_before
                .as_ref()
                .map(convert::timestamp_from_wire)
                .unwrap_or_default(),
        });
        let restart = Restart { incarnation: record.incarnation, applied: record.applied, begun };
        content.restarts.insert(id, restart);
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use berth_core::{
        clock::Timestamp,
        container::{DesiredPhase, PortBinding, RuntimeKind},
        desired::{DesiredContainer, EngineSpec},
        id::{ContainerId, Epoch, UserId},
        image::ImageRef,
        resources::{GpuId, Resources},
    };
    use uuid::Uuid;

    use super::*;

    fn content() -> Content {
        let container = |number: u128| DesiredContainer {
            id: ContainerId::new(Uuid::from_u128(number)),
            incarnation: 2,
            phase: DesiredPhase::Running,
            restart_nonce: 7,
            not_after: Timestamp(1_700_000_000_123),
            spec: EngineSpec {
                image: ImageRef::parse("python:3.13").unwrap(),
                command: vec!["sh".into(), "-c".into(), "echo \"hi\"\n".into()],
                environment: [("A".into(), "値".into())].into(),
                ports: vec![PortBinding { guest: 80, host: 20_001 }],
                gpus: vec![GpuId::parse("GPU-1234").unwrap()],
                resources: Resources::new(1500, u64::MAX),
                tty: true,
                stdin: true,
                user: UserId::new(Uuid::from_u128(9)),
                hostname: "c".into(),
                runtime: RuntimeKind::Docker,
                belongings: None,
            },
        };
        let containers = [container(1), container(2)].map(|c| (c.id, c)).into();
        let retained = container(3);
        let begun = Begun { nonce: 8, started_before: Timestamp(5) };
        Content {
            set: Some(DesiredSet {
                epoch: Epoch::new(Uuid::from_u128(4)),
                generation: 11,
                containers,
            }),
            retained: [(retained.id, retained)].into(),
            restarts: [(
                ContainerId::new(Uuid::from_u128(1)),
                Restart { incarnation: 2, applied: 7, begun: Some(begun) },
            )]
            .into(),
        }
    }

    #[tokio::test]
    async fn round_trip_on_disk() {
        let directory = tempfile::tempdir().unwrap();
        let ledger = LedgerFile::new(directory.path().join("ledger.pb"));
        assert_eq!(ledger.load().unwrap(), Content::default());
        ledger.write(&content()).await.unwrap();
        assert_eq!(ledger.load().unwrap(), content());
    }

    #[tokio::test]
    async fn a_damaged_or_newer_ledger_is_not_an_empty_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.pb");
        let ledger = LedgerFile::new(path.clone());
        ledger.write(&content()).await.unwrap();
        let whole = fs::read(path.with_extension("b")).unwrap();
        fs::write(path.with_extension("b"), &whole[..whole.len() / 1000]).unwrap();
        assert!(matches!(ledger.load(), Err(LoadError::Damaged { .. })));
        fs::remove_file(path.with_extension("b")).unwrap();
        let newer = wire::Ledger { format: 99, ..Default::default() };
        Slots::new(&path).write(&newer.encode_to_vec()).unwrap();
        assert!(matches!(ledger.load(), Err(LoadError::Newer { format: 99, .. })));
    }
}
