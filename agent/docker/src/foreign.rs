//! What others use of the engine. Read, never touched.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
    time::Instant,
};

use berth_core::{id::ContainerId, node::PortRange, resources::Resources};
use berth_reconcile::runtime::{EngineId, Error};
use bollard::{
    models::{ContainerStatsResponse, ContainerSummary, HostConfig},
    query_parameters::{InspectContainerOptions, ListContainersOptions, StatsOptions},
};
use futures::{StreamExt, stream};

use crate::{
    engine::{Engine, quick},
    names::Identity,
};

/// Inspections at a time.
const AT_ONCE: usize = 4;

/// Running containers that are in no set of ours, and the host ports that they publish.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Foreign {
    pub containers: usize,
    pub resources: Resources,
    pub ports: BTreeSet<u16>,
}

/// CPU time of containers without a limit, from one look to the next.
#[derive(Debug, Default)]
pub(crate) struct CpuTimes(Mutex<HashMap<EngineId, (Instant, u64)>>);

pub(crate) async fn foreign(
    engine: &Engine,
    identity: &Identity,
    range: PortRange,
    wanted: &BTreeSet<ContainerId>,
    times: &CpuTimes,
) -> Result<Foreign, Error> {
    let running = quick(engine.quick.list_containers(None::<ListContainersOptions>)).await?;
    let others: Vec<ContainerSummary> = running
        .into_iter()
        .filter(|container| {
            // An orphan of ours has its place, until an administrator decides.
            let facts = container.labels.as_ref().and_then(|labels| identity.facts(labels));
            facts.is_none_or(|facts| !wanted.contains(&facts.container))
        })
        .collect();
    let ports = others
        .iter()
        .flat_map(|container| container.ports.as_deref().unwrap_or_default())
        .filter_map(|port| port.public_port)
        .filter(|port| (range.start..=range.end).contains(port))
        .collect();
    let ids: Vec<EngineId> =
        others.iter().filter_map(|other| EngineId::parse(other.id.as_deref()?)).collect();
    times.forget_all_but(&ids);
    let used: Vec<Resources> = stream::iter(ids.clone())
        .map(|id| async move { of_one(engine, &id, times).await })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let resources = used.into_iter().fold(Resources::default(), Resources::plus);
    Ok(Foreign { containers: ids.len(), resources, ports })
}

/// Its limits, or what it uses where it has none. One that ends meanwhile uses nothing.
async fn of_one(engine: &Engine, id: &EngineId, times: &CpuTimes) -> Resources {
    let inspected =
        quick(engine.quick.inspect_container(id.as_str(), None::<InspectContainerOptions>)).await;
    let host = match inspected {
        Ok(answer) => answer.host_config.unwrap_or_default(),
        Err(error) => {
            tracing::debug!(engine.id = ?id, error = %error, "cannot inspect a foreign container");
            return Resources::default();
        }
    };
    let (cpu, memory) = limits(&host);
    if let (Some(cpu_millis), Some(memory_bytes)) = (cpu, memory) {
        return Resources { cpu_millis, memory_bytes };
    }
    let usage = usage(engine, id, times).await;
    Resources {
        cpu_millis: cpu.unwrap_or(usage.cpu_millis),
        memory_bytes: memory.unwrap_or(usage.memory_bytes),
    }
}

fn limits(host: &HostConfig) -> (Option<u32>, Option<u64>) {
    let positive =
        |value: Option<i64>| value.and_then(|v| u64::try_from(v).ok()).filter(|v| *v > 0);
    let millis = match (positive(host.nano_cpus), positive(host.cpu_quota)) {
        (Some(nanos), _) => Some(nanos / 1_000_000),
        // The kernel's default period is 100 ms.
        (None, Some(quota)) => Some(quota * 1000 / positive(host.cpu_period).unwrap_or(100_000)),
        (None, None) => None,
    };
    (millis.map(|m| u32::try_from(m).unwrap_or(u32::MAX)), positive(host.memory))
}

async fn usage(engine: &Engine, id: &EngineId, times: &CpuTimes) -> Resources {
    // Without one_shot the engine takes two seconds to make a difference that is made here anyway.
    let options = StatsOptions { stream: false, one_shot: true };
    let mut stats = engine.quick.stats(id.as_str(), Some(options)).boxed();
    let first = tokio::time::timeout(std::time::Duration::from_secs(10), stats.next()).await;
    let Ok(Some(Ok(stats))) = first else {
        return Resources::default();
    };
    let total = stats
        .cpu_stats
        .as_ref()
        .and_then(|cpu| cpu.cpu_usage.as_ref()?.total_usage)
        .unwrap_or_default();
    Resources { cpu_millis: times.millis(id, Instant::now(), total), memory_bytes: memory(&stats) }
}

/// Without the page cache that the kernel would give back, as `docker stats` counts.
fn memory(stats: &ContainerStatsResponse) -> u64 {
    let Some(memory) = &stats.memory_stats else { return 0 };
    let cache = memory.stats.as_ref().and_then(|details| {
        // cgroup v1, then v2.
        details.get("total_inactive_file").or_else(|| details.get("inactive_file")).copied()
    });
    memory.usage.unwrap_or(0).saturating_sub(cache.unwrap_or(0))
}

impl CpuTimes {
    fn forget_all_but(&self, ids: &[EngineId]) {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.retain(|id, _| ids.contains(id));
    }

    /// Thousandths of a core since the last look; at the first look nothing is known.
    fn millis(&self, id: &EngineId, now: Instant, total_nanos: u64) -> u32 {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((then, before)) = times.insert(id.clone(), (now, total_nanos)) else {
            return 0;
        };
        let wall = now.saturating_duration_since(then).as_nanos().max(1);
        let millis = u128::from(total_nanos.saturating_sub(before)) * 1000 / wall;
        u32::try_from(millis).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn limits_by_either_way() {
        let host = |nano, quota, period, memory| HostConfig {
            nano_cpus: Some(nano),
            cpu_quota: Some(quota),
            cpu_period: Some(period),
            memory: Some(memory),
            ..HostConfig::default()
        };
        assert_eq!(limits(&host(1_500_000_000, 0, 0, 7)), (Some(1500), Some(7)));
        assert_eq!(limits(&host(0, 50_000, 0, 0)), (Some(500), None));
        assert_eq!(limits(&host(0, 50_000, 25_000, 0)), (Some(2000), None));
        assert_eq!(limits(&host(0, -1, 0, -1)), (None, None));
    }

    #[test]
    fn cpu_between_two_looks() {
        let times = CpuTimes::default();
        let id = EngineId::parse(&"a".repeat(64)).unwrap();
        let start = Instant::now();
        assert_eq!(times.millis(&id, start, 5_000_000_000), 0);
        // Three seconds of CPU in two seconds.
        assert_eq!(times.millis(&id, start + Duration::from_secs(2), 8_000_000_000), 1500);
        times.forget_all_but(&[]);
        assert_eq!(times.millis(&id, start, 9_000_000_000), 0);
    }
}
