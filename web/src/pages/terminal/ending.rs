use berth_proto::v1::{ExecEnd, Phase, TerminalEnded};
use leptos::prelude::*;

use super::Place;
use crate::{
    api::Code,
    components::{Glyph, Icon},
    routes,
    terminal::Ending,
    text,
};

/// How it ended, and the way on.
#[component]
pub(super) fn Ended(place: Place, ending: Ending) -> impl IntoView {
    let good = matches!(&ending, Ending::Ended(ended) if ended.end() == ExecEnd::Exited && ended.exit_code == 0);
    // With a shell missing a new one would end as this one has.
    let again = !matches!(&ending, Ending::Ended(ended) if ended.end() == ExecEnd::CommandNotFound);
    let runs = move || place.phase.get() == Phase::Running;
    view! {
        <div class=if good { "notice" } else { "notice wait" } role="status">
            <div>
                <p>{move || sentence(&ending)}</p>
                <p class="muted">{move || if runs() { String::new() } else { place.reason.get() }}</p>
            </div>
            {move || (again && runs()).then(|| view! {
                <button
                    type="button"
                    class="button primary"
                    aria-disabled=move || place.starting.get().then_some("true")
                    on:click=move |_| place.start.run(())
                >
                    <Glyph icon=Icon::Plus />
                    <span>{text::start_new_terminal}</span>
                </button>
            })}
            <ToContainer place />
        </div>
    }
}

#[component]
pub(super) fn NotRunning(place: Place) -> impl IntoView {
    view! {
        <div class="notice wait" role="status">
            <div>
                <p>{text::terminal_needs_running}</p>
                <p class="muted">{place.reason}</p>
            </div>
            <ToContainer place />
        </div>
    }
}

#[component]
fn ToContainer(place: Place) -> impl IntoView {
    view! {
        <a class="button" href=move || routes::container(&place.name.get(), &place.owner.get())>
            {text::to_container}
        </a>
    }
}

fn sentence(ending: &Ending) -> String {
    let ended = match ending {
        Ending::Ended(ended) => ended,
        Ending::Refused(error) if error.code() == Some(Code::NotFound) => {
            return said(error.sentence(), text::terminal_gone());
        }
        Ending::Refused(error) => return error.sentence(),
    };
    let TerminalEnded { message, exit_code, .. } = ended;
    match ended.end() {
        ExecEnd::Exited => text::terminal_exited(*exit_code),
        ExecEnd::ContainerStopped => said(message.clone(), text::terminal_container_stopped()),
        ExecEnd::CommandNotFound => said(message.clone(), text::terminal_no_shell()),
        ExecEnd::TimeLimit => said(message.clone(), text::terminal_time_limit()),
        ExecEnd::Lost | ExecEnd::Unspecified => said(message.clone(), text::terminal_end_unknown()),
    }
}

/// The controller's words, where it has any.
fn said(message: String, otherwise: &str) -> String {
    if message.is_empty() { otherwise.to_owned() } else { message }
}
