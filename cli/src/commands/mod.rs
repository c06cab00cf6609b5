//! One file per command, or per few that belong together.

pub(crate) mod acts;
pub(crate) mod apply;
pub(crate) mod attach;
pub(crate) mod cp;
pub(crate) mod exec;
pub(crate) mod get;
pub(crate) mod help;
pub(crate) mod login;
pub(crate) mod logs;
pub(crate) mod nodes;
pub(crate) mod port_forward;
pub(crate) mod ps;
pub(crate) mod run;
pub(crate) mod share;
pub(crate) mod ssh;
pub(crate) mod top;
pub(crate) mod volumes;
mod wait;
