//! The program, as the compiler left it, made into what a browser loads: first taken apart into what the first page needs
//! and what comes later (`wasm_split`), then given its script (wasm-bindgen).

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result, anyhow, ensure};
use wasm_bindgen_cli_support::Bindgen;
use wasm_encoder::{RawSection, SectionId};
use wasm_split_cli_support::Options;
use wasmparser::Parser;

use super::{hashed, read};

/// By this name the program asks for what fetches its parts. There is no such file: it becomes a part of the script.
const LINK: &str = "./split.js";
/// What fetches them, in the script.
const LOADER: &str = "berthParts";

pub(super) struct Bound {
    pub(super) script: String,
    pub(super) wasm: Vec<u8>,
    /// By their final names, which the script knows.
    pub(super) parts: BTreeMap<String, Vec<u8>>,
}

/// In `folder` lies afterwards what the two tools hand to each other.
pub(super) fn bind(wasm: &Path, folder: &Path) -> Result<Bound> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    let main = folder.join("berth-web.wasm");
    let input = read(wasm)?;
    let mut options = Options::new(&input);
    options.output_dir = folder;
    options.main_out_path = &main;
    options.link_name = LINK;
    let split = wasm_split_cli_support::transform(options)
        .map_err(|report| anyhow!("{report:#}"))
        .context("the console cannot be taken apart")?;
    let link = String::from_utf8(read(&folder.join(LINK))?).context("not UTF-8")?;

    let mut bindgen = Bindgen::new();
    let mut output = bindgen
        .input_path(&main)
        .web(true)?
        .typescript(false)
        // The parts use them.
        .keep_lld_exports(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate_output()
        .context("wasm-bindgen refused the console")?;
    ensure!(
        output.snippets().values().all(Vec::is_empty) && output.local_modules().is_empty(),
        "the console must not bring scripts beside the one of wasm-bindgen: they would need names of their own"
    );
    let mut script = with_loader(output.js(), &link)?;
    let mut parts = BTreeMap::new();
    for path in split.split_modules {
        let file = path.file_name().and_then(|name| name.to_str()).context("not UTF-8")?;
        let content = trimmed(&read(&path)?)?;
        let name = hashed(&format!("lazy/{file}"), &content);
        replace_once(&mut script, &format!("\"./{file}\""), &format!("\"/{name}\""))?;
        parts.insert(name, content);
    }
    Ok(Bound { script: without_comments(&script), wasm: output.wasm_mut().emit_wasm(), parts })
}

/// The script that fetches the parts, inside the one of wasm-bindgen: as files of their own each would have to name the
/// other, and neither could then be named by its content.
fn with_loader(script: &str, link: &str) -> Result<String> {
    let mut inside = String::new();
    let mut exported = Vec::new();
    for line in link.lines() {
        if line.starts_with("import { initSync } from ") {
            continue;
        }
        if let Some(rest) = line.strip_prefix("export const ") {
            exported.push(rest.split_once(' ').context("an export without a value")?.0);
            inside.push_str("const ");
            inside.push_str(rest);
        } else {
            inside.push_str(line);
        }
        inside.push('\n');
    }
    ensure!(!inside.contains("export ") && !inside.contains("import "), "the loader has changed");
    let mut all = format!(
        "const {LOADER} = (() => {{\n{inside}return {{ {} }};\n}})();\n",
        exported.join(", ")
    );
    let mut asked = 0;
    for line in script.lines() {
        match line.strip_prefix("import * as ").and_then(|rest| rest.split_once(" from ")) {
            Some((name, from)) if from.contains(LINK) => {
                all.push_str(&format!("const {name} = {LOADER};"));
                asked += 1;
            }
            _ => all.push_str(line),
        }
        all.push('\n');
    }
    // Each is one of the objects in which the program looks for what it imports: by a name that no file has.
    let given = all.matches(&format!("\"{LINK}\": ")).count();
    ensure!(
        asked > 0 && all.matches(LINK).count() == given,
        "not everything that asks for the parts was found"
    );
    Ok(all)
}

fn replace_once(text: &mut String, from: &str, to: &str) -> Result<()> {
    let found = text.matches(from).count();
    ensure!(found == 1, "{from} is there {found} times and not once");
    *text = text.replace(from, to);
    Ok(())
}

/// Without names and other sections that a browser has no use for.
fn trimmed(wasm: &[u8]) -> Result<Vec<u8>> {
    let mut module = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.context("a part is no WebAssembly")?;
        match payload.as_section() {
            Some((id, range)) if id != SectionId::Custom as u8 => {
                let range = usize::try_from(range.start)?..usize::try_from(range.end)?;
                module.section(&RawSection { id, data: &wasm[range] });
            }
            _ => {}
        }
    }
    Ok(module.finish())
}

/// Without indentation and the lines that are comment: a tenth less to send. wasm-bindgen writes no text over several lines.
fn without_comments(script: &str) -> String {
    let mut all = String::with_capacity(script.len());
    for line in script.lines().map(str::trim) {
        let comment = ["//", "/**", "* ", "*/"].iter().any(|begin| line.starts_with(begin));
        if !line.is_empty() && !comment {
            all.push_str(line);
            all.push('\n');
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_becomes_a_part_of_the_script() {
        let link = "import { initSync } from \"./main.js\";\nfunction load() { return initSync(); }\n\
            export const a = load();\nexport const b = load();\n";
        let script = "import * as import0 from \"./split.js\"\nuse(import0);\n\
            import * as import1 from \"./split.js\"\nuse(import1);\n";
        assert_eq!(
            with_loader(script, link).unwrap(),
            "const berthParts = (() => {\nfunction load() { return initSync(); }\nconst a = load();\n\
            const b = load();\nreturn { a, b };\n})();\nconst import0 = berthParts;\nuse(import0);\n\
            const import1 = berthParts;\nuse(import1);\n"
        );
        assert!(with_loader("use();\n", link).is_err());
        assert!(with_loader("export { a } from \"./split.js\";\n", link).is_err());
    }

    #[test]
    fn parts_carry_nothing_that_a_browser_does_not_use() {
        let mut module = wasm_encoder::Module::new();
        let data: &[u8] = &[0];
        module.section(&RawSection { id: SectionId::Type as u8, data });
        let bare = module.clone().finish();
        let name = std::borrow::Cow::Borrowed("name");
        module.section(&wasm_encoder::CustomSection { name, data: data.into() });
        assert_eq!(trimmed(&module.finish()).unwrap(), bare);
        assert!(trimmed(b"no").is_err());
    }
}
