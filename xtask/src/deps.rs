//! Who may depend on whom. The tables are the architecture: an edge that is not here is a decision to take first.

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result, bail};

use crate::{
    metadata::{Metadata, Package},
    say,
};

/// Edges inside the workspace that ship.
const EDGES: &[(&str, &[&str])] = &[
    ("berth-core", &[]),
    ("berth-proto", &["berth-core"]),
    ("berth-scheduler", &["berth-core"]),
    ("berth-app", &["berth-core", "berth-scheduler"]),
    ("berth-store", &["berth-core", "berth-app"]),
    ("berth-api", &["berth-core", "berth-app", "berth-proto"]),
    ("berth-session", &["berth-core", "berth-app", "berth-proto"]),
    ("berth-gate", &["berth-core", "berth-app"]),
    (
        "berth-controller",
        &[
            "berth-core",
            "berth-app",
            "berth-scheduler",
            "berth-store",
            "berth-api",
            "berth-session",
            "berth-gate",
            "berth-assets",
        ],
    ),
    ("berth-reconcile", &["berth-core"]),
    ("berth-docker", &["berth-core", "berth-reconcile", "berth-storage"]),
    ("berth-files", &["berth-core"]),
    ("berth-inventory", &["berth-core"]),
    ("berth-metrics", &["berth-core"]),
    ("berth-storage", &["berth-core"]),
    (
        "berth-agent",
        &[
            "berth-core",
            "berth-proto",
            "berth-reconcile",
            "berth-docker",
            "berth-files",
            "berth-inventory",
            "berth-metrics",
            "berth-storage",
        ],
    ),
    ("berth-assets", &[]),
    ("berth-web", &["berth-core", "berth-proto"]),
    ("berth", &["berth-core", "berth-proto"]),
    // Everything of both sides but what needs an engine or a database server.
    (
        "berth-sim",
        &[
            "berth-core",
            "berth-proto",
            "berth-scheduler",
            "berth-app",
            "berth-store",
            "berth-api",
            "berth-session",
            "berth-agent",
            "berth-reconcile",
        ],
    ),
    ("berth-e2e", &["berth-core", "berth-proto"]),
    (
        "berth-bench",
        &[
            "berth-core",
            "berth-proto",
            "berth-agent",
            "berth-docker",
            "berth-e2e",
            "berth-reconcile",
        ],
    ),
    ("xtask", &[]),
];

/// Edges of tests alone, beside those above.
const TEST_EDGES: &[(&str, &[&str])] = &[
    ("berth-app", &["berth-store"]),
    ("berth-api", &["berth-store", "berth-session"]),
    ("berth-session", &["berth-store"]),
    ("berth-gate", &["berth-store"]),
    ("berth-controller", &["berth-proto"]),
    ("berth-docker", &["berth-metrics"]),
    ("berth-agent", &["berth-app", "berth-store", "berth-session"]),
];

/// Crates from outside that must not leak, and the members that are their home.
const HOMES: &[(&str, &[&str])] = &[
    ("sea-orm", &["berth-store"]),
    ("sea-orm-migration", &["berth-store"]),
    ("bollard", &["berth-docker"]),
    ("kube", &["berth-kubernetes"]),
    ("ldap3", &["berth-ldap"]),
    ("nvml-wrapper", &["berth-inventory"]),
    ("pathrs", &["berth-files"]),
    ("composefs-ioctls", &["berth-storage"]),
    ("zip", &["berth-files"]),
    ("tonic-web", &["berth-api"]),
    ("tonic-reflection", &["berth-api"]),
    ("tonic-health", &["berth-api", "berth-e2e"]),
    ("tonic-types", &["berth-api", "berth-session", "berth"]),
    ("tonic-prost-build", &["berth-proto"]),
    ("protox", &["berth-proto"]),
    ("axum-server", &["berth-controller"]),
    ("rust-embed", &["berth-assets"]),
    ("figment", &["berth-controller", "berth-agent"]),
    ("leptos", &["berth-web"]),
    ("leptos_router", &["berth-web"]),
    ("leptos_meta", &["berth-web"]),
    ("web-sys", &["berth-web"]),
    ("js-sys", &["berth-web"]),
    ("wasm-bindgen", &["berth-web"]),
    ("wasm-bindgen-futures", &["berth-web"]),
    ("wasm-bindgen-cli-support", &["xtask"]),
    ("turmoil", &["berth-sim"]),
    ("fantoccini", &["berth-e2e"]),
];

/// tonic's server is for the rooms that serve. The agent's serves one socket, which only itself may open: the session
/// holder's.
const SERVERS: &[&str] =
    &["berth-agent", "berth-api", "berth-session", "berth-controller", "berth-sim"];
const SERVER_FEATURES: &[&str] = &["server", "router"];

pub(crate) fn run() -> Result<()> {
    say::step("Dependency edges");
    let metadata = Metadata::read()?;
    let mut objections = Vec::new();
    for package in &metadata.packages {
        edges(package, &mut objections);
        homes(package, &mut objections);
        let text = fs::read_to_string(&package.manifest_path)
            .with_context(|| format!("{} cannot be read", package.manifest_path.display()))?;
        let manifest: toml::Table = toml::from_str(&text)
            .with_context(|| format!("{} is no TOML", package.manifest_path.display()))?;
        inheritance(&package.name, &manifest, &mut objections);
    }
    if objections.is_empty() {
        say::note(format_args!("{} crates keep to the table", metadata.packages.len()));
        return Ok(());
    }
    for objection in &objections {
        say::note(objection);
    }
    bail!("{} rules of xtask/src/deps.rs are broken", objections.len())
}

fn allowed<'a>(table: &[(&str, &'a [&'a str])], name: &str) -> Option<&'a [&'a str]> {
    table.iter().find(|(from, _)| *from == name).map(|(_, to)| *to)
}

fn edges(package: &Package, objections: &mut Vec<String>) {
    let name = package.name.as_str();
    let Some(shipping) = allowed(EDGES, name) else {
        objections.push(format!("{name} is in no row of the table of edges"));
        return;
    };
    let testing = allowed(TEST_EDGES, name).unwrap_or_default();
    for dependency in package.dependencies.iter().filter(|dependency| dependency.path.is_some()) {
        let to = dependency.name.as_str();
        let in_tests = dependency.kind.as_deref() == Some("dev");
        // A member may take itself with other features for its own tests.
        let itself = in_tests && to == name;
        if !(itself || shipping.contains(&to) || in_tests && testing.contains(&to)) {
            let place = if in_tests { " in its tests" } else { "" };
            objections.push(format!("{name} depends on {to}{place}"));
        }
    }
}

fn homes(package: &Package, objections: &mut Vec<String>) {
    let name = package.name.as_str();
    for dependency in &package.dependencies {
        // A test may look at the world with any tool it likes.
        let in_tests = dependency.kind.as_deref() == Some("dev");
        if let Some(homes) = allowed(HOMES, &dependency.name)
            && !in_tests
            && !homes.contains(&name)
        {
            objections.push(format!(
                "{name} uses {}, which belongs to {}",
                dependency.name,
                homes.join(", ")
            ));
        }
        let serves = dependency.name == "tonic"
            && dependency
                .features
                .iter()
                .any(|feature| SERVER_FEATURES.contains(&feature.as_str()));
        if serves && !in_tests && !SERVERS.contains(&name) {
            objections.push(format!("{name} takes tonic's server"));
        }
    }
}

/// Versions and lints are said once, at the top.
fn inheritance(name: &str, manifest: &toml::Table, objections: &mut Vec<String>) {
    let inherited = |value: Option<&toml::Value>| {
        value.and_then(|value| value.get("workspace")).and_then(toml::Value::as_bool) == Some(true)
    };
    if !inherited(manifest.get("lints")) {
        objections.push(format!("{name} lacks `[lints] workspace = true`"));
    }
    let package = manifest.get("package");
    for field in ["version", "edition", "rust-version", "license", "publish"] {
        if !inherited(package.and_then(|package| package.get(field))) {
            objections.push(format!("{name} does not inherit `{field}`"));
        }
    }
    // A member that takes itself with other features for its own tests has no other way to say so.
    let own: BTreeSet<String> = tables(manifest)
        .filter(|(dependency, value)| dependency != name && !inherited(Some(value)))
        .map(|(dependency, _)| dependency)
        .collect();
    for dependency in own {
        objections.push(format!("{name} gives {dependency} a version of its own"));
    }
}

/// All tables of dependencies, also those of one target.
fn tables(manifest: &toml::Table) -> impl Iterator<Item = (String, &toml::Value)> {
    const KINDS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
    let targets = manifest
        .get("target")
        .and_then(toml::Value::as_table)
        .into_iter()
        .flat_map(|targets| targets.values().filter_map(toml::Value::as_table));
    std::iter::once(manifest)
        .chain(targets)
        .flat_map(|table| KINDS.into_iter().filter_map(|kind| table.get(kind)?.as_table()))
        .flat_map(|table| table.iter().map(|(name, value)| (name.clone(), value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Dependency;

    fn package(
        name: &str,
        to: &str,
        kind: Option<&str>,
        path: Option<&str>,
        features: &[&str],
    ) -> Package {
        Package {
            name: name.to_owned(),
            manifest_path: "Cargo.toml".into(),
            dependencies: vec![Dependency {
                name: to.to_owned(),
                kind: kind.map(str::to_owned),
                path: path.map(Into::into),
                features: features.iter().map(|feature| (*feature).to_owned()).collect(),
            }],
        }
    }

    fn objections(package: &Package) -> Vec<String> {
        let mut objections = Vec::new();
        edges(package, &mut objections);
        homes(package, &mut objections);
        objections
    }

    #[test]
    fn edges_point_inwards() {
        assert!(
            objections(&package("berth-app", "berth-core", None, Some("core"), &[])).is_empty()
        );
        assert_eq!(
            objections(&package("berth-core", "berth-app", None, Some("app"), &[])),
            ["berth-core depends on berth-app"]
        );
        assert_eq!(
            objections(&package("berth-app", "berth-store", None, Some("store"), &[])),
            ["berth-app depends on berth-store"]
        );
        assert!(
            objections(&package("berth-app", "berth-store", Some("dev"), Some("store"), &[]))
                .is_empty()
        );
        assert_eq!(
            objections(&package("berth-new", "berth-core", None, Some("core"), &[])),
            ["berth-new is in no row of the table of edges"]
        );
    }

    #[test]
    fn crates_stay_at_home() {
        assert!(objections(&package("berth-docker", "bollard", None, None, &[])).is_empty());
        assert_eq!(
            objections(&package("berth-agent", "bollard", None, None, &[])),
            ["berth-agent uses bollard, which belongs to berth-docker"]
        );
        assert!(objections(&package("berth", "tonic", None, None, &["channel"])).is_empty());
        assert_eq!(
            objections(&package("berth", "tonic", None, None, &["server"])),
            ["berth takes tonic's server"]
        );
    }

    #[test]
    fn versions_and_lints_are_inherited() {
        let manifest = toml::from_str(
            "[package]\nname = \"x\"\nversion.workspace = true\nedition.workspace = true\n\
             rust-version.workspace = true\nlicense.workspace = true\npublish.workspace = true\n\
             [dependencies]\na.workspace = true\nb = \"1\"\n\
             [target.'cfg(unix)'.dev-dependencies]\nc = { path = \"c\" }\n",
        )
        .unwrap();
        let mut objections = Vec::new();
        inheritance("x", &manifest, &mut objections);
        assert_eq!(
            objections,
            [
                "x lacks `[lints] workspace = true`",
                "x gives b a version of its own",
                "x gives c a version of its own",
            ]
        );
    }

    #[test]
    fn the_table_has_no_circle() {
        fn reaches(from: &str, target: &str) -> bool {
            allowed(EDGES, from)
                .unwrap_or_default()
                .iter()
                .any(|to| *to == target || reaches(to, target))
        }
        for (name, _) in EDGES {
            assert!(!reaches(name, name), "{name}");
        }
    }
}
