//! The wire: gRPC-web over the browser's fetch, and one function per call that the console makes.

mod calls;
mod error;
mod exec;
mod files;
mod frame;
mod status;
mod transport;
mod usage;
mod volumes;
mod watch;

pub(crate) use calls::*;
pub(crate) use error::Error;
pub(crate) use exec::*;
pub(crate) use files::*;
pub(crate) use status::{Code, FieldViolation};
pub(crate) use transport::Stream;
pub(crate) use usage::*;
pub(crate) use volumes::*;
pub(crate) use watch::{Delta, Watched, follow};
