//! What may be lent. Pure.

use berth_core::resources::Resources;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offer {
    pub total: Resources,
    /// Kept back or used by others; never more than there is.
    pub foreign: Resources,
}

/// The reserve is what the machine is never without, so it comes on top of what others use.
pub fn offer(
    total: Resources,
    reserve: Resources,
    others: impl IntoIterator<Item = Resources>,
) -> Offer {
    let foreign = others.into_iter().fold(reserve, Resources::plus);
    Offer {
        total,
        foreign: Resources {
            cpu_millis: foreign.cpu_millis.min(total.cpu_millis),
            memory_bytes: foreign.memory_bytes.min(total.memory_bytes),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sums_and_bounds() {
        let of = |cpu, memory| Resources::new(cpu, memory);
        let made = offer(of(8000, 100), of(500, 10), [of(1000, 20), of(0, 5)]);
        assert_eq!(made.foreign, of(1500, 35));
        let overrun = offer(of(8000, 100), of(500, 10), [of(9000, 20)]);
        assert_eq!(overrun.foreign, of(8000, 30));
    }

    proptest! {
        #[test]
        fn never_more_than_there_is(
            total in (any::<u32>(), any::<u64>()),
            reserve in (any::<u32>(), any::<u64>()),
            others in proptest::collection::vec((any::<u32>(), any::<u64>()), 0..5),
        ) {
            let of = |(cpu, memory)| Resources::new(cpu, memory);
            let made = offer(of(total), of(reserve), others.iter().copied().map(of));
            prop_assert!(made.foreign.cpu_millis <= made.total.cpu_millis);
            prop_assert!(made.foreign.memory_bytes <= made.total.memory_bytes);
            // One more user of the machine never makes the offer larger.
            let more = offer(of(total), of(reserve), others.iter().copied().chain([(1, 1)]).map(of));
            prop_assert!(more.foreign.cpu_millis >= made.foreign.cpu_millis);
        }
    }
}
