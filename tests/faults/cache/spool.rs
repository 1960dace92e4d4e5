//! What a spool may look like after bad days: flipped bits, torn and old journals, stray files.

use crate::{MIB, Stage, image, length, noise, page, repr_digest};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use stratus_tests::{Cache, Faults, Length};

/// The only journal in a spool.
pub(crate) fn journal(cache: &Cache) -> PathBuf {
    only(cache, "log")
}

fn only(cache: &Cache, ending: &str) -> PathBuf {
    let mut found = cache.objects();
    found.retain(|path| path.extension().is_some_and(|e| e == ending));
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// Turns one bit of an object's bytes.
fn flip(cache: &Cache, at: usize) {
    let file = OpenOptions::new().read(true).write(true).open(only(cache, "data")).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at as u64).unwrap();
    file.write_all_at(&[byte[0] ^ 4], at as u64).unwrap();
}

/// A cache that has all of this.
fn stocked(path: &str, bytes: &[u8], digest: bool) -> Stage {
    let stage = Stage::new();
    let page = page(bytes);
    let page = if digest { page.header("Repr-Digest", &repr_digest(bytes)) } else { page };
    stage.origin.put(path, page);
    stage.get(path, &[]).is("stored", 200, bytes);
    stage.rests(path);
    stage
}

/// A line of the journal as the cache writes it.
fn line(json: &str) -> String {
    format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()))
}

#[test]
fn a_bit_that_flipped_before_the_start_is_never_served() {
    for digest in [false, true] {
        let mut stage = stocked("/a", &noise(5 * MIB, 100), digest);
        let bytes = noise(5 * MIB, 100);
        stage.cache.stop();
        flip(&stage.cache, 3_500_000);
        stage.cache.restart();
        stage.get("/a", &[("range", "bytes=3499990-3500010")]).is(
            "a part",
            206,
            &bytes[3_499_990..3_500_011],
        );
        stage.recovers("/a", &bytes);
        let again = stage.origin.tally("/a").sent - length(&bytes);
        assert!(again <= 3 * MIB as u64, "{again} bytes came again");
    }
}

#[test]
fn a_scrub_finds_flipped_bits_while_people_read() {
    for digest in [false, true] {
        let bytes = noise(5 * MIB, 101);
        let stage = stocked("/a", &bytes, digest);
        flip(&stage.cache, 2_000_000);
        flip(&stage.cache, 5 * MIB - 1);
        let out = stage.cache.ask(&["scrub"]);
        assert_ne!(out.code, 0, "{}", out.stdout);
        let report: serde_json::Value = serde_json::from_str(&out.stdout).unwrap();
        assert!(report["wrong"].as_u64().unwrap() > 0, "{report}");
        let tail = format!("bytes={}-", 5 * MIB - 100);
        stage.get("/a", &[("range", &tail)]).is("the end", 206, &bytes[5 * MIB - 100..]);
        stage.recovers("/a", &bytes);
        assert_eq!(stage.cache.told(&["scrub"])["wrong"], 0);
    }
}

#[test]
fn a_flipped_bit_in_an_image_is_found_too() {
    let path = "/images/a.img.gz";
    let mut stage = Stage::new();
    let (bytes, manifest) = image(9 * MIB, 102);
    stage.origin.put(path, page(&bytes));
    stage.origin.put("/images/a.img.manifest.xml", page(manifest.as_bytes()));
    stage.get(path, &[]).is("stored", 200, &bytes);
    stage.rests(path);
    stage.cache.stop();
    flip(&stage.cache, 5_000_000);
    stage.cache.restart();
    stage.recovers(path, &bytes);
    assert_eq!(stage.cache.told(&["list"])[0]["state"], "verified");
}

#[test]
fn a_journal_cut_anywhere_costs_only_what_it_told() {
    let bytes = noise(2 * MIB, 103);
    for digest in [false, true] {
        let mut stage = stocked("/a", &bytes, digest);
        stage.cache.stop();
        let length = fs::metadata(journal(&stage.cache)).unwrap().len();
        for cut in [1, 2, 30, 400, length / 2, length - 40, length] {
            let path = journal(&stage.cache);
            let now = fs::metadata(&path).unwrap().len();
            OpenOptions::new()
                .write(true)
                .open(&path)
                .unwrap()
                .set_len(now.saturating_sub(cut))
                .unwrap();
            stage.cache.restart();
            stage.recovers("/a", &bytes);
            stage.cache.stop();
        }
    }
}

#[test]
fn a_torn_line_is_as_if_it_had_not_been_written() {
    let bytes = noise(2 * MIB, 104);
    let mut stage = stocked("/a", &bytes, true);
    let sent = stage.origin.tally("/a").sent;
    for rubbish in ["00000000 {\"bytes\":[0,99,", "\0\0\0\0\0\0\0\0", "\n", "zz\n\n12345678 \n"] {
        stage.cache.kill();
        let path = journal(&stage.cache);
        let text = fs::read(&path).unwrap();
        fs::write(&path, [&text, rubbish.as_bytes()].concat()).unwrap();
        stage.cache.restart();
        stage.recovers("/a", &bytes);
    }
    assert_eq!(stage.origin.tally("/a").sent, sent, "nothing came again");
}

#[test]
fn journals_that_lie_are_not_believed() {
    let bytes = noise(2 * MIB, 105);
    let lies = [
        line(r#"{"lost":[5,1]}"#),
        line(r#"{"bytes":[0,99999999999,0]}"#),
        line(r#"{"bytes":[5,5,0]}"#),
        line(r#"{"lost":[0,1048576]}"#) + &line(r#"{"bytes":[0,1048576,12345]}"#),
        line(r#"{"ends":5}"#),
        line(r#"{"unknown":5}"#),
    ];
    for lie in lies {
        let mut stage = stocked("/a", &bytes, false);
        stage.cache.kill();
        let path = journal(&stage.cache);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text + &lie).unwrap();
        stage.cache.restart();
        if lie.contains("ends") {
            // A length that was lied about with a good checksum is beyond what can be told.
            stage.cache.told(&["purge", "/a"]);
        }
        stage.recovers("/a", &bytes);
    }
}

#[test]
fn a_data_file_cut_short_is_filled_again() {
    let bytes = noise(3 * MIB, 106);
    let mut stage = stocked("/a", &bytes, true);
    for length in [2_500_000, 1, 0] {
        stage.cache.stop();
        let file = OpenOptions::new().write(true).open(only(&stage.cache, "data")).unwrap();
        file.set_len(length).unwrap();
        stage.cache.restart();
        stage.recovers("/a", &bytes);
    }
    stage.cache.stop();
    fs::remove_file(only(&stage.cache, "data")).unwrap();
    stage.cache.restart();
    stage.recovers("/a", &bytes);
}

#[test]
fn files_that_change_between_the_start_and_the_first_request_are_not_believed() {
    let bytes = noise(2 * MIB, 112);
    let changes: [fn(&Cache); 6] = [
        |cache| fs::remove_file(journal(cache)).unwrap(),
        |cache| fs::write(journal(cache), "").unwrap(),
        |cache| {
            let text = fs::read_to_string(journal(cache)).unwrap();
            fs::write(journal(cache), text.replace("\"status\":200", "\"status\":404")).unwrap();
        },
        // Another journal, whose lines have the right checksums.
        |cache| {
            let text = fs::read_to_string(journal(cache)).unwrap();
            let text = text.replace("\"status\":200", "\"status\":404");
            let json = text.lines().map(|text| line(text.split_once(' ').unwrap().1));
            fs::write(journal(cache), json.collect::<String>()).unwrap();
        },
        |cache| fs::remove_file(only(cache, "data")).unwrap(),
        |cache| fs::write(only(cache, "data"), vec![7; 1_500_000]).unwrap(),
    ];
    for digest in [false, true] {
        for change in changes {
            let mut stage = stocked("/a", &bytes, digest);
            stage.cache.stop();
            stage.cache.restart();
            change(&stage.cache);
            stage.recovers("/a", &bytes);
        }
    }
}

#[test]
fn a_data_file_cut_short_while_it_is_served_is_thrown_away() {
    let bytes = noise(3 * MIB, 111);
    for digest in [false, true] {
        let stage = stocked("/a", &bytes, digest);
        for length in [2_500_000, 1, 0] {
            let file = OpenOptions::new().write(true).open(only(&stage.cache, "data")).unwrap();
            file.set_len(length).unwrap();
            let readings =
                [stage.begin("/a", &[]), stage.begin("/a", &[("range", "bytes=2600000-")])];
            let [whole, part] = readings.map(|reading| stage.end(reading));
            // They may have been broken off, or have come late enough for the new one.
            assert!(whole.begins(&bytes) && part.begins(&bytes[2_600_000..]), "a wrong byte");
            stage.recovers("/a", &bytes);
        }
    }
}

#[test]
fn a_journal_of_an_older_version_is_thrown_away() {
    let bytes = noise(MIB, 107);
    let mut stage = stocked("/a", &bytes, false);
    stage.cache.stop();
    let path = journal(&stage.cache);
    let text = fs::read_to_string(&path).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    let json = first.split_once(' ').unwrap().1.replacen("\"version\":1", "\"version\":0", 1);
    assert!(json.contains("\"version\":0"), "{json}");
    fs::write(&path, line(&json) + rest).unwrap();
    stage.cache.restart();
    assert!(stage.cache.objects().is_empty(), "{:?}", stage.cache.objects());
    stage.recovers("/a", &bytes);
}

#[test]
fn what_belongs_to_nothing_is_removed_at_the_start() {
    let bytes = noise(MIB, 108);
    let mut stage = stocked("/a", &bytes, false);
    stage.cache.kill();
    let folder = only(&stage.cache, "data").parent().unwrap().to_owned();
    let objects = folder.parent().unwrap().to_owned();
    fs::create_dir_all(objects.join("zz")).unwrap();
    let strays = ["x.data", "y.log", "z.tmp", ".hidden", "none"].map(|name| folder.join(name));
    let loose = [objects.join("loose"), objects.join("zz/x.data")];
    for path in strays.iter().chain(&loose) {
        fs::write(path, "stray").unwrap();
    }
    // A folder is nothing that a cache makes there; it is let alone.
    fs::create_dir(folder.join("folder")).unwrap();
    stage.cache.restart();
    for path in strays.iter().chain(&loose) {
        assert!(!path.exists(), "{}", path.display());
    }
    fs::remove_dir(folder.join("folder")).unwrap();
    stage.recovers("/a", &bytes);
    assert_eq!(stage.origin.tally("/a").sent, length(&bytes), "it was there all the time");
}

#[test]
fn half_of_an_object_without_length_is_not_kept_over_a_restart() {
    let mut stage = Stage::new();
    let bytes = noise(3 * MIB, 109);
    let faults =
        Faults { length: Length::Chunked, stall_after: Some(MIB as u64), ..Faults::default() };
    stage.origin.put("/a", page(&bytes).with(faults));
    let url = stage.url("/a");
    stage.readers.leave_after(&url, &[], MIB);
    stage.cache.kill();
    stage.cache.restart();
    stage.recovers("/a", &bytes);
}

#[test]
fn a_spool_has_one_cache() {
    let bytes = noise(1000, 110);
    let stage = stocked("/a", &bytes, false);
    let mut second = stage.cache.spawn();
    assert_ne!(second.wait().unwrap().code(), Some(0));
    assert!(stage.cache.log().contains("is in use by another stratus-cache"));
    stage.recovers("/a", &bytes);
}
