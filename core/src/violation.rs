//! What is wrong with a request, field by field.

/// A field and what is wrong with it. `field` is the name in the request message, with an index or key where there is
/// one: `guest_ports[2]`, `environment[PATH]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub field: String,
    pub problem: Problem,
}

impl Violation {
    pub fn new(field: impl Into<String>, problem: Problem) -> Self {
        Self { field: field.into(), problem }
    }
}

/// Every way a value can be wrong; `text` has the sentence for each in every language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    Missing,
    TooLong {
        maximum: usize,
    },
    TooMany {
        maximum: usize,
    },
    /// A container's name with characters that are not allowed.
    NameCharacters,
    NameReserved,
    ImageReference,
    ImageUppercase,
    EnvironmentKey,
    EnvironmentReserved,
    EnvironmentDuplicate,
    EnvironmentNotKeyValue,
    /// A mask keeps a secret's value, and there is none to keep.
    SecretNotKept,
    ControlCharacter,
    UnbalancedQuote,
    PortRange,
    PortDuplicate,
    /// The site gives out no ports of blades.
    PortsForbidden,
    /// Asked to be published, and not among the guest ports.
    PortNotGuest,
    NotANumber,
    TooSmall {
        minimum: String,
    },
    TooLarge {
        maximum: String,
    },
    NotPositive,
    NotAUuid,
    LabelCharacters,
    UnknownValue,
    Unavailable,
    PageToken,
    AccountName,
    NotAbsolute,
    /// A path with `..`.
    PathUpwards,
    /// A path where something else is mounted.
    PathTaken,
    PathTwice,
    /// There is no volume of that name.
    NoSuchVolume,
    /// The volume is being deleted.
    VolumeDeleting,
}
