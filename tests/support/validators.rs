//! Validators that others wrote: Ajv for schemas, AsyncAPI's own parser. `make setup` installs them.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::process::{find, on_path};

/// What is to be looked at.
#[derive(Debug, Default, Serialize)]
pub struct Ask {
    pub schemas: BTreeMap<String, Value>,
    pub cases: Vec<Case>,
    /// Documents, as texts.
    pub asyncapi: Vec<String>,
}

/// A message, and the schema it is held to.
#[derive(Debug, Serialize)]
pub struct Case {
    pub schema: String,
    pub message: Value,
}

/// What is wrong, in the order of what was asked.
#[derive(Debug, Deserialize)]
pub struct Found {
    pub cases: Vec<Option<String>>,
    pub asyncapi: Vec<Vec<String>>,
}

pub fn look(ask: &Ask) -> Found {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/contract/check.mjs");
    let node = find("node", on_path("node"));
    let mut child = Command::new(node)
        .arg(script)
        .arg(folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let asked = serde_json::to_vec(ask).unwrap();
    child.stdin.take().unwrap().write_all(&asked).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the validators ended with {}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The folder that holds `node_modules`.
fn folder() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache"),
        PathBuf::from,
    );
    let folder = cache.join("waystation-tests/contract-1");
    find("Ajv", [folder.join("node_modules/ajv/package.json")]);
    folder
}
