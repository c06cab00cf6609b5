//! Amounts that are lent: CPU, memory, GPUs. Subtraction that would go below zero is a question, not a wrap-around.

use serde::{Deserialize, Serialize};

pub const KIB: u64 = 1024;
pub const MIB: u64 = 1024 * KIB;
pub const GIB: u64 = 1024 * MIB;

/// Docker refuses containers with less than 6 MiB.
pub const MINIMUM_MEMORY: u64 = 6 * MIB;

/// CPU in thousandths of a core, memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub struct Resources {
    pub cpu_millis: u32,
    pub memory_bytes: u64,
}

impl Resources {
    pub const fn new(cpu_millis: u32, memory_bytes: u64) -> Self {
        Self { cpu_millis, memory_bytes }
    }

    /// What is left of `self` beside `used`; nothing where more is used than there is (a blade whose offer shrank).
    #[must_use]
    pub fn less(self, used: Resources) -> Resources {
        Resources {
            cpu_millis: self.cpu_millis.saturating_sub(used.cpu_millis),
            memory_bytes: self.memory_bytes.saturating_sub(used.memory_bytes),
        }
    }

    /// The larger of each.
    #[must_use]
    pub fn at_least(self, other: Resources) -> Resources {
        Resources {
            cpu_millis: self.cpu_millis.max(other.cpu_millis),
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
        }
    }

    #[must_use]
    pub fn plus(self, other: Resources) -> Resources {
        Resources {
            cpu_millis: self.cpu_millis.saturating_add(other.cpu_millis),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
        }
    }
}

/// A GPU by its UUID ("GPU-..." or "MIG-..."), never by its index: indexes change at a reboot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GpuId(String);

impl GpuId {
    /// `None` for anything that is not a GPU's UUID: it ends up in an engine request.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("GPU-").or_else(|| text.strip_prefix("MIG-"))?;
        let ok = !rest.is_empty()
            && rest.len() <= 80
            && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'/');
        ok.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}
