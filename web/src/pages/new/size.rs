use berth_core::text::{bytes, cores};
use leptos::prelude::*;

use super::{
    FormField,
    draft::{Draft, Size, preset_size, size},
    problems::Problems,
};
use crate::{components::FieldError, state::session, text};

const PRESETS: [u32; 3] = [1, 2, 4];

#[component]
pub(super) fn HowBig(draft: Draft, problems: Problems) -> impl IntoView {
    let site = Memo::new(|_| session::person().unwrap_or_default().site.clone());
    // Near the site's maximum two of them may be the same. A site that names its own sizes needs none of these.
    let times = Memo::new(move |_| {
        let site = site.get();
        if !site.presets.is_empty() {
            return Vec::new();
        }
        let mut presets: Vec<(u32, (u32, u64))> = Vec::new();
        for times in PRESETS {
            let amount = size(&site, times);
            if presets.iter().all(|(_, other)| *other != amount) {
                presets.push((times, amount));
            }
        }
        presets
    });
    let name = |times: u32| match times {
        1 => text::small(),
        2 => text::medium(),
        _ => text::large(),
    };
    let gpus = move || site.get().maximum_gpus;
    let gpu_error = problems.of("gpus", || "GPU");
    view! {
        <fieldset class="card">
            <legend>{text::how_big}</legend>
            <div class="tiles">
                {move || site.get().presets.into_iter().enumerate().map(|(number, preset)| {
                    let (cpu, memory) = site.with(|site| preset_size(site, &preset));
                    view! {
                        <Tile draft size=Size::Preset(number) title=Signal::stored(preset.title)>
                            {move || amounts(cpu, memory, preset.gpus)}
                        </Tile>
                    }
                }).collect_view()}
                {move || times.get().into_iter().map(|(times, (cpu, memory))| view! {
                    <Tile draft size=Size::Times(times) title=Signal::derive(move || name(times).to_owned())>
                        {move || amounts(cpu, memory, 0)}
                    </Tile>
                }).collect_view()}
                <Tile draft size=Size::Own title=Signal::derive(|| text::own_size().to_owned())>
                    {text::own_size_hint}
                </Tile>
            </div>
            <Show when=move || draft.size.get() == Size::Own>
                <div class="pair">
                    <FormField id="cpu_millis" label=text::cpu hint=text::cpu_hint value=draft.cores
                        problems inputmode="decimal" />
                    <FormField id="memory_bytes" label=text::memory_gib hint=text::memory_hint
                        value=draft.memory_gib problems inputmode="decimal" />
                </div>
            </Show>
            <Show when=move || gpus() != 0>
                <div class="field">
                    <label for="gpus">"GPU"</label>
                    <select
                        id="gpus"
                        aria-describedby="gpus-error"
                        prop:value=move || draft.gpus.get().to_string()
                        on:change:target=move |event| {
                            draft.gpus.set(event.target().value().parse().unwrap_or_default());
                            problems.edited("gpus");
                        }
                    >
                        {move || (0..=gpus()).map(|count| view! {
                            <option value=count.to_string() selected=move || draft.gpus.get() == count>
                                {move || if count == 0 { text::none().to_owned() } else { count.to_string() }}
                            </option>
                        }).collect_view()}
                    </select>
                    <FieldError id="gpus" error=gpu_error />
                </div>
            </Show>
        </fieldset>
    }
}

fn amounts(cpu: u32, memory: u64, gpus: u32) -> String {
    let mut words = vec![text::cores(cores(cpu)), bytes(memory)];
    if gpus > 0 {
        words.push(text::gpus(gpus));
    }
    words.join(" · ")
}

#[component]
fn Tile(draft: Draft, size: Size, title: Signal<String>, children: Children) -> impl IntoView {
    view! {
        <label class="tile">
            <input
                type="radio"
                name="size"
                prop:checked=move || draft.size.get() == size
                on:change=move |_| {
                    draft.choose(&session::person_untracked().unwrap_or_default().site, size);
                }
            />
            <span class="tile-name">{title}</span>
            <span class="muted figures">{children()}</span>
        </label>
    }
}
