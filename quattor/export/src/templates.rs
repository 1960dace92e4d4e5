//! The files of an export as text.

use crate::export::TextFile;
use crate::pan::{Block, quoted, statements};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use stratus_plan::metadata::series_text;
use stratus_site::{Database, HostName, Site};

/// First line of each file.
const MADE_BY: &str =
    "# Made by stratus-quattor from the site file; changes here are lost with the next export.\n";

/// What hosts of a role have in common.
pub(crate) struct RoleText {
    pub(crate) backend: &'static str,
    pub(crate) blocks: BTreeSet<Block>,
}

/// What is a host's own.
pub(crate) struct HostText<'a> {
    pub(crate) role: &'a str,
    pub(crate) backend: &'static str,
    pub(crate) blocks: Vec<Block>,
}

/// Parts of the configuration in the order in which they are written, and the template of each.
const PARTS: [(&str, &str); 8] = [
    ("/software/packages", "components/spma/config"),
    ("/software/components/accounts", "components/accounts/config"),
    ("/software/components/dirperm", "components/dirperm/config"),
    ("/software/components/filecopy", "components/filecopy/config"),
    ("/software/components/metaconfig", "components/metaconfig/config"),
    ("/software/components/systemd", "components/systemd/config"),
    ("/software/components/opennebula", "components/opennebula/config"),
    ("/system/network", "components/network/config"),
];

fn file(path: String, body: &str) -> TextFile {
    TextFile { path: format!("{path}.pan"), content: format!("{MADE_BY}{body}") }
}

/// Types of our own.
pub(crate) fn schema() -> TextFile {
    let body = "declaration template stratus/schema;

@documentation{
    A file of sections with keys and values, all of them texts.
}
type stratus_sections = string{}{};

@documentation{
    What libvirt's qemu.conf has to say so that machines run as oneadmin.
}
type stratus_qemu = {
    'user' : string
    'group' : string
    'dynamic_ownership' : boolean
} with SELF['user'] == SELF['group'] || error('user and group of qemu.conf have one name');
";
    file("stratus/schema".to_owned(), body)
}

/// The site as a whole.
pub(crate) fn site(site: &Site) -> TextFile {
    let nodes: String = site.nodes.iter().map(|n| format!("    '{}',\n", n.host)).collect();
    let mut body = format!(
        "unique template stratus/site;\n\ninclude 'stratus/schema';\n\n\
         variable STRATUS_SITE ?= {};\nvariable STRATUS_SERIES ?= '{}';\n\
         variable STRATUS_FRONTEND ?= '{}';\nvariable STRATUS_NODES ?= list(\n{nodes});\n",
        quoted(&site.general.name),
        series_text(site.general.opennebula_version),
        site.frontend.host,
    );
    if site.frontend.database == Database::Mariadb {
        body.push_str(
            "\n# No export holds a password: a template of your own sets the variable.\n\
             include if_exists('site/stratus/secrets');\n\
             variable STRATUS_DATABASE_PASSWORD ?= error(\n    'set STRATUS_DATABASE_PASSWORD in \
             site/stratus/secrets.pan: the password of the user opennebula of MariaDB'\n);\n",
        );
    }
    file("stratus/site".to_owned(), &body)
}

/// What hosts of a role have in common.
pub(crate) fn role(name: &str, text: &RoleText) -> TextFile {
    let path = format!("stratus/roles/{name}");
    let blocks: Vec<Block> = text.blocks.iter().cloned().collect();
    let head = format!("unique template {path};\n\ninclude 'stratus/site';\n");
    let body = head + &parts(text.backend, &blocks);
    file(path, &body)
}

/// A host, to be included by its object template.
pub(crate) fn host(name: &HostName, text: &HostText) -> TextFile {
    let path = format!("stratus/hosts/{name}");
    let head = format!("unique template {path};\n\ninclude 'stratus/roles/{}';\n", text.role);
    let body = head + &parts(text.backend, &text.blocks);
    file(path, &body)
}

/// The object template of a host.
pub(crate) fn profile(name: &HostName) -> TextFile {
    let body = format!(
        "object template {name};\n\ninclude 'quattor/profile_base';\n\n\
         # Yours: hardware, kernel, root's mail, what every host of your site has.\n\
         include if_exists('site/stratus/base');\ninclude if_exists('site/stratus/hosts/{name}');\n\n\
         include 'stratus/hosts/{name}';\n"
    );
    file(format!("profiles/{name}"), &body)
}

/// The blocks part by part, each part with its component.
fn parts(backend: &str, blocks: &[Block]) -> String {
    let mut text = String::new();
    for (part, template) in PARTS {
        let below = |b: &&Block| {
            b.path.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut blocks: Vec<Block> = blocks.iter().filter(below).cloned().collect();
        if blocks.is_empty() {
            continue;
        }
        blocks.sort();
        text.push('\n');
        match part {
            "/software/packages" => {
                let _ = writeln!(text, "variable SPMA_BACKEND ?= '{backend}';");
                let _ = writeln!(text, "include '{template}';");
            }
            // Files of other systems are not written by it.
            "/system/network" if backend == "apt" => text.truncate(text.len() - 1),
            _ => {
                let _ = writeln!(text, "include '{template}';");
            }
        }
        text.push_str(&binds(&blocks));
        text.push_str(&statements(&blocks));
        // Nothing after a part may lie below its last path.
        text.push_str("\nprefix '/';\n");
    }
    text
}

/// Our types for the contents of files.
fn binds(blocks: &[Block]) -> String {
    let mut text = String::new();
    for block in blocks {
        let module = block.lines.iter().find(|line| line.key == "module").map(|line| &line.value);
        let kind = match module {
            Some(crate::pan::Value::Text(module)) if module == "tiny" => "stratus_sections",
            Some(crate::pan::Value::Text(module)) if module == "libvirtd/libvirtd" => {
                "stratus_qemu"
            }
            _ => continue,
        };
        let _ = writeln!(text, "bind '{}/contents' = {kind};", block.path);
    }
    text
}
