//! Tasks and effects behind one type each: every other type of theirs would bring a copy of the machinery along, a kilobyte
//! or two for the browser to fetch.

use std::{future::Future, pin::Pin};

use leptos::prelude::Effect;

type Boxed = Pin<Box<dyn Future<Output = ()>>>;

/// Runs to its end, whatever is shown.
pub(crate) fn spawn(future: impl Future<Output = ()> + 'static) {
    let future: Boxed = Box::pin(future);
    leptos::task::spawn_local(future);
}

/// Dropped with the part of the page, or the run of the effect, that began it.
pub(crate) fn spawn_while_shown(future: impl Future<Output = ()> + 'static) {
    let future: Boxed = Box::pin(future);
    leptos::task::spawn_local_scoped_with_cancellation(future);
}

/// Run, and run again when a signal that it reads changes.
pub(crate) fn effect(run: impl FnMut() + 'static) {
    let mut run: Box<dyn FnMut()> = Box::new(run);
    Effect::new(move |_: Option<()>| run());
}
