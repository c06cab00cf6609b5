use berth_core::{
    container::{Placement, PortBinding},
    explanation::{Explanation, NodeVerdict, Outcome},
    id::{ContainerId, NodeId},
};

use crate::{
    filter, score,
    snapshot::{ClusterSnapshot, NodeSnapshot, PlacementRequest},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Complete: GPUs and ports are chosen, nothing is left to decide.
    Placed {
        placement: Placement,
        why: Explanation,
    },
    Unplaceable {
        why: Explanation,
    },
}

impl Decision {
    pub fn why(&self) -> &Explanation {
        match self {
            Decision::Placed { why, .. } | Decision::Unplaceable { why } => why,
        }
    }
}

/// Chooses the blade with the highest score among those without an objection.
pub fn place(cluster: &ClusterSnapshot<'_>, request: &PlacementRequest<'_>) -> Decision {
    let mut verdicts = Vec::with_capacity(cluster.nodes.len());
    let mut best: Option<(u32, u64, &NodeSnapshot<'_>)> = None;
    for node in &cluster.nodes {
        let rejections = filter::rejections(node, request);
        let outcome = if rejections.is_empty() {
            let score = score::score(node, request);
            let candidate = (score, tie_break(request.container, node.node.id), node);
            if best.is_none_or(|(score, tie, _)| (candidate.0, candidate.1) > (score, tie)) {
                best = Some(candidate);
            }
            Outcome::Scored(score)
        } else {
            Outcome::Rejected(rejections)
        };
        verdicts.push(NodeVerdict { node: node.node.id, name: node.node.name.clone(), outcome });
    }
    verdicts.sort_by(|a, b| (&a.name, a.node).cmp(&(&b.name, b.node)));
    let why = Explanation { nodes: verdicts };
    match best {
        Some((_, _, node)) => Decision::Placed { placement: assign(node, request), why },
        None => Decision::Unplaceable { why },
    }
}

/// The choices on the chosen blade. The filters have seen that there is enough of everything.
fn assign(node: &NodeSnapshot<'_>, request: &PlacementRequest<'_>) -> Placement {
    if let Some(previous) = request.previous {
        return Placement { leaving: None, ..previous.clone() };
    }
    let gpus = node
        .free_gpus()
        .take(usize::try_from(request.gpus).unwrap_or(usize::MAX))
        .cloned()
        .collect();
    let ports = request
        .guest_ports
        .iter()
        .zip(hosts(node, request.container))
        .map(|(guest, host)| PortBinding { guest: *guest, host });
    let home = node.node.inventory.storage.home_for(request.run_as);
    Placement { node: node.node.id, gpus, ports: ports.collect(), home, leaving: None }
}

/// Free ports, with a different beginning for each container: a port that was just given back is not at once somebody else's,
/// so an old link shows an error rather than another person's page.
pub(crate) fn hosts(
    node: &NodeSnapshot<'_>,
    container: ContainerId,
) -> impl Iterator<Item = u16> + use<> {
    let range = node.node.inventory.ports;
    let width = u64::from(range.end.saturating_sub(range.start)) + 1;
    let offset = usize::try_from(tie_break(container, node.node.id) % width).unwrap_or(0);
    let split = usize::from(range.start) + offset;
    let (low, high): (Vec<u16>, Vec<u16>) =
        node.free_ports().partition(|port| usize::from(*port) < split);
    high.into_iter().chain(low)
}

/// Spreads equals without randomness: a hash of who asks and who would serve (FNV-1a: stable over versions and machines).
fn tie_break(container: ContainerId, node: NodeId) -> u64 {
    let bytes = container.uuid().into_bytes().into_iter().chain(node.uuid().into_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
