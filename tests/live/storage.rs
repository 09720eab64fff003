//! Headwater on real stores: HDFS, with Kerberos and without; Swift by its own API and by its S3 gateway.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use headwater::storage::Location;

use crate::contract::CONTRACT;
use crate::lines::{Break, Line};
use crate::room::{Room, Said, given, sorted_lines};

/// Stores by the variables that name a directory of each.
const STORES: [&str; 3] = ["HEADWATER_LIVE_HDFS", "HEADWATER_LIVE_SWIFT", "HEADWATER_LIVE_S3"];
const KERBEROS: &str = "HEADWATER_LIVE_HDFS_KERBEROS";

/// A directory of the store that no other test uses.
fn place(variable: &str, test: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_nanos();
    format!("{}/{test}-{now}", std::env::var(variable).expect("looked for before"))
}

#[test]
#[ignore = "needs real stores: tests/live/bed run"]
fn real_stores_keep_the_contract() {
    for variable in STORES.into_iter().filter(|variable| given(variable)) {
        let root = Location::parse(&place(variable, "contract")).unwrap();
        for (name, check) in CONTRACT {
            eprintln!("{root}: {name}");
            check(&root.join(name));
        }
    }
}

/// Bootstrap and import from and to a store give what they give from and to the file system.
fn works_as_with_files(room: &Room, store: &str, run: &dyn Fn(&str, i32) -> Said) {
    room.headwater("generate-dump --entities 3000 --seed 7 --output $DIR/dump.ttl.gz --revision-map $DIR/expected.csv", 0);
    let dump = Location::parse(room.path("dump.ttl.gz").to_str().unwrap()).unwrap();
    let bytes = headwater::storage::read(&dump).unwrap();
    // Only through the program: the store may need what this process has not.
    room.headwater("bootstrap --dump $DIR/dump.ttl.gz --savepoint-dir $DIR/local --revision-map $DIR/local.csv", 0);
    assert!(!bytes.is_empty());
    for format in ["native", "flink"] {
        let sp = format!("{store}/{format}");
        run(&format!("bootstrap --revision-map $DIR/local.csv --start-time 2024-11-04T23:00:02Z --savepoint-dir {sp} --savepoint-format {format} --report {store}/{format}.json"), 0);
        run(&format!("savepoint verify {sp}"), 0);
        run(&format!("savepoint export {sp} --output $DIR/{format}.csv"), 0);
        assert_eq!(sorted_lines(&room.path(&format!("{format}.csv"))), sorted_lines(&room.path("local.csv")), "{sp}");
        // Without --overwrite nothing is touched, with it the new one takes the place.
        run(&format!("bootstrap --revision-map $DIR/local.csv --start-time 2024-11-04T23:00:02Z --savepoint-dir {sp} --savepoint-format {format}"), 2);
        run(&format!("bootstrap --revision-map $DIR/local.csv --start-time 2024-11-04T23:00:02Z --savepoint-dir {sp} --savepoint-format {format} --overwrite"), 0);
        run(&format!("savepoint verify {sp}"), 0);
    }
}
