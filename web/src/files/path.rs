//! Paths as the container sees them: absolute, with one slash between names.

use crate::{routes, text};

use super::Whose;

pub(crate) const ROOT: &str = "/";

/// What a Linux kernel takes as a name.
const NAME_MAXIMUM: usize = 255;

pub(crate) fn join(folder: &str, name: &str) -> String {
    format!("{}/{name}", folder.trim_end_matches('/'))
}

/// `None` for the root.
pub(crate) fn parent(path: &str) -> Option<String> {
    let (folder, name) = path.trim_end_matches('/').rsplit_once('/')?;
    match (folder, name) {
        (_, "") => None,
        ("", _) => Some(ROOT.to_owned()),
        (folder, _) => Some(folder.to_owned()),
    }
}

/// Each folder on the way, by its name and its path; without the root.
pub(crate) fn crumbs(path: &str) -> Vec<(String, String)> {
    let mut so_far = String::new();
    path.split('/')
        .filter(|name| !name.is_empty())
        .map(|name| {
            so_far.push('/');
            so_far.push_str(name);
            (name.to_owned(), so_far.clone())
        })
        .collect()
}

pub(crate) fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

/// What is wrong with a name that somebody has typed.
pub(crate) fn name_problem(name: &str) -> Option<&'static str> {
    match name {
        "" => Some(text::needed()),
        "." | ".." => Some(text::file_name_dots()),
        name if name.contains('/') => Some(text::file_name_slash()),
        name if name.contains(|c: char| c.is_control()) => Some(text::file_name_control()),
        name if name.len() > NAME_MAXIMUM => Some(text::file_name_long()),
        _ => None,
    }
}

/// Where its bytes are.
pub(crate) fn url(whose: &Whose, path: &str) -> String {
    let encode = routes::encode_all;
    let mut url = format!("/files?name={}&path={}", encode(&whose.name), encode(path));
    if !whose.owner.is_empty() {
        url.push_str(&format!("&owner={}", encode(&whose.owner)));
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_and_down() {
        assert_eq!(join("/", "a"), "/a");
        assert_eq!(join("/a", "b c"), "/a/b c");
        assert_eq!(parent("/"), None);
        assert_eq!(parent("/a"), Some("/".to_owned()));
        assert_eq!(parent("/a/b"), Some("/a".to_owned()));
        let there: Vec<String> = crumbs("/a/b").into_iter().map(|(_, path)| path).collect();
        assert_eq!(there, ["/a", "/a/b"]);
        assert!(crumbs("/").is_empty());
    }

    #[test]
    fn names() {
        for bad in ["", ".", "..", "a/b", "a\nb", &"x".repeat(256)] {
            assert!(name_problem(bad).is_some(), "{bad:?}");
        }
        for good in ["a", "...", "日本 語", "-rf"] {
            assert!(name_problem(good).is_none(), "{good:?}");
        }
    }

    #[test]
    fn addresses() {
        let mut whose = Whose { name: "web".to_owned(), owner: String::new() };
        assert_eq!(url(&whose, "/a&b/#1 +"), "/files?name=web&path=%2Fa%26b%2F%231%20%2B");
        whose.owner = "alice".to_owned();
        assert_eq!(url(&whose, "/"), "/files?name=web&path=%2F&owner=alice");
    }
}
