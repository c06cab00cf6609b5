//! Files in a container, apart from how they are shown: paths, what a folder holds, and what is on its way there.

mod listing;
mod order;
mod path;
pub(crate) mod upload;

pub(crate) use listing::{Listing, list};
pub(crate) use order::{Column, Direction, Order};
pub(crate) use path::{ROOT, crumbs, is_hidden, join, name_problem, parent, url};

/// Whose files: of a container, or of the home.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Whose {
    /// Empty for the home's own.
    pub(crate) name: String,
    /// Empty for the caller's own.
    pub(crate) owner: String,
}

impl Whose {
    /// A home needs no container.
    pub(crate) fn is_home(&self) -> bool {
        self.name.is_empty()
    }
}
