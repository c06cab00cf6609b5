use berth_proto::v1::Role;
use leptos::prelude::*;

use super::sign_in::LanguageSwitch;
use crate::{
    api::{self, Error},
    components::{Failure, Glyph, Icon, title},
    erased,
    state::{
        preferences::{self, Theme},
        session,
    },
    text,
};

#[component]
pub(crate) fn Account() -> impl IntoView {
    title(|| text::account().to_owned());
    let who = move || session::person().unwrap_or_default();
    let name = move || {
        let user = &who().user;
        if user.display_name.is_empty() { user.account.clone() } else { user.display_name.clone() }
    };
    let role = move || match who().user.role() {
        Role::Administrator => text::administrator(),
        Role::Teacher => text::teacher(),
        Role::Student | Role::Unspecified => text::student(),
    };
    let refused = RwSignal::new(None::<Error>);
    let sign_out = move |_| {
        erased::spawn(async move {
            match api::sign_out().await {
                Ok(_) => session::ended(),
                Err(error) => {
                    refused.try_set(Some(error));
                }
            }
        });
    };
    view! {
        <h1>{text::account}</h1>
        {move || refused.get().map(|error| view! { <Failure error=Signal::stored(error) /> })}
        <section class="card" aria-labelledby="you">
            <h2 id="you">{name}</h2>
            <dl class="facts">
                <div><dt>{text::account_name}</dt><dd><code>{move || who().user.account.clone()}</code></dd></div>
                <div><dt>{text::role}</dt><dd>{role}</dd></div>
                <div><dt>{text::version}</dt><dd>{move || who().site.version.clone()}</dd></div>
            </dl>
            <button type="button" class="button" on:click=sign_out>
                <Glyph icon=Icon::SignOut />
                <span>{text::sign_out}</span>
            </button>
        </section>
        <section class="card" aria-labelledby="look">
            <h2 id="look">{text::display}</h2>
            <div class="setting">
                <span>{text::language}</span>
                <LanguageSwitch />
            </div>
            <div class="setting">
                <span>{text::theme}</span>
                <ThemeSwitch />
            </div>
        </section>
    }
}

#[component]
fn ThemeSwitch() -> impl IntoView {
    let name = |theme: Theme| match theme {
        Theme::System => text::theme_system(),
        Theme::Light => text::theme_light(),
        Theme::Dark => text::theme_dark(),
    };
    view! {
        <div class="chips" role="group" aria-label=text::theme>
            {Theme::ALL
                .into_iter()
                .map(|theme| view! {
                    <button
                        type="button"
                        class="chip"
                        aria-pressed=move || if preferences::theme() == theme { "true" } else { "false" }
                        on:click=move |_| preferences::choose_theme(theme)
                    >
                        {move || name(theme)}
                    </button>
                })
                .collect_view()}
        </div>
    }
}
