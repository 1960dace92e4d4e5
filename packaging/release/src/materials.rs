//! What programs are made of: the bill of materials (CycloneDX), and the licences of libraries.

use crate::release::Version;
use crate::run::bytes;
use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// Names with which files of licences begin.
const LICENCES: [&str; 6] = ["license", "licence", "copying", "notice", "copyright", "unlicense"];

/// The workspace and everything that its programs are linked with.
pub(crate) struct Graph {
    /// Crates of ours with a program of ours.
    tops: Vec<Crate>,
    /// Those and what they use, by cargo's name for them.
    used: BTreeMap<String, Crate>,
    uses: HashMap<String, Vec<String>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Crate {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    description: Option<String>,
    repository: Option<String>,
    source: Option<String>,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Clone, Debug, Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Crate>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Use>,
}

#[derive(Deserialize)]
struct Use {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

impl Graph {
    /// Asks cargo, for this machine's kind.
    pub(crate) fn read(checkout: &Path) -> Result<Self> {
        let name = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut cargo = std::process::Command::new(name);
        let machine = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        cargo.current_dir(checkout).args(["metadata", "--locked", "--format-version", "1"]);
        let text = bytes(cargo.args(["--filter-platform", &machine]))?;
        Ok(Self::of(serde_json::from_slice(&text).context("cargo metadata cannot be read")?))
    }

    fn of(metadata: Metadata) -> Self {
        // What is only built or tested with is in no program.
        let linked = |used: &Use| used.dep_kinds.iter().any(|kind| kind.kind.is_none());
        let uses: HashMap<String, Vec<String>> = metadata
            .resolve
            .nodes
            .into_iter()
            .map(|node| {
                let uses = node.deps.into_iter().filter(linked).map(|used| used.pkg);
                (node.id, uses.collect())
            })
            .collect();
        let all: HashMap<_, _> =
            metadata.packages.into_iter().map(|one| (one.id.clone(), one)).collect();
        let mut tops: Vec<_> = all.values().filter(|one| one.has_command()).cloned().collect();
        tops.sort_by(|one, other| one.name.cmp(&other.name));
        let (mut used, mut queue) = (BTreeMap::new(), Vec::new());
        queue.extend(tops.iter().map(|one| one.id.clone()));
        while let Some(id) = queue.pop() {
            let Some(one) = all.get(&id).filter(|_| !used.contains_key(&id)) else { continue };
            queue.extend(uses.get(&id).into_iter().flatten().cloned());
            used.insert(id, one.clone());
        }
        Self { tops, used, uses }
    }

    /// The crates that have a command.
    pub(crate) fn crates(&self) -> Vec<String> {
        self.tops.iter().map(|one| one.name.clone()).collect()
    }

    /// The bill of materials, as CycloneDX 1.5 in JSON.
    pub(crate) fn bill(&self, version: &Version, time: Timestamp) -> Result<Vec<u8>> {
        let top = format!("stratus@{version}");
        let tops: Vec<_> = self.tops.iter().map(Crate::reference).collect();
        let mut dependencies = vec![json!({ "ref": top, "dependsOn": tops })];
        for (id, one) in &self.used {
            let uses = self.uses.get(id).into_iter().flatten();
            let uses: BTreeSet<_> =
                uses.filter_map(|used| self.used.get(used)).map(Crate::reference).collect();
            dependencies.push(json!({ "ref": one.reference(), "dependsOn": uses }));
        }
        let bill = json!({
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            "version": 1,
            "metadata": {
                "timestamp": time.to_string(),
                "component": {
                    "type": "application",
                    "bom-ref": top,
                    "name": "stratus",
                    "version": version.to_string(),
                    "licenses": [{ "expression": "Apache-2.0" }],
                },
            },
            "components": self.used.values().map(Crate::component).collect::<Vec<_>>(),
            "dependencies": dependencies,
        });
        let mut text = serde_json::to_vec_pretty(&bill)?;
        text.push(b'\n');
        Ok(text)
    }

    /// The licences of all libraries, each text once with the libraries that it is of.
    pub(crate) fn notices(&self) -> Result<String> {
        let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut without = String::new();
        for one in self.used.values().filter(|one| one.source.is_some()) {
            let name = format!("{} {}", one.name, one.version);
            let found = one.licences()?;
            if found.is_empty() {
                let licence = one.license.as_deref().unwrap_or("not told");
                without += &format!("{name}: {licence}\n");
            }
            for text in found {
                texts.entry(text).or_default().insert(name.clone());
            }
        }
        let mut notices =
            "The programs contain these libraries, under these licences.\n".to_owned();
        let mut texts: Vec<_> = texts.into_iter().collect();
        texts.sort_by(|(_, one), (_, other)| one.cmp(other));
        for (text, names) in texts {
            let names: Vec<_> = names.into_iter().collect();
            let line = "=".repeat(78);
            notices += &format!("\n{line}\n{}\n{line}\n\n{}\n", names.join("\n"), text.trim());
        }
        notices += "\nLibraries that bring no text of their licence:\n\n";
        Ok(notices + &without)
    }
}

impl Crate {
    /// Whether it has a program that is a command of ours: a file in `src/bin`, in no test.
    fn has_command(&self) -> bool {
        self.source.is_none()
            && self.manifest_path.with_file_name("src/bin").is_dir()
            && self
                .targets
                .iter()
                .any(|t| t.kind.iter().any(|kind| kind == "bin") && t.name.starts_with("stratus-"))
    }

    fn reference(&self) -> String {
        format!("pkg:cargo/{}@{}", self.name, self.version)
    }

    fn component(&self) -> Value {
        let mut component = json!({
            "type": "library",
            "bom-ref": self.reference(),
            "name": self.name,
            "version": self.version,
        });
        // Those of this workspace are in no registry, where another one might have their name.
        if self.source.is_some() {
            component["purl"] = json!(self.reference());
        }
        if let Some(licence) = &self.license {
            // An older way to write "or".
            let choices: Vec<_> = licence.split('/').map(str::trim).collect();
            component["licenses"] = json!([{ "expression": choices.join(" OR ") }]);
        }
        if let Some(description) = &self.description {
            component["description"] = json!(description.trim());
        }
        if let Some(repository) = &self.repository {
            component["externalReferences"] = json!([{ "type": "vcs", "url": repository }]);
        }
        component
    }

    /// The texts of its licences, from its own folder.
    fn licences(&self) -> Result<Vec<String>> {
        let folder = self.manifest_path.parent().context("a crate has a folder")?;
        let mut found = Vec::new();
        let entries =
            fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().to_lowercase();
            if entry.path().is_file() && LICENCES.iter().any(|begin| name.starts_with(begin)) {
                found.push(String::from_utf8_lossy(&fs::read(entry.path())?).trim().to_owned());
            }
        }
        found.sort();
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph() -> Graph {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        Graph::read(here.ancestors().nth(2).unwrap()).unwrap()
    }

    /// What CycloneDX's schema asks for beyond the fields that are always the same, and what it cannot
    /// ask for: that references lead somewhere.
    #[test]
    fn the_bill_is_whole() {
        let bill = graph().bill(&"1.2.0-1".parse().unwrap(), Timestamp::UNIX_EPOCH).unwrap();
        let bill: Value = serde_json::from_slice(&bill).unwrap();
        assert_eq!(bill["metadata"]["timestamp"], "1970-01-01T00:00:00Z");
        let components = bill["components"].as_array().unwrap();
        assert!(components.len() > 100);
        let mut known = BTreeSet::from(["stratus@1.2.0-1"]);
        for one in components {
            assert!(known.insert(one["bom-ref"].as_str().unwrap()), "twice: {one}");
            let name = one["name"].as_str().unwrap();
            assert!(!name.is_empty() && one["version"].is_string(), "{one}");
            assert_eq!(one["purl"].is_string(), !name.starts_with("stratus-"), "{one}");
            // SPDX's words with one space between them, and only one expression.
            let licences = one["licenses"].as_array().unwrap();
            let expression = licences[0]["expression"].as_str().unwrap();
            let words = expression.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(licences.len() == 1 && !words.contains('/') && words == expression, "{one}");
        }
        let dependencies = bill["dependencies"].as_array().unwrap();
        let mut told = BTreeSet::new();
        for one in dependencies {
            assert!(told.insert(one["ref"].as_str().unwrap()), "twice: {one}");
            let uses: Vec<_> = one["dependsOn"].as_array().unwrap().iter().collect();
            let distinct: BTreeSet<_> = uses.iter().filter_map(|used| used.as_str()).collect();
            assert!(distinct.len() == uses.len() && distinct.is_subset(&known), "{one}");
        }
        assert_eq!(told, known, "each with what it uses");
    }

    #[test]
    fn the_bill_has_what_is_linked_and_nothing_that_only_builds_or_tests() {
        let graph = graph();
        let names: BTreeSet<_> = graph.used.values().map(|one| one.name.as_str()).collect();
        for linked in ["stratus-model", "rustls", "aws-lc-sys", "quick-xml"] {
            assert!(names.contains(linked), "{linked}");
        }
        for other in ["insta", "proptest", "cc", "stratus-tests", "stratus-release"] {
            assert!(!names.contains(other), "{other}");
        }
        let notices = graph.notices().unwrap();
        assert!(notices.contains("rustls 0.") && notices.contains("Apache License"), "{notices}");
    }
}
