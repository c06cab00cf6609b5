//! Things with a key, each in a signal of its own: a change redraws the figures that changed, and no row moves for it.

use std::{cmp::Ordering, sync::Arc};

use berth_proto::v1::{Container, Node};
use leptos::prelude::*;

pub(crate) trait Keyed: Clone + PartialEq + Send + Sync + 'static {
    fn key(&self) -> &str;
    /// The place in the list. Must not depend on anything that changes.
    fn place(&self, other: &Self) -> Ordering;
    /// A newer one than `other`, or as new.
    fn is_current(&self, other: &Self) -> bool;
}

impl Keyed for Container {
    fn key(&self) -> &str {
        &self.id
    }

    /// The newest first: what was just made is on top.
    fn place(&self, other: &Self) -> Ordering {
        let made = |c: &Self| c.create_time.map(|t| (t.seconds, t.nanos));
        made(other).cmp(&made(self)).then_with(|| other.id.cmp(&self.id))
    }

    fn is_current(&self, other: &Self) -> bool {
        self.generation >= other.generation
    }
}

impl Keyed for Node {
    fn key(&self) -> &str {
        &self.id
    }

    fn place(&self, other: &Self) -> Ordering {
        self.name.cmp(&other.name)
    }

    fn is_current(&self, _: &Self) -> bool {
        true
    }
}

#[derive(Clone)]
pub(crate) struct Entry<T: 'static> {
    pub(crate) key: Arc<str>,
    pub(crate) value: ArcRwSignal<T>,
}

pub(crate) struct Collection<T: 'static> {
    entries: RwSignal<Vec<Entry<T>>>,
}

impl<T> Clone for Collection<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Collection<T> {}

impl<T: Keyed> Collection<T> {
    pub(crate) fn new() -> Self {
        Self { entries: RwSignal::new(Vec::new()) }
    }

    /// Follows what is there, not what the things look like.
    pub(crate) fn entries(&self) -> Vec<Entry<T>> {
        self.entries.get()
    }

    /// Follows everything.
    pub(crate) fn map<U>(&self, mut of: impl FnMut(&T) -> U) -> Vec<U> {
        self.entries.get().iter().map(|entry| entry.value.with(&mut of)).collect()
    }

    pub(crate) fn first(&self) -> Option<Entry<T>> {
        self.entries.with(|entries| entries.first().cloned())
    }

    pub(crate) fn clear(&self) {
        self.entries.set(Vec::new());
    }

    pub(crate) fn replace(&self, all: Vec<T>) {
        self.remove_where(|key| !all.iter().any(|thing| thing.key() == key));
        for thing in all {
            match self.find(thing.key()) {
                // A snapshot is the truth, also where it looks older: the database may have been restored.
                Some(value) => set_if_different(&value, thing),
                None => self.insert(thing),
            }
        }
    }

    pub(crate) fn remove(&self, keys: &[String]) {
        self.remove_where(|key| keys.iter().any(|removed| removed == key));
    }

    pub(crate) fn put(&self, thing: T) {
        match self.find(thing.key()) {
            Some(value) if value.with_untracked(|old| thing.is_current(old)) => {
                set_if_different(&value, thing);
            }
            Some(_) => {}
            None => self.insert(thing),
        }
    }

    fn find(&self, key: &str) -> Option<ArcRwSignal<T>> {
        self.entries.with_untracked(|entries| {
            entries.iter().find(|entry| *entry.key == *key).map(|entry| entry.value.clone())
        })
    }

    fn insert(&self, thing: T) {
        self.entries.update(|entries| {
            let at = entries.partition_point(|entry| {
                entry.value.with_untracked(|other| other.place(&thing) == Ordering::Less)
            });
            let key = Arc::from(thing.key());
            entries.insert(at, Entry { key, value: ArcRwSignal::new(thing) });
        });
    }

    fn remove_where(&self, gone: impl Fn(&str) -> bool) {
        if self.entries.with_untracked(|entries| entries.iter().any(|entry| gone(&entry.key))) {
            self.entries.update(|entries| entries.retain(|entry| !gone(&entry.key)));
        }
    }
}

fn set_if_different<T: Keyed>(value: &ArcRwSignal<T>, thing: T) {
    if value.with_untracked(|old| *old != thing) {
        value.set(thing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(id: &str, made: i64, generation: u64) -> Container {
        Container {
            id: id.into(),
            create_time: Some(prost_types::Timestamp { seconds: made, nanos: 0 }),
            generation,
            ..Container::default()
        }
    }

    fn ids(collection: Collection<Container>) -> Vec<String> {
        collection.entries.with_untracked(|e| e.iter().map(|e| e.key.to_string()).collect())
    }

    #[test]
    fn rows_keep_their_place_and_old_news_is_dropped() {
        Owner::new().with(|| {
            let collection = Collection::new();
            collection.replace(vec![container("a", 1, 1), container("c", 3, 1)]);
            collection.put(container("b", 2, 5));
            assert_eq!(ids(collection), ["c", "b", "a"]);

            let b = collection.entries.with_untracked(|e| e[1].value.clone());
            collection.put(Container { node: "late".into(), ..container("b", 2, 4) });
            assert_eq!(b.get_untracked().node, "");
            collection.put(Container { node: "blade-1".into(), ..container("b", 2, 6) });
            assert_eq!(b.get_untracked().node, "blade-1");

            collection.remove(&["c".to_owned()]);
            assert_eq!(ids(collection), ["b", "a"]);
            collection.replace(vec![container("d", 0, 1), container("b", 2, 6)]);
            assert_eq!(ids(collection), ["b", "d"]);
        });
    }
}
