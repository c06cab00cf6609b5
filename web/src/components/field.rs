use leptos::{ev, prelude::*};

use crate::i18n::Words;

/// A label, a control, a hint and what is wrong with it, tied together for a screen reader.
#[component]
pub(crate) fn TextField(
    id: &'static str,
    label: Words,
    value: RwSignal<String>,
    #[prop(optional)] hint: Option<Words>,
    #[prop(optional, into)] error: Option<Signal<Option<String>>>,
    /// Called when it is left, or when it is typed in.
    #[prop(optional, into)]
    on_touch: Option<Callback<()>>,
    #[prop(optional, into)] on_edit: Option<Callback<()>>,
    #[prop(default = "text")] kind: &'static str,
    #[prop(default = "off")] autocomplete: &'static str,
    #[prop(default = "text")] inputmode: &'static str,
    /// A `<datalist>` with what is usual here.
    #[prop(optional)]
    list: Option<&'static str>,
    #[prop(default = "")] placeholder: &'static str,
    #[prop(default = "")] class: &'static str,
    #[prop(default = Need::Free)] need: Need,
) -> impl IntoView {
    let error = move || error.and_then(|error| error.get());
    let describedby = move || {
        let mut ids = Vec::new();
        if error().is_some() {
            ids.push(format!("{id}-error"));
        }
        if hint.is_some() {
            ids.push(format!("{id}-hint"));
        }
        (!ids.is_empty()).then(|| ids.join(" "))
    };
    let typed = move |event: ev::Targeted<ev::Event, web_sys::HtmlInputElement>| {
        value.set(event.target().value());
        if let Some(on_edit) = on_edit {
            on_edit.run(());
        }
    };
    view! {
        <div class=format!("field {class}")>
            <label for=id>{label}</label>
            {hint.map(|hint| view! { <p class="hint" id=format!("{id}-hint")>{hint}</p> })}
            <input
                id=id
                type=kind
                inputmode=inputmode
                autocomplete=autocomplete
                autocapitalize="none"
                spellcheck="false"
                list=list
                placeholder=placeholder
                aria-required=(need == Need::Required).then_some("true")
                aria-invalid=move || error().map(|_| "true")
                aria-describedby=describedby
                prop:value=move || value.get()
                on:input:target=typed
                on:blur=move |_| {
                    if let Some(on_touch) = on_touch {
                        on_touch.run(());
                    }
                }
            />
            <FieldError id=id error=Signal::derive(error) />
        </div>
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Free,
    Required,
}

/// What is wrong, under the control that it is about.
#[component]
pub(crate) fn FieldError(id: &'static str, error: Signal<Option<String>>) -> impl IntoView {
    view! {
        <p class="field-error" id=format!("{id}-error") aria-live="polite">
            {move || error.get()}
        </p>
    }
}
