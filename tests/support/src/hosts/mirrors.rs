//! Which package mirrors this machine uses, so that base roots come from the same ones.

use std::fs;
use std::path::Path;

/// One line of `sources.list` in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    uri: String,
    suite: String,
    components: Vec<String>,
}

/// The lines from which a root of `suite` is made, after this machine's own.
///
/// Empty where the machine names no archive of that distribution; `mmdebstrap` then asks the one it
/// knows itself.
pub(super) fn lines(distribution: &str, suite: &str, components: &[&str]) -> Vec<String> {
    let here = codename(&fs::read_to_string("/etc/os-release").unwrap_or_default());
    lines_from(&configured(Path::new("/etc/apt")), &here, distribution, suite, components)
}

fn lines_from(
    sources: &[Source],
    here: &str,
    distribution: &str,
    suite: &str,
    components: &[&str],
) -> Vec<String> {
    let archive = |s: &&Source| {
        let folder = s.uri.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        folder.starts_with(distribution) && s.components.iter().any(|c| c == "main")
    };
    let mut lines = Vec::new();
    for source in sources.iter().filter(archive) {
        // Other archives call their suites after the release too, with endings of their own.
        let Some(pocket) = source.suite.strip_prefix(here) else { continue };
        if ["", "-updates", "-security"].contains(&pocket) {
            let line = format!("deb {} {suite}{pocket} {}", source.uri, components.join(" "));
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines
}

fn codename(release: &str) -> String {
    let line = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    line.unwrap_or_default().trim_matches('"').to_owned()
}

fn configured(apt: &Path) -> Vec<Source> {
    let mut files = vec![apt.join("sources.list")];
    let folder = fs::read_dir(apt.join("sources.list.d")).into_iter().flatten().flatten();
    files.extend(folder.map(|entry| entry.path()));
    files.sort();
    let mut sources = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_default();
        match file.extension().and_then(|e| e.to_str()) {
            Some("list") => sources.extend(text.lines().filter_map(one_line)),
            Some("sources") => sources.extend(text.split("\n\n").flat_map(stanza)),
            _ => {}
        }
    }
    sources
}

/// `deb [options] URI SUITE COMPONENT…`
fn one_line(line: &str) -> Option<Source> {
    let mut rest = line.trim().strip_prefix("deb ")?.trim();
    if rest.starts_with('[') {
        rest = rest.split_once(']')?.1;
    }
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some(Source { uri: words.next()?, suite: words.next()?, components: words.collect() })
}

/// A stanza of a deb822 file.
fn stanza(text: &str) -> Vec<Source> {
    let field = |name: &str| -> Vec<String> {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    };
    if !field("Types").iter().any(|t| t == "deb") || field("Enabled") == ["no"] {
        return Vec::new();
    }
    let (suites, components) = (field("Suites"), field("Components"));
    let of_uri = |uri: String| {
        let source = |suite: &String| Source {
            uri: uri.clone(),
            suite: suite.clone(),
            components: components.clone(),
        };
        suites.iter().map(source).collect::<Vec<_>>()
    };
    field("URIs").into_iter().flat_map(of_uri).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_release_comes_from_the_archives_of_this_one() {
        let deb822 = "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n";
        let mut sources = stanza(deb822);
        sources.extend(one_line(
            "deb [signed-by=/x.gpg] http://mirror.example/debian-security bookworm-security main",
        ));
        // Neither of these is Debian.
        sources.extend(one_line("deb http://other.example/debian bookworm-other main"));
        sources.extend(one_line("deb http://other.example/tools bookworm main"));
        let lines = lines_from(&sources, "bookworm", "debian", "trixie", &["main"]);
        assert_eq!(
            lines,
            [
                "deb http://mirror.example/debian trixie main",
                "deb http://mirror.example/debian trixie-updates main",
                "deb http://mirror.example/debian-security trixie-security main",
            ]
        );
    }
}
