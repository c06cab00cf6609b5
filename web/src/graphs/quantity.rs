//! What there is to be drawn of a look.

use berth_proto::v1::{Figures, Limits};

use super::Unit;
use crate::{i18n::Words, text};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantity {
    Cpu,
    Memory,
    NetworkIn,
    NetworkOut,
    DiskRead,
    DiskWrite,
    GpuPercent,
    GpuMemory,
    GpuPower,
}

impl Quantity {
    pub(crate) fn words(self) -> Words {
        match self {
            Quantity::Cpu => text::cpu,
            Quantity::Memory => text::memory,
            Quantity::NetworkIn => text::network_in,
            Quantity::NetworkOut => text::network_out,
            Quantity::DiskRead => text::disk_read,
            Quantity::DiskWrite => text::disk_write,
            Quantity::GpuPercent => text::gpu_percent,
            Quantity::GpuMemory => text::gpu_memory,
            Quantity::GpuPower => text::gpu_power,
        }
    }

    pub(crate) fn unit(self) -> Unit {
        match self {
            Quantity::Cpu => Unit::Cores,
            Quantity::Memory | Quantity::GpuMemory => Unit::Bytes,
            Quantity::NetworkIn
            | Quantity::NetworkOut
            | Quantity::DiskRead
            | Quantity::DiskWrite => Unit::Rate,
            Quantity::GpuPercent => Unit::Percent,
            Quantity::GpuPower => Unit::Watts,
        }
    }

    /// Nothing where it is not known.
    pub(crate) fn of(self, figures: &Figures) -> Option<f64> {
        let gpu = figures.gpu.as_ref();
        Some(match self {
            Quantity::Cpu => f64::from(figures.cpu_millis) / 1000.0,
            Quantity::Memory => float(figures.memory_bytes),
            Quantity::NetworkIn => float(figures.network_in),
            Quantity::NetworkOut => float(figures.network_out),
            Quantity::DiskRead => float(figures.disk_read),
            Quantity::DiskWrite => float(figures.disk_write),
            Quantity::GpuPercent => f64::from(gpu?.percent?),
            Quantity::GpuMemory => float(gpu?.memory_bytes),
            Quantity::GpuPower => f64::from(gpu?.power_milliwatts?) / 1000.0,
        })
    }

    /// Nothing where there is none of its own.
    pub(crate) fn limit(self, limits: &Limits) -> Option<f64> {
        let limit = match self {
            Quantity::Cpu => f64::from(limits.cpu_millis) / 1000.0,
            Quantity::Memory => float(limits.memory_bytes),
            Quantity::GpuMemory => float(limits.gpu_memory_bytes),
            Quantity::NetworkIn
            | Quantity::NetworkOut
            | Quantity::DiskRead
            | Quantity::DiskWrite
            | Quantity::GpuPercent
            | Quantity::GpuPower => 0.0,
        };
        (limit > 0.0).then_some(limit)
    }
}

// What is beyond 2^53 bytes is drawn a byte off.
#[allow(clippy::cast_precision_loss)]
fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use berth_proto::v1::GpuFigures;

    use super::*;

    #[test]
    fn what_is_not_known_is_not_nothing() {
        let mut figures = Figures { cpu_millis: 513, ..Figures::default() };
        assert_eq!(Quantity::Cpu.of(&figures), Some(0.513));
        assert_eq!(Quantity::Memory.of(&figures), Some(0.0));
        assert_eq!(Quantity::GpuMemory.of(&figures), None);
        figures.gpu =
            Some(GpuFigures { percent: None, memory_bytes: 7, power_milliwatts: Some(1500) });
        assert_eq!(Quantity::GpuPercent.of(&figures), None);
        assert_eq!(Quantity::GpuMemory.of(&figures), Some(7.0));
        assert_eq!(Quantity::GpuPower.of(&figures), Some(1.5));
        assert_eq!(Quantity::Cpu.limit(&Limits::default()), None);
        assert_eq!(
            Quantity::Cpu.limit(&Limits { cpu_millis: 2000, ..Limits::default() }),
            Some(2.0)
        );
    }
}
