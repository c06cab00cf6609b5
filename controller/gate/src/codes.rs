//! One-time codes: how a browser that is signed in at the console comes to be so at a container's host.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use berth_app::{
    error::Error,
    sign_in::{hash, new_token},
};
use berth_core::{app_host::AppLabel, clock::Timestamp, id::SessionId};

/// Two redirects of one browser.
const LIFETIME: Duration = Duration::from_secs(30);
/// A class of 450 that opens ten pages each at once, some hundred bytes each.
const MAXIMUM: usize = 5_000;
/// Nobody opens more pages in half a minute; who asks for more spends their own.
const PER_SESSION: usize = 32;

/// What a code stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) session: SessionId,
    pub(crate) label: AppLabel,
    /// Of the browser that was sent to the console.
    pub(crate) state_sha256: [u8; 32],
    /// Where it wanted to go.
    pub(crate) path: String,
}

#[derive(Debug, Default)]
pub(crate) struct Codes(Mutex<HashMap<[u8; 32], (Timestamp, Entry)>>);

impl Codes {
    /// `None` while too many are under way.
    pub(crate) fn make(&self, now: Timestamp, entry: Entry) -> Result<Option<String>, Error> {
        let code = new_token("")?;
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        codes.retain(|_, (ends, _)| *ends > now);
        let own = codes.values().filter(|(_, other)| other.session == entry.session).count();
        if codes.len() >= MAXIMUM || own >= PER_SESSION {
            return Ok(None);
        }
        codes.insert(hash(&code), (now + LIFETIME, entry));
        Ok(Some(code))
    }

    /// Right or wrong, it is spent.
    pub(crate) fn take(&self, now: Timestamp, code: &str) -> Option<Entry> {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (ends, entry) = codes.remove(&hash(code))?;
        (ends > now).then_some(entry)
    }
}

#[cfg(test)]
mod tests {
    use berth_core::{container::ContainerName, id::UserId};
    use uuid::Uuid;

    use super::*;

    fn entry(session: u128) -> Entry {
        let name = ContainerName::parse("a").unwrap();
        Entry {
            session: SessionId::new(Uuid::from_u128(session)),
            label: AppLabel::of(80, UserId::new(Uuid::nil()), &name),
            state_sha256: [3; 32],
            path: "/".to_owned(),
        }
    }

    #[test]
    fn once_and_soon() {
        let codes = Codes::default();
        let now = Timestamp(1_000);
        let code = codes.make(now, entry(1)).unwrap().unwrap();
        assert_eq!(codes.take(now, "guess"), None);
        assert_eq!(
            codes.take(now + LIFETIME.saturating_sub(Duration::from_millis(1)), &code),
            Some(entry(1))
        );
        assert_eq!(codes.take(now, &code), None);
        let late = codes.make(now, entry(1)).unwrap().unwrap();
        assert_eq!(codes.take(now + LIFETIME, &late), None);
    }

    #[test]
    fn one_who_asks_for_many_stops_nobody_else() {
        let codes = Codes::default();
        let now = Timestamp(0);
        for _ in 0..PER_SESSION {
            assert!(codes.make(now, entry(1)).unwrap().is_some());
        }
        assert_eq!(codes.make(now, entry(1)).unwrap(), None);
        assert!(codes.make(now, entry(2)).unwrap().is_some());
        assert!(codes.make(now + LIFETIME, entry(1)).unwrap().is_some());
    }
}
