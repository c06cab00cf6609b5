//! Whether the watches reach the controller.

use std::sync::LazyLock;

use leptos::prelude::*;

use crate::erased;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Connection {
    #[default]
    Good,
    Lost,
    /// Good again, for a moment: so that the person knows what the page shows is true again.
    Restored,
}

static CONNECTION: LazyLock<ArcRwSignal<Connection>> = LazyLock::new(ArcRwSignal::default);

pub(crate) fn current() -> Connection {
    CONNECTION.get()
}

pub(crate) fn lost() {
    set(Connection::Lost);
}

pub(crate) fn restored() {
    if CONNECTION.get_untracked() != Connection::Lost {
        return;
    }
    set(Connection::Restored);
    erased::spawn(async {
        crate::time::sleep(4000).await;
        if CONNECTION.get_untracked() == Connection::Restored {
            set(Connection::Good);
        }
    });
}

fn set(connection: Connection) {
    if CONNECTION.get_untracked() != connection {
        CONNECTION.set(connection);
    }
}
