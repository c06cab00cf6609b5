//! What containers and blades use at a moment, and over minutes and hours. Pure: the arithmetic of averages and peaks, and
//! no clock.

use std::time::Duration;

use crate::{
    clock::Timestamp,
    id::{ContainerId, NodeId},
    space::Space,
};

/// How often a blade looks, and says what it saw.
pub const PERIOD: Duration = Duration::from_secs(5);

/// Whose figures they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    Container(ContainerId),
    Node(NodeId),
}

/// One look: rates over the time since the look before, and levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Thousandths of a core.
    pub cpu_millis: u32,
    /// Without what the kernel would give back at once: pages of files that nobody has touched for long.
    pub memory_bytes: u64,
    pub network: Traffic,
    pub disk: Traffic,
    pub processes: u32,
    /// Of the devices that it holds, together.
    pub gpu: Option<GpuFigures>,
}

/// Bytes per second: received and sent, or read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    pub r#in: u64,
    pub out: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GpuFigures {
    /// `None`: the driver does not say, as for a slice of a device. Of several devices, the average.
    pub percent: Option<u8>,
    pub memory_bytes: u64,
    pub power_milliwatts: Option<u32>,
}

/// What one blade saw in one look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    pub blade: BladeFigures,
    pub containers: Vec<(ContainerId, Figures)>,
    /// As it was counted last, which may be a while ago.
    pub space: Vec<Space>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BladeFigures {
    pub figures: Figures,
    /// Of the file system that containers are kept on.
    pub storage: Storage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Storage {
    pub used_bytes: u64,
    pub total_bytes: u64,
}

/// How long one row of history is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Width {
    FiveMinutes,
    Hour,
}

impl Width {
    pub const ALL: [Width; 2] = [Width::FiveMinutes, Width::Hour];

    pub const fn duration(self) -> Duration {
        match self {
            Width::FiveMinutes => Duration::from_secs(300),
            Width::Hour => Duration::from_secs(3600),
        }
    }

    /// How long rows are kept: fine ones for three days, 864 a subject, coarse ones for thirty, 720 a subject. Thirty days
    /// of the fine ones would be 8640, which no screen has the points for.
    pub const fn kept(self) -> Duration {
        match self {
            Width::FiveMinutes => Duration::from_secs(3 * 24 * 3600),
            Width::Hour => Duration::from_secs(30 * 24 * 3600),
        }
    }

    fn millis(self) -> i64 {
        i64::try_from(self.duration().as_millis()).expect("an hour has few milliseconds")
    }

    /// The beginning of the stretch that a moment lies in. All blades' stretches begin together.
    pub fn begin(self, moment: Timestamp) -> Timestamp {
        Timestamp(moment.0.div_euclid(self.millis()).saturating_mul(self.millis()))
    }

    /// The beginning of the next one.
    pub fn next(self, begin: Timestamp) -> Timestamp {
        Timestamp(begin.0.saturating_add(self.millis()))
    }
}

/// A stretch of time in one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollUp {
    pub begin: Timestamp,
    /// How many looks it is made of.
    pub looks: u32,
    pub mean: Figures,
    /// The largest of each figure, not all of one moment.
    pub peak: Figures,
}

/// Adds up looks, or roll-ups of shorter stretches.
#[derive(Debug, Clone, Default)]
pub struct Sum {
    looks: u128,
    cpu_millis: u128,
    memory_bytes: u128,
    network: (u128, u128),
    disk: (u128, u128),
    processes: u128,
    gpu: GpuSum,
    peak: Figures,
}

/// Each by how many looks told it: a container has a GPU for all of its life, but a driver may fall silent.
#[derive(Debug, Clone, Default)]
struct GpuSum {
    looks: u128,
    memory_bytes: u128,
    percent: (u128, u128),
    power_milliwatts: (u128, u128),
}

impl Sum {
    pub fn look(&mut self, figures: &Figures) {
        self.add(1, figures, figures);
    }

    pub fn roll_up(&mut self, part: &RollUp) {
        self.add(part.looks, &part.mean, &part.peak);
    }

    fn add(&mut self, looks: u32, mean: &Figures, peak: &Figures) {
        let weight = u128::from(looks);
        self.looks += weight;
        self.cpu_millis += weight * u128::from(mean.cpu_millis);
        self.memory_bytes += weight * u128::from(mean.memory_bytes);
        self.network.0 += weight * u128::from(mean.network.r#in);
        self.network.1 += weight * u128::from(mean.network.out);
        self.disk.0 += weight * u128::from(mean.disk.r#in);
        self.disk.1 += weight * u128::from(mean.disk.out);
        self.processes += weight * u128::from(mean.processes);
        if let Some(gpu) = mean.gpu {
            self.gpu.looks += weight;
            self.gpu.memory_bytes += weight * u128::from(gpu.memory_bytes);
            if let Some(percent) = gpu.percent {
                self.gpu.percent.0 += weight;
                self.gpu.percent.1 += weight * u128::from(percent);
            }
            if let Some(power) = gpu.power_milliwatts {
                self.gpu.power_milliwatts.0 += weight;
                self.gpu.power_milliwatts.1 += weight * u128::from(power);
            }
        }
        self.peak = larger(self.peak, *peak);
    }

    /// `None` of nothing.
    pub fn finish(&self, begin: Timestamp) -> Option<RollUp> {
        if self.looks == 0 {
            return None;
        }
        let mean = |sum: u128| narrow(sum / self.looks);
        let gpu = (self.gpu.looks > 0).then(|| GpuFigures {
            percent: average(self.gpu.percent).and_then(|percent| u8::try_from(percent).ok()),
            memory_bytes: narrow(self.gpu.memory_bytes / self.gpu.looks),
            power_milliwatts: average(self.gpu.power_milliwatts)
                .and_then(|power| u32::try_from(power).ok()),
        });
        Some(RollUp {
            begin,
            looks: u32::try_from(self.looks).unwrap_or(u32::MAX),
            mean: Figures {
                cpu_millis: u32::try_from(mean(self.cpu_millis)).unwrap_or(u32::MAX),
                memory_bytes: mean(self.memory_bytes),
                network: Traffic { r#in: mean(self.network.0), out: mean(self.network.1) },
                disk: Traffic { r#in: mean(self.disk.0), out: mean(self.disk.1) },
                processes: u32::try_from(mean(self.processes)).unwrap_or(u32::MAX),
                gpu,
            },
            peak: self.peak,
        })
    }
}

fn average((looks, sum): (u128, u128)) -> Option<u128> {
    sum.checked_div(looks)
}

/// An average of 64-bit numbers is one.
fn narrow(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn larger(a: Figures, b: Figures) -> Figures {
    Figures {
        cpu_millis: a.cpu_millis.max(b.cpu_millis),
        memory_bytes: a.memory_bytes.max(b.memory_bytes),
        network: larger_traffic(a.network, b.network),
        disk: larger_traffic(a.disk, b.disk),
        processes: a.processes.max(b.processes),
        gpu: match (a.gpu, b.gpu) {
            (Some(a), Some(b)) => Some(GpuFigures {
                // `None` is less than any number.
                percent: a.percent.max(b.percent),
                memory_bytes: a.memory_bytes.max(b.memory_bytes),
                power_milliwatts: a.power_milliwatts.max(b.power_milliwatts),
            }),
            (a, b) => a.or(b),
        },
    }
}

fn larger_traffic(a: Traffic, b: Traffic) -> Traffic {
    Traffic { r#in: a.r#in.max(b.r#in), out: a.out.max(b.out) }
}

/// Roll-ups of a stretch from those of the shorter ones in it.
pub fn fold<'a>(begin: Timestamp, parts: impl IntoIterator<Item = &'a RollUp>) -> Option<RollUp> {
    let mut sum = Sum::default();
    parts.into_iter().for_each(|part| sum.roll_up(part));
    sum.finish(begin)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;

    fn figures() -> impl Strategy<Value = Figures> {
        let traffic = || (any::<u64>(), any::<u64>()).prop_map(|(r#in, out)| Traffic { r#in, out });
        let gpu = (option::of(0_u8..=100), any::<u64>(), option::of(any::<u32>())).prop_map(
            |(percent, memory_bytes, power_milliwatts)| GpuFigures {
                percent,
                memory_bytes,
                power_milliwatts,
            },
        );
        (any::<u32>(), any::<u64>(), traffic(), traffic(), any::<u32>(), option::of(gpu)).prop_map(
            |(cpu_millis, memory_bytes, network, disk, processes, gpu)| Figures {
                cpu_millis,
                memory_bytes,
                network,
                disk,
                processes,
                gpu,
            },
        )
    }

    fn sum(looks: &[Figures]) -> Option<RollUp> {
        let mut sum = Sum::default();
        looks.iter().for_each(|look| sum.look(look));
        sum.finish(Timestamp(0))
    }

    /// Each figure, as numbers to compare.
    fn numbers(figures: &Figures) -> [u64; 7] {
        [
            figures.cpu_millis.into(),
            figures.memory_bytes,
            figures.network.r#in,
            figures.network.out,
            figures.disk.r#in,
            figures.disk.out,
            figures.processes.into(),
        ]
    }

    #[test]
    fn an_average_and_a_peak() {
        let of = |cpu_millis, percent| Figures {
            cpu_millis,
            gpu: Some(GpuFigures { percent, ..GpuFigures::default() }),
            ..Figures::default()
        };
        let row = sum(&[of(100, Some(10)), of(300, None), of(500, Some(30))]).unwrap();
        assert_eq!((row.looks, row.mean.cpu_millis, row.peak.cpu_millis), (3, 300, 500));
        assert_eq!(row.mean.gpu.unwrap().percent, Some(20));
        assert_eq!(row.peak.gpu.unwrap().percent, Some(30));
        assert_eq!(sum(&[]), None);
    }

    #[test]
    fn stretches_begin_together() {
        let width = Width::FiveMinutes;
        assert_eq!(width.begin(Timestamp(299_999)), Timestamp(0));
        assert_eq!(width.begin(Timestamp(300_000)), Timestamp(300_000));
        assert_eq!(width.begin(Timestamp(-1)), Timestamp(-300_000));
        assert_eq!(Width::Hour.next(Timestamp(0)), Timestamp(3_600_000));
    }

    proptest! {
        #[test]
        fn an_average_lies_between_and_a_peak_is_one_of_them(looks in vec(figures(), 1..30)) {
            let row = sum(&looks).unwrap();
            for at in 0..7 {
                let all: Vec<u64> = looks.iter().map(|look| numbers(look)[at]).collect();
                let (least, most) = (*all.iter().min().unwrap(), *all.iter().max().unwrap());
                prop_assert!((least..=most).contains(&numbers(&row.mean)[at]));
                prop_assert_eq!(numbers(&row.peak)[at], most);
            }
            prop_assert_eq!(row.looks as usize, looks.len());
            prop_assert_eq!(row.mean.gpu.is_some(), looks.iter().any(|look| look.gpu.is_some()));
        }

        /// In one go or in parts: the same peaks, and averages that differ by what dividing cuts off.
        #[test]
        fn parts_make_the_whole(looks in vec(figures(), 1..40), size in 1_usize..12) {
            let whole = sum(&looks).unwrap();
            let parts: Vec<RollUp> = looks.chunks(size).map(|part| sum(part).unwrap()).collect();
            let folded = fold(Timestamp(0), &parts).unwrap();
            prop_assert_eq!(folded.looks, whole.looks);
            prop_assert_eq!(folded.peak, whole.peak);
            for (a, b) in numbers(&folded.mean).into_iter().zip(numbers(&whole.mean)) {
                prop_assert!(b >= a && b - a <= 1, "{} {}", a, b);
            }
        }

        #[test]
        fn a_moment_lies_in_its_stretch(moment in -1_i64 << 50..1 << 50) {
            for width in Width::ALL {
                let begin = width.begin(Timestamp(moment));
                prop_assert!(begin.0 <= moment && moment < width.next(begin).0);
            }
        }
    }
}
