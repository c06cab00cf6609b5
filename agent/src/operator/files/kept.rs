//! How far uploads are whose connection ended: what comes next need not read again what is there.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use berth_core::{files::UploadId, relay::Target};
use berth_files::Progress;

/// Each is two kilobytes. What falls out costs a reading of what is there.
const MAXIMUM: usize = 128;

type Key = (Target, UploadId);

/// Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Kept(Arc<Mutex<VecDeque<(Key, Progress)>>>);

impl Kept {
    pub(super) fn put(&self, key: Key, progress: Progress) {
        let mut all = self.lock();
        all.retain(|(other, _)| *other != key);
        if all.len() == MAXIMUM {
            all.pop_front();
        }
        all.push_back((key, progress));
    }

    pub(super) fn take(&self, key: &Key) -> Option<Progress> {
        let mut all = self.lock();
        let at = all.iter().position(|(other, _)| other == key)?;
        all.remove(at).map(|(_, progress)| progress)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Key, Progress)>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
