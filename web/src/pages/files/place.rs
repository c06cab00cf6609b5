//! What the parts of the page share.

use std::{cmp::Ordering, collections::BTreeSet};

use berth_proto::v1::{File, FileKind};
use js_sys::{Array, Function, Intl, Object, Reflect};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use wasm_bindgen::{JsCast as _, JsValue};

use crate::{
    api::{Code, Error},
    erased,
    files::{self, Listing, Order, Whose, upload},
    i18n, routes,
    state::{announcer::announce, session},
    time,
};

/// So many rows are drawn before somebody asks for more: thousands at once would take seconds.
pub(super) const PAGE: usize = 300;
/// Files that arrive by the dozen are shown together.
const SETTLE_MS: u32 = 700;

#[derive(Clone, PartialEq)]
pub(super) enum State {
    Loading,
    Failed(Error),
    Here,
}

/// What is being named.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Name {
    NewFolder,
    Of(String),
}

#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) whose: Memo<Whose>,
    /// The folder in sight.
    pub(super) here: RwSignal<String>,
    pub(super) state: RwSignal<State>,
    pub(super) listing: RwSignal<Listing>,
    /// What of it is shown, in its order.
    pub(super) shown: Memo<Vec<File>>,
    pub(super) rows: RwSignal<usize>,
    pub(super) order: RwSignal<Order>,
    pub(super) hidden: RwSignal<bool>,
    pub(super) search: RwSignal<String>,
    pub(super) chosen: RwSignal<BTreeSet<String>>,
    pub(super) error: RwSignal<Option<Error>>,
    /// What could not be read on the person's own machine.
    pub(super) unread: RwSignal<Option<String>>,
    pub(super) naming: RwSignal<Option<Name>>,
    pub(super) removing: RwSignal<Vec<String>>,
    asked: StoredValue<u64>,
}

impl Place {
    pub(super) fn new() -> Self {
        let params = use_params_map();
        let query = use_query_map();
        let whose = Memo::new(move |_| Whose {
            name: params.with(|p| p.get("name").unwrap_or_default()),
            owner: query.with(|q| q.get("owner").unwrap_or_default()),
        });
        let path = Memo::new(move |_| query.with(|q| q.get("path")));
        let listing = RwSignal::new(Listing::default());
        let order = RwSignal::new(Order::USUAL);
        let hidden = RwSignal::new(false);
        let search = RwSignal::new(String::new());
        let shown = Memo::new(move |_| {
            let wanted = lower(search.get().trim());
            let mut files: Vec<File> = listing.with(|listing| {
                let hides = |file: &&File| hidden.get() || !files::is_hidden(&file.name);
                let found = |file: &&File| wanted.is_empty() || lower(&file.name).contains(&wanted);
                listing.files.iter().filter(hides).filter(found).cloned().collect()
            });
            let compare = collator();
            order.get().sort(&mut files, |a, b| compare_names(&compare, a, b));
            files
        });
        let place = Self {
            whose,
            here: RwSignal::new(files::ROOT.to_owned()),
            state: RwSignal::new(State::Loading),
            listing,
            shown,
            rows: RwSignal::new(PAGE),
            order,
            hidden,
            search,
            chosen: RwSignal::new(BTreeSet::new()),
            error: RwSignal::new(None),
            unread: RwSignal::new(None),
            naming: RwSignal::new(None),
            removing: RwSignal::new(Vec::new()),
            asked: StoredValue::new(0),
        };
        erased::effect(move || {
            let path = path.get();
            whose.track();
            place.enter(path);
        });
        place.follow_uploads();
        place
    }

    /// Without a path: the home, and where there is none the root.
    fn enter(self, path: Option<String>) {
        self.state.set(State::Loading);
        self.listing.set(Listing::default());
        self.chosen.set(BTreeSet::new());
        self.search.set(String::new());
        self.rows.set(PAGE);
        self.error.set(None);
        let is_guess = path.is_none();
        self.here.set(path.unwrap_or_else(|| home(&self.whose.get_untracked())));
        self.load(is_guess);
    }

    /// What is shown stays until the new is there.
    pub(super) fn reload(self) {
        self.load(false);
    }

    fn load(self, is_guess: bool) {
        let asked = self.asked.get_value() + 1;
        self.asked.set_value(asked);
        let (whose, here) = (self.whose.get_untracked(), self.here.get_untracked());
        erased::spawn(async move {
            let mut found = files::list(&whose, &here).await;
            let mut moved = None;
            if is_guess
                && found.as_ref().is_err_and(|error| {
                    matches!(error.code(), Some(Code::NotFound | Code::FailedPrecondition))
                })
            {
                found = files::list(&whose, files::ROOT).await;
                moved = Some(files::ROOT.to_owned());
            }
            // Somebody has gone on meanwhile.
            if self.asked.try_get_value() != Some(asked) {
                return;
            }
            if let Some(moved) = moved {
                self.here.set(moved);
            }
            match found {
                Ok(listing) => {
                    let there: BTreeSet<&str> =
                        listing.files.iter().map(|file| file.name.as_str()).collect();
                    self.chosen.update(|chosen| chosen.retain(|name| there.contains(&**name)));
                    self.listing.set(listing);
                    self.state.set(State::Here);
                }
                Err(error) => self.state.set(State::Failed(error)),
            }
        });
    }

    fn follow_uploads(self) {
        let landed = upload::uploads().landed;
        let waits = StoredValue::new(false);
        erased::effect(move || {
            let Some((whose, folder)) = landed.get() else { return };
            // A folder that came along is new here too.
            let here = self.here.get_untracked();
            let concerns = whose == self.whose.get_untracked() && folder.starts_with(&here);
            if !concerns || waits.get_value() {
                return;
            }
            waits.set_value(true);
            erased::spawn(async move {
                time::sleep(SETTLE_MS).await;
                if waits.try_set_value(false).is_none() {
                    self.reload();
                }
            });
        });
    }

    /// What was chosen or dropped is on its way into this folder.
    pub(super) fn send(self, found: impl Future<Output = upload::Found> + 'static) {
        let (whose, here) = (self.whose.get_untracked(), self.here.get_untracked());
        self.error.set(None);
        self.unread.set(None);
        // Also when the page is left meanwhile.
        erased::spawn(async move {
            let mut found = found.await;
            if !found.unreadable.is_empty() {
                let names = std::mem::take(&mut found.unreadable).join(", ");
                self.unread.try_set(Some(names));
            }
            if found.is_empty() {
                return;
            }
            match upload::uploads().add(whose, here, found).await {
                Ok(()) => self.reload_if_shown(),
                Err(error) => {
                    let sentence = untrack(|| error.sentence());
                    if self.error.try_set(Some(error)).is_some() {
                        // The page has been left: it is said where its person is now.
                        announce(sentence);
                    }
                }
            }
        });
    }

    fn reload_if_shown(self) {
        if !self.state.is_disposed() {
            self.reload();
        }
    }

    pub(super) fn path_of(self, name: &str) -> String {
        files::join(&self.here.get(), name)
    }

    /// Where a folder is shown.
    pub(super) fn route(self, path: &str) -> String {
        self.whose.with(|whose| routes::files(&whose.name, &whose.owner, Some(path)))
    }

    pub(super) fn container(self) -> String {
        self.whose.with(|whose| routes::container(&whose.name, &whose.owner))
    }

    pub(super) fn is_folder(self, name: &str) -> bool {
        self.listing.with_untracked(|listing| {
            listing.files.iter().any(|file| file.name == name && file.kind() == FileKind::Directory)
        })
    }
}

fn home(whose: &Whose) -> String {
    if whose.is_home() {
        return files::ROOT.to_owned();
    }
    let account = if whose.owner.is_empty() {
        session::person_untracked().map_or_else(String::new, |person| person.user.account.clone())
    } else {
        whose.owner.clone()
    };
    files::join("/home", &account)
}

/// As people of the language order names, and "a2" before "a10".
fn collator() -> Function {
    let options = Object::new();
    // Setting a property of a plain object does not fail.
    let _ = Reflect::set(&options, &JsValue::from_str("numeric"), &JsValue::TRUE);
    let locales = Array::of1(&JsValue::from_str(i18n::language().tag()));
    Intl::Collator::new(&locales, &options).compare()
}

fn compare_names(compare: &Function, a: &str, b: &str) -> Ordering {
    let (a, b) = (JsValue::from_str(a), JsValue::from_str(b));
    let order = compare.call2(&JsValue::UNDEFINED, &a, &b).ok().and_then(|order| order.as_f64());
    order.unwrap_or_default().partial_cmp(&0.0).unwrap_or(Ordering::Equal)
}

/// The browser's: the tables of all letters are in it already.
fn lower(text: &str) -> String {
    js_sys::JsString::from(text).unchecked_into::<js_sys::JsString>().to_lower_case().into()
}
