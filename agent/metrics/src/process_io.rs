//! Where a control group does not count what goes to and from disks: the sum of its processes.
//!
//! # Caveats
//! What a process did between the last look and its end is lost.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use berth_core::figures::Traffic;

use crate::{files::Files, parse};

/// A container of more processes is seen in part; a look at all of them would not be cheap.
const MOST: usize = 128;

#[derive(Debug, Default)]
pub(crate) struct ProcessIo {
    total: Traffic,
    last: HashMap<u32, Traffic>,
}

impl ProcessIo {
    /// What all that were ever seen have read and written while they were.
    pub(crate) fn look(
        &mut self,
        files: &impl Files,
        members: &Path,
        text: &mut String,
    ) -> Traffic {
        let mut now = HashMap::new();
        let read = files.read(members, text);
        let members: Vec<u32> = match read {
            Ok(()) => text.lines().filter_map(|line| line.parse().ok()).take(MOST).collect(),
            Err(_) => Vec::new(),
        };
        for process in members {
            let path = PathBuf::from(format!("/proc/{process}/io"));
            if files.read(&path, text).is_err() {
                continue;
            }
            let seen = parse::process_io(text);
            let before = self.last.get(&process).copied().unwrap_or_default();
            let risen = |before: u64, now: u64| now.saturating_sub(before);
            self.total.r#in = self.total.r#in.saturating_add(risen(before.r#in, seen.r#in));
            self.total.out = self.total.out.saturating_add(risen(before.out, seen.out));
            now.insert(process, seen);
        }
        self.last = now;
        self.total
    }
}
