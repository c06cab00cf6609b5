//! The last hour of one subject.

use std::collections::VecDeque;

use berth_core::{
    clock::Timestamp,
    figures::{Figures, GpuFigures, RollUp, Sum, Traffic, Width},
};

/// An hour of looks five seconds apart.
pub(super) const LOOKS: usize = 720;
/// What most containers of a short life need: five minutes.
const FIRST: usize = 60;
/// Seconds that a clock is put back by when it is set right.
const STEP: u32 = 60;

/// 40 bytes: 720 of them are 29 KB, and a thousand containers 29 MB.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Look {
    /// Since the Unix epoch; good until the year 2106.
    seconds: u32,
    cpu_millis: u32,
    memory_kib: u32,
    /// A rate does not need every digit: 24 bits of it are kept.
    network_in: f32,
    network_out: f32,
    disk_in: f32,
    disk_out: f32,
    processes: u32,
    gpu_memory_kib: u32,
    /// Tenths of a watt; up to 6.5 kW, which eight of the hungriest do not reach.
    gpu_power: u16,
    gpu_percent: u8,
}

const NO_GPU: u8 = u8::MAX;
const UNKNOWN_PERCENT: u8 = 254;
const UNKNOWN_POWER: u16 = u16::MAX;

#[derive(Debug, Clone)]
pub(super) struct Ring(VecDeque<Look>);

impl Ring {
    pub(super) fn new() -> Self {
        Self(VecDeque::with_capacity(FIRST))
    }

    /// Looks come in the order of time. One from before the last says that the clock was put back: by a little, and it is
    /// passed over until time has caught up; by more, and what lies ahead would be there for as long.
    pub(super) fn push(&mut self, at: Timestamp, figures: &Figures) {
        let look = Look::pack(at, figures);
        let ahead = self.0.back().map_or(0, |last| last.seconds.saturating_sub(look.seconds));
        match ahead {
            0 => {}
            1..=STEP => return,
            _ => self.0.clear(),
        }
        if self.0.len() == LOOKS {
            self.0.pop_front();
        } else if self.0.len() == self.0.capacity() {
            self.0.reserve_exact(LOOKS - self.0.len());
        }
        self.0.push_back(look);
    }

    pub(super) fn last(&self) -> Option<(Timestamp, Figures)> {
        self.0.back().map(Look::unpack)
    }

    /// The oldest first.
    pub(super) fn since(&self, since: Timestamp) -> Vec<(Timestamp, Figures)> {
        let begin = self.0.partition_point(|look| look.at() < since);
        self.0.range(begin..).map(Look::unpack).collect()
    }

    pub(super) fn roll_up(&self, width: Width, begin: Timestamp) -> Option<RollUp> {
        let from = self.0.partition_point(|look| look.at() < begin);
        let until = self.0.partition_point(|look| look.at() < width.next(begin));
        let mut sum = Sum::default();
        self.0.range(from..until).for_each(|look| sum.look(&look.unpack().1));
        sum.finish(begin)
    }
}

impl Look {
    fn at(&self) -> Timestamp {
        Timestamp(i64::from(self.seconds) * 1000)
    }

    fn pack(at: Timestamp, figures: &Figures) -> Self {
        let gpu = figures.gpu.unwrap_or_default();
        Self {
            seconds: u32::try_from(at.0.div_euclid(1000).max(0)).unwrap_or(u32::MAX),
            cpu_millis: figures.cpu_millis,
            memory_kib: kib(figures.memory_bytes),
            network_in: rounded(figures.network.r#in),
            network_out: rounded(figures.network.out),
            disk_in: rounded(figures.disk.r#in),
            disk_out: rounded(figures.disk.out),
            processes: figures.processes,
            gpu_memory_kib: kib(gpu.memory_bytes),
            gpu_power: gpu.power_milliwatts.map_or(UNKNOWN_POWER, |power| {
                u16::try_from(power / 100).unwrap_or(u16::MAX).min(UNKNOWN_POWER - 1)
            }),
            gpu_percent: match figures.gpu {
                None => NO_GPU,
                Some(gpu) => gpu.percent.map_or(UNKNOWN_PERCENT, |percent| percent.min(100)),
            },
        }
    }

    fn unpack(&self) -> (Timestamp, Figures) {
        let gpu = (self.gpu_percent != NO_GPU).then(|| GpuFigures {
            percent: (self.gpu_percent != UNKNOWN_PERCENT).then_some(self.gpu_percent),
            memory_bytes: u64::from(self.gpu_memory_kib) * 1024,
            power_milliwatts: (self.gpu_power != UNKNOWN_POWER)
                .then(|| u32::from(self.gpu_power) * 100),
        });
        let figures = Figures {
            cpu_millis: self.cpu_millis,
            memory_bytes: u64::from(self.memory_kib) * 1024,
            network: Traffic { r#in: whole(self.network_in), out: whole(self.network_out) },
            disk: Traffic { r#in: whole(self.disk_in), out: whole(self.disk_out) },
            processes: self.processes,
            gpu,
        };
        (self.at(), figures)
    }
}

/// Up to 4 TiB.
fn kib(bytes: u64) -> u32 {
    u32::try_from(bytes / 1024).unwrap_or(u32::MAX)
}

#[allow(clippy::cast_precision_loss, reason = "24 bits of a rate are kept")]
fn rounded(rate: u64) -> f32 {
    rate as f32
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it came from a u64, and `as` stops at its ends"
)]
fn whole(rate: f32) -> u64 {
    rate as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cpu(cpu_millis: u32) -> Figures {
        Figures { cpu_millis, ..Figures::default() }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1000)
    }

    #[test]
    fn a_thousand_containers_fit() {
        assert_eq!(size_of::<Look>(), 40);
        let mut ring = Ring::new();
        (0..2000).for_each(|look| ring.push(at(look * 5), &cpu(1)));
        assert_eq!((ring.0.len(), ring.0.capacity()), (LOOKS, LOOKS));
        assert!(1000 * LOOKS * size_of::<Look>() < 40 << 20);
    }

    #[test]
    fn the_oldest_go() {
        let mut ring = Ring::new();
        (0..1000).for_each(|look| ring.push(at(5 * i64::from(look)), &cpu(look)));
        let all = ring.since(at(0));
        assert_eq!(all.len(), LOOKS);
        assert_eq!((all[0].1.cpu_millis, all[719].1.cpu_millis), (280, 999));
        assert_eq!(ring.since(at(4990)), [(at(4990), cpu(998)), (at(4995), cpu(999))]);
        assert_eq!(ring.since(at(4996)), []);
    }

    #[test]
    fn a_clock_that_is_put_back_begins_anew() {
        let mut ring = Ring::new();
        ring.push(at(1000), &cpu(1));
        ring.push(at(1000), &cpu(2));
        assert_eq!(ring.0.len(), 2);
        ring.push(at(940), &cpu(4));
        assert_eq!(ring.0.len(), 2);
        ring.push(at(10), &cpu(3));
        assert_eq!(ring.since(at(0)), [(at(10), cpu(3))]);
    }

    #[test]
    fn a_stretch_is_what_lies_in_it() {
        let mut ring = Ring::new();
        for (seconds, millis) in [(299, 9000), (300, 100), (450, 300), (599, 200), (600, 9000)] {
            ring.push(at(seconds), &cpu(millis));
        }
        let row = ring.roll_up(Width::FiveMinutes, at(300)).unwrap();
        assert_eq!((row.begin, row.looks), (at(300), 3));
        assert_eq!((row.mean.cpu_millis, row.peak.cpu_millis), (200, 300));
        assert_eq!(ring.roll_up(Width::FiveMinutes, at(900)), None);
    }

    proptest! {
        /// What is kept is what was said, but for its last digits.
        #[test]
        fn packing(
            seconds in 0_i64..4_000_000_000,
            memory in 0_u64..4 << 40,
            rate in any::<u64>(),
            gpu in proptest::option::of((
                proptest::option::of(0_u8..=100),
                0_u64..4 << 40,
                proptest::option::of(0_u32..6_500_000),
            )),
        ) {
            let gpu = gpu.map(|(percent, memory_bytes, power_milliwatts)| GpuFigures {
                percent, memory_bytes, power_milliwatts,
            });
            let said = Figures {
                memory_bytes: memory,
                network: Traffic { r#in: rate, out: rate >> 7 },
                gpu,
                ..cpu(7)
            };
            let (then, kept) = Look::pack(at(seconds), &said).unpack();
            prop_assert_eq!(then, at(seconds));
            prop_assert!(said.memory_bytes - kept.memory_bytes < 1024);
            for (a, b) in [(rate, kept.network.r#in), (rate >> 7, kept.network.out)] {
                prop_assert!(a.abs_diff(b) <= a >> 23, "{} {}", a, b);
            }
            prop_assert_eq!(kept.gpu.is_some(), gpu.is_some());
            if let (Some(a), Some(b)) = (gpu, kept.gpu) {
                prop_assert_eq!(a.percent, b.percent);
                prop_assert!(a.memory_bytes - b.memory_bytes < 1024);
                prop_assert_eq!(a.power_milliwatts.map(|p| p / 100), b.power_milliwatts.map(|p| p / 100));
            }
            // Packed again it is the same: nothing drifts.
            prop_assert_eq!(Look::pack(then, &kept).unpack(), (then, kept));
        }
    }
}
