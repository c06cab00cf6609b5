//! Sizes with names (`[[presets]]`): whether anybody could have them.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use berth_core::{
    create::Limits,
    preset::Preset,
    text::{self, Language},
};

pub(crate) fn check(presets: &[Preset], limits: &Limits) -> Result<()> {
    let mut names = BTreeSet::new();
    for preset in presets {
        let name = &preset.name;
        if let Err(violations) = preset.check(limits) {
            let said = violations
                .iter()
                .map(|v| format!("{} {}", v.field, text::problem(Language::English, &v.problem)));
            bail!("presets: {name:?}: {}", said.collect::<Vec<_>>().join("; "));
        }
        if !names.insert(name) {
            bail!("presets: there are two of the name {name:?}");
        }
        if [&preset.title.en, &preset.title.ja].into_iter().any(|title| title.trim().is_empty()) {
            bail!("presets: {name:?}: the title is needed in both languages: en and ja");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use crate::config::load;

    fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("controller.toml");
        std::fs::write(&file, text).unwrap();
        (folder, file)
    }

    const SMALL: &str = "[[presets]]\nname = 'small'\ntitle = { en = 'Small', ja = '小' }\ncpu = '500m'\nmemory = '1Gi'\n";

    #[test]
    fn they_are_read_and_printed() {
        let text = format!(
            "{SMALL}[[presets]]\nname = 'gpu'\ntitle = {{ en = 'GPU', ja = 'GPU' }}\ngpus = 1\nimage = 'python:3.13'\nlease = '2h'\n"
        );
        let (_folder, file) = written(&text);
        let loaded = load(Some(&file)).unwrap();
        let page = loaded.print().unwrap();
        assert!(page.contains("[[presets]]"), "{page}");
        // What is printed can be read again.
        let (_folder, again) = written(&page);
        assert_eq!(load(Some(&again)).unwrap().config.presets, loaded.config.presets);
        assert_eq!(loaded.config.presets.len(), 2);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            (SMALL.replace("500m", "64"), "cpu_millis is too large"),
            (SMALL.replace("1Gi", "1000Gi"), "memory_bytes is too large"),
            (SMALL.replace("1Gi", "1024"), "512Mi or 2Gi"),
            (SMALL.replace("'small'", "'Small one'"), "name may have"),
            (SMALL.replace("'小'", "' '"), "both languages"),
            (SMALL.replace(", ja = '小'", ""), "ja"),
            (format!("{SMALL}gpus = 100\n"), "gpus is too large"),
            (format!("{SMALL}image = 'No'\n"), "image must be lower case"),
            (format!("{SMALL}lease = '1s'\n"), "lease is too small"),
            (format!("{SMALL}disk = 1\n"), "disk"),
            (format!("{SMALL}{SMALL}"), "two of the name"),
        ] {
            let (_folder, file) = written(&text);
            let Err(error) = load(Some(&file)) else { panic!("{text}") };
            let error = format!("{error:#}");
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
