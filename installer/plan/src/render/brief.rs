//! One screen for each kind of host: a line for each step, files that are new as a count of lines,
//! files that are there as what differs, and what is done as a number.

use super::{Group, OnHost, change, place, role_title, stage_text};
use crate::plan::{Planned, Stage, State};
use crate::step::{File, Step};
use std::collections::BTreeSet;

/// Changed lines of one file that are shown.
const MOST_LINES: usize = 24;
/// Characters of one line that are shown.
const MOST_CHARACTERS: usize = 160;

/// The hosts of a group.
pub(super) fn group(group: &Group) -> String {
    let mut text = role_title(group);
    let steps = group.steps();
    let all_done = |on_hosts: &Vec<OnHost>| on_hosts.iter().all(|(_, p)| is_done(p));
    if !steps.is_empty() && steps.iter().all(all_done) {
        text.push_str(&format!("  all {} steps are done\n\n", steps.len()));
        return text;
    }
    for in_stage in steps.chunk_by(|a, b| a[0].1.stage == b[0].1.stage) {
        text.push_str(&stage(in_stage[0][0].1.stage, in_stage, group.planned().len()));
    }
    text.push('\n');
    text
}

fn is_done(planned: &Planned) -> bool {
    matches!(planned.state, State::Done(_))
}

fn stage(stage: Stage, steps: &[Vec<OnHost>], of: usize) -> String {
    let mut text = format!("  {}\n", stage_text(stage));
    let mut said = "";
    let mut done = 0;
    for on_hosts in steps {
        let todo: Vec<OnHost> = on_hosts.iter().filter(|(_, p)| !is_done(p)).copied().collect();
        done += usize::from(todo.is_empty());
        for (word, now) in [("change", true), ("later", false)] {
            let some = change(&todo, now);
            let Some((host, planned)) = some.first() else { continue };
            let place = place(&some, of, host.host.as_str());
            let Planned { id, reason, .. } = planned;
            text.push_str(&format!("    {word:<6}  {id}{place}: {reason}\n"));
            text.push_str(&details(planned, &mut said));
        }
    }
    if done > 0 {
        text.push_str(&format!(
            "    done    {done} {}\n",
            if done == 1 { "step" } else { "steps" }
        ));
    }
    text
}

/// What is to be seen of a step below its line. Why it comes later is said once where several steps
/// wait for the same.
fn details<'a>(planned: &'a Planned, said: &mut &'a str) -> String {
    let lines = match &planned.state {
        State::Done(_) => Vec::new(),
        State::Later(why) if why == said => Vec::new(),
        State::Later(why) => {
            *said = why;
            vec![why.clone()]
        }
        State::Change(lines) => changes(&planned.step, lines),
    };
    lines.iter().map(|line| format!("            {line}\n")).collect()
}

fn changes(step: &Step, lines: &[String]) -> Vec<String> {
    let begins_file = |line: &str| line.starts_with("--- ");
    let files = lines.iter().position(|l| begins_file(l)).unwrap_or(lines.len());
    let (plain, files) = lines.split_at(files);
    let mut shown = Vec::new();
    match plain {
        [] => {}
        plain if matches!(step, Step::Packages { .. }) => shown.push(packages(plain)),
        // That it was not done yet is what its line says.
        _ if matches!(step, Step::Action { .. }) => {}
        plain => shown.extend(plain.iter().map(|l| cut(l))),
    }
    // In a unified difference a line of content has a sign of its own before it, but `--- x` may be a
    // removed `-- x`: only with `+++` after it is it the beginning of a file.
    let mut rest = files;
    while !rest.is_empty() {
        let next = (1..rest.len()).find(|&i| {
            begins_file(&rest[i]) && rest.get(i + 1).is_some_and(|l| l.starts_with("+++ "))
        });
        let (one, others) = rest.split_at(next.unwrap_or(rest.len()));
        shown.extend(file(step, one));
        rest = others;
    }
    shown
}

fn packages(lines: &[String]) -> String {
    let names: Vec<&str> = lines.iter().map(|l| l.strip_prefix("install ").unwrap_or(l)).collect();
    format!("install {}", names.join(", "))
}

/// One file: a new one or a key as one line, another one as what differs.
fn file(step: &Step, lines: &[String]) -> Vec<String> {
    let name = |line: Option<&String>, mark: &str| {
        let line = line.map(String::as_str).unwrap_or_default();
        line.strip_prefix(mark).unwrap_or(line).to_owned()
    };
    let (before, path) = (name(lines.first(), "--- "), name(lines.get(1), "+++ "));
    let content = || lines.iter().skip(2).filter(|l| l.starts_with(['+', '-']));
    // A step about one file has its path in its name.
    let named = if matches!(step, Step::File(File { path: own, .. }) if *own == path) {
        String::new()
    } else {
        format!(" {path}")
    };
    let count = content().count();
    let lines_word = if count == 1 { "line" } else { "lines" };
    if before == "/dev/null" {
        return vec![format!("new file{named}, {count} {lines_word}")];
    }
    let extension = path.rsplit('.').next().unwrap_or_default();
    if BTreeSet::from(["asc", "gpg", "pem", "pub"]).contains(extension) {
        return vec![format!("another key{named}: {count} {lines_word} differ")];
    }
    let mut shown: Vec<String> = lines.iter().take(MOST_LINES).map(|l| cut(l)).collect();
    if lines.len() > MOST_LINES {
        shown.push(format!("… and {} lines more", lines.len() - MOST_LINES));
    }
    shown
}

/// A line that fits; of a longer one its beginning and how long it is.
fn cut(line: &str) -> String {
    let count = line.chars().count();
    if count <= MOST_CHARACTERS {
        return line.to_owned();
    }
    let start: String = line.chars().take(60).collect();
    format!("{start}… ({count} characters)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    fn of(text: &str) -> Vec<String> {
        changes(&Step::Packages { names: BTreeSet::new() }, &lines(text))
    }

    #[test]
    fn packages_are_one_line() {
        assert_eq!(of("install a 1\ninstall b"), ["install a 1, b"]);
    }

    #[test]
    fn a_new_file_is_counted_and_another_one_is_shown() {
        let text = "--- /dev/null\n+++ /a\n@@ -0,0 +1,2 @@\n+x\n+y\n--- /b\n+++ /b\n@@ -1 +1 @@\n--- c\n+d";
        assert_eq!(
            of(text),
            ["new file /a, 2 lines", "--- /b", "+++ /b", "@@ -1 +1 @@", "--- c", "+d"]
        );
    }

    #[test]
    fn a_key_is_counted_and_a_long_line_cut() {
        let key = "--- /k.asc\n+++ /k.asc\n@@ -1 +1 @@\n-AAAA\n+BBBB";
        assert_eq!(of(key), ["another key /k.asc: 2 lines differ"]);
        let long = format!("--- /b\n+++ /b\n@@ -1 +1 @@\n+{}", "x".repeat(500));
        assert_eq!(of(&long)[3], format!("+{}… (501 characters)", "x".repeat(59)));
    }
}
