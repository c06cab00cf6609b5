use berth_core::text::bytes;
use berth_proto::v1::{Volume, VolumeScope};
use leptos::prelude::*;

use super::{creating::Creating, deleting::Deleting};
use crate::{
    api::{self, Error},
    components::{Failure, Glyph, Icon, Skeleton},
    erased, routes, text, time,
};

/// What is being deleted is gone when its blade says so.
const LOOK_AGAIN_MS: u32 = 3000;

#[component]
pub(super) fn Volumes(owner: Memo<String>) -> impl IntoView {
    let volumes = RwSignal::new(None::<Result<Vec<Volume>, Error>>);
    let creating = RwSignal::new(false);
    let deleting = RwSignal::new(None::<Volume>);
    let load = move || {
        let owner = owner.get();
        erased::spawn_while_shown(async move {
            loop {
                let found = api::list_volumes(owner.clone()).await;
                let again = found.as_ref().is_ok_and(|all| all.iter().any(|v| v.deleting));
                volumes.set(Some(found));
                if !again {
                    break;
                }
                time::sleep(LOOK_AGAIN_MS).await;
            }
        });
    };
    erased::effect(load);
    let changed = Callback::new(move |()| untrack(load));
    // Volumes are made for oneself.
    let own = move || owner.with(String::is_empty);
    view! {
        <section class="card volumes" aria-labelledby="volumes">
            <div class="card-head">
                <h2 id="volumes">{text::volumes}</h2>
                <Show when=own>
                    <button type="button" class="button" on:click=move |_| creating.set(true)>
                        <Glyph icon=Icon::Plus />
                        <span>{text::new_volume}</span>
                    </button>
                </Show>
            </div>
            {move || match volumes.get() {
                None => view! { <Skeleton lines=2 /> }.into_any(),
                Some(Err(error)) => {
                    view! { <Failure error=Signal::stored(error) retry=changed /> }.into_any()
                }
                Some(Ok(all)) if all.is_empty() => {
                    view! { <p class="muted">{text::volumes_empty}</p> }.into_any()
                }
                Some(Ok(all)) => view! { <Table all deleting owner /> }.into_any(),
            }}
        </section>
        <Creating open=creating made=changed />
        <Deleting which=deleting owner gone=changed />
    }
}

#[component]
fn Table(
    all: Vec<Volume>,
    deleting: RwSignal<Option<Volume>>,
    owner: Memo<String>,
) -> impl IntoView {
    view! {
        // The roles are said because styles turn the table into cards on a phone, and browsers then forget them.
        <div class="table-box">
            <table role="table" aria-label=text::volumes>
                <thead role="rowgroup">
                    <tr role="row">
                        <th scope="col" role="columnheader">{text::name}</th>
                        <th scope="col" role="columnheader">{text::volume_place}</th>
                        <th scope="col" role="columnheader">{text::volume_used}</th>
                        <th scope="col" role="columnheader">{text::volume_containers}</th>
                        <th scope="col" role="columnheader"><span class="unseen">{text::actions}</span></th>
                    </tr>
                </thead>
                <tbody role="rowgroup">
                    {all.into_iter().map(|volume| view! { <Row volume deleting owner /> }).collect_view()}
                </tbody>
            </table>
        </div>
    }
}

#[component]
fn Row(volume: Volume, deleting: RwSignal<Option<Volume>>, owner: Memo<String>) -> impl IntoView {
    let (name, node, scope) = (volume.name.clone(), volume.node.clone(), volume.scope());
    let (is_going, containers) = (volume.deleting, volume.containers.clone());
    let used = volume.used_bytes.map_or_else(
        || "-".to_owned(),
        |used| match volume.limit_bytes {
            0 => bytes(used),
            limit => format!("{} / {}", bytes(used), bytes(limit)),
        },
    );
    let place = move || match scope {
        VolumeScope::Shared => text::volume_shared().to_owned(),
        VolumeScope::Node | VolumeScope::Unspecified if node.is_empty() => {
            text::volume_no_node().to_owned()
        }
        VolumeScope::Node | VolumeScope::Unspecified => text::volume_on_node(&node),
    };
    let (row, label) = (name.clone(), name.clone());
    view! {
        <tr role="row" data-volume=row>
            <th scope="row" role="rowheader"><code>{name}</code></th>
            <td role="cell" data-label=text::volume_place>{place}</td>
            <td role="cell" class="figures" data-label=text::volume_used>{used}</td>
            <td role="cell" data-label=text::volume_containers>
                <ul class="gpus">
                    {containers.into_iter().map(|container| {
                        let href = routes::container(&container, &owner.get_untracked());
                        view! { <li><a href=href>{container}</a></li> }
                    }).collect_view()}
                </ul>
            </td>
            <td role="cell">
                {if is_going {
                    view! { <span class="pill wait">{text::volume_deleting}</span> }.into_any()
                } else {
                    view! {
                        <div class="acts end">
                            <button
                                type="button"
                                class="button small danger square"
                                aria-label=move || text::act_on(text::delete(), &label)
                                title=text::delete
                                on:click=move |_| deleting.set(Some(volume.clone()))
                            >
                                <Glyph icon=Icon::Trash />
                            </button>
                        </div>
                    }
                    .into_any()
                }}
            </td>
        </tr>
    }
}
