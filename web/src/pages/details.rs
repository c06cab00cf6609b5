//! What of a container's page comes a moment later.

use berth_proto::v1::Container;
use leptos::prelude::*;

use super::{facts::Facts, shares::Shares};

/// The container in sight, for what is fetched after the page.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) container: ArcRwSignal<Container>,
    /// Empty for the caller's own.
    pub(crate) owner: Memo<String>,
}

#[component]
pub(crate) fn Details() -> impl IntoView {
    // Given by the page that this is a piece of.
    let Shown { container, owner } = use_context::<Shown>()?;
    Some(view! {
        <Shares container=container.clone() owner />
        <Facts container />
    })
}
