//! A container as people write it down: `berth get -o yaml` prints it, `berth apply -f` takes it.
//!
//! Text formats are not known here: this is what YAML and JSON are read into and written from. What a definition asks for is
//! checked where every request is, by `create::check` and `change::merge`.

pub mod amount;
pub mod change;
mod variable;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::{
    amount::{Cpu, Lease, Memory},
    variable::Variable,
};
use crate::storage::RunAs;

/// Stands for a secret's value wherever one is shown. Given back, it keeps the value.
pub const MASK: &str = "********";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Definition {
    pub api_version: ApiVersion,
    pub kind: Kind,
    pub metadata: Metadata,
    pub spec: Spec,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ApiVersion {
    #[default]
    #[serde(rename = "berth/v1")]
    V1,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Kind {
    #[default]
    Container,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    pub name: String,
}

/// What is left out is none of it, except for amounts: those are the site's to say when a container is made, and stay as they
/// are when one is changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    pub image: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, Variable>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub published_ports: Vec<u32>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gpus: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Cpu>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub tty: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub stdin: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub run_as: RunAs,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Mount>,
}

/// A volume of the owner's, and where it is inside.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mount {
    pub name: String,
    pub path: String,
    #[serde(default, skip_serializing_if = "is_false")]
    pub read_only: bool,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_false(value: &bool) -> bool {
    !*value
}

fn is_default(run_as: &RunAs) -> bool {
    *run_as == RunAs::default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(spec: Value) -> Result<Definition, String> {
        let whole = json!({
            "apiVersion": "berth/v1",
            "kind": "Container",
            "metadata": {"name": "box"},
            "spec": spec,
        });
        serde_json::from_value(whole).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_is_not_written_either() {
        let least = read(json!({"image": "alpine"})).unwrap();
        assert_eq!(least.spec, Spec { image: "alpine".into(), ..Spec::default() });
        let written = serde_json::to_value(&least).unwrap();
        assert_eq!(written["spec"], json!({"image": "alpine"}));
        assert_eq!(written["apiVersion"], "berth/v1");
    }

    #[test]
    fn as_people_write_it() {
        let spec = json!({
            "image": "python:3.13",
            "command": ["python", "-m", "http.server"],
            "environment": {"A": "1", "TOKEN": {"secret": "s"}},
            "ports": [8000],
            "publishedPorts": [8000],
            "gpus": 1,
            "cpu": "500m",
            "memory": "2Gi",
            "lease": "8h",
            "tty": true,
            "runAs": "image",
            "nodeLabels": {"rack": "1"},
            "volumes": [{"name": "data", "path": "/data", "readOnly": true}],
        });
        let read = read(spec.clone()).unwrap();
        assert_eq!(read.spec.cpu, Some(Cpu(500)));
        assert_eq!(read.spec.memory, Some(Memory(2 << 30)));
        assert_eq!(read.spec.environment["TOKEN"], Variable::Secret("s".into()));
        assert_eq!(serde_json::to_value(&read).unwrap()["spec"], spec);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for (spec, word) in [
            (json!({"image": "a", "imagee": "b"}), "imagee"),
            (json!({"image": "a", "environment": {"A": {"secrt": "x"}}}), "secrt"),
            (json!({"image": "a", "environment": {"A": 1}}), "quotes"),
            (json!({"image": "a", "environment": {"A": true}}), "quotes"),
            (json!({"image": "a", "memory": 512}), "unit"),
            (json!({"image": "a", "lease": "soon"}), "90min"),
            (json!({"image": "a", "runAs": "root"}), "root"),
            (json!({}), "image"),
        ] {
            let error = read(spec.clone()).unwrap_err();
            assert!(error.contains(word), "{spec}: {error}");
        }
        let other = json!({"apiVersion": "berth/v2", "kind": "Container", "metadata": {"name": "a"}, "spec": {"image": "a"}});
        assert!(serde_json::from_value::<Definition>(other).is_err());
    }
}
