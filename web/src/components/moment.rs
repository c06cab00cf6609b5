use leptos::prelude::*;
use prost_types::Timestamp;

use crate::time;

/// A time as people say it, with the exact one on hover.
#[component]
pub(crate) fn Moment(#[prop(into)] at: Signal<Option<Timestamp>>) -> impl IntoView {
    move || {
        at.get().map(|at| {
            view! {
                <time datetime=time::machine(&at) title=move || time::absolute(&at)>
                    {move || time::relative(&at)}
                </time>
            }
        })
    }
}
