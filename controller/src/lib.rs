//! The controller: composition root.
