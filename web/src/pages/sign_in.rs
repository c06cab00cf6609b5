use berth_core::text::Language;
use leptos::{ev, prelude::*};
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};

use crate::{
    api::{self, Code, Error},
    components::{Failure, Glyph, Icon, Need, TextField, title},
    erased, i18n, routes,
    state::{
        preferences,
        session::{self, Session},
    },
    text,
};

#[component]
pub(crate) fn SignIn() -> impl IntoView {
    title(|| text::sign_in().to_owned());
    let (account, password) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let tried = RwSignal::new(false);
    let busy = RwSignal::new(false);
    let refused = RwSignal::new(None::<Error>);

    let query = use_query_map();
    let navigate = use_navigate();
    // Also for somebody who is signed in already and comes here.
    erased::effect(move || {
        if matches!(session::current(), Session::SignedIn(_)) {
            let to = query.with_untracked(|q| routes::after_sign_in(q.get_str("next")));
            // Not a page of the console: the service itself answers, and leads to a container.
            if to.starts_with(routes::ENTER_APP) {
                let _ = window().location().assign(&to);
                return;
            }
            navigate(&to, NavigateOptions { replace: true, ..NavigateOptions::default() });
        }
    });

    let missing = move |value: RwSignal<String>| {
        Signal::derive(move || {
            (tried.get() && value.with(String::is_empty)).then(|| text::needed().to_owned())
        })
    };
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        tried.set(true);
        let (name, secret) = (account.get_untracked(), password.get_untracked());
        if busy.get_untracked() || name.is_empty() || secret.is_empty() {
            return;
        }
        busy.set(true);
        refused.set(None);
        erased::spawn(async move {
            match api::sign_in(name.trim().to_owned(), secret).await {
                Ok(_) => session::load().await,
                Err(error) => {
                    refused.try_set(Some(error));
                    password.try_set(String::new());
                    tried.try_set(false);
                }
            }
            busy.try_set(false);
        });
    };
    // A refusal without a sentence of its own is a wrong password: everything else says what it is.
    let failure = move || {
        refused.get().map(|error| {
            if error.code() == Some(Code::Unauthenticated) {
                view! {
                    <div class="notice bad" role="alert">
                        <Glyph icon=Icon::Warning />
                        <p>{text::sign_in_refused}</p>
                    </div>
                }
                .into_any()
            } else {
                view! { <Failure error=Signal::stored(error) /> }.into_any()
            }
        })
    };

    view! {
        <div class="sign-in">
            <p class="brand-name">"Berth"</p>
            <form class="card" novalidate on:submit=submit>
                <h1>{text::sign_in}</h1>
                {failure}
                <TextField
                    id="account"
                    label=text::account_name
                    value=account
                    error=missing(account)
                    autocomplete="username"
                    need=Need::Required
                />
                <TextField
                    id="password"
                    label=text::password
                    value=password
                    error=missing(password)
                    kind="password"
                    autocomplete="current-password"
                    need=Need::Required
                />
                <button
                    type="submit"
                    class="button primary wide"
                    aria-disabled=move || busy.get().then_some("true")
                >
                    {move || if busy.get() { text::signing_in() } else { text::sign_in() }}
                </button>
            </form>
            <LanguageSwitch />
        </div>
    }
}

/// Each language by its own name, for those who cannot read the other.
#[component]
pub(crate) fn LanguageSwitch() -> impl IntoView {
    let button = |language: Language, name: &'static str| {
        view! {
            <button
                type="button"
                class="chip"
                lang=language.tag()
                aria-pressed=move || if i18n::language() == language { "true" } else { "false" }
                on:click=move |_| preferences::choose_language(language)
            >
                {name}
            </button>
        }
    };
    view! {
        <div class="chips" role="group" aria-label=text::language>
            {button(Language::Japanese, "日本語")}
            {button(Language::English, "English")}
        </div>
    }
}
