//! The contract of stores, on those that need no server.

mod contract;

use contract::CONTRACT;
use headwater::storage::Location;

#[test]
fn the_file_system_and_memory_keep_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let local = Location::parse(dir.path().to_str().unwrap()).unwrap();
    for root in [local, Location::memory()] {
        for (name, check) in CONTRACT {
            check(&root.join(name));
        }
    }
}
