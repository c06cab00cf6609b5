//! The parts that pages are put together from.

mod acts;
mod copy;
mod dialog;
mod endpoints;
mod field;
mod guard;
mod icon;
mod lazy;
mod moment;
mod nav;
mod notice;
mod phase;
mod pull;
mod shortcuts;
mod tabs;

pub(crate) use acts::{Act, ActButton, Acting};
pub(crate) use copy::CopyButton;
pub(crate) use dialog::Dialog;
pub(crate) use endpoints::{EndpointLink, EndpointList};
pub(crate) use field::{FieldError, Need, TextField};
pub(crate) use guard::Guard;
pub(crate) use icon::{Glyph, Icon};
pub(crate) use lazy::{Lazy, LazyPiece};
pub(crate) use moment::Moment;
pub(crate) use nav::Nav;
pub(crate) use notice::{ConnectionNotice, Failure, Skeleton};
pub(crate) use phase::{PhaseBadge, phase_word};
pub(crate) use pull::PullBar;
pub(crate) use shortcuts::Shortcuts;
pub(crate) use tabs::{Tab, Tabs};

use leptos::prelude::*;

use crate::erased;

/// "Page - Berth" in the browser's tab, in the language of the moment.
pub(crate) fn title(of: impl Fn() -> String + 'static) {
    erased::effect(move || document().set_title(&format!("{} - Berth", of())));
}
