use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate},
};

use super::notice::{Failure, Skeleton};
use crate::{
    erased, routes,
    state::session::{self, Session},
};

/// A page for people who are signed in; others are led to the sign-in page, and back.
#[component]
pub(crate) fn Guard(children: ChildrenFn) -> impl IntoView {
    let location = use_location();
    let navigate = use_navigate();
    erased::effect(move || {
        if matches!(session::current(), Session::SignedOut) {
            let (path, search) =
                (location.pathname.get_untracked(), location.search.get_untracked());
            let search = search.trim_start_matches('?');
            let here = if search.is_empty() { path } else { format!("{path}?{search}") };
            let options = NavigateOptions { replace: true, ..NavigateOptions::default() };
            navigate(&routes::sign_in_and_back(&here), options);
        }
    });
    // Only the kind of state decides, so that an update of the person does not rebuild the page.
    let kind = Memo::new(|_| match session::current() {
        Session::SignedIn(_) => Kind::Page,
        Session::Failed(error) => Kind::Failed(error),
        Session::Unknown | Session::SignedOut => Kind::Waiting,
    });
    let again = Callback::new(|()| erased::spawn(session::load()));
    move || match kind.get() {
        Kind::Page => children().into_any(),
        Kind::Failed(error) => view! {
            <h1>"Berth"</h1>
            <Failure error=Signal::stored(error) retry=again />
        }
        .into_any(),
        Kind::Waiting => view! {
            <h1 class="unseen">"Berth"</h1>
            <Skeleton />
        }
        .into_any(),
    }
}

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Page,
    Failed(crate::api::Error),
    Waiting,
}
