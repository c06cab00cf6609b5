//! Who is signed in, and what the site lets them ask for.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use berth_core::{create::Limits, resources::Resources};
use berth_proto::v1::{GetSelfResponse, Role, Site, User};
use leptos::prelude::*;

use crate::api::{self, Code, Error};

#[derive(Debug, Clone, Default)]
pub(crate) enum Session {
    /// Not asked yet.
    #[default]
    Unknown,
    Failed(Error),
    SignedOut,
    SignedIn(Arc<Person>),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Person {
    pub(crate) user: User,
    pub(crate) site: Site,
}

impl Person {
    pub(crate) fn is_administrator(&self) -> bool {
        self.user.role() == Role::Administrator
    }

    /// How the calls name an owner: empty for the caller.
    pub(crate) fn owner_key(&self, owner: &str) -> String {
        if owner == self.user.account { String::new() } else { owner.to_owned() }
    }

    pub(crate) fn limits(&self) -> Limits {
        let site = &self.site;
        let seconds = |duration: Option<&prost_types::Duration>| {
            Duration::from_secs(duration.map_or(0, |d| u64::try_from(d.seconds).unwrap_or(0)))
        };
        Limits {
            default_resources: Resources::new(site.default_cpu_millis, site.default_memory_bytes),
            maximum_resources: Resources::new(site.maximum_cpu_millis, site.maximum_memory_bytes),
            maximum_gpus: site.maximum_gpus,
            default_lease: seconds(site.default_lease.as_ref()),
            maximum_lease: seconds(site.maximum_lease.as_ref()),
            raw_ports: berth_proto::convert::auth::raw_ports_of(site.raw_ports()),
        }
    }
}

static SESSION: LazyLock<ArcRwSignal<Session>> = LazyLock::new(ArcRwSignal::default);

pub(crate) fn current() -> Session {
    SESSION.get()
}

/// The person, once known. Follows changes.
pub(crate) fn person() -> Option<Arc<Person>> {
    SESSION.with(person_of)
}

pub(crate) fn person_untracked() -> Option<Arc<Person>> {
    SESSION.with_untracked(person_of)
}

fn person_of(session: &Session) -> Option<Arc<Person>> {
    match session {
        Session::SignedIn(person) => Some(Arc::clone(person)),
        Session::Unknown | Session::Failed(_) | Session::SignedOut => None,
    }
}

/// Asks the controller who the browser's cookie belongs to.
pub(crate) async fn load() {
    let session = match api::get_self().await {
        Ok(GetSelfResponse { user: Some(user), site: Some(site) }) => {
            Session::SignedIn(Arc::new(Person { user, site }))
        }
        Ok(_) => Session::Failed(Error::Garbled),
        Err(error) if error.code() == Some(Code::Unauthenticated) => Session::SignedOut,
        Err(error) => Session::Failed(error),
    };
    SESSION.set(session);
}

/// Anew, where somebody is signed in; what cannot be had stays as it was.
pub(crate) async fn refresh() {
    if person_untracked().is_none() {
        return;
    }
    if let Ok(GetSelfResponse { user: Some(user), site: Some(site) }) = api::get_self().await
        && person_untracked().is_some()
    {
        SESSION.set(Session::SignedIn(Arc::new(Person { user, site })));
    }
}

/// A call was refused for want of a session.
pub(crate) fn ended() {
    if !matches!(SESSION.get_untracked(), Session::SignedOut) {
        SESSION.set(Session::SignedOut);
    }
}
