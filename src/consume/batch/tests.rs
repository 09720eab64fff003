//! Batches as tables: upstream's expectations of its accumulator and of how it reclassifies sitelinks, and what is different here.

use proptest::prelude::*;

use super::*;
use crate::consume::triples::{ABOUT, ARTICLE};
use crate::mutation::wire::Data;
use crate::wikibase::uris::UrisScheme;

const ARTICLES: &str = "https://en.wikipedia.org/wiki/";

/// A mutation as it is written in these tables: `Q1 diff +a -b`, at a time. Of triples:
///
/// | | |
/// | --- | --- |
/// | `+x`, `-x` | one of the entity is added, removed |
/// | `~r`, `!r` | one of a reference is linked, unlinked |
/// | `+[A`, `-[A` | it gets an article, loses it; `+[A/B` with a badge |
/// | `+A/B`, `-A/B` | a badge of an article |
#[derive(Clone, Debug)]
struct Written {
    entity: EntityId,
    kind: Kind,
    added: String,
    removed: String,
    linked: String,
    unlinked: String,
    time: i64,
}

impl Written {
    fn parse(text: &str, time: i64) -> Self {
        let mut words = text.split(' ');
        let id = words.next().unwrap();
        let kind = match words.next().unwrap() {
            "import" => Kind::Import,
            "diff" => Kind::Diff,
            "delete" => Kind::Delete,
            "reconcile" => Kind::Reconcile,
            other => panic!("{other}"),
        };
        let entity = EntityId::parse(id.as_bytes()).unwrap();
        let mut written = Self {
            entity,
            kind,
            added: String::new(),
            removed: String::new(),
            linked: String::new(),
            unlinked: String::new(),
            time,
        };
        for word in words {
            let (sign, what) = word.split_at(1);
            let part = match sign {
                "+" => &mut written.added,
                "-" => &mut written.removed,
                "~" => &mut written.linked,
                "!" => &mut written.unlinked,
                other => panic!("{other}"),
            };
            match (sign, what.strip_prefix('[')) {
                ("~" | "!", _) => part.push_str(&reference(what)),
                (_, Some(article)) => part.push_str(&block(article, id)),
                (_, None) => part.push_str(&triple(what, id)),
            }
        }
        written
    }

    fn whole(&self) -> Whole<'_> {
        Whole {
            entity: self.entity,
            revision: 1,
            kind: self.kind,
            event_time: Timestamp::from_millis(self.time).unwrap(),
            data: Data {
                added: (&self.added).into(),
                removed: (&self.removed).into(),
                linked_shared: (&self.linked).into(),
                unlinked_shared: (&self.unlinked).into(),
            },
        }
    }
}

fn reference(name: &str) -> String {
    format!("<http://www.wikidata.org/reference/{name}> <x:p> 1 .\n")
}

fn triple(name: &str, id: &str) -> String {
    match name.split_once('/') {
        Some((article, badge)) => format!("<{ARTICLES}{article}> <http://wikiba.se/ontology#badge> \"{badge}\" .\n"),
        None => format!("<http://www.wikidata.org/entity/{id}> <x:p> \"{name}\" .\n"),
    }
}

fn block(name: &str, id: &str) -> String {
    let (article, badge) = name.split_once('/').map_or((name, None), |(article, badge)| (article, Some(badge)));
    let about = format!("<{ARTICLES}{article}> <{ABOUT}> <http://www.wikidata.org/entity/{id}> .\n");
    let is = format!("<{ARTICLES}{article}> a <{ARTICLE}> .\n");
    [about, is, badge.map(|badge| triple(&format!("{article}/{badge}"), id)).unwrap_or_default()].concat()
}

/// Changes as they are written in these tables.
fn told(changes: &Changes) -> Vec<String> {
    let short = |line: &str| {
        let [subject, predicate, object] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let local = |iri: &str| iri.trim_matches(['<', '>']).rsplit('/').next().unwrap().to_owned();
        let (subject, object) = (local(subject), object.trim_end_matches(" ."));
        match local(predicate).as_str() {
            "about" => format!("{subject}={}", local(object)),
            "22-rdf-syntax-ns#type" => format!("[{subject}"),
            "ontology#badge" => format!("{subject}/{}", object.trim_matches('"')),
            _ if subject.starts_with('r') => subject,
            _ => format!("{subject}:{}", object.trim_matches('"')),
        }
    };
    let all = |sign: &str, lines: &[Line]| -> Vec<String> {
        lines.iter().map(|line| format!("{sign}{}", short(line))).collect()
    };
    let names = |what: &str, articles: &[Line]| -> Vec<String> {
        articles
            .iter()
            .map(|line| format!("{what} {}", line.trim_end_matches('>').rsplit('/').next().unwrap()))
            .collect()
    };
    let replaced = |replaced: &Replaced| {
        let all = [names("clear", &replaced.cleared), all("+", &replaced.added)].concat();
        [vec![format!("gone {}", replaced.entity)], all].concat().join(" ")
    };
    [
        all("-", &changes.removed),
        names("clear", &changes.cleared),
        all("+", &changes.added),
        names("sweep", &changes.swept),
        changes.replaced.iter().map(replaced).collect(),
    ]
    .concat()
}

fn taken(batch: &mut Batch, history: &mut History, text: &str, time: i64) -> Taken {
    let namespaces = Namespaces::new(&UrisScheme::wikidata());
    batch.take(&Written::parse(text, time).whole(), &namespaces, history).unwrap()
}

#[test]
fn mutations_are_merged_as_in_this_table() {
    let rows: &[(&str, &[&str], &[&str])] = &[
        ("as they are", &["Q1 diff +a -b ~r !rx"], &["-Q1:b", "+Q1:a", "+r"]),
        ("another's deletion", &["Q1 diff +a ~r", "Q2 delete"], &["+Q1:a", "+r", "gone Q2"]),
        // Upstream sends neither: where the store has both changes already, the first would stay.
        ("the later of two counts", &["Q1 diff +a", "Q1 diff -a +b"], &["-Q1:a", "+Q1:b"]),
        ("and the other way round", &["Q1 diff -a", "Q1 diff +a"], &["+Q1:a"]),
        (
            "back and forth",
            &["Q1 diff +a ~r", "Q1 diff -a +b !r ~r2", "Q1 diff +a -b ~r !r2"],
            &["-Q1:b", "+Q1:a", "+r"],
        ),
        ("linked by two", &["Q1 diff ~r", "Q2 diff ~r", "Q1 diff !r"], &["+r"]),
        ("linked by one, unlinked by another", &["Q1 diff ~r", "Q2 diff !r"], &["+r"]),
        ("unlinked, then linked", &["Q1 diff !r", "Q1 diff ~r"], &["+r"]),
        ("said twice", &["Q1 diff +a +a -b -b ~r ~r"], &["-Q1:b", "+Q1:a", "+r"]),
        ("deleted", &["Q2 diff +a ~r", "Q1 diff +b -c ~r ~rx", "Q1 delete"], &["-Q1:c", "+Q2:a", "+r", "gone Q1"]),
        ("deleted twice", &["Q1 delete", "Q1 delete"], &["gone Q1"]),
        ("reconciled", &["Q1 diff +a -b ~r", "Q1 reconcile +c +d"], &["-Q1:b", "gone Q1 +Q1:c +Q1:d"]),
        ("reconciled twice", &["Q1 reconcile +a", "Q1 reconcile +b ~r"], &["gone Q1 +Q1:b +r"]),
        // Articles.
        ("an article", &["Q1 diff +[A"], &["clear A", "+[A", "+A=Q1"]),
        ("its badge", &["Q1 diff +A/1 -A/2"], &["-A/2", "+A/1"]),
        ("is lost", &["Q1 diff -[A/1"], &["-A=Q1", "sweep A"]),
        ("is renamed", &["Q1 diff -[A +[B"], &["-A=Q1", "clear B", "+[B", "+B=Q1", "sweep A"]),
        ("had for a moment", &["Q1 diff +[A/1", "Q1 diff -[A/1"], &["-A=Q1", "sweep A"]),
        ("lost for a moment", &["Q1 diff -[A", "Q1 diff +[A"], &["clear A", "+[A", "+A=Q1"]),
        ("lost, then deleted", &["Q1 diff -[A", "Q1 delete"], &["-A=Q1", "sweep A", "gone Q1"]),
        ("got by way of a reconciliation", &["Q1 reconcile +a +[A"], &["gone Q1 clear A +Q1:a +[A +A=Q1"]),
        ("two of one wiki", &["Q1 diff +[A +[B"], &["clear A", "clear B", "+[A", "+A=Q1", "+[B", "+B=Q1"]),
    ];
    for (what, mutations, expected) in rows {
        let (mut batch, mut history) = (Batch::default(), History::default());
        for (at, text) in mutations.iter().enumerate() {
            assert_eq!(taken(&mut batch, &mut history, text, at as i64), Taken::Yes, "{what}: {text}");
        }
        let mut found = told(&batch.into_changes());
        // Within each part as told.
        found.sort_by_key(|line| expected.iter().position(|wanted| wanted == line));
        let words = |lines: &[String]| -> Vec<BTreeSet<String>> {
            lines.iter().map(|line| line.split(" +").map(str::to_owned).collect()).collect()
        };
        let expected: Vec<_> = expected.iter().map(|line| (*line).to_owned()).collect();
        assert_eq!(words(&found), words(&expected), "{what}");
    }
}

#[test]
fn what_cannot_be_in_one_batch_ends_it() {
    let rows = [
        ("deleted, then changed", "Q1 delete", "Q1 diff +a", Taken::No),
        ("deleted, then imported", "Q1 delete", "Q1 import +a", Taken::No),
        ("deleted, then reconciled", "Q1 delete", "Q1 reconcile +a", Taken::No),
        ("reconciled, then changed", "Q1 reconcile +a", "Q1 diff +b", Taken::No),
        ("reconciled, then deleted", "Q1 reconcile +a", "Q1 delete", Taken::No),
        ("changed, then imported", "Q1 diff +a", "Q1 import +b", Taken::No),
        ("imported, then changed", "Q1 import +a", "Q1 diff +b", Taken::Yes),
        ("of another", "Q1 delete", "Q2 diff +a", Taken::Yes),
        ("an article that another got", "Q1 diff +[A", "Q2 diff +[A", Taken::No),
        ("an article that another loses", "Q1 diff -[A", "Q2 diff +[A", Taken::No),
        ("an article that another has", "Q1 diff +A/1", "Q2 reconcile +[A", Taken::No),
        ("another article", "Q1 diff +[A", "Q2 diff +[B", Taken::Yes),
    ];
    for (what, first, second, expected) in rows {
        let (mut batch, mut history) = (Batch::default(), History::default());
        assert_eq!(taken(&mut batch, &mut history, first, 0), Taken::Yes);
        let before = (batch.clone().into_changes(), batch.counts(), batch.weight());
        assert_eq!(taken(&mut batch, &mut history, second, 1), expected, "{what}");
        if expected == Taken::No {
            assert_eq!(
                (batch.clone().into_changes(), batch.counts(), batch.weight()),
                before,
                "{what}: it is as it was"
            );
        }
        assert_eq!(taken(&mut Batch::default(), &mut history, second, 1), Taken::Yes, "{what}: alone");
    }
}

/// An item that got a sitelink first is told of after one that got it later.
#[test]
fn what_is_older_does_not_undo_what_is_newer() {
    let mut history = History::default();
    let mut changes = |text: &str, time| {
        let mut batch = Batch::default();
        assert_eq!(taken(&mut batch, &mut history, text, time), Taken::Yes);
        told(&batch.into_changes())
    };
    assert_eq!(changes("Q1 diff +[A/1", 40), ["clear A", "+A=Q1", "+[A", "+A/1"]);
    assert_eq!(changes("Q2 diff +[A/2", 20), ["+A=Q2"], "of an older one only what it is about");
    assert_eq!(changes("Q2 diff -[A/2", 30), ["-A=Q2", "sweep A"], "which is nothing, unless Q1 has it");
    assert_eq!(changes("Q2 reconcile +[A/3", 39), ["gone Q2 +A=Q2"]);
    assert_eq!(changes("Q2 diff +[A/4", 50), ["clear A", "+A=Q2", "+[A", "+A/4"]);
}

#[test]
fn weights_and_times_as_in_this_table() {
    type Row = (&'static [&'static str], usize, Option<i64>, Option<i64>);
    let rows: &[Row] = &[
        (&[], 0, None, None),
        (&["Q1 diff +a -b ~r !rx"], 3, Some(0), Some(0)),
        (&["Q1 diff +a", "Q2 delete"], 101, Some(50), Some(100)),
        (&["Q1 diff +a", "Q2 reconcile +b +c", "Q3 delete"], 203, Some(100), Some(200)),
    ];
    for (mutations, weight, mean, newest) in rows {
        let (mut batch, mut history) = (Batch::default(), History::default());
        for (at, text) in mutations.iter().enumerate() {
            taken(&mut batch, &mut history, text, at as i64 * 100);
        }
        let millis = |time: Option<Timestamp>| time.map(Timestamp::millis);
        let found = (batch.weight(), millis(batch.mean_time()), millis(batch.newest_time()));
        assert_eq!(found, (*weight, *mean, *newest), "{mutations:?}");
        assert_eq!(batch.counts().mutations(), mutations.len() as u64);
    }
}

/// What a store of lines does with changes.
fn apply(store: &mut BTreeSet<String>, changes: &Changes) {
    let about = |article: &str| format!("{article} <{ABOUT}> ");
    let clear = |store: &mut BTreeSet<String>, articles: &[Line]| {
        let is_cleared = |line: &String| {
            articles
                .iter()
                .any(|article| line.starts_with(&format!("{article} ")) && !line.starts_with(&about(article)))
        };
        store.retain(|line| !is_cleared(line));
    };
    let sweep = |store: &mut BTreeSet<String>, article: &str| {
        if !store.iter().any(|line| line.starts_with(&about(article))) {
            store.retain(|line| !line.starts_with(&format!("{article} ")));
        }
    };
    changes.removed.iter().for_each(|line| _ = store.remove(&**line));
    clear(store, &changes.cleared);
    store.extend(changes.added.iter().map(ToString::to_string));
    changes.swept.iter().for_each(|article| sweep(store, article));
    for Replaced { entity, cleared, added } in &changes.replaced {
        let iri = format!("<http://www.wikidata.org/entity/{entity}>");
        let of_entity = |line: &&String| line.ends_with(&format!("<{ABOUT}> {iri} ."));
        let articles: Vec<_> =
            store.iter().filter(of_entity).map(|line| line.split(' ').next().unwrap().to_owned()).collect();
        store.retain(|line| !line.starts_with(&format!("{iri} ")) && !of_entity(&line));
        articles.iter().for_each(|article| sweep(store, article));
        clear(store, cleared);
        store.extend(added.iter().map(ToString::to_string));
    }
}

/// Mutations of a few entities and articles. All say the same of an article: of two that have one at the same time, it depends on how
/// they came whose badges it has.
fn mutations() -> impl Strategy<Value = Vec<String>> {
    let word = prop_oneof![
        4 => (prop_oneof!["\\+", "-"], "[abc]").prop_map(|(sign, name)| format!("{sign}{name}")),
        2 => (prop_oneof!["~", "!"], "r[12]").prop_map(|(sign, name)| format!("{sign}{name}")),
        2 => (prop_oneof!["\\+", "-"], "[AB]").prop_map(|(sign, name)| format!("{sign}[{name}")),
    ];
    let words = prop::collection::vec(word, 0..5);
    let one = ("Q[123]", prop_oneof![6 => "diff", 1 => "import", 1 => "delete", 1 => "reconcile"], words);
    let one = one.prop_map(|(id, kind, words)| {
        let words = words.into_iter().filter(|word| match kind.as_str() {
            "delete" => false,
            "reconcile" | "import" => word.starts_with('+'),
            _ => true,
        });
        [vec![id, kind.clone()], words.collect()].concat().join(" ")
    });
    prop::collection::vec(one, 1..30)
}

proptest! {
    /// To apply a batch is to apply its mutations one after the other, wherever batches are cut and whatever is there already. Only
    /// references may differ: one that is linked and unlinked may be left out.
    #[test]
    fn a_batch_is_its_mutations_one_by_one(
        mutations in mutations(),
        limits in prop::collection::vec(1..40_usize, 1..6),
        before in mutations(),
    ) {
        let run = |mutations: &[String], store: &mut BTreeSet<String>, limits: &[usize]| {
            let (mut history, mut limits, mut batch) = (History::default(), limits.iter().cycle(), Batch::default());
            let mut limit = limits.next().unwrap();
            for (at, text) in mutations.iter().enumerate() {
                if taken(&mut batch, &mut history, text, at as i64) == Taken::No {
                    apply(store, &std::mem::take(&mut batch).into_changes());
                    assert_eq!(taken(&mut batch, &mut history, text, at as i64), Taken::Yes);
                }
                if batch.weight() >= *limit {
                    apply(store, &std::mem::take(&mut batch).into_changes());
                    limit = limits.next().unwrap();
                }
            }
            apply(store, &batch.into_changes());
        };
        let mut one_by_one = BTreeSet::new();
        run(&before, &mut one_by_one, &[1]);
        let mut batched = one_by_one.clone();
        run(&mutations, &mut one_by_one, &[0]);
        run(&mutations, &mut batched, &limits);
        let own = |store: &BTreeSet<String>| -> BTreeSet<String> {
            store.iter().filter(|line| !line.contains("/reference/")).cloned().collect()
        };
        prop_assert_eq!(own(&batched), own(&one_by_one));
        prop_assert!(batched.is_subset(&one_by_one));
        // And to apply all of it once more changes nothing.
        let mut again = batched.clone();
        run(&mutations, &mut again, &[7]);
        prop_assert_eq!(own(&again), own(&batched), "once more");
    }
}
