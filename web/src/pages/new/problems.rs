//! What is wrong with the form, field by field: found here by the controller's own check, or said by the controller.

use std::collections::BTreeSet;

use berth_core::{
    create::{self, NewContainer},
    text::{Language, problem},
    violation::Violation,
};
use berth_proto::v1::CreateContainerRequest;
use leptos::prelude::*;

use super::draft::{Draft, wire};
use crate::{
    api::FieldViolation,
    i18n::{self, Words},
    state::session,
};

#[derive(Clone, Copy)]
pub(super) struct Problems {
    draft: Draft,
    checked: Memo<Result<NewContainer, Vec<Violation>>>,
    /// Fields that were left once: their problems are shown.
    shown: RwSignal<BTreeSet<&'static str>>,
    all_shown: RwSignal<bool>,
    refused: RwSignal<Vec<FieldViolation>>,
}

impl Problems {
    pub(super) fn new(draft: Draft) -> Self {
        let checked = Memo::new(move |_| {
            let person = session::person().unwrap_or_default();
            let (request, mut bad) = draft.request(&person.site);
            match create::check(&request, &person.limits()) {
                Ok(new) if bad.is_empty() => Ok(new),
                Ok(_) => Err(bad),
                Err(more) => {
                    // One problem a field: "0 is too small" says nothing beside "wants numbers".
                    let known: BTreeSet<String> = bad.iter().map(|v| v.field.clone()).collect();
                    bad.extend(more.into_iter().filter(|v| !known.contains(&v.field)));
                    Err(bad)
                }
            }
        });
        Self {
            draft,
            checked,
            shown: RwSignal::default(),
            all_shown: RwSignal::default(),
            refused: RwSignal::default(),
        }
    }

    /// What would be sent; `None` while something is wrong.
    pub(super) fn request_untracked(&self) -> Option<CreateContainerRequest> {
        let mut request = self.checked.get_untracked().ok().map(wire)?;
        self.draft.complete(&mut request);
        Some(request)
    }

    /// For asking the scheduler while the form is not complete: a name changes nothing about where there is room.
    pub(super) fn what_if(&self) -> Option<CreateContainerRequest> {
        let new = match self.checked.get() {
            Ok(new) => new,
            Err(bad) if bad.iter().all(|violation| violation.field == "name") => {
                let person = session::person()?;
                let (mut request, _) = self.draft.request(&person.site);
                "new".clone_into(&mut request.name);
                create::check(&request, &person.limits()).ok()?
            }
            Err(_) => return None,
        };
        let mut request = wire(new);
        // Nor do secrets, and they are sent once.
        request.secret_environment.clear();
        Some(request)
    }

    pub(super) fn show(&self, field: &'static str) {
        // Called a moment later: the page may be gone.
        self.shown.try_update(|shown| {
            shown.insert(field);
        });
    }

    pub(super) fn show_all(&self) {
        self.all_shown.set(true);
    }

    pub(super) fn refuse(&self, violations: &[FieldViolation]) {
        self.refused.set(violations.to_vec());
    }

    /// The controller's objection was to what stood there before.
    pub(super) fn edited(&self, field: &'static str) {
        if self.refused.with_untracked(|refused| refused.iter().any(|v| concerns(&v.field, field)))
        {
            self.refused.update(|refused| refused.retain(|v| !concerns(&v.field, field)));
        }
    }

    /// The sentence for a field, when there is one to show.
    pub(super) fn of(self, field: &'static str, label: Words) -> Signal<Option<String>> {
        Signal::derive(move || {
            let refused = self.refused.with(|refused| {
                refused.iter().find(|v| concerns(&v.field, field)).map(|v| {
                    // The controller may name the field in its sentence.
                    let text =
                        v.description.trim_start_matches(&format!("{}: ", v.field)).to_owned();
                    sentence(&v.field, label(), &text)
                })
            });
            if refused.is_some() {
                return refused;
            }
            if !self.all_shown.get() && !self.shown.with(|shown| shown.contains(field)) {
                return None;
            }
            self.checked.with(|checked| {
                let bad = checked.as_ref().err()?;
                let violation = bad.iter().find(|v| concerns(&v.field, field))?;
                let text = problem(i18n::language(), &violation.problem);
                Some(sentence(&violation.field, label(), &text))
            })
        })
    }

    /// The sentence for one place in a list, by its path.
    pub(super) fn at(
        self,
        field: &'static str,
        path: Signal<String>,
        label: Words,
    ) -> Signal<Option<String>> {
        Signal::derive(move || {
            let path = path.get();
            let refused = self.refused.with(|refused| {
                refused.iter().find(|v| v.field == path).map(|v| v.description.clone())
            });
            if refused.is_some() {
                return refused;
            }
            if !self.all_shown.get() && !self.shown.with(|shown| shown.contains(field)) {
                return None;
            }
            self.checked.with(|checked| {
                let violation = checked.as_ref().err()?.iter().find(|v| v.field == path)?;
                Some(i18n::about(label(), &problem(i18n::language(), &violation.problem)))
            })
        })
    }

    /// Whether any of the fields has something to show.
    pub(super) fn any_of(self, fields: &'static [&'static str]) -> bool {
        let here = |path: &str| fields.iter().any(|field| concerns(path, field));
        let refused = self.refused.with(|refused| refused.iter().any(|v| here(&v.field)));
        refused
            || (self.all_shown.get()
                && self
                    .checked
                    .with(|c| c.as_ref().is_err_and(|bad| bad.iter().any(|v| here(&v.field)))))
    }
}

/// `environment_text`, `environment[KEY]` and `environment` are one place in the form, and secrets stand among the others.
fn concerns(path: &str, field: &str) -> bool {
    let path = path.strip_prefix("secret_").unwrap_or(path);
    path.strip_prefix(field).is_some_and(|rest| {
        let rest = rest.strip_prefix("_text").unwrap_or(rest);
        rest.is_empty() || rest.starts_with('[')
    })
}

/// What of a list is meant says so itself.
fn sentence(path: &str, label: &str, problem: &str) -> String {
    let key = path
        .split_once('[')
        .map(|(_, key)| key.trim_end_matches(']'))
        .filter(|key| !key.is_empty() && key.parse::<usize>().is_err());
    match (i18n::language(), key) {
        (Language::English, Some(key)) => format!("{key} {problem}."),
        (Language::Japanese, Some(key)) => format!("{key}: {problem}"),
        (Language::English | Language::Japanese, None) => i18n::about(label, problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_finds_its_field() {
        for path in ["environment", "environment_text", "environment[A B]", "secret_environment[A]"]
        {
            assert!(concerns(path, "environment"), "{path}");
        }
        assert!(concerns("guest_ports_text[2]", "guest_ports"));
        for path in ["environments", "name", "guest_ports"] {
            assert!(!concerns(path, "environment"), "{path}");
        }
    }

    #[test]
    fn sentences_have_a_subject() {
        assert_eq!(sentence("name", "Name", "is needed"), "Name is needed.");
        assert_eq!(sentence("environment[A B]", "Environment", "is bad"), "A B is bad.");
        assert_eq!(sentence("guest_ports_text[1]", "Ports", "are bad"), "Ports are bad.");
    }
}
