use leptos::prelude::*;

use crate::{components::title, routes, text};

#[component]
pub(crate) fn NotFound() -> impl IntoView {
    title(|| text::page_not_found().to_owned());
    view! {
        <div class="empty">
            <h1>{text::page_not_found}</h1>
            <p>{text::page_not_found_why}</p>
            <a class="button primary" href=routes::CONTAINERS>{text::to_my_containers}</a>
        </div>
    }
}
