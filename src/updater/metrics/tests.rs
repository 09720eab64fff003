//! The text format of Prometheus, read strictly.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::exposition::escaped;
use crate::updater::status::tests::{of, sample};
use crate::updater::watermark::START;

/// A sample: name, labels in their order, value.
type Sample = (String, Vec<(String, String)>, f64);

/// Reads a page; panics where it is not as the format demands.
fn read(page: &str) -> Vec<Sample> {
    assert!(page.ends_with('\n') && !page.contains('\r'), "lines end with line feeds");
    let (mut samples, mut seen): (Vec<Sample>, _) = (Vec::new(), BTreeSet::new());
    let (mut family, mut kind, mut lines) = (String::new(), String::new(), page.lines());
    let mut families = BTreeSet::new();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').expect("a name and a text");
            assert!(families.insert(name.to_owned()), "{name} is told twice");
            assert!(!text.is_empty() && text.ends_with('.'), "{line}");
            let typed = lines.next().and_then(|line| line.strip_prefix("# TYPE ")).expect("TYPE follows HELP");
            let (typed, named) = typed.split_once(' ').expect("a name and a type");
            assert_eq!(typed, name);
            assert!(["gauge", "counter", "histogram"].contains(&named), "{named}");
            (family, kind) = (name.to_owned(), named.to_owned());
            assert_eq!(family.ends_with("_total"), kind == "counter", "{family}");
            continue;
        }
        let sample = sample_of(line);
        let suffixes: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        assert!(suffixes.iter().any(|suffix| sample.0 == format!("{family}{suffix}")), "{line} in {family}");
        assert!(seen.insert((sample.0.clone(), sample.1.clone())), "{line} is there twice");
        samples.push(sample);
    }
    samples
}

fn sample_of(line: &str) -> Sample {
    let is_name = |name: &str| {
        let mut letters = name.chars();
        letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let end = line.find(['{', ' ']).expect("a name ends");
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, value) = rest.split_once("=\"").expect("a label has a value");
            assert!(is_name(label), "{line}");
            let (text, after) = quoted(value);
            labels.push((label.to_owned(), text));
            match after.strip_prefix(',') {
                Some(more) => rest = more,
                None => {
                    rest = after.strip_prefix('}').expect("labels end");
                    break;
                }
            }
        }
    }
    let value = rest.strip_prefix(' ').expect("one space before the value").parse().expect("a number");
    (name.to_owned(), labels, value)
}

/// The text up to the quote that ends it, and what follows that.
fn quoted(value: &str) -> (String, &str) {
    let (mut text, mut chars) = (String::new(), value.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (text, &value[at + 1..]),
            '\\' => text.push(match chars.next().expect("something is escaped").1 {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                c => panic!("\\{c} is no escape"),
            }),
            c => text.push(c),
        }
    }
    panic!("the text does not end: {value}");
}

fn page(status: &Status) -> Vec<Sample> {
    read(&render(status, status.at))
}

#[test]
fn the_page_of_a_sample() {
    let status = sample();
    let expected = include_str!("sample.txt");
    let page = render(&status, status.at);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/updater/metrics/sample.txt");
        std::fs::write(file, &page).unwrap();
    } else {
        assert!(page == expected, "UPDATE_GOLDEN=1 accepts this page:\n{page}");
    }
    read(&page);
}

#[test]
fn labels_come_back_as_they_were() {
    let samples = page(&sample());
    let topics: BTreeSet<_> = samples.iter().flat_map(|sample| &sample.1).filter(|(name, _)| name == "topic").collect();
    let topics: Vec<_> = topics.into_iter().map(|(_, topic)| topic.as_str()).collect();
    assert_eq!(topics, ["eqiad.mediawiki.page_change.v1"], "the other one has nothing that is known");
    assert_eq!(quoted(&format!("{}\" 1", escaped("codfw.\"odd\\\ntopic"))), ("codfw.\"odd\\\ntopic".to_owned(), " 1"));
    let id = samples.iter().find(|sample| sample.0 == "headwater_checkpoint_info").unwrap();
    assert_eq!(id.1, [("id".to_owned(), "7-\"a\"".to_owned())]);
}

#[test]
fn histograms_are_cumulative() {
    let mut buckets: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    let samples = page(&sample());
    for (name, labels, value) in &samples {
        if let Some(name) = name.strip_suffix("_bucket") {
            let le = labels.iter().find(|(label, _)| label == "le").expect("a bucket has a bound");
            buckets.entry(name.to_owned()).or_default().push((le.1.parse().unwrap(), *value));
        }
    }
    assert_eq!(buckets.len(), 3);
    for (name, buckets) in buckets {
        assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{name}: {buckets:?}");
        let count = samples.iter().find(|sample| sample.0 == format!("{name}_count")).unwrap().2;
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, count)), "{name}");
    }
}

#[test]
fn a_run_that_has_done_nothing_has_a_page_too() {
    for phase in Phase::ALL {
        let samples = page(&of(phase, START));
        let phases: f64 = samples.iter().filter(|sample| sample.0 == "headwater_phase").map(|sample| sample.2).sum();
        assert_eq!(phases, 1.0, "{phase:?}");
        assert!(!samples.iter().any(|sample| sample.0.contains("watermark")));
    }
}
