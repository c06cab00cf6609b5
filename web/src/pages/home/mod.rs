//! A person's own place, without any container: what is stored, and the volumes.

mod creating;
mod deleting;
mod space;
mod volumes;

use leptos::prelude::*;

use self::{space::Space, volumes::Volumes};
use crate::text;

/// What stands above the home's files.
#[component]
pub(crate) fn HomeHead(
    /// Empty for the caller's own.
    owner: Memo<String>,
) -> impl IntoView {
    view! {
        <h1>{text::home_and_volumes}</h1>
        <Space owner />
        <Volumes owner />
        <h2>{text::home_files}</h2>
    }
}
