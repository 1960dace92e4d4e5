//! The reference page is what the table of keys says.

use std::path::Path;

#[test]
fn the_reference_page_is_up_to_date() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/stratus.toml.md");
    let page = stratus_site::reference::page();
    if std::env::var_os("STRATUS_BLESS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == page,
        "{} is out of date; run `STRATUS_BLESS=1 cargo test -p stratus-site --test reference`",
        file.display()
    );
}
