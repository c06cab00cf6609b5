//! Where a container goes, and why: pure.
