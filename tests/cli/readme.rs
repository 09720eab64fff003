//! The table in the samples' README, as far as the command line must agree with it.

use std::collections::BTreeSet;

use crate::harness::samples;

/// The entities and revisions of a sample as `entity,revision` lines; `None` where the README does not say.
pub fn map(file: &str) -> Option<BTreeSet<String>> {
    let line = |entity: &str| entity.replace(' ', ",");
    let entities = cell(file, 4);
    (!entities.is_empty() && entities != "none").then(|| entities.split(", ").map(line).collect())
}

/// The maps of several samples together.
pub fn maps(files: &[&str]) -> BTreeSet<String> {
    files.iter().flat_map(|file| map(file).expect("the README says what is in it")).collect()
}

/// The oldest header of a sample.
pub fn start(file: &str) -> Option<String> {
    cell(file, 5).split(", ").filter(|time| time.starts_with('2')).min().map(str::to_owned)
}

/// The lines of a map as a set; no line may stand in it twice.
pub fn lines(csv: &str) -> BTreeSet<String> {
    let set: BTreeSet<_> = csv.lines().map(str::to_owned).collect();
    assert_eq!(set.len(), csv.lines().count(), "a line twice in\n{csv}");
    set
}

fn cell(file: &str, column: usize) -> String {
    let readme = std::fs::read_to_string(samples().join("README.md")).expect("the samples have a README");
    let row = readme.lines().find(|line| line.starts_with(&format!("| `{file}` |")));
    let row = row.unwrap_or_else(|| panic!("{file} is not in the README"));
    row.split('|').nth(column).expect("the table has five columns").trim().to_owned()
}
