//! Which upload a file began as, so that one that was chosen again after the page was closed goes on where it broke off.

use js_sys::Date;
use leptos::prelude::window;
use web_sys::{File, Storage};

use super::{
    super::Whose,
    read::{self, SLICE},
};

const PREFIX: &str = "berth.upload:";
/// As long as a blade keeps what has arrived, less a little.
const KEPT_MS: u64 = 6 * 86_400_000;
/// Smaller ones are sent anew in a moment.
const FROM_BYTES: u64 = SLICE;

pub(super) fn recall(whose: &Whose, path: &str, file: &File) -> Option<String> {
    let value = storage()?.get_item(&key(whose, path, file)).ok()??;
    let (at, id) = value.split_once(' ')?;
    is_kept(at).then(|| id.to_owned())
}

pub(super) fn remember(whose: &Whose, path: &str, file: &File, id: &str) {
    if read::size(file) < FROM_BYTES {
        return;
    }
    if let Some(storage) = storage() {
        clear_old(&storage);
        // A browser that keeps nothing sends it from the start.
        let _ = storage.set_item(&key(whose, path, file), &format!("{} {id}", now()));
    }
}

pub(super) fn forget(whose: &Whose, path: &str, file: &File) {
    if let Some(storage) = storage() {
        // Nor does it have anything to forget.
        let _ = storage.remove_item(&key(whose, path, file));
    }
}

/// The same file in the same place: by what a browser tells of it.
fn key(whose: &Whose, path: &str, file: &File) -> String {
    let Whose { name, owner } = whose;
    format!("{PREFIX}{owner}/{name}:{path}:{}:{}", read::size(file), read::changed(file))
}

fn clear_old(storage: &Storage) {
    let count = storage.length().unwrap_or_default();
    let keys: Vec<String> =
        (0..count).filter_map(|index| storage.key(index).ok().flatten()).collect();
    for key in keys.iter().filter(|key| key.starts_with(PREFIX)) {
        let value = storage.get_item(key).ok().flatten().unwrap_or_default();
        if !value.split_once(' ').is_some_and(|(at, _)| is_kept(at)) {
            let _ = storage.remove_item(key);
        }
    }
}

fn is_kept(at: &str) -> bool {
    at.parse::<u64>().is_ok_and(|at| now().saturating_sub(at) < KEPT_MS)
}

fn now() -> u64 {
    read::whole(Date::now())
}

fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}
