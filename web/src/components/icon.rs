//! The few icons that are used, inlined. From Lucide (lucide.dev), ISC licence.

use leptos::prelude::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Icon {
    AArrowDown,
    AArrowUp,
    ArrowDown,
    Box,
    Chart,
    Check,
    ChevronDown,
    ChevronUp,
    Copy,
    Download,
    External,
    File,
    Folder,
    FolderPlus,
    Home,
    Hourglass,
    Link,
    Lines,
    Pause,
    Pencil,
    Play,
    Plus,
    Restart,
    Search,
    Server,
    SignOut,
    Square,
    Terminal,
    Trash,
    Up,
    Upload,
    User,
    Warning,
    X,
}

macro_rules! svg {
    ($inner:literal) => {
        concat!(
            r#"<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" "#,
            r#"stroke-linecap="round" stroke-linejoin="round">"#,
            $inner,
            "</svg>"
        )
    };
}

impl Icon {
    fn svg(self) -> &'static str {
        match self {
            Icon::AArrowDown => svg!(
                r#"<path d="m14 12 4 4 4-4"/><path d="M18 16V7"/><path d="m2 16 4.039-9.69a.5.5 0 0 1 .923 0L11 16"/><path d="M3.304 13h6.392"/>"#
            ),
            Icon::AArrowUp => svg!(
                r#"<path d="m14 11 4-4 4 4"/><path d="M18 16V7"/><path d="m2 16 4.039-9.69a.5.5 0 0 1 .923 0L11 16"/><path d="M3.304 13h6.392"/>"#
            ),
            Icon::ArrowDown => svg!(r#"<path d="M12 5v14"/><path d="m19 12-7 7-7-7"/>"#),
            Icon::Box => svg!(
                r#"<path d="M21 8a2 2 0 0 0-1-1.73l-7-4a2 2 0 0 0-2 0l-7 4A2 2 0 0 0 3 8v8a2 2 0 0 0 1 1.73l7 4a2 2 0 0 0 2 0l7-4A2 2 0 0 0 21 16Z"/><path d="m3.3 7 8.7 5 8.7-5"/><path d="M12 22V12"/>"#
            ),
            Icon::Chart => {
                svg!(r#"<path d="M3 3v16a2 2 0 0 0 2 2h16"/><path d="m19 9-5 5-4-4-3 3"/>"#)
            }
            Icon::ChevronDown => svg!(r#"<path d="m6 9 6 6 6-6"/>"#),
            Icon::ChevronUp => svg!(r#"<path d="m18 15-6-6-6 6"/>"#),
            Icon::Check => svg!(r#"<path d="M20 6 9 17l-5-5"/>"#),
            Icon::Copy => svg!(
                r#"<rect width="14" height="14" x="8" y="8" rx="2"/><path d="M4 16c-1.1 0-2-.9-2-2V4c0-1.1.9-2 2-2h10c1.1 0 2 .9 2 2"/>"#
            ),
            Icon::Download => svg!(
                r#"<path d="M12 15V3"/><path d="M21 15v4a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2v-4"/><path d="m7 10 5 5 5-5"/>"#
            ),
            Icon::File => svg!(
                r#"<path d="M15 2H6a2 2 0 0 0-2 2v16a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2V7Z"/><path d="M14 2v4a2 2 0 0 0 2 2h4"/>"#
            ),
            Icon::Folder => svg!(
                r#"<path d="M20 20a2 2 0 0 0 2-2V8a2 2 0 0 0-2-2h-7.9a2 2 0 0 1-1.69-.9L9.6 3.9A2 2 0 0 0 7.93 3H4a2 2 0 0 0-2 2v13a2 2 0 0 0 2 2Z"/>"#
            ),
            Icon::FolderPlus => svg!(
                r#"<path d="M12 10v6"/><path d="M9 13h6"/><path d="M20 20a2 2 0 0 0 2-2V8a2 2 0 0 0-2-2h-7.9a2 2 0 0 1-1.69-.9L9.6 3.9A2 2 0 0 0 7.93 3H4a2 2 0 0 0-2 2v13a2 2 0 0 0 2 2Z"/>"#
            ),
            Icon::External => svg!(
                r#"<path d="M15 3h6v6"/><path d="M10 14 21 3"/><path d="M18 13v6a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2h6"/>"#
            ),
            Icon::Home => svg!(
                r#"<path d="M15 21v-8a1 1 0 0 0-1-1h-4a1 1 0 0 0-1 1v8"/><path d="M3 10a2 2 0 0 1 .709-1.528l7-6a2 2 0 0 1 2.582 0l7 6A2 2 0 0 1 21 10v9a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2z"/>"#
            ),
            Icon::Hourglass => svg!(
                r#"<path d="M5 22h14"/><path d="M5 2h14"/><path d="M17 22v-4.172a2 2 0 0 0-.586-1.414L12 12l-4.414 4.414A2 2 0 0 0 7 17.828V22"/><path d="M7 2v4.172a2 2 0 0 0 .586 1.414L12 12l4.414-4.414A2 2 0 0 0 17 6.172V2"/>"#
            ),
            Icon::Link => svg!(
                r#"<path d="M9 17H7A5 5 0 0 1 7 7h2"/><path d="M15 7h2a5 5 0 1 1 0 10h-2"/><path d="M8 12h8"/>"#
            ),
            Icon::Lines => svg!(r#"<path d="M15 12H3"/><path d="M17 18H3"/><path d="M21 6H3"/>"#),
            Icon::Pause => svg!(
                r#"<rect x="14" y="3" width="5" height="18" rx="1"/><rect x="5" y="3" width="5" height="18" rx="1"/>"#
            ),
            Icon::Pencil => svg!(
                r#"<path d="M21.17 6.81a1 1 0 0 0-3.98-3.98L3.84 16.17a2 2 0 0 0-.5.83l-1.32 4.35a.5.5 0 0 0 .62.62l4.35-1.32a2 2 0 0 0 .83-.5z"/><path d="m15 5 4 4"/>"#
            ),
            Icon::Play => svg!(
                r#"<path d="M5 5a2 2 0 0 1 3.008-1.728l11.997 6.998a2 2 0 0 1 .003 3.458l-12 7A2 2 0 0 1 5 19z"/>"#
            ),
            Icon::Plus => svg!(r#"<path d="M5 12h14"/><path d="M12 5v14"/>"#),
            Icon::Restart => svg!(
                r#"<path d="M21 12a9 9 0 1 1-9-9c2.52 0 4.93 1 6.74 2.74L21 8"/><path d="M21 3v5h-5"/>"#
            ),
            Icon::Search => svg!(r#"<path d="m21 21-4.34-4.34"/><circle cx="11" cy="11" r="8"/>"#),
            Icon::Server => svg!(
                r#"<rect width="20" height="8" x="2" y="2" rx="2"/><rect width="20" height="8" x="2" y="14" rx="2"/><path d="M6 6h.01"/><path d="M6 18h.01"/>"#
            ),
            Icon::SignOut => svg!(
                r#"<path d="m16 17 5-5-5-5"/><path d="M21 12H9"/><path d="M9 21H5a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2h4"/>"#
            ),
            Icon::Square => svg!(r#"<rect width="18" height="18" x="3" y="3" rx="2"/>"#),
            Icon::Terminal => svg!(r#"<path d="m4 17 6-6-6-6"/><path d="M12 19h8"/>"#),
            Icon::Trash => svg!(
                r#"<path d="M10 11v6"/><path d="M14 11v6"/><path d="M19 6v14a2 2 0 0 1-2 2H7a2 2 0 0 1-2-2V6"/><path d="M3 6h18"/><path d="M8 6V4a2 2 0 0 1 2-2h4a2 2 0 0 1 2 2v2"/>"#
            ),
            Icon::Up => svg!(r#"<path d="m5 12 7-7 7 7"/><path d="M12 19V5"/>"#),
            Icon::Upload => svg!(
                r#"<path d="M12 3v12"/><path d="m17 8-5-5-5 5"/><path d="M21 15v4a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2v-4"/>"#
            ),
            Icon::User => {
                svg!(r#"<circle cx="12" cy="8" r="5"/><path d="M20 21a8 8 0 0 0-16 0"/>"#)
            }
            Icon::Warning => svg!(
                r#"<path d="m21.73 18-8-14a2 2 0 0 0-3.48 0l-8 14A2 2 0 0 0 4 21h16a2 2 0 0 0 1.73-3"/><path d="M12 9v4"/><path d="M12 17h.01"/>"#
            ),
            Icon::X => svg!(r#"<path d="M18 6 6 18"/><path d="m6 6 12 12"/>"#),
        }
    }
}

/// Always beside a word; says nothing to a screen reader.
#[component]
pub(crate) fn Glyph(icon: Icon) -> impl IntoView {
    view! { <span class="icon" aria-hidden="true" inner_html=icon.svg()></span> }
}
