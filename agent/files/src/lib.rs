//! Files below a directory whose content somebody else rules: a container's root, a home.
//!
//! # Guarantees
//! Nothing outside the directory is read, written or named, whatever links are in it, and whoever changes them meanwhile:
//! the kernel resolves every path inside the root (`openat2`, `RESOLVE_IN_ROOT`, no magic links), and what is created,
//! renamed or removed is one name in a directory that is held open.
//!
//! What is written appears whole or not at all: it is made under a hidden name beside its place, checked, and renamed.
//! What is left behind by a connection that broke is taken up again by the same upload, and forgotten after a week.
//!
//! # Caveats
//! All of it blocks: it belongs on a thread of its own.

mod change;
mod entry;
mod error;
mod hidden;
mod list;
mod pack;
mod read;
mod tree;
mod unpack;
mod write;

pub use self::{
    error::Error,
    hidden::FORGOTTEN_AFTER,
    list::Listing,
    read::Reader,
    tree::{Owner, Tree},
    unpack::{Laid, Limits},
    write::{Progress, Writer},
};

pub type Result<T, E = Error> = std::result::Result<T, E>;
