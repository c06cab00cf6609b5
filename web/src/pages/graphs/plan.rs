//! Which graphs there are, and what is drawn in each.

use crate::{graphs::Quantity, i18n::Words, text};

#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) title: Words,
    /// One or two.
    pub(super) of: &'static [Quantity],
}

/// What is drawn tells them apart.
impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        self.of == other.of
    }
}

impl Plan {
    const CPU: Plan = Plan { title: text::cpu, of: &[Quantity::Cpu] };
    const MEMORY: Plan = Plan { title: text::memory, of: &[Quantity::Memory] };
    const NETWORK: Plan =
        Plan { title: text::network, of: &[Quantity::NetworkIn, Quantity::NetworkOut] };
    const DISK: Plan = Plan { title: text::disk, of: &[Quantity::DiskRead, Quantity::DiskWrite] };
    const GPU_PERCENT: Plan = Plan { title: text::gpu_percent, of: &[Quantity::GpuPercent] };
    const GPU_MEMORY: Plan = Plan { title: text::gpu_memory, of: &[Quantity::GpuMemory] };
    const GPU_POWER: Plan = Plan { title: text::gpu_power, of: &[Quantity::GpuPower] };

    pub(super) const GLANCE: [Plan; 4] = [Plan::CPU, Plan::MEMORY, Plan::NETWORK, Plan::DISK];
    pub(super) const ALL: [Plan; 7] = [
        Plan::CPU,
        Plan::MEMORY,
        Plan::NETWORK,
        Plan::DISK,
        Plan::GPU_PERCENT,
        Plan::GPU_MEMORY,
        Plan::GPU_POWER,
    ];
}
