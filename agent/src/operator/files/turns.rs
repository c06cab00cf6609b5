//! How many may be busy with files at a time, on the blade and in one container: whoever begins much and reads nothing of it
//! keeps nobody else waiting.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use berth_core::relay::Target;

/// Of all containers together: each holds a thread and half a megabyte.
const ON_THE_BLADE: usize = 96;
/// A console sends two files at a time, an ssh client a few.
const IN_A_CONTAINER: usize = 16;

/// Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Turns(Arc<Mutex<HashMap<Target, usize>>>);

/// One of them; over when it is dropped.
pub(super) struct Turn {
    turns: Turns,
    target: Target,
}

impl Turns {
    /// `None`: there are enough.
    pub(super) fn take(&self, target: Target) -> Option<Turn> {
        let mut busy = self.lock();
        let here = busy.get(&target).copied().unwrap_or(0);
        if here >= IN_A_CONTAINER || busy.values().sum::<usize>() >= ON_THE_BLADE {
            return None;
        }
        busy.insert(target.clone(), here + 1);
        Some(Turn { turns: self.clone(), target })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Target, usize>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut busy = self.turns.lock();
        let left = busy.get(&self.target).map_or(0, |here| here.saturating_sub(1));
        match left {
            0 => drop(busy.remove(&self.target)),
            left => drop(busy.insert(self.target.clone(), left)),
        }
    }
}

#[cfg(test)]
mod tests {
    use berth_core::id::ContainerId;
    use uuid::Uuid;

    use super::*;

    fn container(number: usize) -> Target {
        Target::Container(ContainerId::new(Uuid::from_u128(number as u128)))
    }

    #[test]
    fn one_container_does_not_take_all() {
        let turns = Turns::default();
        let mut first: Vec<Turn> =
            (0..IN_A_CONTAINER).map_while(|_| turns.take(container(1))).collect();
        assert_eq!(first.len(), IN_A_CONTAINER);
        assert!(turns.take(container(1)).is_none());
        let other = turns.take(container(2)).expect("the neighbour has its own");
        first.pop();
        assert!(turns.take(container(1)).is_some());
        drop((first, other));
        assert!(turns.lock().is_empty(), "nothing is kept of those who have gone");
    }

    #[test]
    fn the_blade_has_an_end() {
        let turns = Turns::default();
        let all: Vec<Turn> =
            (0..ON_THE_BLADE).map_while(|number| turns.take(container(number))).collect();
        assert_eq!(all.len(), ON_THE_BLADE);
        assert!(turns.take(container(ON_THE_BLADE)).is_none());
    }
}
