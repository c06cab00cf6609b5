//! Named volumes: directories of a person's own that outlive containers, and are shown inside where the owner wants them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    container::ContainerName,
    files::FilePath,
    id::{NodeId, StoreId, UserId, VolumeId},
    storage::{Holder, Scope},
    violation::{Problem, Violation},
};

/// In one container.
pub const PER_CONTAINER: usize = 16;

/// What its owner calls it; unique among the owner's volumes. The same letters as a container's name has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VolumeName(String);

impl VolumeName {
    pub fn parse(text: &str) -> Option<Self> {
        ContainerName::parse(text).map(|name| Self(name.as_str().to_owned()))
    }

    /// For a field of a request.
    pub fn check(field: &str, text: &str) -> Result<Self, Vec<Violation>> {
        let problem = match text {
            "" => Problem::Missing,
            long if long.len() > ContainerName::MAXIMUM => {
                Problem::TooLong { maximum: ContainerName::MAXIMUM }
            }
            _ => Problem::NameCharacters,
        };
        Self::parse(text).ok_or_else(|| vec![Violation::new(field, problem)])
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VolumeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    pub id: VolumeId,
    pub owner: UserId,
    pub name: VolumeName,
    pub scope: Scope,
    /// Whose files they are on disk, as it was when it was made.
    pub holder: Holder,
    pub created_at: Timestamp,
    /// Where it is. A volume of one blade's own has none before a container that wants it is placed.
    pub place: Option<VolumePlace>,
    /// Its owner wants it gone; a row until its blade says that it is.
    pub state: VolumeState,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumePlace {
    pub store: StoreId,
    /// Of one blade's own. A shared one is wherever its store is.
    pub node: Option<NodeId>,
}

/// `Active`: containers may have it. `Deleting`: no new ones; the sweep acts until nothing is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VolumeState {
    Active,
    Deleting,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    #[default]
    ReadWrite,
    ReadOnly,
}

/// A volume in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeMount {
    pub volume: VolumeId,
    pub scope: Scope,
    pub path: String,
    pub access: Access,
}

/// What a request asks for: the volume by its name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestedMount {
    pub name: String,
    pub path: String,
    pub read_only: bool,
}

/// Checked; whether there is such a volume is not known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMount {
    pub name: VolumeName,
    pub path: String,
    pub access: Access,
}

/// Where nothing may be mounted: the kernel's, and what the engine and we mount ourselves.
const TAKEN: [&str; 6] = ["/proc", "/sys", "/dev", "/etc/passwd", "/etc/group", "/etc/hosts"];

/// All violations at once. `volumes[1].path` is the second one's path.
pub fn check(requested: &[RequestedMount]) -> Result<Vec<NewMount>, Vec<Violation>> {
    let mut bad = Vec::new();
    let mut mounts: Vec<NewMount> = Vec::new();
    if requested.len() > PER_CONTAINER {
        let problem = Problem::TooMany { maximum: PER_CONTAINER };
        return Err(vec![Violation::new("volumes", problem)]);
    }
    for (index, wanted) in requested.iter().enumerate() {
        let name = VolumeName::check(&format!("volumes[{index}].name"), &wanted.name);
        let path = check_path(&wanted.path)
            .map_err(|problem| vec![Violation::new(format!("volumes[{index}].path"), problem)]);
        match (name, path) {
            (Ok(name), Ok(path)) => {
                if mounts.iter().any(|mount| mount.path == path) {
                    let field = format!("volumes[{index}].path");
                    bad.push(Violation::new(field, Problem::PathTwice));
                }
                let access = if wanted.read_only { Access::ReadOnly } else { Access::ReadWrite };
                mounts.push(NewMount { name, path, access });
            }
            (name, path) => {
                bad.extend(name.err().into_iter().flatten());
                bad.extend(path.err().into_iter().flatten());
            }
        }
    }
    if bad.is_empty() { Ok(mounts) } else { Err(bad) }
}

fn check_path(text: &str) -> Result<String, Problem> {
    let path = FilePath::parse(text)?;
    let within = |taken: &&str| FilePath::parse(taken).is_ok_and(|taken| path.is_within(&taken));
    if path.is_root() || path.as_str() == "/home" || path.as_str() == "/etc" {
        return Err(Problem::PathTaken);
    }
    match TAKEN.iter().any(within) {
        true => Err(Problem::PathTaken),
        false => Ok(path.as_str().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &str, path: &str) -> RequestedMount {
        RequestedMount { name: name.into(), path: path.into(), read_only: false }
    }

    fn fields(requested: &[RequestedMount]) -> Vec<String> {
        check(requested).unwrap_err().into_iter().map(|violation| violation.field).collect()
    }

    #[test]
    fn good_ones() {
        let mounts = check(&[wanted("data", "/data/"), wanted("data", "//srv//x")]).unwrap();
        let paths: Vec<_> = mounts.iter().map(|mount| mount.path.as_str()).collect();
        assert_eq!(paths, ["/data", "/srv/x"]);
    }

    #[test]
    fn every_field_is_named() {
        assert_eq!(fields(&[wanted("", "data")]), ["volumes[0].name", "volumes[0].path"]);
        assert_eq!(fields(&[wanted("ok", "/a"), wanted("Data", "/b")]), ["volumes[1].name"]);
        assert_eq!(fields(&[wanted("a", "/a"), wanted("b", "/a/")]), ["volumes[1].path"]);
        for path in [
            "/",
            "/proc",
            "/proc/1",
            "/sys/x",
            "/dev",
            "/etc",
            "/etc/passwd",
            "/home",
            "/a/../b",
            "",
        ] {
            assert_eq!(fields(&[wanted("a", path)]), ["volumes[0].path"], "{path}");
        }
        assert!(check(&[wanted("a", "/etc/app")]).is_ok());
        assert_eq!(fields(&vec![wanted("a", "/a"); 17]), ["volumes"]);
    }
}
