//! Named points at which a test may kill the process, and faults that a test may plant to see whether it would find them.
//! Both are compiled in by the feature `test-points` alone; otherwise each is nothing.

/// A mistake that was made in other systems, to be switched on in a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlantedFault {
    /// Says that a container is gone before the engine has removed it.
    ForgetBeforeRemove,
    /// Acknowledges a set before it is on the disk.
    AcknowledgeBeforeDurable,
    /// Takes a container's absence from the set for an order to remove it.
    AbsenceDestroys,
}

impl PlantedFault {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "forget-before-remove" => Some(Self::ForgetBeforeRemove),
            "acknowledge-before-durable" => Some(Self::AcknowledgeBeforeDurable),
            "absence-destroys" => Some(Self::AbsenceDestroys),
            _ => None,
        }
    }
}

/// Dies here, as by `kill -9`, if `BERTH_DIE_AT` names this point: at its first passage, or, as in "created:3", at that one.
#[cfg(feature = "test-points")]
pub fn reached(point: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static PASSAGES: AtomicU32 = AtomicU32::new(0);
    let Ok(wanted) = std::env::var("BERTH_DIE_AT") else { return };
    let (name, passage) = match wanted.split_once(':') {
        Some((name, passage)) => (name, passage.parse().unwrap_or(1)),
        None => (wanted.as_str(), 1),
    };
    if name == point && PASSAGES.fetch_add(1, Ordering::SeqCst) + 1 == passage {
        // The test looks for this line: a point that was never reached proves nothing.
        #[allow(clippy::print_stderr)]
        {
            eprintln!("BERTH_DIE_AT reached: {point}");
        }
        std::process::abort();
    }
}

#[cfg(not(feature = "test-points"))]
#[inline]
pub fn reached(_: &str) {}

/// The fault that `BERTH_PLANTED_FAULT` names.
pub fn planted_by_environment() -> Option<PlantedFault> {
    if cfg!(feature = "test-points") {
        std::env::var("BERTH_PLANTED_FAULT").ok().as_deref().and_then(PlantedFault::parse)
    } else {
        None
    }
}
