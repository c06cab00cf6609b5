//! Another request for a container that has its place: what stays, and what it gets there in addition.

use std::collections::BTreeSet;

use berth_core::{
    container::{Placement, PortBinding},
    explanation::Rejection,
    resources::{GpuId, Resources},
};

use crate::{
    filter,
    place::hosts,
    snapshot::{NodeSnapshot, PlacementRequest},
};

/// What is set aside for it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub resources: Resources,
    pub gpus: BTreeSet<GpuId>,
}

/// The same blade with what `request` asks for. A guest port that stays keeps its host port, and the GPUs stay as far as their
/// number goes. `held` is `None` for one that does not run: it need not fit today, as long as it could.
pub fn revise(
    node: &NodeSnapshot<'_>,
    request: &PlacementRequest<'_>,
    previous: &Placement,
    held: Option<&Held>,
) -> Result<Placement, Vec<Rejection>> {
    let mut rejections = filter::of_its_own(node, request);
    rejections.extend(amounts(node, request.resources, held));
    let mut keep = |result: Result<_, Rejection>| result.map_err(|why| rejections.push(why)).ok();
    let gpus = keep(gpus(node, request, previous, held));
    let ports = ports(node, request, previous).map_err(|why| rejections.push(why)).ok();
    match (gpus, ports) {
        (Some(gpus), Some(ports)) if rejections.is_empty() => {
            let home = node.node.inventory.storage.home_for(request.run_as);
            Ok(Placement { node: previous.node, gpus, ports, home, leaving: None })
        }
        _ => Err(rejections),
    }
}

fn amounts(
    node: &NodeSnapshot<'_>,
    asked: Resources,
    held: Option<&Held>,
) -> impl Iterator<Item = Rejection> {
    let offered = node.node.inventory.offered();
    let (free, has) = match held {
        Some(held) => (offered.less(node.used.resources.less(held.resources)), held.resources),
        None => (offered, Resources::default()),
    };
    let cpu = (asked.cpu_millis > has.cpu_millis.max(free.cpu_millis))
        .then_some(Rejection::Cpu { free_millis: free.cpu_millis, asked_millis: asked.cpu_millis });
    let memory = (asked.memory_bytes > has.memory_bytes.max(free.memory_bytes)).then_some(
        Rejection::Memory { free_bytes: free.memory_bytes, asked_bytes: asked.memory_bytes },
    );
    cpu.into_iter().chain(memory)
}

fn gpus(
    node: &NodeSnapshot<'_>,
    request: &PlacementRequest<'_>,
    previous: &Placement,
    held: Option<&Held>,
) -> Result<Vec<GpuId>, Rejection> {
    let all = || node.node.inventory.gpus.iter().map(|gpu| &gpu.id);
    let mut chosen: Vec<GpuId> = Vec::new();
    let mut take = |gpu: &GpuId| {
        if !chosen.contains(gpu) {
            chosen.push(gpu.clone());
        }
    };
    previous.gpus.iter().for_each(&mut take);
    held.iter().flat_map(|held| &held.gpus).for_each(&mut take);
    node.free_gpus().for_each(&mut take);
    if held.is_none() {
        // Lent to somebody today. It waits for them when it is started, as for its own.
        all().for_each(&mut take);
    }
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let (free, total) = (count(chosen.len()), count(all().count()));
    if free < request.gpus {
        return Err(Rejection::Gpus { free, total, asked: request.gpus });
    }
    chosen.truncate(usize::try_from(request.gpus).unwrap_or(usize::MAX));
    Ok(chosen)
}

/// Those that stay come first, in their old order: then the blade's orders differ only where something changes.
fn ports(
    node: &NodeSnapshot<'_>,
    request: &PlacementRequest<'_>,
    previous: &Placement,
) -> Result<Vec<PortBinding>, Rejection> {
    let stay = previous.ports.iter().filter(|port| request.guest_ports.contains(&port.guest));
    let mut ports: Vec<PortBinding> = stay.copied().collect();
    let kept: BTreeSet<u16> = ports.iter().map(|port| port.guest).collect();
    let new = || request.guest_ports.iter().filter(|guest| !kept.contains(guest));
    let bindings = new().zip(hosts(node, request.container));
    ports.extend(bindings.map(|(guest, host)| PortBinding { guest: *guest, host }));
    if ports.len() < request.guest_ports.len() {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let free = count(ports.len() - kept.len());
        return Err(Rejection::Ports { free, asked: count(new().count()) });
    }
    Ok(ports)
}
