//! xterm.js, published as modules, made into one script: no tool that knows JavaScript is needed for it, and a script that
//! could not be fetched can simply be fetched again, which a module cannot.
//!
//! On the way, the few places that the page's policy refuses (inline style) are led elsewhere. Each must be found exactly
//! as often as it is known to be there, so that another version is not taken unseen.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::read;

/// What is replaced, by what, and how often it is there.
struct Change(&'static str, &'static str, usize);

const XTERM: [Change; 3] = [
    // Sheets for colours, sizes and the scrollbar: to the element that `web/lazy/terminal.js` defines.
    Change(r#".createElement("style")"#, r#".createElement("berth-style")"#, 3),
    // The attribute is refused, the property is not.
    Change(r#".setAttribute("style","#, ".style.cssText=(", 1),
    Change("export{Dl as Terminal};", "return{Terminal:Dl};", 1),
];

const ADDON_FIT: [Change; 1] = [Change("export{o as FitAddon};", "return{FitAddon:o};", 1)];

pub(super) fn terminal(web: &Path) -> Result<Vec<u8>> {
    let vendor = web.join("vendor/xterm");
    let mut script = text(&web.join("lazy/terminal.js"))?;
    for (name, changes) in [("xterm.mjs", &XTERM[..]), ("addon-fit.mjs", &ADDON_FIT[..])] {
        let module = changed(&text(&vendor.join(name))?, changes).context(name)?;
        let place = format!("/*{{{name}}}*/");
        ensure!(script.matches(&place).count() == 1, "no single place for {name}");
        script = script.replace(&place, &module);
    }
    Ok(script.into_bytes())
}

fn changed(module: &str, changes: &[Change]) -> Result<String> {
    // Its map is not sent along.
    let mut module: String = module
        .lines()
        .filter(|line| !line.starts_with("//# sourceMappingURL="))
        .fold(String::with_capacity(module.len()), |mut all, line| {
            all.push_str(line);
            all.push('\n');
            all
        });
    for Change(from, to, times) in changes {
        let found = module.matches(from).count();
        ensure!(found == *times, "{from:?} is there {found} times and not {times}");
        module = module.replace(from, to);
    }
    Ok(module)
}

fn text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).with_context(|| format!("{} is not UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::web::hex;

    fn web() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("web")
    }

    #[test]
    fn the_vendored_files_are_the_published_ones() {
        let folder = web().join("vendor/xterm");
        let readme = text(&folder.join("README.md")).unwrap();
        for name in ["xterm.mjs", "xterm.css", "addon-fit.mjs"] {
            let row = readme.lines().find(|line| line.starts_with(&format!("| `{name}`"))).unwrap();
            let sum = hex(&Sha256::digest(read(&folder.join(name)).unwrap()));
            assert!(row.contains(&sum), "{name}: {sum}");
        }
    }

    #[test]
    fn nothing_inline_is_left() {
        let script = String::from_utf8(terminal(&web()).unwrap()).unwrap();
        assert!(!script.contains(r#"createElement("style")"#));
        assert!(!script.contains(r#"setAttribute("style""#));
        assert!(!script.contains("export{"));
    }

    #[test]
    fn another_version_is_not_taken_unseen() {
        assert!(changed("export{A as FitAddon};", &ADDON_FIT).is_err());
        let twice = "export{o as FitAddon};".repeat(2);
        assert!(changed(&twice, &ADDON_FIT).is_err());
    }
}
