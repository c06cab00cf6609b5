//! What outlives a page: who is signed in, what was chosen, and the collections that watches keep up to date.

pub(crate) mod announcer;
pub(crate) mod collection;
pub(crate) mod connection;
pub(crate) mod feed;
pub(crate) mod preferences;
pub(crate) mod session;
