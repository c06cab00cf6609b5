//! The agent: composition root.
