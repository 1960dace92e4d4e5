//! The reference page, made from the table of keys.

use crate::keys::{self, Absent, Key, Reader};
use std::fmt::Write;

/// The whole page, as Markdown.
pub fn page() -> String {
    let mut page = String::from(
        "# `stratus.toml`, key by key\n\n\
         <!-- Made from installer/site/src/keys; `STRATUS_BLESS=1 cargo test -p stratus-site --test \
         reference` writes it anew. -->\n\n\
         `/etc/stratus/stratus.toml` is the one file about a site. The installer reads it, and each \
         service its own sections of it. `stratus-config check` reports every problem at once; \
         `stratus-config --keys` shows this table beside what your file says.\n\n\
         `*` in the name of a section stands for a name that you choose. Host names without a dot \
         get `site.domain`. A relative path starts from the folder of the file. A size is written as \
         `\"200 GiB\"`, a duration as `\"30 s\"`, `\"10 min\"`, `\"1 h\"` or `\"7 days\"`. Secrets \
         have files of their own; the site file names those.\n\n\
         Files of services that lie beside the site file are put beside the settings on the hosts of \
         those services, secret ones readable by the services alone; an absolute path, and a folder of \
         trust anchors, is the host's own.\n",
    );
    for (section, about) in keys::SECTIONS {
        let _ = write!(page, "\n## `[{section}]`\n\n{about}\n\n");
        page.push_str("| key | takes | default | meaning | example |\n|---|---|---|---|---|\n");
        for key in keys::all().filter(|key| key.section == section) {
            row(&mut page, key);
        }
    }
    page
}

fn row(page: &mut String, key: &Key) {
    let absent = match key.absent {
        Absent::Value(value) => format!("`{value}`"),
        other => other.to_string(),
    };
    let reader = if key.reader == Reader::Service { " (read by the service)" } else { "" };
    let cell = |text: &str| text.replace('|', "\\|");
    let _ = writeln!(
        page,
        "| `{}` | {} | {} | {}{reader} | `{}` |",
        key.name,
        key.kind,
        cell(&absent),
        cell(key.meaning),
        cell(key.example),
    );
}
