//! Look after look.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    time::Instant,
};

use berth_core::{
    figures::{BladeFigures, Figures, GpuFigures, Report},
    id::ContainerId,
    resources::GpuId,
};

use crate::{
    blade,
    counters::{Counters, rates},
    files::Files,
    gpu,
    parse::{self, Mount},
    place::{Group, Place},
    process_io::ProcessIo,
};

/// A container to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub container: ContainerId,
    /// The engine's id, which stands in the path of its control group.
    pub engine: String,
    /// Its first process, as the engine told it when it was started.
    pub init: u32,
    pub gpus: Vec<GpuId>,
}

pub struct Sampler<F> {
    files: F,
    /// On the file system that containers are kept on.
    data: PathBuf,
    mounts: Vec<Mount>,
    known: HashMap<ContainerId, Known>,
    blade: Option<(Instant, Counters)>,
    /// One buffer for all files.
    text: String,
}

struct Known {
    init: u32,
    place: Place,
    last: Option<(Instant, Counters)>,
    /// Only where its control group does not count.
    disk: Option<ProcessIo>,
}

impl<F: Files> Sampler<F> {
    pub fn new(files: F, data: PathBuf) -> Self {
        Self {
            files,
            data,
            mounts: Vec::new(),
            known: HashMap::new(),
            blade: None,
            text: String::new(),
        }
    }

    /// Reads seven small files for each container: call it where blocking is allowed. `None` at the first look, which has
    /// nothing to compare with; a container is left out at its first look for the same reason, and when it vanishes.
    pub fn look(
        &mut self,
        now: Instant,
        targets: &[Target],
        gpus: &BTreeMap<GpuId, GpuFigures>,
    ) -> Option<Report> {
        if self.mounts.is_empty() {
            self.mounts = self.read_mounts();
        }
        let mut known = std::mem::take(&mut self.known);
        let mut containers = Vec::with_capacity(targets.len());
        for target in targets {
            let before = known.remove(&target.container);
            let Some((after, figures)) = self.container(now, target, before) else { continue };
            self.known.insert(target.container, after);
            if let Some(figures) = figures {
                let gpu = gpu::together(gpus, &target.gpus);
                containers.push((target.container, Figures { gpu, ..figures }));
            }
        }
        let (counters, levels) = blade::read(&self.files, &mut self.text);
        let (then, before) = self.blade.replace((now, counters))?;
        let rates = rates(&before, &counters, now.saturating_duration_since(then));
        let figures = Figures {
            cpu_millis: rates.cpu_millis,
            network: rates.network,
            disk: rates.disk,
            gpu: gpu::together(gpus, gpus.keys()),
            ..levels
        };
        let storage = self.files.storage(&self.data);
        Some(Report { blade: BladeFigures { figures, storage }, containers, space: Vec::new() })
    }

    /// `None`: it is gone, or cannot be seen.
    fn container(
        &mut self,
        now: Instant,
        target: &Target,
        before: Option<Known>,
    ) -> Option<(Known, Option<Figures>)> {
        let proc = Path::new("/proc").join(target.init.to_string());
        self.files.read(&proc.join("cgroup"), &mut self.text).ok()?;
        if !self.text.contains(&target.engine) {
            // The number has gone to another process.
            return None;
        }
        let mut known = before
            .filter(|known| known.init == target.init)
            .map_or_else(|| self.meet(target), Some)?;
        let Group { cpu_nanos, memory_bytes, disk, processes } =
            known.place.read(&self.files, &mut self.text)?;
        let disk = match (disk, &mut known.disk) {
            (Some(disk), None) => disk,
            // One way for all of its life: the two do not count alike.
            (_, by_process) => by_process.get_or_insert_default().look(
                &self.files,
                &known.place.members(),
                &mut self.text,
            ),
        };
        self.files.read(&proc.join("net/dev"), &mut self.text).ok()?;
        let network = parse::net_dev(&self.text, |name| name != "lo");
        let counters = Counters { cpu_nanos, network, disk };
        let figures = known.last.map(|(then, before)| {
            let rates = rates(&before, &counters, now.saturating_duration_since(then));
            Figures {
                cpu_millis: rates.cpu_millis,
                memory_bytes,
                network: rates.network,
                disk: rates.disk,
                processes,
                gpu: None,
            }
        });
        Some((Known { last: Some((now, counters)), ..known }, figures))
    }

    /// Its membership has just been read.
    fn meet(&self, target: &Target) -> Option<Known> {
        let Some(place) = Place::find(&self.mounts, &self.text, &target.engine) else {
            let id = &target.engine;
            tracing::debug!(engine.id = id, "the control group cannot be reached from here");
            return None;
        };
        Some(Known { init: target.init, place, last: None, disk: None })
    }

    fn read_mounts(&mut self) -> Vec<Mount> {
        let read = self.files.read(Path::new("/proc/self/mountinfo"), &mut self.text);
        if let Err(error) = read {
            tracing::warn!(%error, "no control groups are seen");
            return Vec::new();
        }
        parse::cgroup_mounts(&self.text)
    }
}

#[cfg(test)]
mod tests;
