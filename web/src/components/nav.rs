use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::icon::{Glyph, Icon};
use crate::{i18n::Words, routes, state::session, text};

/// The bar on the left; at the bottom on a phone.
#[component]
pub(crate) fn Nav() -> impl IntoView {
    let administrator =
        Memo::new(|_| session::person().is_some_and(|person| person.is_administrator()));
    let site = move || {
        session::person()
            .map(|person| person.site.name.clone())
            .filter(|name| !name.is_empty() && name != "Berth")
    };
    view! {
        <nav class="bar" aria-label=text::navigation>
            <div class="brand">
                <span class="brand-name">"Berth"</span>
                <span class="brand-site">{site}</span>
            </div>
            <ul>
                <Item href=routes::CONTAINERS icon=Icon::Box words=text::containers />
                <Item href=routes::NEW icon=Icon::Plus words=text::new_short />
                <Item href=routes::HOME icon=Icon::Home words=text::home />
                <Show when=move || administrator.get()>
                    <Item href=routes::NODES icon=Icon::Server words=text::blades />
                </Show>
                <Item href=routes::ACCOUNT icon=Icon::User words=text::account />
            </ul>
        </nav>
    }
}

#[component]
fn Item(href: &'static str, icon: Icon, words: Words) -> impl IntoView {
    let path = use_location().pathname;
    let here = move || {
        let path = path.get();
        let here = path == href || (href == routes::CONTAINERS && path.starts_with("/c/"));
        here.then_some("page")
    };
    view! {
        <li>
            <a href=href aria-current=here>
                <Glyph icon />
                <span>{words}</span>
            </a>
        </li>
    }
}
