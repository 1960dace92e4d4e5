//! `stratus-config`: shows, changes and checks the site file.

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use stratus_installer::config::{self, Listing};
use stratus_site::Site;
use stratus_site::edit::{self, Editor};
use stratus_site::keys::Absent;
use stratus_site::reference;
use stratus_terminal::{Exit, Failure, arguments, note, print_json, print_line, run};

/// Show, change and check the site file.
///
/// Without a task it prints the value of KEY, or its default where the file says nothing.
#[derive(Parser)]
#[command(name = "stratus-config", version, after_help = EXAMPLES, subcommand_negates_reqs = true)]
struct Arguments {
    /// The site file
    #[arg(
        long,
        value_name = "FILE",
        env = "STRATUS_CONFIG",
        default_value = "/etc/stratus/stratus.toml",
        global = true
    )]
    config: PathBuf,
    /// List every key with its default, its current value and its meaning
    #[arg(long)]
    keys: bool,
    /// List the keys of this section only, such as `networks`
    #[arg(long, value_name = "NAME", requires = "keys")]
    section: Option<String>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    /// The key to print, such as `networks.private.base`
    #[arg(conflicts_with = "keys", required_unless_present = "keys")]
    key: Option<String>,
    #[command(subcommand)]
    task: Option<Task>,
}

const EXAMPLES: &str = "Examples:
  stratus-config --keys --section networks       every key of it, with default, current, meaning
  stratus-config networks.private.base           print a value
  stratus-config set nodes.share nfs             change one; comments and order stay
  stratus-config set nodes.hosts 'node[01-40]'
  stratus-config unset networks.private.vlan
  stratus-config check                           report every problem, do nothing
  stratus-config import stratuslab.cfg -o site.toml

A change that would make the file wrong is refused with the report.";

#[derive(Subcommand)]
enum Task {
    /// Set a key; the file must be good afterwards
    Set {
        /// The key, such as `nodes.share`
        key: String,
        /// The value; several words for a list
        #[arg(required = true, allow_hyphen_values = true)]
        value: Vec<String>,
    },
    /// Take a key or a whole section out; the file must be good afterwards
    Unset {
        /// The key, such as `networks.private.vlan`
        key: String,
    },
    /// Read the whole file and report every problem
    Check,
    /// Print the reference of all keys, as Markdown
    Reference,
    /// Make a site file from a historical stratuslab.cfg, and say what became of each key
    Import {
        /// The old file
        old: PathBuf,
        /// The new file; it must not be there yet. Secrets go to files beside it. `-` prints it, where
        /// the old file has no secrets
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
}

fn main() -> ExitCode {
    run(|| {
        let arguments: Arguments = arguments();
        let (file, json) = (&arguments.config, arguments.json);
        match arguments.task {
            None if arguments.keys => keys(file, arguments.section.as_deref(), json),
            None => value(file, arguments.key.as_deref().unwrap_or_default(), json),
            Some(Task::Set { key, value }) => set(file, &key, &value),
            Some(Task::Unset { key }) => unset(file, &key),
            Some(Task::Check) => check(file, json),
            Some(Task::Reference) => {
                print_line(reference::page().trim_end())?;
                Ok(Exit::Done)
            }
            Some(Task::Import { old, output }) => import(&old, &output, json),
        }
    })
}

fn keys(file: &Path, section: Option<&str>, json: bool) -> Result<Exit> {
    let text = config::read_if_there(file)?;
    if text.is_none() {
        note(&format!("there is no `{}`; nothing is set", file.display()));
    }
    let editor = open(file, text.as_deref().unwrap_or_default())?;
    let listing = Listing::of(&editor, section).map_err(|e| Failure::usage(e.to_string()))?;
    if json {
        print_json(&listing)?;
    } else {
        print_line(&listing.table())?;
    }
    Ok(Exit::Done)
}

fn value(file: &Path, key: &str, json: bool) -> Result<Exit> {
    let path = parts(key)?;
    let editor = open(file, &config::read(file)?)?;
    let known = edit::known(&path);
    let set = editor.value(&path);
    // A whole section may be printed too; a key that nobody knows may not, it could be a secret.
    if let Err(error) = &known
        && !editor.is_section(&path)
    {
        return Err(Failure::usage(error.to_string()).hint("`--keys` lists all keys").into());
    }
    let absent = known.map(|key| key.absent);
    if json {
        let default = absent.ok().map(|absent| absent.to_string());
        let value = editor.json(&path);
        print_json(&serde_json::json!({ "key": key, "value": value, "default": default }))?;
        return Ok(Exit::Done);
    }
    let not_set = |why: &str| Failure::new(Exit::Failed, format!("`{key}` is not set{why}"));
    match (set, absent) {
        (Some(value), _) => print_line(&value)?,
        (None, Ok(Absent::Value(default))) => print_line(default.trim_matches('"'))?,
        (None, Ok(Absent::Means(what))) => return Err(not_set(&format!(": {what}")).into()),
        (None, _) => return Err(not_set("").into()),
    }
    Ok(Exit::Done)
}

fn set(file: &Path, key: &str, words: &[String]) -> Result<Exit> {
    let path = parts(key)?;
    let text = config::read(file)?;
    let mut editor = open(file, &text)?;
    editor.set(&path, words).map_err(|e| Failure::usage(e.to_string()))?;
    change(file, &text, &editor.text())
}

fn unset(file: &Path, key: &str) -> Result<Exit> {
    let path = parts(key)?;
    let text = config::read(file)?;
    let mut editor = open(file, &text)?;
    if !editor.unset(&path) {
        edit::known(&path).map_err(|e| Failure::usage(e.to_string()))?;
        note(&format!("`{key}` is not set"));
        return Ok(Exit::Done);
    }
    change(file, &text, &editor.text())
}

/// Writes the changed text, if the file would be good.
fn change(file: &Path, before: &str, after: &str) -> Result<Exit> {
    if before == after {
        note("nothing is to be changed");
        return Ok(Exit::Done);
    }
    Site::parse(file, after).map_err(|report| {
        let message = format!("`{}` stays as it is: it would be wrong\n\n{report}", file.display());
        Failure::usage(message).hint("where several things must change at once, edit the file")
    })?;
    config::replace(file, after)?;
    Ok(Exit::Done)
}

fn check(file: &Path, json: bool) -> Result<Exit> {
    let text = config::read(file)?;
    let site = match Site::parse_to_install(file, &text) {
        Ok(site) => site,
        Err(report) => {
            if json {
                print_json(&config::problems(file, &report))?;
            }
            let message = format!("the site file `{}` cannot be used\n\n{report}", file.display());
            return Err(Failure::usage(message).into());
        }
    };
    if json {
        print_json(&serde_json::json!({ "problems": [] }))?;
    }
    note(&format!(
        "`{}` is good: site `{}`, {} nodes, {} networks",
        file.display(),
        site.general.name,
        site.nodes.len(),
        site.networks.len()
    ));
    Ok(Exit::Done)
}

fn import(old: &Path, output: &Path, json: bool) -> Result<Exit> {
    let import = stratus_site::import::import(&config::read_old(old)?);
    if import.known == 0 {
        let message = format!("`{}` has no key of a stratuslab.cfg", old.display());
        let hint = "name the old `stratuslab.cfg`; nothing has been written";
        return Err(Failure::usage(message).hint(hint).into());
    }
    if output == Path::new("-") {
        config::print_import(&import, json)?;
    } else {
        config::write_import(&import, output)?;
        if json {
            print_json(&config::fates(&import))?;
        } else {
            print_line(&config::fate_table(&import))?;
        }
    }
    for (line, text) in &import.notes {
        let line = if *line == 0 { String::new() } else { format!("{line}:") };
        note(&format!("{}:{line} {text}", old.display()));
    }
    if output != Path::new("-") {
        for secret in &import.secrets {
            note(&format!("a secret is in `{}`", output.with_file_name(&secret.file).display()));
        }
        note(&format!("wrote `{}`", output.display()));
    }
    Site::parse(output, &import.toml).map_err(|report| {
        let message = format!("`{}` still needs your hand\n\n{report}", output.display());
        Failure::usage(message).hint("mend it, then `stratus-config check`")
    })?;
    Ok(Exit::Done)
}

fn parts(key: &str) -> Result<Vec<String>, Failure> {
    edit::path(key).map_err(|e| Failure::usage(e.to_string()))
}

fn open(file: &Path, text: &str) -> Result<Editor, Failure> {
    Editor::open(text)
        .map_err(|e| Failure::usage(format!("`{}` is no TOML", file.display())).because(e))
}
