//! What is wrong with a file, as programs are told.

use berth_core::files::{FileFault, Refused};
use tonic::Code;

pub(super) fn code(fault: FileFault) -> Code {
    match fault {
        FileFault::NotFound => Code::NotFound,
        FileFault::AlreadyExists => Code::AlreadyExists,
        FileFault::NotPermitted => Code::PermissionDenied,
        FileFault::NoSpace => Code::ResourceExhausted,
        FileFault::Busy => Code::Unavailable,
        FileFault::Changed => Code::Aborted,
        FileFault::WrongDigest => Code::DataLoss,
        FileFault::WrongSize | FileFault::IntoItself | FileFault::Refused(_) => {
            Code::InvalidArgument
        }
        FileFault::NotADirectory
        | FileFault::IsADirectory
        | FileFault::ReadOnly
        | FileFault::LinkLoop
        | FileFault::NotAFile
        | FileFault::OtherFileSystem
        | FileFault::Stopped => Code::FailedPrecondition,
    }
}

pub(super) fn name(fault: FileFault) -> &'static str {
    match fault {
        FileFault::NotFound => "NOT_FOUND",
        FileFault::AlreadyExists => "ALREADY_EXISTS",
        FileFault::NotADirectory => "NOT_A_DIRECTORY",
        FileFault::IsADirectory => "IS_A_DIRECTORY",
        FileFault::NotPermitted => "NOT_PERMITTED",
        FileFault::ReadOnly => "READ_ONLY",
        FileFault::LinkLoop => "LINK_LOOP",
        FileFault::NotAFile => "NOT_A_FILE",
        FileFault::NoSpace => "NO_SPACE",
        FileFault::Changed => "CHANGED",
        FileFault::Busy => "BUSY",
        FileFault::WrongSize => "WRONG_SIZE",
        FileFault::WrongDigest => "WRONG_DIGEST",
        FileFault::OtherFileSystem => "OTHER_FILE_SYSTEM",
        FileFault::IntoItself => "INTO_ITSELF",
        FileFault::Stopped => "STOPPED",
        FileFault::Refused(Refused::Name) => "ARCHIVE_NAME",
        FileFault::Refused(Refused::Link) => "ARCHIVE_LINK",
        FileFault::Refused(Refused::ThroughLink) => "ARCHIVE_THROUGH_LINK",
        FileFault::Refused(Refused::Device) => "ARCHIVE_DEVICE",
        FileFault::Refused(Refused::Setuid) => "ARCHIVE_SETUID",
        FileFault::Refused(Refused::Duplicate) => "ARCHIVE_DUPLICATE",
        FileFault::Refused(Refused::Sparse) => "ARCHIVE_SPARSE",
        FileFault::Refused(Refused::TooManyEntries) => "ARCHIVE_TOO_MANY_ENTRIES",
        FileFault::Refused(Refused::Broken) => "ARCHIVE_BROKEN",
    }
}
