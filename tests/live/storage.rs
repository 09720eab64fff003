//! Headwater on real stores: HDFS, with Kerberos and without; Swift by its own API and by its S3 gateway.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use headwater::storage::{self, Location};

use crate::contract::CONTRACT;
use crate::line::bad_line;
use crate::room::{Room, Said, given, sorted_lines};

/// Variables that name a directory of a store.
const STORES: [&str; 3] = ["HEADWATER_LIVE_HDFS", "HEADWATER_LIVE_SWIFT", "HEADWATER_LIVE_S3"];
const KERBEROS: &str = "HEADWATER_LIVE_HDFS_KERBEROS";

/// A directory of a store that nobody else uses.
fn place(variable: &str, test: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    format!("{}/{test}-{now}", std::env::var(variable).expect("looked for before"))
}

fn location(text: &str) -> Location {
    Location::parse(text).expect("a location")
}

/// Copies a file of the room to a store.
fn upload(file: &Path, to: &str) {
    storage::put(&location(to), Bytes::from(std::fs::read(file).expect("it is there"))).expect("it can be stored");
}

#[test]
#[ignore = "needs real stores: tests/live/bed run"]
fn real_stores_keep_the_contract() {
    for variable in STORES.into_iter().filter(|variable| given(variable)) {
        let root = location(&place(variable, "contract"));
        for (name, check) in CONTRACT {
            eprintln!("{root}: {name}");
            check(&root.join(name));
        }
    }
}

/// Dumps, maps, savepoints and triples in a store are what they are in files. `run` runs headwater.
fn works_as_with_files(room: &Room, dump: &str, store: &str, run: &dyn Fn(&str, i32) -> Said) {
    run(&format!("bootstrap --dump {dump} --savepoint-dir $DIR/sp --revision-map $DIR/map.csv"), 0);
    let map = sorted_lines(&room.path("map.csv"));
    for format in ["native", "flink"] {
        let sp = format!("{store}/{format}");
        let bootstrap = format!("bootstrap --dump {dump} --savepoint-dir {sp} --savepoint-format {format}");
        run(&format!("{bootstrap} --revision-map {store}/{format}.csv.bz2 --report {store}/{format}.json"), 0);
        run(&format!("savepoint verify {sp}"), 0);
        run(&format!("savepoint export {sp} --output $DIR/{format}.csv"), 0);
        assert_eq!(sorted_lines(&room.path(&format!("{format}.csv"))), map, "{sp}");
        // Nothing is touched unless told to; then the new one takes the place.
        run(&bootstrap, 2);
        run(&format!("{bootstrap} --overwrite"), 0);
        run(&format!("savepoint verify {sp}"), 0);
        run(&format!("bootstrap --revision-map {store}/{format}.csv.bz2 --savepoint-dir {store}/again-{format}"), 0);
        run(&format!("savepoint diff {store}/again-{format} {sp}"), 0);
    }
    let listed = run(&format!("savepoint list {store}"), 0);
    assert_eq!(listed.stdout.lines().filter(|line| line.starts_with("complete ")).count(), 4, "{}", listed.stdout);
    run(&format!("import --dump {dump} --format nt --compression gzip --output $DIR/nt"), 0);
    run(&format!("import --dump {dump} --format nt --compression gzip --output {store}/nt"), 0);
    let local = std::fs::read(room.path("nt/triples-00001.nt.gz")).expect("imported");
    if !store.contains("localhost") {
        assert!(storage::read(&location(&format!("{store}/nt/triples-00001.nt.gz"))).expect("imported") == local);
    }
}

#[test]
#[ignore = "needs real stores: tests/live/bed run"]
fn every_command_takes_places_in_stores() {
    for variable in STORES.into_iter().filter(|variable| given(variable)) {
        let room = Room::new();
        let store = place(variable, "commands");
        room.headwater("generate-dump --entities 2000 --output $DIR/dump.ttl.gz", 0);
        upload(&room.path("dump.ttl.gz"), &format!("{store}/dump.ttl.gz"));
        works_as_with_files(&room, &format!("{store}/dump.ttl.gz"), &store, &|arguments, code| {
            room.headwater(arguments, code)
        });
    }
}

#[test]
#[ignore = "needs HDFS with Kerberos: tests/live/bed run"]
fn hdfs_behind_kerberos() {
    if !given(KERBEROS) {
        return;
    }
    let room = Room::new();
    let store = place(KERBEROS, "kerberos");
    let variable = |name: &str| std::env::var(format!("{KERBEROS}_{name}")).expect("given with the store");
    let tickets = format!("FILE:{}", room.path("tickets").display());
    let environment = [
        ("HADOOP_CONF_DIR", variable("CONF")),
        ("KRB5_CONFIG", variable("KRB5")),
        ("KRB5_CLIENT_KTNAME", variable("KEYTAB")),
        ("KRB5CCNAME", tickets),
    ];
    let run = |arguments: &str, code: i32| room.headwater_in(&environment, arguments, code);
    room.headwater("generate-dump --entities 2000 --output $DIR/dump.ttl.gz", 0);
    works_as_with_files(&room, "$DIR/dump.ttl.gz", &store, &run);
    // A stranger, who has no keytab, is refused; nothing of what is there is shown.
    let stranger = [
        ("HADOOP_CONF_DIR", variable("CONF")),
        ("KRB5_CONFIG", variable("KRB5")),
        ("KRB5CCNAME", format!("FILE:{}", room.path("none").display())),
    ];
    let refused = room.headwater_in(&stranger, &format!("savepoint verify {store}/native"), 3);
    assert!(refused.stderr.contains("could not"), "{}", refused.stderr);
}

/// Killed at any moment, a bootstrap leaves nothing in the store that looks like a savepoint and is none.
#[test]
#[ignore = "needs real stores: tests/live/bed run"]
fn killed_at_any_moment_no_half_savepoint_looks_whole() {
    const KILLS: u64 = 12;
    for variable in STORES.into_iter().filter(|variable| given(variable)) {
        let room = Room::new();
        let store = place(variable, "killed");
        room.headwater("generate-dump --entities 4000 --output $DIR/dump.ttl.gz", 0);
        upload(&room.path("dump.ttl.gz"), &format!("{store}/dump.ttl.gz"));
        let bootstrap =
            |sp: &str| format!("bootstrap --dump {store}/dump.ttl.gz --savepoint-dir {sp} --overwrite --quiet");
        let begun = Instant::now();
        room.headwater(&bootstrap(&format!("{store}/whole")), 0);
        let whole = begun.elapsed();
        let seed = u64::from(std::process::id());
        eprintln!("{store}: seed {seed}, {KILLS} kills within {whole:?}");
        // Knuth's, for moments that differ.
        let mut random = seed;
        let mut moment = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            whole.mul_f64((random >> 33) as f64 / f64::from(1_u32 << 31) * 1.1)
        };
        let sp = format!("{store}/sp");
        let mut unfinished = 0;
        for _ in 0..KILLS {
            let mut child = Command::new(env!("CARGO_BIN_EXE_headwater"));
            let mut child = child.args(bootstrap(&sp).split(' ')).stderr(Stdio::null()).spawn().expect("it starts");
            std::thread::sleep(moment());
            child.kill().expect("ours");
            child.wait().expect("ours");
            match storage::exists(&location(&sp).join("_metadata")) {
                Ok(true) => _ = room.headwater(&format!("savepoint diff {sp} {store}/whole"), 0),
                Ok(false) => unfinished += 1,
                Err(error) => panic!("{error}"),
            }
        }
        eprintln!("{store}: {unfinished} of {KILLS} were killed before there was a savepoint");
        room.headwater(&bootstrap(&sp), 0);
        room.headwater(&format!("savepoint verify {sp}"), 0);
        room.headwater(&format!("savepoint diff {sp} {store}/whole"), 0);
        if variable == "HEADWATER_LIVE_HDFS" {
            // Directories of attempts that came to nothing went with their files.
            let listed = room.judge("HEADWATER_LIVE_HDFS_TOOLS", &format!("dfs -ls -C {sp}"), 0).stdout;
            assert_eq!(listed.lines().filter(|line| line.contains("/state-")).count(), 1, "{listed}");
        }
    }
}

/// Of two writers at once into one directory one succeeds, and what is there is whole.
#[test]
#[ignore = "needs real stores: tests/live/bed run"]
fn two_writers_at_once_leave_one_whole_savepoint() {
    for variable in STORES.into_iter().filter(|variable| given(variable)) {
        let room = Room::new();
        let store = place(variable, "rivals");
        for (name, entities) in [("a", 500), ("b", 700)] {
            room.headwater(&format!("generate-dump --entities {entities} --output $DIR/{name}.ttl"), 0);
            room.headwater(&format!("revision-map --dump $DIR/{name}.ttl --output $DIR/{name}.csv"), 0);
        }
        for round in 0..6 {
            let sp = format!("{store}/{round}");
            let begin = |name: &str| {
                let dump = room.path(&format!("{name}.ttl"));
                let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
                command.arg("bootstrap").arg("--dump").arg(dump).args(["--quiet", "--savepoint-dir", &sp]);
                command.stderr(Stdio::null()).spawn().expect("it starts")
            };
            let codes = [begin("a"), begin("b")].map(|mut child| child.wait().expect("ours").code());

            assert!(codes.contains(&Some(0)), "{codes:?}");
            // Whoever was later: what is there can be read, and is what one of the two was given.
            room.headwater(&format!("savepoint export {sp} --output $DIR/{round}.csv"), 0);
            let found = sorted_lines(&room.path(&format!("{round}.csv")));
            let given = ["a", "b"].map(|name| sorted_lines(&room.path(&format!("{name}.csv"))));
            assert!(given.contains(&found), "{sp}: {} entities {codes:?}", found.len());
        }
    }
}

/// Connections that break off cost time, never bytes.
#[test]
#[ignore = "needs real stores: tests/live/bed run"]
fn a_bad_line_costs_time_only() {
    for variable in ["HEADWATER_LIVE_SWIFT", "HEADWATER_LIVE_S3"].into_iter().filter(|variable| given(variable)) {
        let room = Room::new();
        let store = place(variable, "line");
        room.headwater("generate-dump --entities 20000 --output $DIR/dump.ttl.gz", 0);
        upload(&room.path("dump.ttl.gz"), &format!("{store}/dump.ttl.gz"));
        let server = std::env::var("AWS_ENDPOINT_URL").expect("given with the store");
        let line = bad_line(server.trim_start_matches("http://"), 12, 300_000);
        let environment =
            [("AWS_ENDPOINT_URL", format!("http://{line}")), ("ST_AUTH", format!("http://{line}/auth/v1.0"))];
        let map = format!("revision-map --dump {store}/dump.ttl.gz --output");
        room.headwater_in(&environment, &format!("{map} {store}/bad.csv"), 0);
        room.headwater(&format!("{map} {store}/good.csv"), 0);
        let read = |name: &str| storage::read(&location(&format!("{store}/{name}"))).expect("written");
        assert!(read("bad.csv") == read("good.csv"), "{store}");
        // A server that is not there is told so, soon enough.
        let nobody = [
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1".to_owned()),
            ("ST_AUTH", "http://127.0.0.1:1/auth/v1.0".to_owned()),
        ];
        let begun = Instant::now();
        let said = room.headwater_in(&nobody, &format!("dump-start --dump {store}/dump.ttl.gz"), 3);
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
        assert!(said.stderr.contains("127.0.0.1:1"), "{}", said.stderr);
    }
}
