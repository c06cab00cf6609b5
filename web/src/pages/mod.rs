//! One file per page.

mod account;
mod container;
mod containers;
mod delete_container;
mod details;
mod facts;
mod files;
mod graphs;
mod home;
mod join_token;
mod lease;
mod logs;
mod new;
mod node_row;
mod nodes;
mod not_found;
mod row;
mod shares;
mod sign_in;
mod terminal;

pub(crate) use account::Account;
pub(crate) use container::ContainerPage;
pub(crate) use containers::Containers;
pub(crate) use details::Details;
pub(crate) use files::FilesPage;
pub(crate) use graphs::{ContainerGraphs, Glance, NodeGraphs};
pub(crate) use logs::LogsPage;
pub(crate) use new::FormPage;
pub(crate) use nodes::Nodes;
pub(crate) use not_found::NotFound;
pub(crate) use sign_in::SignIn;
pub(crate) use terminal::TerminalPage;
