//! Language and theme: kept in the browser, applied to the page.

use std::sync::LazyLock;

use berth_core::text::Language;
use leptos::prelude::*;

use crate::i18n;

const LANGUAGE: &str = "berth.language";
/// `static/boot.js` reads it too, before the first paint.
const THEME: &str = "berth.theme";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    pub(crate) const ALL: [Theme; 3] = [Theme::System, Theme::Light, Theme::Dark];

    pub(crate) fn key(self) -> &'static str {
        match self {
            Theme::System => "system",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }
}

static CHOSEN: LazyLock<ArcRwSignal<Theme>> = LazyLock::new(ArcRwSignal::default);

pub(crate) fn theme() -> Theme {
    CHOSEN.get()
}

/// At the start: what was chosen here, else what the browser says.
pub(crate) fn apply() {
    let language = read(LANGUAGE)
        .or_else(|| {
            let languages = web_sys::window()?.navigator().languages();
            Some(languages.iter().filter_map(|l| l.as_string()).collect::<Vec<_>>().join(","))
        })
        .map_or_else(Language::default, |tags| Language::choose(&tags));
    show_language(language);
    let stored = read(THEME);
    let theme = Theme::ALL.into_iter().find(|theme| Some(theme.key()) == stored.as_deref());
    show_theme(theme.unwrap_or_default());
}

pub(crate) fn choose_language(language: Language) {
    write(LANGUAGE, Some(language.tag()));
    show_language(language);
}

pub(crate) fn choose_theme(theme: Theme) {
    write(THEME, (theme != Theme::System).then_some(theme.key()));
    show_theme(theme);
}

fn show_language(language: Language) {
    i18n::set_language(language);
    if let Some(root) = root() {
        // Setting a well-formed attribute does not fail.
        let _ = root.set_attribute("lang", language.tag());
    }
}

fn show_theme(theme: Theme) {
    CHOSEN.set(theme);
    if let Some(root) = root() {
        let _ = match theme {
            Theme::System => root.remove_attribute("data-theme"),
            Theme::Light | Theme::Dark => root.set_attribute("data-theme", theme.key()),
        };
    }
}

fn root() -> Option<web_sys::Element> {
    web_sys::window()?.document()?.document_element()
}

fn storage() -> Option<web_sys::Storage> {
    web_sys::window()?.local_storage().ok().flatten()
}

fn read(key: &str) -> Option<String> {
    storage()?.get_item(key).ok().flatten()
}

/// A browser that keeps nothing (private mode) loses the choice with the page, and nothing else.
fn write(key: &str, value: Option<&str>) {
    if let Some(storage) = storage() {
        let _ = match value {
            Some(value) => storage.set_item(key, value),
            None => storage.remove_item(key),
        };
    }
}
