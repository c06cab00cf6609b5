//! What is filled in before anybody types.

use berth_proto::v1::Container;
use leptos::prelude::*;

use super::draft::Draft;
use crate::{api, erased, state::session};

const SUGGESTED_MAXIMUM: usize = 20;

/// Empty until they are there, and when they cannot be had: suggestions are no reason for an error.
pub(super) fn own_containers() -> RwSignal<Vec<Container>> {
    let mine = RwSignal::new(Vec::new());
    erased::spawn_while_shown(async move {
        if let Ok(containers) = api::list_own_containers().await {
            mine.set(containers);
        }
    });
    mine
}

/// The site's starter image, then those used before.
pub(super) fn images(mine: RwSignal<Vec<Container>>) -> Memo<Vec<String>> {
    Memo::new(move |_| {
        let starter = session::person().map(|person| person.site.starter_image.clone());
        let mut images: Vec<String> =
            starter.into_iter().filter(|image| !image.is_empty()).collect();
        mine.with(|mine| {
            for container in mine {
                if !images.contains(&container.image) {
                    images.push(container.image.clone());
                }
            }
        });
        images.truncate(SUGGESTED_MAXIMUM);
        images
    })
}

/// Follows the image until a name is typed.
pub(super) fn name(draft: Draft, mine: RwSignal<Vec<Container>>) {
    erased::effect(move || {
        if draft.name_typed.get() {
            return;
        }
        let suggested = mine.with(|mine| {
            let taken: Vec<&str> = mine.iter().map(|container| container.name.as_str()).collect();
            draft.image.with(|image| from_image(image, &taken))
        });
        draft.name.set(suggested);
    });
}

/// "ghcr.io/owner/My_App:v1" to "my-app", or "my-app-2" when that is taken.
fn from_image(image: &str, taken: &[&str]) -> String {
    let last = image.trim().rsplit('/').next().unwrap_or_default();
    let base = last.split([':', '@']).next().unwrap_or_default();
    let name: String = base
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(24)
        .collect();
    let name = name.trim_matches('-').to_owned();
    if name.is_empty() || !taken.contains(&name.as_str()) {
        return name;
    }
    (2..)
        .map(|number| format!("{name}-{number}"))
        .find(|candidate| !taken.contains(&candidate.as_str()))
        .unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::from_image;

    #[test]
    fn names_come_from_images() {
        for (image, name) in [
            ("python:3.13", "python"),
            ("ghcr.io/owner/my_app@sha256:00", "my-app"),
            ("localhost:5000/a/jupyter", "jupyter"),
            ("", ""),
        ] {
            assert_eq!(from_image(image, &[]), name, "{image}");
        }
        assert_eq!(from_image("web:1", &["web", "web-2"]), "web-3");
    }
}
