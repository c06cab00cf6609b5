//! Two languages, one table (`text`). A sentence is a function, so that a missing one, a missing language and a wrong
//! parameter are compile errors; as a function it is also a reactive view, and follows the language by itself.

use std::sync::LazyLock;

use berth_core::text::Language;
use leptos::prelude::*;

static LANGUAGE: LazyLock<ArcRwSignal<Language>> = LazyLock::new(ArcRwSignal::default);

/// The language now; a view or effect that asks is run again when it changes.
pub(crate) fn language() -> Language {
    LANGUAGE.get()
}

pub(crate) fn language_untracked() -> Language {
    LANGUAGE.get_untracked()
}

pub(crate) fn set_language(language: Language) {
    LANGUAGE.set(language);
}

/// A sentence of the table. One type for all of them: each function's own would bring a copy of the view's machinery along,
/// a hundred kilobytes in all.
pub(crate) type Words = fn() -> &'static str;

/// A sentence on what is wrong: in English the problem is the rest of it and wants its subject; in Japanese it is one.
pub(crate) fn about(subject: &str, problem: &str) -> String {
    match language() {
        Language::English => format!("{subject} {problem}."),
        Language::Japanese => problem.to_owned(),
    }
}

/// `name: "English", "日本語";` or `name(parameter): "{parameter} ...", "...";`
macro_rules! texts {
    ($( $name:ident $(( $($parameter:ident),+ ))? : $english:literal, $japanese:literal; )*) => {
        $( $crate::i18n::texts!(@plain $name [$($($parameter),+)?] $english, $japanese); )*

        // Apart, because a parameter may have the name of a constant above, and would be taken for it.
        mod filled {
            $( $crate::i18n::texts!(@filled $name [$($($parameter),+)?] $english, $japanese); )*
        }
        pub(crate) use filled::*;

        #[cfg(test)]
        pub(crate) const ALL: &[(&str, &str, &str)] =
            &[$( (stringify!($name), $english, $japanese) ),*];
    };
    (@plain $name:ident [] $english:literal, $japanese:literal) => {
        #[allow(non_upper_case_globals, reason = "it is called like a function")]
        pub(crate) const $name: $crate::i18n::Words = || match $crate::i18n::language() {
            berth_core::text::Language::English => $english,
            berth_core::text::Language::Japanese => $japanese,
        };
    };
    (@plain $name:ident [$($parameter:ident),+] $english:literal, $japanese:literal) => {};
    (@filled $name:ident [] $english:literal, $japanese:literal) => {};
    (@filled $name:ident [$($parameter:ident),+] $english:literal, $japanese:literal) => {
        pub(crate) fn $name($($parameter: impl std::fmt::Display),+) -> String {
            match $crate::i18n::language() {
                berth_core::text::Language::English => format!($english),
                berth_core::text::Language::Japanese => format!($japanese),
            }
        }
    };
}
pub(crate) use texts;
