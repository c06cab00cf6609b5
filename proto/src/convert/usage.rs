//! Figures: from blades, and to those who look at them.

use berth_core::{
    clock::Timestamp,
    figures::{BladeFigures, Figures, GpuFigures, Report, RollUp, Storage, Traffic, Width},
    id::ContainerId,
    space::{Space, Taker},
};
use uuid::Uuid;

use super::timestamp;
use crate::{agent::v1 as agent, v1};

// === from and to agents ===

pub fn report_to_wire(report: &Report) -> agent::Figures {
    let containers = report.containers.iter().map(|(id, figures)| {
        let (id_high, id_low) = id.uuid().as_u64_pair();
        agent::ContainerSample { id_high, id_low, sample: Some(sample_to_wire(figures)) }
    });
    agent::Figures {
        blade: Some(sample_to_wire(&report.blade.figures)),
        storage_used_bytes: report.blade.storage.used_bytes,
        storage_total_bytes: report.blade.storage.total_bytes,
        containers: containers.collect(),
        space: report.space.iter().map(space_to_wire).collect(),
    }
}

/// Every message means something: what is absent is zero, and a percentage beyond a hundred is none.
pub fn report_from_wire(wire: &agent::Figures) -> Report {
    let containers = wire.containers.iter().map(|container| {
        let id = Uuid::from_u64_pair(container.id_high, container.id_low);
        (ContainerId::new(id), sample_from_wire(container.sample.as_ref()))
    });
    Report {
        blade: BladeFigures {
            figures: sample_from_wire(wire.blade.as_ref()),
            storage: Storage {
                used_bytes: wire.storage_used_bytes,
                total_bytes: wire.storage_total_bytes,
            },
        },
        containers: containers.collect(),
        space: wire.space.iter().filter_map(space_from_wire).collect(),
    }
}

fn space_to_wire(space: &Space) -> agent::SpaceUsed {
    use agent::space_used::Taker as Wire;
    let taker = match space.taker {
        Taker::Home(store, uid) => Wire::Home(agent::UsedHome { store_id: store.to_string(), uid }),
        Taker::Volume(id) => Wire::VolumeId(id.to_string()),
        Taker::Layer(id) => Wire::ContainerId(id.to_string()),
    };
    agent::SpaceUsed { taker: Some(taker), bytes: space.bytes }
}

/// What cannot be read is left out: another count follows.
fn space_from_wire(wire: &agent::SpaceUsed) -> Option<Space> {
    use agent::space_used::Taker as Wire;
    let taker = match wire.taker.as_ref()? {
        Wire::Home(home) => Taker::Home(home.store_id.parse().ok()?, home.uid),
        Wire::VolumeId(id) => Taker::Volume(id.parse().ok()?),
        Wire::ContainerId(id) => Taker::Layer(id.parse().ok()?),
    };
    Some(Space { taker, bytes: wire.bytes })
}

fn sample_to_wire(figures: &Figures) -> agent::Sample {
    agent::Sample {
        cpu_millis: figures.cpu_millis,
        memory_bytes: figures.memory_bytes,
        network_in: figures.network.r#in,
        network_out: figures.network.out,
        disk_in: figures.disk.r#in,
        disk_out: figures.disk.out,
        processes: figures.processes,
        gpu: figures.gpu.map(|gpu| agent::GpuSample {
            percent: gpu.percent.map(u32::from),
            memory_bytes: gpu.memory_bytes,
            power_milliwatts: gpu.power_milliwatts,
        }),
    }
}

fn sample_from_wire(wire: Option<&agent::Sample>) -> Figures {
    let Some(wire) = wire else { return Figures::default() };
    Figures {
        cpu_millis: wire.cpu_millis,
        memory_bytes: wire.memory_bytes,
        network: Traffic { r#in: wire.network_in, out: wire.network_out },
        disk: Traffic { r#in: wire.disk_in, out: wire.disk_out },
        processes: wire.processes,
        gpu: wire.gpu.as_ref().map(|gpu| GpuFigures {
            percent: gpu
                .percent
                .and_then(|percent| u8::try_from(percent).ok())
                .filter(|percent| *percent <= 100),
            memory_bytes: gpu.memory_bytes,
            power_milliwatts: gpu.power_milliwatts,
        }),
    }
}

// === to those who look ===

pub fn figures(figures: &Figures) -> v1::Figures {
    v1::Figures {
        cpu_millis: figures.cpu_millis,
        memory_bytes: figures.memory_bytes,
        network_in: figures.network.r#in,
        network_out: figures.network.out,
        disk_read: figures.disk.r#in,
        disk_write: figures.disk.out,
        processes: figures.processes,
        gpu: figures.gpu.map(|gpu| v1::GpuFigures {
            percent: gpu.percent.map(u32::from),
            memory_bytes: gpu.memory_bytes,
            power_milliwatts: gpu.power_milliwatts,
        }),
    }
}

pub fn look(at: Timestamp, look: &Figures) -> v1::Point {
    v1::Point { time: Some(timestamp(at)), mean: Some(figures(look)), peak: None }
}

pub fn roll_up(row: &RollUp) -> v1::Point {
    v1::Point {
        time: Some(timestamp(row.begin)),
        mean: Some(figures(&row.mean)),
        peak: Some(figures(&row.peak)),
    }
}

pub fn resolution(width: Option<Width>) -> v1::Resolution {
    match width {
        None => v1::Resolution::Look,
        Some(Width::FiveMinutes) => v1::Resolution::FiveMinutes,
        Some(Width::Hour) => v1::Resolution::Hour,
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use berth_core::id::{StoreId, VolumeId};

    use super::*;

    fn full(number: u64) -> Figures {
        Figures {
            cpu_millis: 1500,
            memory_bytes: number << 30,
            network: Traffic { r#in: number, out: u64::MAX },
            disk: Traffic { r#in: 3, out: 0 },
            processes: 7,
            gpu: Some(GpuFigures {
                percent: Some(0),
                memory_bytes: 139 << 30,
                power_milliwatts: Some(u32::MAX),
            }),
        }
    }

    #[test]
    fn a_report_comes_back() {
        let unknown = GpuFigures { percent: None, memory_bytes: 1, power_milliwatts: None };
        let report = Report {
            space: vec![
                Space {
                    taker: Taker::Home(StoreId::new(Uuid::from_u128(3)), 70_000),
                    bytes: 1 << 40,
                },
                Space { taker: Taker::Volume(VolumeId::new(Uuid::from_u128(4))), bytes: 0 },
                Space { taker: Taker::Layer(ContainerId::new(Uuid::from_u128(5))), bytes: 7 },
            ],
            blade: BladeFigures {
                figures: full(9),
                storage: Storage { used_bytes: 5, total_bytes: 6 },
            },
            containers: vec![
                (ContainerId::new(Uuid::from_u128(u128::MAX - 5)), full(1)),
                (ContainerId::new(Uuid::from_u128(1)), Figures::default()),
                (
                    ContainerId::new(Uuid::from_u128(1 << 70)),
                    Figures { gpu: Some(unknown), ..full(2) },
                ),
            ],
        };
        let bytes = report_to_wire(&report).encode_to_vec();
        let wire = agent::Figures::decode(bytes.as_slice()).unwrap();
        assert_eq!(report_from_wire(&wire), report);
    }

    #[test]
    fn whatever_an_agent_says_is_a_report() {
        assert_eq!(report_from_wire(&agent::Figures::default()), Report::default());
        let gpu = agent::GpuSample { percent: Some(101), ..agent::GpuSample::default() };
        let sample = agent::Sample { gpu: Some(gpu), ..agent::Sample::default() };
        let wire = agent::Figures { blade: Some(sample), ..agent::Figures::default() };
        let read = report_from_wire(&wire).blade.figures.gpu.unwrap();
        assert_eq!(read.percent, None);
    }

    /// A thousand containers every five seconds are bytes that nobody minds: 55 each at most without a GPU.
    #[test]
    fn a_sample_is_small() {
        let figures =
            Figures { gpu: None, network: Traffic { r#in: 1 << 20, out: 1 << 20 }, ..full(4) };
        let containers = vec![(ContainerId::new(Uuid::from_u128(u128::MAX)), figures)];
        let report = Report { containers, ..Report::default() };
        let bytes = report_to_wire(&report).encoded_len()
            - report_to_wire(&Report::default()).encoded_len();
        assert!(bytes <= 55, "{bytes}");
    }
}
