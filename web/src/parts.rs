//! Pages that most visits do without: each is a file of its own, cut out of the program when it is built and fetched when
//! the page is visited.

use std::{future::Future, pin::Pin};

use leptos::{
    prelude::*,
    wasm_split::{SplitLoaderError, wasm_split},
};

use crate::pages::{
    Account, ContainerGraphs, Details, FilesPage, FormPage, Glance, LogsPage, NodeGraphs, Nodes,
    TerminalPage,
};

/// Draws the page, once it is here.
pub(crate) type Draw = fn() -> AnyView;
type Loading = Pin<Box<dyn Future<Output = Result<Draw, SplitLoaderError>>>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Account,
    /// What of a container's page comes a moment later.
    Details,
    /// Of containers, and of the home.
    Files,
    /// The small graphs on a container's page.
    Glance,
    Graphs,
    Logs,
    /// The form: of a new container, and of one that is there.
    New,
    NodeGraphs,
    Nodes,
    Terminal,
}

impl Part {
    /// Once per page, however often it is called; after a failure the next call is another attempt.
    pub(crate) fn load(self) -> Loading {
        match self {
            Part::Account => Box::pin(account()),
            Part::Details => Box::pin(details()),
            Part::Files => Box::pin(files()),
            Part::Glance => Box::pin(glance()),
            Part::Graphs => Box::pin(graphs()),
            Part::Logs => Box::pin(logs()),
            Part::New => Box::pin(new()),
            Part::NodeGraphs => Box::pin(node_graphs()),
            Part::Nodes => Box::pin(nodes()),
            Part::Terminal => Box::pin(terminal()),
        }
    }
}

// What is reachable from one of these alone is in its file. They give a function and not a page: a page belongs to what
// asks for it, and is drawn anew each time.

#[wasm_split(account, wasm_split_path = ::leptos::wasm_split, fallible)]
fn account() -> Result<Draw, SplitLoaderError> {
    Ok(|| view! { <Account /> }.into_any())
}

#[wasm_split(details, wasm_split_path = ::leptos::wasm_split, fallible)]
fn details() -> Result<Draw, SplitLoaderError> {
    Ok(|| view! { <Details /> }.into_any())
}

#[wasm_split(files, wasm_split_path = ::leptos::wasm_split, fallible)]
fn files() -> Result<Draw, SplitLoaderError> {
    Ok(|| view! { <FilesPage /> }.into_any())
}

#[wasm_split(glance, wasm_split_path = ::leptos::wasm_split, fallible)]
fn glance() -> Result<Draw, SplitLoaderError> {
    Ok(|| view! { <Glance /> }.into_any())
}

#[wasm_split(graphs, wasm_split_path = ::leptos::wasm_split, fallible)]
fn graphs() -> Result<Draw, SplitLoaderError> {
    Ok(|| view! { <ContainerGraphs /> }.into_any())
}

#[wasm_split(logs, wasm_split_path = ::leptos::wasm_split, fallible)]
fn logs() -> Result<Draw, SplitLoaderError> {
    Ok(|| view! { <LogsPage /> }.into_any())
}

#[wasm_split(new, wasm_split_path = ::leptos::wasm_split, fallible)]
fn new() -> Result<Draw, SplitLoaderError> {
    Ok(|| view! { <FormPage /> }.into_any())
}

#[wasm_split(node_graphs, wasm_split_path = ::leptos::wasm_split, fallible)]
fn node_graphs() -> Result<Draw, SplitLoaderError> {
    Ok(|| view! { <NodeGraphs /> }.into_any())
}

#[wasm_split(nodes, wasm_split_path = ::leptos::wasm_split, fallible)]
fn nodes() -> Result<Draw, SplitLoaderError> {
    Ok(|| view! { <Nodes /> }.into_any())
}

#[wasm_split(terminal, wasm_split_path = ::leptos::wasm_split, fallible)]
fn terminal() -> Result<Draw, SplitLoaderError> {
    Ok(|| view! { <TerminalPage /> }.into_any())
}
