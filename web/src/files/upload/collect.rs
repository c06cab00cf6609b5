//! What somebody has chosen or dropped: files, and folders with everything in them.

use std::collections::BTreeSet;

use js_sys::{Array, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    DataTransfer, File, FileList, FileSystemDirectoryEntry, FileSystemEntry, FileSystemFileEntry,
};

#[derive(Default)]
pub(crate) struct Found {
    /// By their paths from where they are dropped; each folder before what is in it.
    pub(crate) folders: Vec<String>,
    pub(crate) files: Vec<(String, File)>,
    /// What could not be read, by name.
    pub(crate) unreadable: Vec<String>,
}

impl Found {
    pub(crate) fn is_empty(&self) -> bool {
        self.folders.is_empty() && self.files.is_empty()
    }
}

/// From a file chooser; of a folder each file tells its path.
pub(crate) fn picked(list: &FileList) -> Found {
    let mut folders = BTreeSet::new();
    let mut files = Vec::new();
    for file in (0..list.length()).filter_map(|index| list.item(index)) {
        let path = Reflect::get(&file, &JsValue::from_str("webkitRelativePath"))
            .ok()
            .and_then(|path| path.as_string())
            .filter(|path| !path.is_empty())
            .unwrap_or_else(|| file.name());
        folders.extend(folders_of(&path));
        files.push((path, file));
    }
    Found { folders: folders.into_iter().collect(), files, unreadable: Vec::new() }
}

/// "a/b/c" is in "a" and in "a/b".
fn folders_of(path: &str) -> Vec<String> {
    path.match_indices('/').map(|(at, _)| path[..at].to_owned()).collect()
}

/// What is dropped can be asked for only now; what is in it comes later.
pub(crate) fn dropped(data: &DataTransfer) -> impl Future<Output = Found> + use<> {
    let items = data.items();
    let mut entries: Vec<FileSystemEntry> = Vec::new();
    let mut found = Found::default();
    for item in (0..items.length()).filter_map(|index| items.get(index)) {
        if let Some(entry) = item.webkit_get_as_entry().ok().flatten() {
            entries.push(entry);
        } else if let Some(file) = item.get_as_file().ok().flatten() {
            // Dragged from a page, and not from a disk.
            found.files.push((file.name(), file));
        }
    }
    async move {
        // Not by recursion: a folder may be deep.
        let mut waiting: Vec<FileSystemEntry> = entries.into_iter().rev().collect();
        while let Some(entry) = waiting.pop() {
            let path = entry.full_path().trim_start_matches('/').to_owned();
            if entry.is_directory() {
                found.folders.push(path.clone());
                match children(entry.unchecked_ref()).await {
                    Ok(children) => waiting.extend(children.into_iter().rev()),
                    Err(_) => found.unreadable.push(path),
                }
            } else {
                match file(entry.unchecked_ref()).await {
                    Ok(file) => found.files.push((path, file)),
                    Err(_) => found.unreadable.push(path),
                }
            }
        }
        found
    }
}

/// They come in batches, the last of which is empty.
async fn children(folder: &FileSystemDirectoryEntry) -> Result<Vec<FileSystemEntry>, JsValue> {
    let reader = folder.create_reader();
    let mut all = Vec::new();
    loop {
        let batch = Promise::new(&mut |resolve, reject| {
            // How it ends is told to the two.
            let _ = reader.read_entries_with_callback_and_callback(&resolve, &reject);
        });
        let batch: Array = JsFuture::from(batch).await?.unchecked_into();
        if batch.length() == 0 {
            return Ok(all);
        }
        all.extend(batch.iter().map(JsCast::unchecked_into::<FileSystemEntry>));
    }
}

async fn file(entry: &FileSystemFileEntry) -> Result<File, JsValue> {
    let file = Promise::new(&mut |resolve, reject| {
        entry.file_with_callback_and_callback(&resolve, &reject);
    });
    Ok(JsFuture::from(file).await?.unchecked_into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_on_the_way() {
        assert_eq!(folders_of("a/b/c"), ["a", "a/b"]);
        assert!(folders_of("c").is_empty());
    }
}
