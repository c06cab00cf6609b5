//! The numbers of accounts that no directory gives any.
//!
//! They are worked out from the account's name, so that a lost or restored database, or a second installation on the same
//! storage, comes to the same ones: files on disk carry them for years.

use berth_core::{account::AccountName, storage::Posix};

use crate::state::State;

/// 1879048192 to 2147352575 is the one large range that systemd's table of uids calls unused: neither people's accounts nor
/// any tool's containers are there.
const FIRST: u32 = 0x7000_0000;
/// 2^27, so that two of a thousand accounts meet once in 270 sites; they are told apart then.
const COUNT: u32 = 0x0800_0000;

/// A number for a new account, that nobody of `state` has.
pub(crate) fn choose(account: &AccountName, state: &State) -> Posix {
    let taken = |uid| state.users.values().any(|user| user.posix.uid == uid);
    free(account, taken)
}

fn free(account: &AccountName, is_taken: impl Fn(u32) -> bool) -> Posix {
    let mut posix = first_choice(account);
    while is_taken(posix.uid) {
        posix = numbered((posix.uid - FIRST + 1) % COUNT);
    }
    posix
}

/// What [`choose`] answers when it is free.
pub fn first_choice(account: &AccountName) -> Posix {
    // FNV-1a: stable over versions and machines.
    let hash = account.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // Its low bits alone are weak for short names.
    let folded = (hash ^ (hash >> 32)) % u64::from(COUNT);
    numbered(u32::try_from(folded).unwrap_or(0))
}

fn numbered(offset: u32) -> Posix {
    Posix::own_group(FIRST + offset).expect("the whole range is people's")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn name(text: &str) -> AccountName {
        AccountName::parse(text).unwrap()
    }

    #[test]
    fn the_same_for_ever() {
        // Files on disk carry these: they may never come out differently.
        assert_eq!(first_choice(&name("alice")).uid, 1_965_757_372);
        assert_eq!(first_choice(&name("s2024001")).uid, 1_924_128_964);
    }

    #[test]
    fn a_taken_one_is_not_given_again() {
        let wanted = first_choice(&name("alice"));
        let taken = [wanted.uid, wanted.uid + 1];
        assert_eq!(free(&name("alice"), |uid| taken.contains(&uid)).uid, wanted.uid + 2);
        // Over the end it begins anew.
        assert_eq!(free(&name("alice"), |uid| uid >= wanted.uid).uid, FIRST);
    }

    #[test]
    fn spread_out() {
        let numbers: BTreeSet<u32> =
            (0..3000).map(|n| first_choice(&name(&format!("s{n:07}"))).uid).collect();
        assert!(numbers.len() >= 2999, "{}", numbers.len());
    }
}
