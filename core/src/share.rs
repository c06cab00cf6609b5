//! Links that let whoever has them reach one port of a container.

use std::time::Duration;

use crate::{
    clock::Timestamp,
    id::{ContainerId, ShareLinkId, UserId},
    violation::{Problem, Violation},
};

/// As good as any number; each is a door that somebody forgot.
pub const PER_CONTAINER: usize = 20;
pub const MINIMUM_LIFETIME: Duration = Duration::from_secs(60);

/// The token itself is nowhere kept: only its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareLink {
    pub id: ShareLinkId,
    /// This very container: another one of the same name has none of its links.
    pub container: ContainerId,
    pub port: u16,
    pub token_sha256: [u8; 32],
    pub created_by: UserId,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// How long links may live at a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    pub default: Duration,
    /// Zero: the site has no links.
    pub maximum: Duration,
}

impl Lifetimes {
    /// `None` asks for the site's default.
    pub fn check(self, seconds: Option<i64>) -> Result<Duration, Vec<Violation>> {
        let Some(seconds) = seconds else { return Ok(self.default.min(self.maximum)) };
        let problem = match u64::try_from(seconds).map(Duration::from_secs) {
            Ok(lifetime) if lifetime < MINIMUM_LIFETIME => {
                Problem::TooSmall { minimum: format!("{} s", MINIMUM_LIFETIME.as_secs()) }
            }
            Ok(lifetime) if lifetime > self.maximum => {
                Problem::TooLarge { maximum: format!("{} h", self.maximum.as_secs() / 3600) }
            }
            Ok(lifetime) => return Ok(lifetime),
            Err(_) => Problem::NotPositive,
        };
        Err(vec![Violation::new("lifetime", problem)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes() {
        let hour = Duration::from_secs(3600);
        let site = Lifetimes { default: 24 * hour, maximum: 48 * hour };
        assert_eq!(site.check(None).unwrap(), 24 * hour);
        assert_eq!(site.check(Some(7200)).unwrap(), 2 * hour);
        assert_eq!(Lifetimes { maximum: hour, ..site }.check(None).unwrap(), hour);
        for bad in [-1, 0, 59, 48 * 3600 + 1, i64::MAX, i64::MIN] {
            assert_eq!(site.check(Some(bad)).unwrap_err()[0].field, "lifetime", "{bad}");
        }
    }
}
