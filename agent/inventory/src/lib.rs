//! What a blade has, and what others use of it.
