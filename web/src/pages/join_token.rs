use berth_proto::v1::CreateJoinTokenResponse;
use leptos::prelude::*;

use crate::{
    api::{self, Error},
    components::{CopyButton, Dialog, Failure, Moment, Skeleton},
    erased, text,
};

const LIFETIME_SECONDS: i64 = 3600;

/// Makes a token each time it is opened: a token is good for one blade, once.
#[component]
pub(crate) fn JoinToken(open: RwSignal<bool>) -> impl IntoView {
    let answer = RwSignal::new(None::<Result<CreateJoinTokenResponse, Error>>);
    erased::effect(move || {
        answer.set(None);
        if open.get() {
            erased::spawn_while_shown(async move {
                answer.set(Some(api::create_join_token(LIFETIME_SECONDS).await));
            });
        }
    });
    view! {
        <Dialog id="join-token" open title=text::add_blade>
            <p>{text::join_how}</p>
            {move || match answer.get() {
                None => view! { <Skeleton lines=1 /> }.into_any(),
                Some(Err(error)) => view! { <Failure error=Signal::stored(error) /> }.into_any(),
                Some(Ok(token)) => {
                    let command = format!("berth-agent join '{}'", token.join_string);
                    let expires = token.expire_time;
                    view! {
                        <div class="command">
                            <pre tabindex="0" aria-label=text::command><code>{command.clone()}</code></pre>
                            <CopyButton
                                value=Signal::stored(command)
                                what=Signal::derive(|| text::command().to_owned())
                            />
                        </div>
                        <p class="hint">
                            {text::join_once} " " <Moment at=Signal::stored(expires) />
                        </p>
                    }
                    .into_any()
                }
            }}
            <div class="dialog-acts">
                <button type="button" class="button" on:click=move |_| open.set(false)>
                    {text::close}
                </button>
            </div>
        </Dialog>
    }
}
