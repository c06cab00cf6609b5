//! One agent's session as a state machine: what comes in, what goes out. No I/O, no clock.
//!
//! At most one desired set is under way; what changes meanwhile is coalesced into the next one.

use std::sync::Arc;

use berth_core::desired::{DesiredSet, DesiredUpdate, Refusal};

/// From this many containers on, the difference to the acknowledged set is sent instead of all of it. Thirty-two
/// containers are about 48 KiB: below, a difference saves nothing worth its second path.
pub const DIFFERENCE_FROM: usize = 32;

/// What the blade holds, as far as its acknowledgements say.
#[derive(Debug, Default)]
pub struct Desired {
    latest: Option<Arc<DesiredSet>>,
    under_way: Option<Arc<DesiredSet>>,
    acknowledged: Option<Arc<DesiredSet>>,
    /// The next one goes out complete, whatever its size.
    complete_next: bool,
}

impl Desired {
    /// The set is now this. Answers with what to send, if anything.
    pub fn changed(&mut self, set: Arc<DesiredSet>) -> Option<DesiredUpdate> {
        self.latest = Some(set);
        self.next()
    }

    /// Sends everything again although nothing changed: the only way to notice that both hold the same generation with
    /// other content.
    pub fn repeat(&mut self) -> Option<DesiredUpdate> {
        if self.under_way.is_none() {
            self.acknowledged = None;
        }
        self.complete_next = true;
        self.next()
    }

    /// The blade has it on disk.
    pub fn acknowledged(&mut self, generation: u64) -> Option<DesiredUpdate> {
        if let Some(set) = self.under_way.take_if(|set| set.generation == generation) {
            self.acknowledged = Some(set);
        }
        self.next()
    }

    /// The blade will not have it.
    pub fn refused(&mut self, generation: u64, refusal: Refusal) -> Option<DesiredUpdate> {
        self.under_way.take_if(|set| set.generation == generation)?;
        match refusal {
            Refusal::NeedsCompleteSet => {
                self.acknowledged = None;
                self.complete_next = true;
                self.next()
            }
            // The blade holds something newer, or something else: a database that was put back without a new epoch. Sending
            // it again would be refused again; the next repetition tries, an administrator decides.
            Refusal::Stale | Refusal::Conflict => {
                self.acknowledged = self.latest.clone();
                None
            }
        }
    }

    fn next(&mut self) -> Option<DesiredUpdate> {
        if self.under_way.is_some() {
            return None;
        }
        let set = Arc::clone(self.latest.as_ref()?);
        let base = self.acknowledged.as_ref().filter(|base| base.epoch == set.epoch);
        if base.is_some_and(|base| base.generation == set.generation) {
            return None;
        }
        let base = base.filter(|_| !self.complete_next && set.containers.len() >= DIFFERENCE_FROM);
        let (containers, removed) = match base {
            Some(base) => set.difference(base),
            None => (set.containers.values().cloned().collect(), Vec::new()),
        };
        let update = DesiredUpdate {
            epoch: set.epoch,
            generation: set.generation,
            base: base.map(|base| base.generation),
            containers,
            removed,
            digest: set.digest(),
        };
        self.complete_next = false;
        self.under_way = Some(set);
        Some(update)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use berth_core::{
        clock::Timestamp,
        container::{DesiredPhase, RuntimeKind},
        desired::{DesiredContainer, EngineSpec, accept},
        id::{ContainerId, Epoch, UserId},
        image::ImageRef,
        resources::Resources,
    };
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn set(generation: u64, count: u8, nonce: u64) -> Arc<DesiredSet> {
        let container = |id: u8| DesiredContainer {
            id: ContainerId::new(Uuid::from_u128(u128::from(id))),
            incarnation: 1,
            phase: DesiredPhase::Running,
            restart_nonce: if id == 0 { nonce } else { 0 },
            not_after: Timestamp(0),
            spec: EngineSpec {
                image: ImageRef::parse("busybox").unwrap(),
                command: vec![],
                environment: BTreeMap::new(),
                ports: vec![],
                gpus: vec![],
                resources: Resources::default(),
                tty: false,
                stdin: false,
                user: UserId::new(Uuid::nil()),
                hostname: "c".into(),
                runtime: RuntimeKind::Docker,
                belongings: None,
            },
        };
        let containers = (0..count).map(container).map(|c| (c.id, c)).collect();
        Arc::new(DesiredSet { epoch: Epoch::new(Uuid::nil()), generation, containers })
    }

    #[test]
    fn one_under_way_the_rest_coalesced() {
        let mut desired = Desired::default();
        assert_eq!(desired.changed(set(1, 1, 0)).unwrap().generation, 1);
        assert_eq!(desired.changed(set(2, 1, 1)), None);
        assert_eq!(desired.changed(set(3, 1, 2)), None);
        assert_eq!(desired.acknowledged(1).unwrap().generation, 3);
        assert_eq!(desired.acknowledged(3), None);
    }

    #[test]
    fn large_sets_travel_as_differences_and_fall_back() {
        let mut desired = Desired::default();
        assert_eq!(desired.changed(set(1, 40, 0)).unwrap().base, None);
        assert_eq!(desired.acknowledged(1), None);
        let update = desired.changed(set(2, 40, 1)).unwrap();
        assert_eq!((update.base, update.containers.len()), (Some(1), 1));
        let again = desired.refused(2, Refusal::NeedsCompleteSet).unwrap();
        assert_eq!((again.base, again.containers.len()), (None, 40));
        assert_eq!(desired.acknowledged(2), None);
        assert_eq!(desired.repeat().unwrap().base, None);
    }

    proptest! {
        /// Whatever is lost or forgotten, the blade ends with the latest set.
        #[test]
        fn the_blade_ends_with_the_latest_set(
            changes in proptest::collection::vec((0u8..60, 0u64..9, any::<bool>(), any::<bool>()), 1..30)
        ) {
            let mut desired = Desired::default();
            let mut held: Option<DesiredSet> = None;
            let mut wire = std::collections::VecDeque::new();
            for (index, (count, nonce, deliver, forget)) in changes.iter().enumerate() {
                wire.extend(desired.changed(set(index as u64 + 1, *count, *nonce)));
                if *forget {
                    // The blade lost its ledger; it says so when a difference arrives.
                    held = None;
                }
                if *deliver {
                    deliver_one(&mut desired, &mut held, &mut wire);
                }
            }
            while !wire.is_empty() {
                deliver_one(&mut desired, &mut held, &mut wire);
            }
            let last = set(changes.len() as u64, changes[changes.len() - 1].0, changes[changes.len() - 1].1);
            wire.extend(desired.repeat());
            while !wire.is_empty() {
                deliver_one(&mut desired, &mut held, &mut wire);
            }
            prop_assert_eq!(held.as_ref(), Some(&*last));
        }
    }

    fn deliver_one(
        desired: &mut Desired,
        held: &mut Option<DesiredSet>,
        wire: &mut std::collections::VecDeque<DesiredUpdate>,
    ) {
        let Some(update) = wire.pop_front() else { return };
        let generation = update.generation;
        match accept(held.as_ref(), update) {
            Ok(set) => {
                *held = Some(set);
                wire.extend(desired.acknowledged(generation));
            }
            Err(refusal) => wire.extend(desired.refused(generation, refusal)),
        }
    }
}
