//! What a blade is and has, and what others use of it: the machine's own figures, not the engine's. Read from /proc, NVML
//! and the control groups (either version); nothing is ever changed.

mod gpu;
mod gpu_use;
mod guest;
mod logged_in;
mod machine;
mod offer;
mod options;
mod port;

use std::{collections::BTreeSet, path::PathBuf};

use berth_core::{
    container::RuntimeKind, fault::Fault, node::Inventory, resources::Resources, storage::Storage,
};

pub use self::{
    gpu::{GpuError, GpuReading, GpuSource, Nvml},
    gpu_use::{GpuMeter, NvmlMeter},
    offer::{Offer, offer},
    options::Options,
};

/// What the engine's adapter knows, as this crate does not speak to engines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Engine {
    pub runtimes: Vec<RuntimeKind>,
    pub version: String,
    /// What containers that are not ours take.
    pub foreign: Resources,
    /// Host ports that foreign containers publish; with the engine's proxy switched off, nobody listens on them.
    pub foreign_ports: BTreeSet<u16>,
    /// Host ports that our own containers are meant to have: what listens there is not foreign.
    pub our_ports: BTreeSet<u16>,
    pub storage: Storage,
    pub problems: Vec<Fault>,
}

/// Looks at this machine, again and again.
pub struct Surveyor {
    options: Options,
    proc: PathBuf,
    gpus: Box<dyn GpuSource>,
    logged_in: logged_in::LoggedIn,
}

impl Surveyor {
    pub fn new(options: Options, gpus: Box<dyn GpuSource>) -> Self {
        Self {
            options,
            proc: "/proc".into(),
            gpus,
            logged_in: logged_in::LoggedIn::new("/sys/fs/cgroup".into()),
        }
    }

    /// Reads some hundred small files and asks the driver: call it where blocking is allowed.
    pub fn survey(&mut self, engine: Engine) -> Inventory {
        let total = machine::total(&self.proc);
        let others = [
            engine.foreign,
            guest::guests(&self.proc),
            self.logged_in.used(std::time::Instant::now()),
        ];
        let offer = offer(total, self.options.reserve(), others);
        let mut foreign_ports = port::listening(&self.proc, self.options.ports);
        foreign_ports.extend(engine.foreign_ports);
        foreign_ports.retain(|port| !engine.our_ports.contains(port));
        Inventory {
            total: offer.total,
            foreign: offer.foreign,
            gpus: gpu::read(self.gpus.as_ref()),
            labels: self.options.labels.clone(),
            address: self.options.address.clone().unwrap_or_else(|| machine::address(&self.proc)),
            ports: self.options.ports,
            foreign_ports,
            runtimes: engine.runtimes,
            engine_version: engine.version,
            kernel_version: machine::kernel(&self.proc),
            storage: engine.storage,
            problems: engine.problems,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn this_machine() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut options = Options::default();
        (options.ports.start, options.ports.end) = (port, port);
        let mut surveyor = Surveyor::new(options, Box::new(Nvml::default()));
        let inventory = surveyor.survey(Engine::default());
        assert!(inventory.total.cpu_millis >= 1000);
        assert!(inventory.total.memory_bytes > 64 << 20);
        assert!(inventory.offered().memory_bytes < inventory.total.memory_bytes);
        assert!(!inventory.address.is_empty());
        assert!(inventory.kernel_version.contains('.'));
        assert_eq!(inventory.foreign_ports, BTreeSet::from([port]));

        let ours = Engine { our_ports: BTreeSet::from([port]), ..Engine::default() };
        assert_eq!(surveyor.survey(ours).foreign_ports, BTreeSet::new());
    }
}
