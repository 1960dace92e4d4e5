//! One manual page for a command and all its tasks: a page for each task would be hard to find, and
//! none of them has much to say alone.

use clap::Command;
use clap_mangen::Man;
use std::io;

/// The page as troff.
pub(crate) fn page(command: &Command) -> io::Result<String> {
    let page = Man::new(command.clone()).manual("Stratus").source("Stratus");
    let text = rendered(|out| page.render(out))?;
    // The generator's list of tasks names pages that are not there.
    let Some((head, rest)) = text.split_once(".SH SUBCOMMANDS\n") else { return Ok(text) };
    let tail = rest.find("\n.SH ").map_or("", |end| &rest[end + 1..]);
    let mut built = command.clone();
    // Tasks get their full names then, and options that belong to all.
    built.build();
    let mut tasks = String::new();
    add(&built, command.get_name(), &mut tasks)?;
    Ok(format!("{head}{tasks}{tail}"))
}

/// Adds a section for each task, and for the tasks of that.
fn add(command: &Command, above: &str, text: &mut String) -> io::Result<()> {
    let shown = |task: &&Command| !task.is_hide_set() && task.get_name() != "help";
    for task in command.get_subcommands().filter(shown) {
        let name = format!("{above} {}", task.get_name());
        // What the command says of all its tasks is said once.
        let page = Man::new(task.clone().mut_args(|option| {
            let said = option.is_global_set() || option.get_id() == "help" || option.is_hide_set();
            option.hide(said)
        }));
        let section = rendered(|out| {
            page.render_synopsis_section(out)?;
            page.render_description_section(out)?;
            page.render_options_section(out)
        })?;
        let heading = name.to_uppercase().replace('-', "\\-");
        *text += &format!(".SH \"{heading}\"\n{}", section.replace(".SH ", ".SS "));
        add(task, &name, text)?;
    }
    Ok(())
}

/// What is written, without the definitions that each part begins with but the first.
fn rendered(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> io::Result<String> {
    let mut bytes = Vec::new();
    write(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let whole = text.contains(".TH ");
    let definition = |line: &str| line.starts_with(".ie \\n(.g ") || line.starts_with(".el .ds ");
    let lines = text.lines().filter(|line| whole || !definition(line));
    Ok(lines.map(|line| format!("{line}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;

    #[test]
    fn tasks_are_sections_of_the_one_page() {
        let thing = Arg::new("thing").long("thing").conflicts_with("facts");
        let task = Command::new("weigh").about("Weighs it").arg(thing);
        let tasks = Command::new("token").about("Tokens").subcommand(task.clone());
        let facts = Arg::new("facts").long("facts").global(true);
        let command = Command::new("stratus-scales").version("1").arg(facts);
        let command = command.subcommand(task).subcommand(tasks);
        let page = page(&command).unwrap();
        for part in [
            ".TH stratus-scales 1",
            ".SH \"STRATUS\\-SCALES WEIGH\"",
            ".SS OPTIONS",
            "\\-\\-thing",
            ".SH \"STRATUS\\-SCALES TOKEN WEIGH\"",
            ".SH VERSION",
        ] {
            assert!(page.contains(part), "{part}:\n{page}");
        }
        assert!(!page.contains("(1)") && !page.contains("HELP"), "{page}");
        assert!(page.contains("\\fBstratus\\-scales token weigh\\fR"), "{page}");
        assert_eq!(page.matches("\n\\fB\\-\\-facts\\fR").count(), 1, "{page}");
        assert_eq!(page.matches(".ie ").count(), 1, "{page}");
    }
}
