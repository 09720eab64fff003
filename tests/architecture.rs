//! The rules of the source tree, kept by reading the sources as text; nothing of the crate is called.
//!
//! Promise: each complaint names the file and line, the rule, and what to do.
//! Invariant: what stands in comments, literals and test code is not judged, but for the head and the length of files.
//! Not here: what `super::` and re-exports could hide; both are forbidden instead (see `no_way_round`).

use std::fs;
use std::path::Path;

/// Modules and their ranks: a module uses those of lower ranks only. Those of one rank are strangers to each other.
const RANKS: &[(&str, u8)] = &[
    ("histogram", 0),
    ("rdf", 0),
    ("wikibase", 1),
    ("exposition", 2),
    ("telling", 2),
    ("munge", 2),
    ("event", 2),
    ("state", 2),
    ("env", 2),
    ("generate", 2),
    ("mutation", 3),
    ("diff", 3),
    ("storage", 3),
    ("kafka", 3),
    ("control", 4),
    ("side_output", 4),
    ("subgraph", 4),
    ("compression", 4),
    ("columns", 4),
    ("web", 4),
    ("dump", 5),
    ("entity_data", 5),
    ("event_streams", 5),
    ("mediawiki", 5),
    ("sparql", 5),
    ("revision_map", 5),
    ("triples", 5),
    ("savepoint", 5),
    ("sql", 6),
    ("bootstrap", 7),
    ("offsets", 7),
    ("updater", 7),
    ("consume", 8),
    ("import", 8),
    ("reconcile", 8),
    ("verify", 9),
    ("cli", 10),
];

/// Foreign crates, and the one module that may name each. A star stands for the rest of the name.
const DOORS: &[(&str, &str)] = &[
    ("object_store", "storage"),
    ("tokio", "storage"),
    ("rdkafka*", "kafka"),
    ("reqwest", "web"),
    ("hyper*", "control"),
    ("http_body_util", "control"),
    ("futures", "storage"),
    ("async_trait", "storage"),
    ("hdfs_native*", "storage"),
    ("http", "storage"),
    ("md5", "storage"),
    ("url", "storage"),
    ("datafusion", "sql"),
    ("arrow_*", "columns"),
    ("parquet", "columns"),
    ("flate2", "compression"),
    ("lbzip2", "compression"),
    ("bzip2", "compression"),
    ("snap", "compression"),
    ("zstd", "compression"),
    ("chrono", "wikibase/timestamp"),
    ("clap*", "cli"),
    ("ctrlc", "cli"),
    ("indicatif", "cli"),
    ("toml", "cli"),
    ("oxttl", "rdf/reader/judge"),
    ("oxrdf", "rdf/reader/judge"),
    ("typed_arena", "rdf/reader"),
    ("saphyr_parser", "subgraph/yaml"),
];

/// Words in code, the places they are for, and what to do elsewhere.
const EFFECTS: &[(&str, &[&str], &str)] = &[
    ("SystemTime::now", &["cli"], "take the time from `Env::now`"),
    ("Instant::now", &["cli"], "take the time from `Env::now`"),
    ("todo!(", &[], "finish it, or leave it out"),
    ("unimplemented!(", &[], "finish it, or leave it out"),
    (".unwrap()", &[], "return an error, or say with `expect(…)` why it cannot fail"),
    ("unsafe", &["dump/anchors"], "write it in safe Rust"),
];

/// The modules that may name `std::fs`.
const FILE_SYSTEM: &[&str] = &["storage", "cli/settings"];

/// Names that say nothing.
const EMPTY_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc", "types"];

const MOST_LINES: usize = 600;

/// A source file.
struct Source {
    /// As in complaints: `src/dump/mod.rs`.
    file: String,
    /// Below `src`, without `.rs` and `/mod`: `dump/anchors`.
    path: String,
    text: String,
    /// The text with comments, literals and test items blanked, byte for byte.
    code: String,
    /// Lines of test items.
    test_lines: usize,
}

type Rule = fn(&Source) -> Vec<String>;

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let file = format!("src/{path}");
        let path = path.strip_suffix(".rs").unwrap_or(path);
        let path = path.strip_suffix("/mod").unwrap_or(path).to_owned();
        let mut code = blank_prose(text);
        let tests = test_spans(&code);
        let test_lines = tests.iter().map(|(from, to)| text[*from..*to].lines().count()).sum();
        for (from, to) in tests {
            blank(&mut code, from, to);
        }
        if path.ends_with("/tests") || path.contains("/tests/") {
            let end = code.len();
            blank(&mut code, 0, end);
        }
        let code = String::from_utf8(code).expect("only whole characters are blanked");
        Self { file, path, text: text.to_owned(), code, test_lines }
    }

    /// Its top-level module.
    fn module(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    fn is_in(&self, places: &[&str]) -> bool {
        let below =
            |place: &&str| self.path.strip_prefix(*place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        places.iter().any(below)
    }

    fn complaint(&self, at: usize, what: impl std::fmt::Display) -> String {
        format!("{}:{}: {what}", self.file, self.code[..at].matches('\n').count() + 1)
    }

    /// Where `word` stands in the code, not as a part of a longer name.
    fn places(&self, word: &str) -> Vec<usize> {
        let is_name = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let alone = |at: &usize| {
            let (before, after) = (self.code[..*at].chars().last(), self.code[at + word.len()..].chars().next());
            !(word.starts_with(char::is_alphabetic) && is_name(before)
                || word.ends_with(char::is_alphabetic) && is_name(after))
        };
        self.code.match_indices(word).map(|(at, _)| at).filter(alone).collect()
    }

    /// The names that follow `root::`, also those in a list in braces, with their places.
    fn names_below(&self, root: &str) -> Vec<(usize, String)> {
        let start = format!("{root}::");
        let after = |at: usize| (at, &self.code[at + start.len()..]);
        self.places(&start)
            .into_iter()
            .map(after)
            .flat_map(|(at, rest)| heads(rest).map(move |name| (at, name)))
            .collect()
    }
}

/// The first names of a path or of a list of paths: `a::b` -> a; `{a::{b, c}, d}` -> a, d.
fn heads(path: &str) -> impl Iterator<Item = String> {
    let list = path.trim_start().strip_prefix('{');
    let mut depth = 0;
    let end = |c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth < 0 || list.is_none() && !(c.is_alphanumeric() || c == '_' || c == '*')
    };
    let body = list.unwrap_or(path);
    let body = &body[..body.find(end).unwrap_or(body.len())];
    let mut depth = 0;
    let mut heads = vec![String::new()];
    for c in body.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        match c {
            ',' if depth == 0 => heads.push(String::new()),
            c => heads.last_mut().expect("never empty").push(c),
        }
    }
    let name = |head: String| head.trim().split([':', ' ', '\n']).next().unwrap_or_default().to_owned();
    heads.into_iter().map(name).filter(|name| !name.is_empty()).collect::<Vec<_>>().into_iter()
}

/// Blanks comments, strings and characters; newlines stay.
fn blank_prose(text: &str) -> Vec<u8> {
    let mut code = text.as_bytes().to_vec();
    let mut at = 0;
    while at < text.len() {
        let end = at + prose(&text[at..], text[..at].chars().last());
        if end > at {
            blank(&mut code, at, end);
        }
        at = end.max(at + text[at..].chars().next().map_or(1, char::len_utf8));
    }
    code
}

/// How many bytes of comment or literal the text begins with.
fn prose(text: &str, before: Option<char>) -> usize {
    let until = |from: usize, end: &str| text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
    let in_name = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    match text.as_bytes() {
        [b'/', b'/', ..] => text.find('\n').unwrap_or(text.len()),
        [b'/', b'*', ..] => until(2, "*/"),
        [b'"', ..] => escaped(text, '"'),
        [b'r', b'"' | b'#', ..] if !in_name || before == Some('b') => {
            let hashes = text[1..].len() - text[1..].trim_start_matches('#').len();
            let opens = text[1 + hashes..].starts_with('"');
            if opens { until(2 + hashes, &format!("\"{}", "#".repeat(hashes))) } else { 0 }
        }
        [b'\'', b'\\', ..] => escaped(text, '\''),
        [b'\'', ..] if text.chars().nth(2) == Some('\'') => until(1, "'").max(3),
        _ => 0,
    }
}

/// The length of a literal that ends at the first `quote` without a backslash before it.
fn escaped(text: &str, quote: char) -> usize {
    let mut skip = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == quote && !skip;
        skip = *c == '\\' && !skip;
        ends
    });
    end.map_or(text.len(), |(at, _)| at + 1)
}

fn blank(code: &mut [u8], from: usize, to: usize) {
    code[from..to].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
}

/// The items under `#[cfg(test)]`: up to a semicolon, or to the brace that closes the first.
fn test_spans(code: &[u8]) -> Vec<(usize, usize)> {
    const MARK: &str = "#[cfg(test)]";
    let code = String::from_utf8_lossy(code).into_owned();
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for (from, _) in code.match_indices(MARK) {
        if spans.last().is_none_or(|(_, to)| from >= *to) {
            let item = &code[from + MARK.len()..];
            spans.push((from, from + MARK.len() + item_length(item)));
        }
    }
    spans
}

fn item_length(item: &str) -> usize {
    let mut depth = 0;
    let end = item.find(|c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth == 0 && (c == ';' || c == '}')
    });
    end.map_or(item.len(), |at| at + 1)
}

/// Rule: imports point down.
fn layers(source: &Source) -> Vec<String> {
    if source.path == "main" {
        let names = source.names_below("headwater").into_iter().filter(|(_, name)| name != "cli");
        return names
            .map(|(at, _)| source.complaint(at, "main uses nothing but `headwater::cli`: move this there"))
            .collect();
    }
    let rank = |module: &str| RANKS.iter().find(|(name, _)| *name == module).map(|(_, rank)| *rank);
    let own = source.module();
    let Some(own_rank) = rank(own).or((own == "lib").then_some(u8::MAX)) else {
        return vec![source.complaint(0, format_args!("give `{own}` a rank in tests/architecture.rs"))];
    };
    let judge = |(at, used): (usize, String)| {
        let complaint = match rank(&used) {
            _ if used == own => return None,
            None => format!(
                "`crate::{used}` is no module with a rank: name the module, and rank it in tests/architecture.rs"
            ),
            Some(used_rank) if used_rank > own_rank => format!(
                "`{own}` (rank {own_rank}) may not use `{used}` (rank {used_rank}): \
                 move what is needed down, or hand it in as an argument"
            ),
            Some(used_rank) if used_rank == own_rank => {
                format!(
                    "`{own}` and `{used}` are strangers (both rank {own_rank}): let a module above them join the two"
                )
            }
            Some(_) => return None,
        };
        Some(source.complaint(at, complaint))
    };
    source.names_below("crate").into_iter().filter_map(judge).collect()
}

/// Rule: nothing hides an import from `layers`.
fn no_way_round(source: &Source) -> Vec<String> {
    let supers = source.places("super::").into_iter();
    let supers = supers.map(|at| source.complaint(at, "`super::` hides which module is used: write `crate::…`"));
    let exports = ["pub use crate::", "pub use headwater::"].into_iter().flat_map(|export| source.places(export));
    let exports =
        exports.map(|at| source.complaint(at, "a re-export gives a thing two homes: import it where it is used"));
    supers.chain(exports).collect()
}

/// Rule: one foreign crate, one door.
fn doors(source: &Source) -> Vec<String> {
    let of_door = |(name, door): &(&str, &str)| {
        let used = foreign(source, name).into_iter().filter(|_| !source.is_in(&[*door]));
        let complain = |(at, used)| {
            let what = format!("`{used}` is used in `{door}` only: ask that module for what is needed");
            source.complaint(at, what)
        };
        used.map(complain).collect::<Vec<_>>()
    };
    DOORS.iter().flat_map(of_door).collect()
}

/// Where a foreign crate is named: at the head of a path, or alone after `use`.
fn foreign(source: &Source, pattern: &str) -> Vec<(usize, String)> {
    let stem = pattern.trim_end_matches('*');
    let name = |(at, _)| {
        let (before, rest): (&str, &str) = source.code.split_at(at);
        let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let (name, after) = rest.split_at(length);
        let is_crate = if stem == pattern { name == stem } else { true };
        let inside = before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
        let path = before.trim_end_matches("::");
        let below = path.len() < before.len() && path.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '>');
        let whole = before.ends_with("use ") && after.starts_with([';', ' ']);
        (is_crate && !inside && !below && (whole || after.starts_with("::"))).then(|| (at, name.to_owned()))
    };
    source.code.match_indices(stem).filter_map(name).collect()
}

/// Rule: effects stay where they are kept.
fn effects(source: &Source) -> Vec<String> {
    let of_word = |(word, places, advice): &(&'static str, &[&str], &'static str)| {
        let found = if source.is_in(places) { Vec::new() } else { source.places(word) };
        let complain = |at| source.complaint(at, format_args!("`{word}` has no place here: {advice}"));
        found.into_iter().map(complain).collect::<Vec<_>>()
    };
    let mut complaints: Vec<_> = EFFECTS.iter().flat_map(of_word).collect();
    if !source.is_in(FILE_SYSTEM) {
        let files = source.names_below("std").into_iter().filter(|(_, name)| name == "fs");
        complaints.extend(
            files.map(|(at, _)| source.complaint(at, "`std::fs` is used in `storage` only: go through a `Location`")),
        );
    }
    complaints
}

/// Rule: a file says what it is, is not too long, and has a name that says something.
fn files(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    if !source.text.starts_with("//!") {
        complaints.push(source.complaint(0, "begin the file with `//!` and one sentence on what it is"));
    }
    let lines = source.text.lines().count() - source.test_lines;
    if lines > MOST_LINES {
        let advice = format!("{lines} lines are more than {MOST_LINES}: split the file by what its parts promise");
        complaints.push(source.complaint(0, advice));
    }
    if let Some(name) = source.path.split('/').find(|name| EMPTY_NAMES.contains(name)) {
        complaints
            .push(source.complaint(0, format_args!("`{name}` says nothing: name the file for the noun it holds")));
    }
    complaints
}

/// All sources, in the order of their paths.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut found) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be listed") {
            let path = entry.expect("src can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).expect("it is below src").to_string_lossy().replace('\\', "/");
                found.push(Source::new(&name, &fs::read_to_string(&path).expect("sources are UTF-8")));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn holds(rule: Rule) {
    let complaints: Vec<_> = sources().iter().flat_map(rule).collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn imports_point_down() {
    holds(layers);
}

#[test]
fn nothing_hides_an_import() {
    holds(no_way_round);
}

#[test]
fn each_foreign_crate_has_one_door() {
    holds(doors);
}

#[test]
fn effects_stay_where_they_are_kept() {
    holds(effects);
}

#[test]
fn files_have_a_head_a_length_and_a_name() {
    holds(files);
}

#[test]
fn the_tables_are_about_this_tree() {
    let sources = sources();
    let code = &sources.iter().find(|source| source.path == "lib").expect("src/lib.rs is there").code;
    for (module, _) in RANKS {
        assert!(code.contains(&format!("mod {module};")), "`{module}` is gone: take it out of RANKS");
    }
    for (name, door) in DOORS {
        let used = sources.iter().any(|source| source.is_in(&[*door]) && !foreign(source, name).is_empty());
        assert!(used, "`{name}` is not used in `{door}`: take it out of DOORS");
    }
    let places = EFFECTS.iter().flat_map(|(_, places, _)| *places).chain(FILE_SYSTEM);
    for place in places {
        assert!(sources.iter().any(|source| source.is_in(&[*place])), "`{place}` is gone: take it out of the tables");
    }
}

/// Asserts that the rule complains of each bad text with that word, and not of the good ones.
fn check(rule: Rule, bad: &[(&str, &str, &str)], good: &[(&str, &str)]) {
    for (path, text, complaint) in bad {
        let found = rule(&Source::new(path, text)).join("\n");
        assert!(found.contains(complaint), "{path}: {text}\nfound: {found:?}, not: {complaint}");
    }
    for (path, text) in good {
        let found = rule(&Source::new(path, text));
        assert!(found.is_empty(), "{path}: {text}\nfound: {found:?}");
    }
}

#[test]
fn upward_and_sideways_imports_are_found() {
    let bad = [
        ("dump/read.rs", "use crate::savepoint::Paths;", "strangers (both rank 5)"),
        (
            "rdf/mod.rs",
            "\nuse crate::{storage::{self, Blob}, rdf};",
            "src/rdf/mod.rs:2: `rdf` (rank 0) may not use `storage`",
        ),
        ("state.rs", "fn f() -> crate::dump::Scan {}", "`state` (rank 2) may not use `dump` (rank 5)"),
        ("wikibase/x.rs", "use crate::{\n    cli,\n};", "may not use `cli`"),
        ("cli/x.rs", "use crate::*;", "`crate::*` is no module"),
        ("novel/mod.rs", "", "give `novel` a rank"),
        ("main.rs", "use headwater::{cli, dump};", "nothing but `headwater::cli`"),
    ];
    let good = [
        (
            "dump/read.rs",
            "use crate::dump::scan;\nuse crate::rdf::{a::b, c};\n// crate::cli\nconst A: &str = \"crate::cli\";",
        ),
        ("dump/read.rs", "#[cfg(test)]\nmod tests { use crate::cli::x; }\n#[cfg(test)]\nmod more;"),
        ("dump/read/tests.rs", "use crate::cli::x;"),
        ("savepoint/manifest.rs", "struct A { pub(in crate::savepoint) b: u8 }"),
        ("main.rs", "fn main() { headwater::cli::main() }"),
    ];
    check(layers, &bad, &good);
    let after_tests = "#[cfg(test)]\nmod tests;\nmod writer;\nuse crate::cli::x;";
    check(layers, &[("storage/mod.rs", after_tests, "src/storage/mod.rs:4")], &[]);
}

#[test]
fn ways_round_are_found() {
    let bad = [
        ("dump/read.rs", "use super::super::savepoint;", "write `crate::…`"),
        ("dump/mod.rs", "pub use crate::rdf::Term;", "two homes"),
    ];
    check(no_way_round, &bad, &[("dump/read.rs", "#[cfg(test)]\nmod tests {\n    use super::*;\n}")]);
}

#[test]
fn foreign_crates_in_wrong_places_are_found() {
    let bad = [
        ("savepoint/read.rs", "use parquet::file::X;", "`parquet` is used in `columns` only"),
        ("dump/read.rs", "use ::lbzip2::block;", "`lbzip2` is used in `compression` only"),
        ("dump/read.rs", "fn f(a: arrow_array::Array) {}", "`arrow_array` is used in `columns` only"),
        ("bootstrap/mod.rs", "#[derive(clap::Args)]\nstruct A;", "`clap` is used in `cli` only"),
        ("state.rs", "use {rayon::x, tokio::task};", "`tokio` is used in `storage` only"),
        ("wikibase/entity.rs", "use chrono as time;", "`chrono` is used in `wikibase/timestamp` only"),
        ("rdf/lexer.rs", "type A = Vec<oxrdf::Term>;", "`oxrdf` is used in `rdf/reader/judge` only"),
    ];
    let good = [
        ("storage/local.rs", "use url::Url;\nuse object_store::path::Path;"),
        ("dump/read.rs", "crate::compression::zstd::open(); let url = x; my_url::y(); url.host()"),
        ("rdf/reader/judge.rs", "use oxttl::TurtleParser;"),
        ("state.rs", "//! [`parquet::A`]\n#[cfg(test)]\nmod tests {\n    use oxttl::A;\n}"),
    ];
    check(doors, &bad, &good);
}

#[test]
fn effects_in_wrong_places_are_found() {
    let bad = [
        ("dump/read.rs", "let now = std::time::Instant::now();", "take the time from `Env::now`"),
        ("bootstrap/mod.rs", "SystemTime::now()", "take the time from `Env::now`"),
        ("dump/read.rs", "use std::{fs, io};", "`std::fs` is used in `storage` only"),
        ("cli/man.rs", "std::fs::read(x)", "`std::fs` is used in `storage` only"),
        ("cli/man.rs", "todo!()", "finish it"),
        ("cli/man.rs", "unimplemented!(\"x\")", "finish it"),
        ("state.rs", "let a = '\"'; let b = c.unwrap();", "return an error"),
        ("dump/scan.rs", "unsafe { x() }", "safe Rust"),
    ];
    let good = [
        ("cli/progress.rs", "Instant::now(); SystemTime::now();"),
        ("cli/settings.rs", "std::fs::read_to_string(file)"),
        ("storage/local.rs", "std::fs::read_dir(dir)"),
        ("dump/anchors.rs", "unsafe { x() }"),
        ("state.rs", "// .unwrap()\n/* todo!() */ \".unwrap() \\\" todo!()\"; r#\"\" unsafe \"#; x.expect(\"it is\")"),
        ("state.rs", "fn f<'a>(x: &'a str) -> char { '\\'' }\n#[cfg(test)]\nmod tests { fn f() { x.unwrap() } }"),
        ("state/tests.rs", "x.unwrap()"),
    ];
    check(effects, &bad, &good);
}

#[test]
fn unfit_files_are_found() {
    let long = format!("//! Long.\n{}", "fn f() {}\n".repeat(MOST_LINES));
    let tests = format!("//! Short.\n#[cfg(test)]\nmod tests {{\n{}}}\n", "fn f() {}\n".repeat(MOST_LINES));
    let bad = [
        ("dump/x.rs", "fn f() {}", "begin the file with `//!`"),
        ("dump/tests.rs", "use super::*;", "begin the file with `//!`"),
        ("dump/x.rs", long.as_str(), "601 lines are more than 600"),
        ("dump/tests.rs", long.as_str(), "601 lines are more than 600"),
        ("dump/util.rs", "//! A.", "`util` says nothing"),
        ("helpers/mod.rs", "//! A.", "`helpers` says nothing"),
    ];
    check(files, &bad, &[("dump/x.rs", tests.as_str()), ("dump/typeset.rs", "//! A.")]);
}
