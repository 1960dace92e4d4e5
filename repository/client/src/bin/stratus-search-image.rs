//! `stratus-search-image`: finds appliances in a repository.

use clap::Parser;
use comfy_table::{ContentArrangement, Table, presets};
use std::process::ExitCode;
use stratus_model::ByteCount;
use stratus_repository_api::search::{ApplianceSummary, SearchQuery, Sort, StatusFilter, Validity};
use stratus_terminal::{Exit, Settings};

mod shared;

/// Find appliances in a repository
#[derive(Parser, Debug)]
#[command(name = "stratus-search-image", version, after_help = EXAMPLES)]
struct Arguments {
    /// Words that all occur in name, title, description or endorser; none: everything
    words: Vec<String>,
    #[command(flatten)]
    repository: shared::RepositoryOptions,
    /// Operating system
    #[arg(long, help_heading = "Search")]
    os: Option<String>,
    /// Processor architecture
    #[arg(long, help_heading = "Search")]
    arch: Option<String>,
    /// Type, with its sub-types: `grid` finds `grid.ce`
    #[arg(long = "type", value_name = "TYPE", help_heading = "Search")]
    kind: Option<String>,
    /// A part of the endorser's name or e-mail address
    #[arg(long, help_heading = "Search")]
    endorser: Option<String>,
    /// valid, expired, deprecated or all
    #[arg(long, default_value = "valid", value_parser = status, help_heading = "Search")]
    status: StatusFilter,
    /// name, published or size; with `-` in front the other way round
    #[arg(long, value_parser = sort, allow_hyphen_values = true, help_heading = "Search")]
    sort: Option<Sort>,
    /// Most appliances to show
    #[arg(long, default_value_t = 100, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Search")]
    limit: u32,
    /// Print the appliances as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "Examples:
  stratus-search-image ubuntu --repository https://images.example.org
  stratus-search-image --os ubuntu --arch x86_64 --type base --sort=-published --limit 5
  stratus-search-image --status all --endorser ann@example.org --json";

fn main() -> ExitCode {
    stratus_terminal::run_async(|| search(stratus_terminal::arguments()))
}

async fn search(arguments: Arguments) -> anyhow::Result<Exit> {
    let repository = arguments.repository.connect(&Settings::load()?)?;
    let words = arguments.words.join(" ");
    let query = SearchQuery {
        q: Some(words).filter(|words| !words.trim().is_empty()),
        os: arguments.os,
        arch: arguments.arch,
        kind: arguments.kind,
        endorser: arguments.endorser,
        status: arguments.status,
        sort: arguments.sort.unwrap_or_default(),
        ..SearchQuery::default()
    };
    let most = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    let page = repository.search_all(&query, most).await.map_err(shared::failure)?;
    if arguments.json {
        stratus_terminal::print_json(&page)?;
        return Ok(Exit::Done);
    }
    if page.appliances.is_empty() {
        stratus_terminal::note("nothing fits");
        return Ok(Exit::Done);
    }
    stratus_terminal::print_line(&table(&page.appliances))?;
    let shown = page.appliances.len() as u64;
    if page.total > shown {
        stratus_terminal::note(&format!("{shown} of {} are shown; use `--limit`", page.total));
    }
    Ok(Exit::Done)
}

fn table(appliances: &[ApplianceSummary]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["NAME", "TITLE", "SIZE", "PUBLISHED", "ENDORSER", "STATUS"]);
    for one in appliances {
        let status = match one.status {
            Validity::Valid => "valid",
            Validity::Expired => "expired",
            Validity::Deprecated => "deprecated",
        };
        table.add_row([
            shown(&one.name),
            shown(one.title.as_deref().unwrap_or_default()),
            ByteCount(one.compressed_bytes).to_string(),
            one.published.strftime("%Y-%m-%d").to_string(),
            shown(one.email.as_deref().or(one.endorser.as_deref()).unwrap_or_default()),
            status.to_owned(),
        ]);
    }
    table.to_string()
}

/// A stranger's text without anything a terminal would act on.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn status(text: &str) -> Result<StatusFilter, &'static str> {
    let found = StatusFilter::ALL.into_iter().find(|status| status.name() == text);
    found.ok_or("use valid, expired, deprecated or all")
}

fn sort(text: &str) -> Result<Sort, &'static str> {
    text.parse().map_err(|()| "use name, published or size, with `-` in front to reverse")
}
