//! Flink's savepoints: what real ones hold, what ours are, and how the two are compared.

use std::fs;

use crate::harness::{TestEnv, golden, shared};

const MAKE: &str = "bootstrap --dump $SAMPLES/wikidata.ttl.gz --dump $SAMPLES/lexemes.ttl.bz2 --savepoint-dir $DIR/sp \
                    --savepoint-format flink,native --parallelism 2";

#[test]
fn written_for_flink_and_looked_into() {
    let env = TestEnv::new();
    let text = env.transcript(&[
        MAKE,
        "savepoint inspect $DIR/sp/flink",
        "savepoint verify $DIR/sp/flink/_metadata",
        "savepoint diff $DIR/sp/flink $DIR/sp/native",
        "savepoint convert $DIR/sp/native --to flink --savepoint-dir $DIR/one --parallelism 1",
        "savepoint convert $DIR/one --to native --savepoint-dir $DIR/two",
        "bootstrap --dump $SAMPLES/items.ttl --savepoint-dir $DIR/three",
        "savepoint diff $DIR/one $DIR/three --limit 4 --output $DIR/differences.csv",
        "savepoint export $DIR/one --output $DIR/one.csv",
        "savepoint convert $DIR/one --to flink --savepoint-dir $DIR/one",
        "savepoint list $DIR/nothing",
    ]);
    golden("golden/flink.txt", &text);
}

/// What happens to a savepoint.
type Damage = fn(&TestEnv);

/// What is wrong is named, with its file and byte.
#[test]
fn damage_is_named() {
    let table: [(Damage, &[&str]); 5] = [
        (
            |env| change(env, "part-00000", |bytes| bytes.truncate(400)),
            &["problem     part-00000 has 400 bytes instead of"],
        ),
        (|env| fs::remove_file(env.path("sp/flink/part-00001")).expect("it was written"), &["part-00001 is missing"]),
        // The first key's key group.
        (
            |env| change(env, "part-00000", |bytes| bytes[0x180] ^= 1),
            &["problem     part-00000, byte 379: a key of key group"],
        ),
        (|env| change(env, "_metadata", |bytes| bytes[7] = 9), &["byte 4: format version 9; known are", "hint: "]),
        (
            |env| change(env, "_metadata", |bytes| bytes[0x18] ^= 1),
            &["no state of the operator `DecideMutationOperation`", "hint: "],
        ),
    ];
    for (damage, said) in table {
        let env = TestEnv::new();
        env.run(MAKE).expect(0, &[]);
        damage(&env);
        env.run("savepoint verify $DIR/sp/flink").expect(1, said);
        env.run("savepoint convert $DIR/sp/flink --to native --savepoint-dir $DIR/x").expect(1, &["hint: "]);
        assert!(!env.exists("x"));
    }
}

fn change(env: &TestEnv, name: &str, change: impl Fn(&mut Vec<u8>)) {
    let file = env.path("sp/flink").join(name);
    let mut bytes = fs::read(&file).expect("it was written");
    change(&mut bytes);
    fs::write(file, bytes).expect("the room can be written");
}

/// Differences in every form, the same in each.
#[test]
fn differences_in_every_form() {
    let env = TestEnv::new();
    env.write("a.csv", "Q1,5\nQ2,5\nQ3,-5\nP1,5\nL1,7\n");
    env.write("b.csv", "Q1,5\nQ2,6\nQ3,5\nM1,5\nL1,-6\n");
    for side in ["a", "b"] {
        let input = format!("bootstrap --revision-map $DIR/{side}.csv --negative-revisions deleted");
        env.run(&format!("{input} --savepoint-dir $DIR/{side} --savepoint-format flink")).expect(0, &[]);
    }
    let expected = "entity,difference,status_a,revision_a,status_b,revision_b\n\
                    Q2,newer_in_b,created,5,created,6\n\
                    Q3,status_differs,deleted,5,created,5\n\
                    P1,only_in_a,created,5,absent,\n\
                    L1,newer_in_a,created,7,deleted,6\n\
                    M1,only_in_b,absent,,created,5\n";
    env.run("savepoint diff $DIR/a $DIR/b --output $DIR/d.csv").expect(0, &["newer in A  1", "status      1"]);
    assert_eq!(env.read("d.csv"), expected);
    env.run("savepoint diff $DIR/a $DIR/b --output $DIR/d.parquet").expect(0, &[]);
    #[cfg(feature = "sql")]
    {
        env.write("all.sql", "SELECT * FROM d");
        let same = env.run("sql $DIR/all.sql --table d=$DIR/d.parquet --format csv").expect(0, &[]);
        assert_eq!(same.stdout, expected);
    }
    env.run("savepoint diff $DIR/a $DIR/b --output $DIR/d.json --limit 0").expect(0, &["… and 5 more"]);
    let lines = env.read("d.json");
    let last: serde_json::Value = serde_json::from_str(lines.lines().last().expect("five lines")).expect("JSON");
    assert_eq!((last["entity"].as_str(), last["revision_a"].is_null()), (Some("M1"), true));
    env.run("savepoint diff $DIR/a $DIR/b --output $DIR/d.txt").expect(2, &["hint: end it in"]);
    env.run("savepoint diff $DIR/a $DIR/b --output $DIR/d.csv").expect(2, &["already exists"]);
    env.run("savepoint diff $DIR/a $DIR/a").expect(0, &["the same"]);
}

/// The newest complete one is the one to restore from.
#[test]
fn the_one_to_restore_from() {
    let env = TestEnv::new();
    env.run(MAKE).expect(0, &[]);
    let copy = |from: &str, to: &str| {
        fs::create_dir_all(env.path(to)).expect("the room can be written");
        for file in fs::read_dir(env.path(from)).expect("it was written") {
            let file = file.expect("the room can be listed");
            fs::copy(file.path(), env.path(to).join(file.file_name())).expect("the room can be written");
        }
    };
    copy("sp/flink", "job/savepoint-1");
    std::thread::sleep(std::time::Duration::from_millis(20));
    copy("sp/flink", "job/chk-2");
    std::thread::sleep(std::time::Duration::from_millis(20));
    copy("sp/flink", "job/chk-3");
    fs::remove_file(env.path("job/chk-3/_metadata")).expect("it was copied");
    copy("sp/flink", "job/chk-4");
    fs::remove_file(env.path("job/chk-4/part-00001")).expect("it was copied");
    fs::create_dir_all(env.path("job/shared")).expect("the room can be written");
    env.write("job/shared/9f", "");
    let listing = env.run("savepoint list $DIR/job --json").expect(0, &[]).json();
    assert_eq!(listing["restore_from"], "$DIR/job/chk-2");
    let found = listing["found"].as_array().expect("a list");
    let told: Vec<_> = found.iter().map(|line| (line["location"].as_str(), line["complete"].as_bool())).collect();
    let expected = [("savepoint-1", true), ("chk-2", true), ("chk-3", false), ("chk-4", false)];
    let expected: Vec<_> = expected.map(|(name, complete)| (format!("$DIR/job/{name}"), complete)).into();
    let mut expected: Vec<_> = expected.iter().map(|(name, complete)| (Some(name.as_str()), Some(*complete))).collect();
    let mut told = told;
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
    env.run("savepoint list $DIR/job/chk-4").expect(1, &["part-00001 is missing", "no complete savepoint", "hint: "]);
}

/// Where `_metadata` says that the state is, put elsewhere.
fn elsewhere(bytes: &mut Vec<u8>, name: &str, path: &str) {
    let old = [b"\x06\x00\x0a", name.as_bytes()].concat();
    let at = bytes.windows(old.len()).position(|window| window == old).expect("it is named");
    let size = bytes[at + old.len()..][..8].to_vec();
    let new = [&[2][..], &size, &(path.len() as u16).to_be_bytes(), path.as_bytes()].concat();
    bytes.splice(at..at + old.len() + 8, new);
}

/// A file that cannot be had is a problem of its savepoint, in every form of that.
#[test]
fn files_that_cannot_be_had() {
    let table: [(Damage, &str); 4] = [
        (
            |env| {
                fs::remove_file(env.path("sp/flink/part-00000")).expect("it was written");
                fs::create_dir(env.path("sp/flink/part-00000")).expect("the room can be written");
            },
            "part-00000 cannot be read: $DIR/sp/flink/part-00000 is not a regular file",
        ),
        (
            |env| change(env, "_metadata", |bytes| elsewhere(bytes, "part-00000", "gs://bucket/x")),
            "gs://bucket/x cannot be read: locations of the scheme `gs` are not supported",
        ),
        (
            |env| change(env, "_metadata", |bytes| elsewhere(bytes, "part-00000", "x/y")),
            "x/y cannot be read: `x/y` is no location: it is not absolute",
        ),
        (
            |env| change(env, "_metadata", |bytes| elsewhere(bytes, "part-00000", "file:/a\x1b[2J\nverified  ")),
            "a control character is in its name",
        ),
    ];
    for (damage, said) in table {
        let env = TestEnv::new();
        env.run(MAKE).expect(0, &[]);
        damage(&env);
        let verified = env.run("savepoint verify $DIR/sp/flink").expect(1, &[said]);
        assert!(!verified.stdout.contains(['\x1b']) && !verified.stdout.contains("\nverified"), "{verified}");
        env.run("savepoint inspect $DIR/sp/flink").expect(1, &["hint: "]);
        let listed = env.run("savepoint list $DIR/sp").expect(0, &[said, "restore     $DIR/sp/native"]);
        assert!(!listed.stdout.contains('\x1b'), "{listed}");
    }
}

/// Directories as people have them: none of them hides the others.
#[test]
fn odd_trees() {
    let env = TestEnv::new();
    env.run(MAKE).expect(0, &[]);
    let link = |from: &str, to: &str| std::os::unix::fs::symlink(from, env.path(to)).expect("the room can be written");
    for dir in ["tree/wdqs-state", "tree/state", "tree/chk-", "tree/gone"] {
        fs::create_dir_all(env.path(dir)).expect("the room can be written");
    }
    for (dir, from) in [("wdqs-state", "flink"), ("state", "flink"), ("gone", "flink")] {
        for file in ["_metadata", "part-00000", "part-00001"] {
            let from = env.path("sp").join(from).join(file);
            fs::copy(from, env.path("tree").join(dir).join(file)).expect("the room can be written");
        }
    }
    env.write("tree/chk-/x", "");
    // Another job's, and the newest of all.
    std::thread::sleep(std::time::Duration::from_millis(20));
    let mut other = fs::read(env.path("tree/gone/_metadata")).expect("it was copied");
    other[0x18] ^= 1;
    fs::write(env.path("tree/gone/_metadata"), other).expect("the room can be written");
    link(".", "tree/loop");
    link("nowhere", "tree/nowhere");
    link("itself", "tree/itself");
    link("wdqs-state", "tree/a-latest");
    let listing = env.run("savepoint list $DIR/tree --json").expect(0, &[]).json();
    let found = listing["found"].as_array().expect("a list").iter();
    let mut found: Vec<_> = found.map(|line| line["location"].as_str().unwrap_or_default().to_owned()).collect();
    found.sort();
    assert_eq!(found, ["$DIR/tree/gone", "$DIR/tree/state", "$DIR/tree/wdqs-state"]);
    assert_ne!(listing["restore_from"], "$DIR/tree/gone");
    env.run("savepoint list $DIR/tree/gone").expect(1, &["another job's", "of an updater below"]);
    env.run("savepoint list $DIR/tree/state/_metadata").expect(0, &["restore     $DIR/tree/state"]);
    env.write("file", "");
    env.run("savepoint list $DIR/file").expect(2, &["no directory"]);
}

/// As many state files as there can be, and few that may be open at once.
#[test]
fn many_files() {
    let env = TestEnv::new();
    let rows: String = (1..5000).map(|number| format!("Q{number},{number}\n")).collect();
    env.write("map.csv", &rows);
    let make = "bootstrap --revision-map $DIR/map.csv --savepoint-dir $DIR/sp --savepoint-format flink";
    env.run(&format!("{make} --parallelism 1024")).expect(0, &[]);
    let verify = env.command("savepoint verify $DIR/sp");
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\""]).arg(verify.get_program()).args(verify.get_args());
    let output = limited.output().expect("there is a shell");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What may be written where.
#[test]
fn over_what_is_there() {
    let env = TestEnv::new();
    env.run(MAKE).expect(0, &[]);
    let native = "savepoint convert $DIR/sp/flink --to native --savepoint-dir $DIR/x";
    let flink = "savepoint convert $DIR/sp/native --to flink --savepoint-dir $DIR/x";
    env.run(native).expect(0, &[]);
    // One format over the other: asked for only, and nothing of the old one is left.
    env.run(flink).expect(2, &["$DIR/x already holds a savepoint", "--overwrite"]);
    env.run(&format!("{flink} --overwrite")).expect(0, &[]);
    env.run("savepoint verify $DIR/x").expect(0, &["Flink's, 8 files"]);
    assert!(!env.exists("x/state/Q-00000.parquet"));
    env.run(&format!("{native} --overwrite")).expect(0, &[]);
    env.run("savepoint verify $DIR/x").expect(0, &["every byte is as it was written"]);
    assert!(!env.exists("x/part-00000"));
    // A `_metadata` that no file can replace.
    fs::create_dir_all(env.path("odd/_metadata")).expect("the room can be written");
    let into =
        |dir: &str| format!("savepoint convert $DIR/sp/native --to flink --overwrite --savepoint-dir $DIR/{dir}");
    env.run(&into("odd")).expect(2, &["$DIR/odd/_metadata is not a regular file"]);
    assert!(!env.exists("odd/part-00000"));
    env.write("file", "");
    env.run(&into("file")).expect(2, &["$DIR/file is no directory", "choose another place"]);
    // Nothing is written into what is read.
    for command in ["diff $DIR/sp/flink $DIR/x --output $DIR/x/state/d.csv", "export $DIR/x --output $DIR/x/map.csv"] {
        env.run(&format!("savepoint {command}")).expect(2, &["are in one place", "hint: "]);
    }
    env.run("savepoint verify $DIR/x").expect(0, &[]);
}

/// Savepoints that real Flink took: the revisions that are in them, byte for byte what it wrote; where they are absent the test
/// says so aloud.
#[test]
fn real_savepoints() {
    let fixtures = shared().join("fixtures/flink-1.20.2");
    if !fixtures.is_dir() {
        // Not through print!, which the test runner keeps to itself.
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "SKIPPED: ../shared/fixtures is absent");
        return;
    }
    let env = TestEnv::new();
    let flink = "$SHARED/fixtures/flink-1.20.2";
    let sorted = |text: String| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    for name in ["onlyvalue-rocksdb-p12", "rocksdb", "hashmap", "rocksdb-inline", "rocksdb-snappy", "upstream-operator"]
    {
        let map = format!("{name}.csv");
        env.run(&format!("savepoint verify {flink}/{name}")).expect(0, &["every entry is where it belongs"]);
        env.run(&format!("savepoint export {flink}/{name} --output $DIR/{map} --deleted negative")).expect(0, &[]);
        let expected = fs::read_to_string(fixtures.join(format!("{name}.entities.csv"))).expect("it belongs to it");
        assert!(sorted(env.read(&map)) == sorted(expected), "{name}");
        let said = env.run(&format!("savepoint inspect {flink}/{name} --json")).expect(0, &[]).json();
        let others = fs::read_to_string(fixtures.join(format!("{name}.other.tsv"))).unwrap_or_default();
        let states = said["states"].as_object().expect("an object");
        let count = |state: &str| others.lines().filter(|line| line.split('\t').nth(1) == Some(state)).count() as u64;
        for (state, found) in states.iter().filter(|(state, _)| *state != "lastSeenRev") {
            assert_eq!(found.as_u64(), Some(count(state)), "{name}: {state}");
        }
    }
    let said = env.run(&format!("savepoint inspect {flink}/upstream-operator --json")).expect(0, &[]).json();
    assert_eq!(said["buffered"].as_array().map(Vec::len), Some(23));
    assert_eq!(said["unread"].as_object().map(serde_json::Map::len), Some(0));
    for (name, backend) in [("native-hashmap", "hashmap"), ("native-rocksdb", "RocksDB")] {
        let refused = env.run(&format!("savepoint inspect {flink}/{name}"));
        refused
            .expect(1, &["DecideMutationOperation", &format!("own form of the {backend} backend"), "--type canonical"]);
    }
    let map = format!("{flink}/onlyvalue-rocksdb-p12.entities.csv");
    let input = format!("bootstrap --revision-map {map} --negative-revisions deleted");
    env.run(&format!("{input} --savepoint-dir $DIR/sp --savepoint-format flink --parallelism 12")).expect(0, &[]);
    let mut ours = state_files(&env.path("sp"));
    let mut theirs = state_files(&fixtures.join("onlyvalue-rocksdb-p12"));
    ours.sort();
    theirs.sort();
    assert!(ours == theirs && ours.len() == 12, "the state files are those that Flink wrote");
}

fn state_files(dir: &std::path::Path) -> Vec<Vec<u8>> {
    let files = fs::read_dir(dir).expect("it can be listed").map(|file| file.expect("it can be listed"));
    let files = files.filter(|file| file.file_name() != "_metadata");
    files.map(|file| fs::read(file.path()).expect("it can be read")).collect()
}
