//! Connections to the engine, and what it says of itself.

use std::{future::Future, path::Path, time::Duration};

use berth_reconcile::runtime::Error;
use bollard::{API_DEFAULT_VERSION, Docker as Client, models::SystemInfo};
use rustix::process::{Resource, getrlimit};

use crate::{
    create::{Abilities, CgroupNamespaces, GpuMode},
    fault::classify,
};

/// Reading takes milliseconds; an engine that is asked forty things at once may take seconds.
const QUICK: Duration = Duration::from_secs(30);
/// Creating and starting take half a second alone, and wait for each other inside the engine.
pub(crate) const WORK: Duration = Duration::from_secs(180);

/// 20.10, in Debian 12.
const OLDEST_API: (u32, u32) = (1, 41);

/// bollard has one timeout for every call of a handle, so there is a handle per kind of call. It covers the time to the
/// answer's headers alone; [`bounded`] covers the rest.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    pub(crate) quick: Client,
    pub(crate) work: Client,
    pub(crate) version: String,
    pub(crate) abilities: Abilities,
    pub(crate) has_gpu_runtime: bool,
}

impl Engine {
    pub(crate) async fn connect(socket: &Path) -> Result<Self, Error> {
        let path = socket.to_str().ok_or_else(|| {
            Error::Unavailable(format!("the socket's path is not text: {}", socket.display()))
        })?;
        let client = Client::connect_with_unix(path, QUICK.as_secs(), API_DEFAULT_VERSION)
            .map_err(classify)?;
        // bollard 0.21.1 sends no version at all. Once that is mended its default is too new for 20.10.
        let quick = bounded(QUICK, client.negotiate_version()).await?;
        let version = bounded(QUICK, quick.version()).await?;
        let info = bounded(QUICK, quick.info()).await?;
        let api = version.api_version.clone().unwrap_or_default();
        let version = version.version.unwrap_or_default();
        if parse_api(&api).is_none_or(|api| api < OLDEST_API) {
            tracing::warn!(
                engine.version = version,
                engine.api = api,
                "the engine is older than any that was tried"
            );
        }
        let gpu = gpu_support(&version, &info);
        Ok(Self {
            work: quick.clone().with_timeout(WORK),
            quick,
            version,
            abilities: Abilities {
                gpus: gpu.unwrap_or(GpuMode::Nvidia),
                cgroup_namespaces: cgroup_namespaces(&info),
                open_files: open_files(),
            },
            has_gpu_runtime: gpu.is_some(),
        })
    }
}

/// Everything sent to the engine passes through here or through a stream with a watchdog of its own.
pub(crate) async fn bounded<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, bollard::errors::Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(limit, call).await {
        Ok(result) => result.map_err(classify),
        Err(_) => Err(Error::Unavailable(format!("no complete answer in {} s", limit.as_secs()))),
    }
}

pub(crate) async fn quick<T>(
    call: impl Future<Output = Result<T, bollard::errors::Error>>,
) -> Result<T, Error> {
    bounded(QUICK, call).await
}

pub(crate) async fn work<T>(
    call: impl Future<Output = Result<T, bollard::errors::Error>>,
) -> Result<T, Error> {
    bounded(WORK, call).await
}

fn parse_api(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// CDI only where the engine has it and somebody generated names for the GPUs; the older form works on all engines.
fn gpu_support(version: &str, info: &SystemInfo) -> Option<GpuMode> {
    let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    let directories = info.cdi_spec_dirs.as_deref().unwrap_or_default();
    if major >= 28 && directories.iter().any(|directory| names_gpus(Path::new(directory))) {
        return Some(GpuMode::Cdi);
    }
    let nvidia = |name: &String| name == "nvidia";
    let by_hook = Path::new("/usr/bin/nvidia-container-runtime-hook").exists();
    (by_hook || info.runtimes.as_ref().is_some_and(|runtimes| runtimes.keys().any(nvidia)))
        .then_some(GpuMode::Nvidia)
}

fn names_gpus(directory: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return false;
    };
    entries
        .flatten()
        .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
        .any(|text| text.contains("nvidia.com/gpu"))
}

/// Enough for anything seen in a course. On a machine whose root may not raise limits (itself a guest in something) the
/// engine has the same hard limit as this program, and a container that asked for more would not start.
fn open_files() -> i64 {
    const WANTED: u64 = 65_536;
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(WANTED);
    i64::try_from(limit.min(WANTED)).unwrap_or(i64::MAX)
}

fn cgroup_namespaces(info: &SystemInfo) -> CgroupNamespaces {
    let options = info.security_options.as_deref().unwrap_or_default();
    if options.iter().any(|option| option == "name=cgroupns") {
        CgroupNamespaces::Supported
    } else {
        CgroupNamespaces::Unsupported
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(parse_api("1.41"), Some((1, 41)));
        assert!(parse_api("1.9").unwrap() < OLDEST_API);
        assert_eq!(parse_api("x"), None);
    }

    #[test]
    fn how_gpus_are_asked_for() {
        let plain = SystemInfo::default();
        assert_eq!(gpu_support("28.5.2", &plain), None);
        let toolkit = SystemInfo {
            runtimes: Some([("nvidia".to_owned(), Default::default())].into()),
            ..SystemInfo::default()
        };
        assert_eq!(gpu_support("20.10.24+dfsg1", &toolkit), Some(GpuMode::Nvidia));
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("n.yaml"), "kind: nvidia.com/gpu\n").unwrap();
        let cdi = SystemInfo {
            cdi_spec_dirs: Some(vec![directory.path().to_str().unwrap().to_owned()]),
            ..toolkit
        };
        assert_eq!(gpu_support("28.5.2", &cdi), Some(GpuMode::Cdi));
        assert_eq!(gpu_support("26.1.5", &cdi), Some(GpuMode::Nvidia));
    }
}
