use std::collections::BTreeMap;

use berth_core::text::{bytes, cores};
use berth_proto::v1::{Container, HomeScope, RunAs};
use leptos::prelude::*;

use crate::{components::Moment, i18n::Words, text};

/// What it was made from, and where it is.
#[component]
pub(crate) fn Facts(container: ArcRwSignal<Container>) -> impl IntoView {
    let shared = StoredValue::new(container);
    let part = move |of: fn(&Container) -> String| {
        Memo::new(move |_| shared.with_value(|container| container.with(of)))
    };
    let started = Memo::new(move |_| shared.with_value(|c| c.with(|c| c.start_time)));
    let created = Memo::new(move |_| shared.with_value(|c| c.with(|c| c.create_time)));
    // Secrets come as a mask.
    let environment = Memo::new(move |_| {
        shared.with_value(|c| {
            c.with(|c| {
                let mut all = c.environment.clone();
                all.extend(c.secret_environment.clone());
                all
            })
        })
    });
    let gpus =
        Memo::new(move |_| shared.with_value(|c| c.with(|c| (c.gpus, c.gpu_ids.join(", ")))));
    let volumes = Memo::new(move |_| shared.with_value(|c| c.with(|c| c.volumes.clone())));
    let run_as = move || match shared.with_value(|c| c.with(Container::run_as)) {
        RunAs::Image => text::run_as_image().trim_end_matches('.'),
        RunAs::Account | RunAs::Unspecified => text::run_as_you().trim_end_matches('.'),
    };
    let home = move || {
        let (path, scope, placed) = shared
            .with_value(|c| c.with(|c| (c.home_path.clone(), c.home_scope(), !c.node.is_empty())));
        match (scope, placed) {
            (HomeScope::Unspecified, false) => text::home_later().to_owned(),
            (HomeScope::Unspecified, true) => text::home_none().to_owned(),
            (HomeScope::Shared, _) => text::home_at_shared(path),
            (HomeScope::Node, _) => text::home_at_node(path),
        }
    };
    let labels = part(|c| pairs(&c.node_labels));
    view! {
        <section class="card" aria-labelledby="definition">
            <h2 id="definition">{text::definition}</h2>
            <dl class="facts">
                <Fact term=text::blade value=part(|c| c.node.clone()) />
                <Fact term=text::owner value=part(|c| c.owner.clone()) />
                <Fact term=text::image value=part(|c| c.image.clone()) />
                <Fact term=text::digest value=part(|c| c.image_digest.clone()) />
                <div><dt>{text::cpu}</dt><dd class="figures">
                    {move || text::cores(part(|c| cores(c.cpu_millis)).get())}
                </dd></div>
                <div><dt>{text::memory}</dt><dd class="figures">{part(|c| bytes(c.memory_bytes))}</dd></div>
                <Show when=move || gpus.with(|(count, _)| *count > 0)>
                    <div><dt>"GPU"</dt><dd class="figures">
                        {move || gpus.with(|(count, _)| *count)}
                        " "
                        <code class="muted">{move || gpus.with(|(_, ids)| ids.clone())}</code>
                    </dd></div>
                </Show>
                <Fact term=text::command value=part(|c| c.command.join(" ")) />
                <div><dt>{text::terminal}</dt><dd>
                    {move || {
                        let (tty, stdin) =
                            shared.with_value(|c| c.with(|c| (c.tty, c.stdin)));
                        match (tty, stdin) {
                            (true, true) => text::tty_and_stdin(),
                            (true, false) => text::tty_alone(),
                            (false, true) => text::stdin_alone(),
                            (false, false) => text::none(),
                        }
                    }}
                </dd></div>
                <Fact term=text::node_labels value=labels />
                <div><dt>{text::run_as}</dt><dd>{run_as}</dd></div>
                <div><dt>{text::home}</dt><dd>{home}</dd></div>
                <Show when=move || !volumes.with(Vec::is_empty)>
                    <div><dt>{text::volumes}</dt><dd>
                        <ul>
                            {move || volumes.get().into_iter().map(|mount| view! {
                                <li>
                                    <code>{mount.name}</code> " - " <code>{mount.path}</code>
                                    {mount.read_only.then(|| view! {
                                        " " <span class="muted">{move || text::in_brackets(text::read_only())}</span>
                                    })}
                                </li>
                            }).collect_view()}
                        </ul>
                    </dd></div>
                </Show>
                <div><dt>{text::created}</dt><dd><Moment at=created /></dd></div>
                <Show when=move || started.get().is_some()>
                    <div><dt>{text::started}</dt><dd><Moment at=started /></dd></div>
                </Show>
            </dl>
            <Show when=move || !environment.with(BTreeMap::is_empty)>
                <details>
                    <summary>
                        {text::environment}
                        " "
                        <span class="muted figures">{move || environment.with(BTreeMap::len)}</span>
                    </summary>
                    <dl class="facts">
                        {move || environment.get().into_iter().map(|(key, value)| view! {
                            <div><dt><code>{key}</code></dt><dd><code>{value}</code></dd></div>
                        }).collect_view()}
                    </dl>
                </details>
            </Show>
        </section>
    }
}

fn pairs(map: &BTreeMap<String, String>) -> String {
    map.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
}

/// Nothing where there is nothing to say.
#[component]
fn Fact(term: Words, #[prop(into)] value: Signal<String>) -> impl IntoView {
    view! {
        <Show when=move || !value.with(String::is_empty)>
            <div><dt>{term}</dt><dd><code>{value}</code></dd></div>
        </Show>
    }
}
