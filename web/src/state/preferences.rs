//! Language and theme: kept in the browser, applied to the page.

use std::{ops::RangeInclusive, sync::LazyLock};

use berth_core::text::Language;
use leptos::prelude::*;

use super::session;
use crate::{erased, i18n, terminal::ScreenReader};

const LANGUAGE: &str = "berth.language";
/// `static/boot.js` reads it too, before the first paint.
const THEME: &str = "berth.theme";
const TERMINAL_FONT: &str = "berth.terminal.font";
const TERMINAL_READER: &str = "berth.terminal.reader";

/// In pixels.
pub(crate) const TERMINAL_FONTS: RangeInclusive<u32> = 10..=28;
const TERMINAL_FONT_USUAL: u32 = 14;

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
    // Some of what is known of the site is in a language.
    erased::spawn(session::refresh());
}

pub(crate) fn choose_theme(theme: Theme) {
    write(THEME, (theme != Theme::System).then_some(theme.key()));
    show_theme(theme);
}

pub(crate) fn terminal_font() -> u32 {
    read(TERMINAL_FONT)
        .and_then(|size| size.parse().ok())
        .filter(|size| TERMINAL_FONTS.contains(size))
        .unwrap_or(TERMINAL_FONT_USUAL)
}

pub(crate) fn choose_terminal_font(size: u32) {
    write(TERMINAL_FONT, (size != TERMINAL_FONT_USUAL).then(|| size.to_string()).as_deref());
}

pub(crate) fn terminal_reader() -> ScreenReader {
    if read(TERMINAL_READER).is_some() { ScreenReader::On } else { ScreenReader::Off }
}

pub(crate) fn choose_terminal_reader(mode: ScreenReader) {
    write(TERMINAL_READER, (mode == ScreenReader::On).then_some("yes"));
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
