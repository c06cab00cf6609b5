//! A phase as shape, word and colour; never as colour alone.

use berth_proto::v1::Phase;
use leptos::prelude::*;

use crate::text;

pub(crate) fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Pending | Phase::Unspecified => text::phase_pending(),
        Phase::Pulling => text::phase_pulling(),
        Phase::Starting => text::phase_starting(),
        Phase::Running => text::phase_running(),
        Phase::Stopping => text::phase_stopping(),
        Phase::Stopped => text::phase_stopped(),
        Phase::Failed => text::phase_failed(),
        Phase::Deleting => text::phase_deleting(),
    }
}

/// In a box of 16 by 16, drawn in the colour of the text.
fn shape(phase: Phase) -> &'static str {
    match phase {
        Phase::Pending | Phase::Unspecified => {
            r#"<svg viewBox="0 0 16 16"><circle cx="8" cy="8" r="5.5" fill="none" stroke="currentColor" stroke-width="1.8"/><path d="M8 2.5a5.5 5.5 0 0 1 0 11z" fill="currentColor"/></svg>"#
        }
        Phase::Pulling => {
            r#"<svg viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round"><path d="M8 2v7"/><path d="m4.5 6 3.5 3.5 3.5-3.5"/><path d="M3 13.5h10"/></svg>"#
        }
        Phase::Starting => {
            r#"<svg viewBox="0 0 16 16"><path d="M4 2.5v11l9-5.5z" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linejoin="round"/></svg>"#
        }
        Phase::Running => {
            r#"<svg viewBox="0 0 16 16"><circle cx="8" cy="8" r="6" fill="currentColor"/></svg>"#
        }
        Phase::Stopping => {
            r#"<svg viewBox="0 0 16 16"><rect x="3" y="3" width="10" height="10" rx="1.5" fill="none" stroke="currentColor" stroke-width="1.8"/><path d="M3 8h10v4a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1z" fill="currentColor"/></svg>"#
        }
        Phase::Stopped => {
            r#"<svg viewBox="0 0 16 16"><circle cx="8" cy="8" r="5.5" fill="none" stroke="currentColor" stroke-width="1.8"/></svg>"#
        }
        Phase::Failed => {
            r#"<svg viewBox="0 0 16 16"><path d="m3.5 3.5 9 9m0-9-9 9" stroke="currentColor" stroke-width="2.4" stroke-linecap="round"/></svg>"#
        }
        Phase::Deleting => {
            r#"<svg viewBox="0 0 16 16"><circle cx="8" cy="8" r="5.5" fill="none" stroke="currentColor" stroke-width="1.8"/><path d="m4.2 11.8 7.6-7.6" stroke="currentColor" stroke-width="1.8"/></svg>"#
        }
    }
}

fn class(phase: Phase) -> &'static str {
    match phase {
        Phase::Running => "phase ok",
        Phase::Failed => "phase bad",
        Phase::Pending | Phase::Pulling | Phase::Starting => "phase wait",
        Phase::Unspecified | Phase::Stopping | Phase::Stopped | Phase::Deleting => "phase quiet",
    }
}

#[component]
pub(crate) fn PhaseBadge(#[prop(into)] phase: Signal<Phase>) -> impl IntoView {
    view! {
        <span class=move || class(phase.get())>
            <span class="shape" aria-hidden="true" inner_html=move || shape(phase.get())></span>
            <span class="phase-word">{move || phase_word(phase.get())}</span>
        </span>
    }
}
