use berth_core::{definition::MASK, environment};
use berth_proto::v1::RawPorts;
use leptos::{ev, prelude::*};

use super::{
    FormField, Mode,
    draft::{Draft, Variable},
    problems::Problems,
};
use crate::{
    components::{FieldError, Glyph, Icon},
    erased,
    i18n::Words,
    state::session,
    text,
};

const FIELDS: &[&str] = &["guest_ports", "command", "environment", "node_labels"];

/// What most people never need. Opens by itself when something in it is wrong.
#[component]
pub(super) fn More(draft: Draft, problems: Problems, mode: Mode) -> impl IntoView {
    let open = RwSignal::new(false);
    erased::effect(move || {
        if problems.any_of(FIELDS) {
            open.set(true);
        }
    });
    view! {
        <fieldset class="card">
            <legend>{text::ports_legend}</legend>
            <FormField id="guest_ports" label=text::guest_ports hint=text::guest_ports_hint
                value=draft.ports problems placeholder="8888" />
            <Published draft />
        </fieldset>
        <details class="card more" prop:open=move || open.get()>
            <summary>{text::more}</summary>
            <Environment draft problems />
            <FormField id="command" label=text::command hint=text::command_hint value=draft.command
                problems class="code" />
            <div class="checks" role="group" aria-label=text::terminal>
                <Check words=text::tty hint=text::tty_hint value=draft.tty />
                <Check words=text::stdin hint=text::stdin_hint value=draft.stdin />
            </div>
            <FormField id="node_labels" label=text::node_labels hint=text::node_labels_hint
                value=draft.labels problems class="code" />
            {(mode == Mode::New).then(|| view! {
                <Check words=text::define_only hint=text::define_only_hint value=draft.stopped />
            })}
        </details>
    }
}

/// Where the site leaves it to the request, which ports are to be reached at the blade's address too.
#[component]
fn Published(draft: Draft) -> impl IntoView {
    let asks = Memo::new(|_| {
        session::person().is_some_and(|person| person.site.raw_ports() == RawPorts::OptIn)
    });
    let ports = Memo::new(move |_| draft.guest_ports());
    view! {
        <Show when=move || asks.get() && !ports.with(Vec::is_empty)>
            <fieldset class="plain" aria-describedby="published-hint">
                <legend>{text::published_ports}</legend>
                <p class="hint" id="published-hint">{text::published_ports_hint}</p>
                <For each=move || ports.get() key=|port| *port let:port>
                    <label class="check">
                        <input
                            type="checkbox"
                            prop:checked=move || draft.published.with(|all| all.contains(&port))
                            on:change:target=move |event| {
                                let wanted = event.target().checked();
                                draft.published.update(|all| {
                                    if wanted { all.insert(port) } else { all.remove(&port) };
                                });
                            }
                        />
                        <span class="figures">{port}</span>
                    </label>
                </For>
            </fieldset>
        </Show>
    }
}

#[component]
fn Check(words: Words, hint: Words, value: RwSignal<bool>) -> impl IntoView {
    view! {
        <label class="check">
            <input
                type="checkbox"
                prop:checked=move || value.get()
                on:change:target=move |event| value.set(event.target().checked())
            />
            <span>{words} <span class="hint">{hint}</span></span>
        </label>
    }
}

#[component]
fn Environment(draft: Draft, problems: Problems) -> impl IntoView {
    let error = problems.of("environment", text::environment);
    view! {
        <fieldset class="plain" aria-describedby="environment-hint environment-error">
            <legend>{text::environment}</legend>
            <p class="hint" id="environment-hint">{text::environment_hint}</p>
            <For each=move || draft.environment.get() key=|variable| variable.number let:variable>
                <VariableRow draft problems variable />
            </For>
            <FieldError id="environment" error />
            <button type="button" class="button" on:click=move |_| {
                draft.add_variable("", "");
            }>
                <Glyph icon=Icon::Plus />
                <span>{text::add_variable}</span>
            </button>
        </fieldset>
    }
}

#[component]
fn VariableRow(draft: Draft, problems: Problems, variable: Variable) -> impl IntoView {
    let number = variable.number + 1;
    let typed = move |value: RwSignal<String>, text: String| {
        value.set(text);
        problems.edited("environment");
    };
    let remove = move |_| {
        draft.environment.update(|all| all.retain(|other| other.number != variable.number));
    };
    let keeps = move || {
        variable.secret.get()
            && variable.value.with(|value| value == MASK)
            && draft.secrets_from.with(|from| !from.is_empty())
    };
    // `KEY=value` lines fill as many rows.
    let paste = move |event: ev::ClipboardEvent| {
        let pasted = event.clipboard_data().and_then(|data| data.get_data("text/plain").ok());
        let Some(parsed) = pasted
            .filter(|text| text.contains('='))
            .and_then(|text| environment::parse_text(&text, "environment").ok())
        else {
            return;
        };
        event.prevent_default();
        let mut parsed = parsed.into_iter();
        if let Some((key, value)) = parsed.next() {
            variable.key.set(key);
            variable.value.set(value);
        }
        for (key, value) in parsed {
            draft.add_variable(&key, &value);
        }
    };
    view! {
        <div class="variable" role="group" aria-label=move || text::variable_number(number)>
            <input
                type="text"
                class="code"
                aria-label=text::variable_name
                placeholder="KEY"
                autocomplete="off"
                autocapitalize="none"
                spellcheck="false"
                prop:value=move || variable.key.get()
                on:input:target=move |event| typed(variable.key, event.target().value())
                on:blur=move |_| problems.show("environment")
                on:paste=paste
            />
            <input
                type=move || if variable.secret.get() { "password" } else { "text" }
                class="code"
                aria-label=text::variable_value
                placeholder=move || if keeps() { text::secret_kept() } else { "value" }
                autocomplete="off"
                autocapitalize="none"
                spellcheck="false"
                prop:value=move || if keeps() { String::new() } else { variable.value.get() }
                on:input:target=move |event| typed(variable.value, event.target().value())
            />
            <label class="check">
                <input
                    type="checkbox"
                    prop:checked=move || variable.secret.get()
                    on:change:target=move |event| {
                        // A value that is kept cannot be shown.
                        if keeps() {
                            variable.value.set(String::new());
                        }
                        variable.secret.set(event.target().checked());
                    }
                />
                <span>{text::secret}</span>
            </label>
            <button
                type="button"
                class="button ghost square"
                aria-label=text::remove_variable
                on:click=remove
            >
                <Glyph icon=Icon::X />
            </button>
        </div>
    }
}
