use berth_core::text::bytes;
use berth_proto::v1::{Home, VolumeScope};
use leptos::prelude::*;

use crate::{
    api::{self, Error},
    components::{Failure, Skeleton},
    erased, text,
};

/// How much of it is used, and what keeps it from being more.
#[component]
pub(super) fn Space(owner: Memo<String>) -> impl IntoView {
    let home = RwSignal::new(None::<Result<Home, Error>>);
    let load = move || {
        let owner = owner.get();
        erased::spawn_while_shown(async move { home.set(Some(api::get_home(owner).await)) });
    };
    erased::effect(load);
    view! {
        <section class="card" aria-labelledby="home-use">
            <h2 id="home-use">{text::home_use}</h2>
            {move || match home.get() {
                None => view! { <Skeleton lines=1 /> }.into_any(),
                Some(Err(error)) => {
                    let retry = Callback::new(move |()| untrack(load));
                    view! { <Failure error=Signal::stored(error) retry /> }.into_any()
                }
                Some(Ok(home)) => view! { <Used home /> }.into_any(),
            }}
        </section>
    }
}

#[component]
fn Used(home: Home) -> impl IntoView {
    let scope = home.scope();
    let Home { path, node, used_bytes, limit_bytes, limit_enforced, .. } = home;
    let amount = move || match (used_bytes, limit_bytes) {
        (None, _) => text::home_not_counted().to_owned(),
        (Some(used), 0) => text::home_no_limit(bytes(used)),
        (Some(used), limit) => text::used_of_offered(bytes(used), bytes(limit)),
    };
    let how = match (limit_bytes, limit_enforced) {
        (0, _) => text::home_counted,
        (_, true) => text::home_enforced,
        (_, false) => text::home_metered,
    };
    let place = move || match scope {
        VolumeScope::Node if !node.is_empty() => text::home_on_node(&node),
        VolumeScope::Node | VolumeScope::Unspecified => String::new(),
        VolumeScope::Shared => text::home_shared().to_owned(),
    };
    let percent = used_bytes
        .filter(|_| limit_bytes > 0)
        .map(|used| (u128::from(used) * 100 / u128::from(limit_bytes)).min(100).to_string());
    view! {
        <div class="home-use">
            <p class="figures">{amount}</p>
            {percent.map(|percent| view! {
                <progress aria-label=text::home_use value=percent max="100"></progress>
            })}
            <p class="muted">{how}</p>
            <p class="muted">{move || text::home_inside(&path)} " " {place}</p>
        </div>
    }
}
