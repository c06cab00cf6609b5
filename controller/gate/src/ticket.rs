//! What our cookies hold: a session's or a link's id, sealed for one host. Pure.
//!
//! Nothing is kept: whether the session or the link still is one stands in the state, where every request looks. So a
//! restart signs nobody out, and what ends, ends everywhere.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use berth_core::{
    app_host::AppLabel,
    id::{SessionId, ShareLinkId},
};
use uuid::Uuid;

use crate::cookies;

const ID: usize = 16;
const SEAL: usize = 32;

/// By what somebody is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ticket {
    Session(SessionId),
    Link(ShareLinkId),
}

impl Ticket {
    pub(crate) fn cookie(self) -> &'static str {
        match self {
            Ticket::Session(_) => cookies::SESSION,
            Ticket::Link(_) => cookies::LINK,
        }
    }

    pub(crate) fn seal(self, key: &[u8; 32], label: &AppLabel) -> String {
        let id = self.id();
        let mut bytes = id.as_bytes().to_vec();
        bytes.extend(mac(key, self.kind(), id, label).as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub(crate) fn open_session(key: &[u8; 32], text: &str, label: &AppLabel) -> Option<Self> {
        open(key, SESSION, text, label).map(|id| Ticket::Session(SessionId::new(id)))
    }

    pub(crate) fn open_link(key: &[u8; 32], text: &str, label: &AppLabel) -> Option<Self> {
        open(key, LINK, text, label).map(|id| Ticket::Link(ShareLinkId::new(id)))
    }

    fn id(self) -> Uuid {
        match self {
            Ticket::Session(id) => id.uuid(),
            Ticket::Link(id) => id.uuid(),
        }
    }

    fn kind(self) -> &'static [u8] {
        match self {
            Ticket::Session(_) => SESSION,
            Ticket::Link(_) => LINK,
        }
    }
}

const SESSION: &[u8] = b"session\0";
const LINK: &[u8] = b"link\0";

fn mac(key: &[u8; 32], kind: &[u8], id: Uuid, label: &AppLabel) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(kind);
    hasher.update(id.as_bytes());
    hasher.update(label.to_string().as_bytes());
    hasher.finalize()
}

fn open(key: &[u8; 32], kind: &[u8], text: &str, label: &AppLabel) -> Option<Uuid> {
    // No more is decoded than one has.
    let text = (text.len() <= 2 * (ID + SEAL)).then_some(text)?;
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (id, seal) = bytes.split_at_checked(ID)?;
    let id = Uuid::from_bytes(id.try_into().ok()?);
    let seal: [u8; SEAL] = seal.try_into().ok()?;
    // Compared in constant time.
    (mac(key, kind, id, label) == seal).then_some(id)
}

#[cfg(test)]
mod tests {
    use berth_core::{container::ContainerName, id::UserId};
    use proptest::prelude::*;

    use super::*;

    const KEY: [u8; 32] = [1; 32];

    fn label(port: u16, owner: u128, name: &str) -> AppLabel {
        AppLabel::of(
            port,
            UserId::new(Uuid::from_u128(owner)),
            &ContainerName::parse(name).unwrap(),
        )
    }

    #[test]
    fn opens_where_it_was_sealed_for() {
        let here = label(8888, 1, "jupyter");
        let ticket = Ticket::Session(SessionId::new(Uuid::from_u128(7)));
        let text = ticket.seal(&KEY, &here);
        assert_eq!(Ticket::open_session(&KEY, &text, &here), Some(ticket));
        // Another port, another owner, another name, another key, another kind.
        for there in [label(8889, 1, "jupyter"), label(8888, 2, "jupyter"), label(8888, 1, "web")] {
            assert_eq!(Ticket::open_session(&KEY, &text, &there), None);
        }
        assert_eq!(Ticket::open_session(&[2; 32], &text, &here), None);
        assert_eq!(Ticket::open_link(&KEY, &text, &here), None);
    }

    proptest! {
        #[test]
        fn nothing_changed_opens(at in 0..64_usize, with in "[A-Za-z0-9_-]", text in "\\PC{0,90}") {
            let here = label(80, 1, "a");
            let ticket = Ticket::Link(ShareLinkId::new(Uuid::from_u128(9)));
            let good = ticket.seal(&KEY, &here);
            prop_assert_eq!(good.len(), 64);
            let mut bad = good.clone();
            bad.replace_range(at..=at, &with);
            if bad != good {
                prop_assert_eq!(Ticket::open_link(&KEY, &bad, &here), None);
            }
            prop_assert_eq!(Ticket::open_link(&KEY, &text, &here), None);
        }
    }
}
