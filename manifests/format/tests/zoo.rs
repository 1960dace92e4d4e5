//! The zoo: one document in each folder of `testdata`, named by what is wrong with it.
//!
//! The outcome of reading is kept beside it as a snapshot, for ever. A new animal is a new folder
//! with `document.xml`; the first run writes its snapshot for review.

use std::path::{Path, PathBuf};
use stratus_manifest::{Unverified, read};

fn animals() -> Vec<PathBuf> {
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut found: Vec<_> = std::fs::read_dir(zoo)
        .expect("the zoo is there")
        .map(|entry| entry.expect("a folder").path())
        .filter(|path| path.join("document.xml").exists())
        .collect();
    found.sort();
    found
}

fn outcome(unverified: Unverified) -> String {
    let name = match unverified.claimed_coordinates() {
        Ok(coordinates) => coordinates.name(),
        Err(error) => format!("({error})"),
    };
    let notes: Vec<_> = unverified.notes().iter().map(|n| format!("note: {n}")).collect();
    let format = unverified.format();
    format!("{format:?} {name}\n{}\n{:#?}", notes.join("\n"), unverified.into_unverified_manifest())
}

#[test]
fn every_animal_of_the_zoo_is_read_or_refused_as_written_down() {
    let animals = animals();
    assert!(animals.len() > 100, "the zoo lost animals: {}", animals.len());
    for animal in animals {
        let bytes = std::fs::read(animal.join("document.xml")).expect("a document");
        let read = read(&bytes);
        let name = animal.file_name().expect("a name").to_string_lossy().into_owned();
        // Signed animals are judged by validation, which has its own test.
        if !name.starts_with("signed-") {
            assert_eq!(read.is_ok(), name.starts_with("valid-"), "{name}: {read:?}");
        }
        let text = match read {
            Ok(unverified) => outcome(unverified),
            Err(error) => format!("refused: {:?}\n{error}", error.kind()),
        };
        insta::with_settings!({
            snapshot_path => &animal,
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!("read", text);
        });
    }
}
