//! What the stream missed is found in a newer dump, and asked for: the laws, with faults of all kinds.
//!
//! The wiki is edited up to a time U, and the updater is told of that, but for what is lost. A dump is made between S and U, while the
//! wiki is edited. Then it may be edited further, of which the updater is not told yet, up to A, when the wiki is asked.

use std::collections::{BTreeMap, BTreeSet};

use headwater::bootstrap::{OnBadEntity, Wiki};
use headwater::env::Env;
use headwater::event::ReconcileAction;
use headwater::reconcile::compare::{Class, Finding, compare};
use headwater::reconcile::dump::{self, End, Known};
use headwater::reconcile::repair::{Repair, confirm, of_certain, one_each};
use headwater::reconcile::ship::{Manner, STREAM, Shipped, Shipping, Target};
use headwater::savepoint::checkpoint::Checkpoints;
use headwater::state::EntityState;
use headwater::storage::{self, Location};
use headwater::wikibase::entity::EntityId;
use headwater::wikibase::timestamp::Timestamp;
use proptest::prelude::*;

use crate::line::Bed;
use crate::wiki::api::Asked;
use crate::wiki::dump::{Dump, DumpOptions};
use crate::wiki::history::History;
use crate::wiki::random::{Random, hash};
use crate::wiki::records::{Disorder, Mark, Record};
use crate::wiki::turtle::Flavour;
use crate::{cases, graph_of, history, is_message};

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
struct Faults {
    seed: u64,
    /// Of a thousand events so many never come.
    lost: u64,
    /// All events of a part of the time never come: from there, in thousandths of the time up to S, for that long.
    silence: (i64, i64),
    /// Of a thousand revisions so many cannot be had.
    unfetchable: u64,
}

const NONE: Faults = Faults { seed: 0, lost: 0, silence: (0, 0), unfetchable: 0 };

fn faults() -> impl Strategy<Value = Faults> {
    let silence = prop_oneof![Just((0, 0)), (0..1000_i64, 0..600_i64)];
    let made = |(seed, lost, silence, unfetchable)| Faults { seed, lost, silence, unfetchable };
    (any::<u64>(), prop_oneof![Just(0), Just(100), Just(400)], silence, prop_oneof![Just(0), Just(100)]).prop_map(made)
}

/// Times in a history: the first dump's, S, U and A.
#[derive(Clone, Copy, Debug)]
struct Times {
    first: i64,
    start: i64,
    until: i64,
    asked: i64,
}

impl Times {
    /// From thousandths of the history; A is its end.
    fn of(history: &History, [first, start, until]: [i64; 3]) -> Self {
        let at = |part: i64| history.shape.start + (history.now - history.shape.start) * part / 1000;
        Self { first: at(first), start: at(start), until: at(until), asked: history.now }
    }
}

fn parts() -> impl Strategy<Value = [i64; 3]> {
    prop::array::uniform3(0..=1000_i64).prop_map(|mut parts| {
        parts.sort_unstable();
        parts
    })
}

/// A run of the updater with faults, and a dump that was made meanwhile.
struct Scene<'h> {
    history: &'h std::sync::Arc<History>,
    times: Times,
    room: tempfile::TempDir,
    bed: Bed,
    first: Dump,
    second: Dump,
    known: Known,
}

impl<'h> Scene<'h> {
    /// Faults are those of changes before `lost_until`.
    fn new(history: &'h std::sync::Arc<History>, times: Times, faults: Faults, lost_until: i64) -> Self {
        let first = history.dump(times.first, DumpOptions::default());
        let of =
            |time: i64| history.changes.iter().position(|change| change.time >= time).unwrap_or(history.changes.len());
        let changes = of(times.first)..of(times.until + 1);
        let mut random = Random::new(faults.seed);
        let from = times.first + (times.start - times.first) * faults.silence.0 / 1000;
        let to = from + (times.start - times.first) * faults.silence.1 / 1000;
        let is_lost: BTreeSet<usize> = changes
            .clone()
            .filter(|number| {
                let time = history.changes[*number].time;
                let is_silent = (from..to).contains(&time);
                (random.chance(faults.lost) || is_silent) && time < lost_until
            })
            .collect();
        let mut records = history.records(changes, &Disorder { malformed: 0, ..Disorder::USUAL }, faults.seed);
        records.retain(|record| match record.mark {
            Mark::Event(number) | Mark::Again(number) | Mark::Late(number) => !is_lost.contains(&number),
            _ => true,
        });
        let room = tempfile::tempdir().unwrap();
        let mut bed = Bed::new(history, records, first.revisions.clone(), &room.path().join("sent"));
        let lost_revisions = history.changes.iter().filter(|change| change.time < lost_until);
        let is_unfetchable = |revision: u64| hash(revision, faults.seed) as u64 % 1000 < faults.unfetchable;
        bed.unfetchable =
            lost_revisions.map(|change| change.revision).filter(|revision| is_unfetchable(*revision)).collect();
        let checkpoints = Location::memory().join("checkpoints");
        bed.checkpoints = Some(checkpoints.clone());
        bed.run(&mut bed.open());
        // What could not be had for a while can be had again.
        bed.unfetchable.clear();
        let newest = Checkpoints::open(&checkpoints, 2).unwrap().newest().copied();
        let known = newest.map_or_else(Known::default, |id| dump::known(&checkpoints.join(&id.dir())).unwrap());
        let known = if newest.is_none() { Known { state: bed.state(), ..known } } else { known };
        let options = DumpOptions { duration: times.until - times.start, ..DumpOptions::default() };
        let second = history.dump(times.start, options);
        Self { history, times, room, bed, first, second, known }
    }

    /// What the second dump shows, and the wiki says where it is asked.
    fn reconciled(&self, asks: bool) -> (Vec<Finding>, Vec<Repair>) {
        let file = Location::parse(self.room.path().join("second.ttl").to_str().unwrap()).unwrap();
        storage::put(&file, self.second.text().into()).unwrap();
        let is_wikidata = self.history.shape.flavour == Flavour::Wikidata;
        let wiki = Wiki { scheme: self.history.shape.flavour.scheme(), wikidata: is_wikidata };
        let until = Timestamp::from_millis(self.times.until).unwrap();
        let env = Env::default();
        let (evidence, _) =
            dump::of_dumps(&[file], (&wiki, false), OnBadEntity::Stop, (End::At(until), until), &env).unwrap();
        let mut findings = Vec::new();
        compare(&self.known.state, &evidence, &self.known.behind, |finding| findings.push(finding));
        let (asked, plain): (Vec<_>, Vec<_>) =
            findings.iter().copied().partition(|finding| asks && !finding.class.is_expected());
        let mut repairs: Vec<_> = plain.iter().filter_map(of_certain).collect();
        let mut answering = Asked { history: self.history, at: self.times.asked };
        confirm(&asked, until, &mut answering, |repair| repairs.push(repair)).unwrap();
        (findings, repairs)
    }

    /// What there was of an entity at U.
    fn truth(&self, entity: EntityId) -> Option<u64> {
        let page = self.history.page(entity).filter(|page| page.is_there(self.times.until))?;
        page.newest(self.times.until).map(|revision| revision.number)
    }

    /// Whether the state is wrong about an entity, or its readers are.
    fn is_wrong(&self, entity: EntityId) -> bool {
        let known = match self.known.state.get(entity) {
            Some(EntityState::Created(revision)) => Some(revision.get()),
            Some(EntityState::Deleted(_)) | None => None,
        };
        known != self.truth(entity) || known.is_some() && self.known.behind.contains(&entity)
    }

    /// Whether nothing happened to an entity since then.
    fn is_quiet(&self, entity: EntityId, since: i64) -> bool {
        !self.history.changes.iter().any(|change| change.entity == entity && change.time >= since)
    }
}

/// The records of reconcile events for repairs.
fn events(repairs: &[Repair], domain: &str, env: &Env) -> Vec<Record> {
    let manner = Manner {
        domain: domain.to_owned(),
        stream: STREAM.to_owned(),
        source: "test".to_owned(),
        rate: 1_000_000,
        again: false,
    };
    let mut records = Vec::new();
    let mut shipping =
        Shipping { target: Target::Nowhere(String::new()), audit: None, manner, env, shipped: Shipped::default() };
    let time = (env.now)().millis();
    let record = |json: &[u8]| Record {
        topic: STREAM.to_owned(),
        partition: 0,
        time,
        json: json.to_vec(),
        mark: Mark::Event(0),
    };
    shipping.ship(repairs, |json| records.push(record(json))).unwrap();
    records
}

proptest! {
    #![proptest_config(cases(48))]

    /// Whatever was lost, and whatever happens while the dump is made and later: what is sent is wrong in the state, unless something
    /// happened to it since; and if the wiki was asked, it is what the wiki says. Of what is wrong, all is found that nothing happened
    /// to since the dump was begun.
    #[test]
    fn nothing_false_is_sent_and_nothing_missed(history in history(), parts in parts(), faults in faults(), asks in any::<bool>()) {
        let times = Times::of(&history, parts);
        let scene = Scene::new(&history, times, faults, i64::MAX);
        prop_assume!(!scene.second.revisions.is_empty());
        let (findings, repairs) = scene.reconciled(asks);
        for repair in &repairs {
            let (known, truth) = (scene.known.state.get(repair.entity), scene.truth(repair.entity));
            let since = if asks { times.until + 1 } else { times.start };
            let is_wrong = scene.is_wrong(repair.entity) || !scene.is_quiet(repair.entity, since);
            prop_assert!(is_wrong, "{repair:?}: {known:?}, and it is {truth:?}");
            let is_there = history.page(repair.entity).is_some_and(|page| page.is_there(times.asked));
            let says = if is_there { ReconcileAction::ReconcileCreation } else { ReconcileAction::ReconcileDeletion };
            prop_assert!(!asks || repair.action == says, "{repair:?}");
        }
        let sent: BTreeSet<_> = repairs.iter().map(|repair| repair.entity).collect();
        prop_assert_eq!(sent.len(), repairs.len(), "one event an entity");
        let found: BTreeMap<_, _> = findings.iter().map(|finding| (finding.entity, finding.class)).collect();
        for (entity, _) in history.pages().filter(|(entity, _)| scene.is_wrong(*entity) && scene.is_quiet(*entity, times.start)) {
            match found.get(&entity) {
                // The dump has nothing as new as that: it says nothing of it.
                Some(Class::CreatedSince) => {}
                Some(class) => prop_assert!(!class.is_expected() && (!asks || sent.contains(&entity)), "{entity} is {class:?}"),
                None => {
                    let kinds = scene.second.revisions.keys().any(|dumped| dumped.kind() == entity.kind());
                    prop_assert!(!kinds, "{entity} is not found: {:?}, and it is {:?}", scene.known.state.get(entity), scene.truth(entity));
                }
            }
        }
    }

    /// Of a stream that lost nothing, nothing is sent, whatever happens meanwhile.
    #[test]
    fn nothing_is_sent_of_a_stream_without_faults(history in history(), parts in parts(), asks in any::<bool>()) {
        let times = Times::of(&history, parts);
        let scene = Scene::new(&history, times, NONE, 0);
        prop_assume!(!scene.second.revisions.is_empty() && scene.known.behind.is_empty());
        prop_assert_eq!(scene.reconciled(asks).1, vec![]);
    }

    /// What was lost before the dump is repaired: what the updater then sends makes the graph that of the wiki.
    #[test]
    fn what_was_lost_is_repaired(history in history(), parts in parts(), faults in faults()) {
        let times = Times { until: history.now, ..Times::of(&history, parts) };
        let mut scene = Scene::new(&history, times, faults, times.start);
        let kinds = |dump: &Dump| dump.revisions.keys().map(|entity| entity.kind()).collect::<BTreeSet<_>>();
        let known: BTreeSet<_> = scene.known.state.iter().map(|(entity, _)| entity.kind()).collect();
        prop_assume!(known.is_subset(&kinds(&scene.second)));
        let (findings, repairs) = scene.reconciled(true);
        prop_assume!(findings.iter().all(|finding| finding.class != Class::CreatedSince));
        let repairs = one_each(repairs);
        scene.bed.hear(events(&repairs, history.shape.flavour.host(), &scene.bed.env()));
        scene.bed.run(&mut scene.bed.open());
        let mut graph = graph_of(&history, &scene.first);
        for message in scene.bed.sent().iter().filter(|sent| is_message(sent)) {
            graph.apply(&serde_json::to_vec(message).unwrap()).unwrap();
        }
        if let Err(report) = graph.compare(&history.munged(history.now)) {
            let known = |entity: EntityId| scene.known.state.get(entity);
            let found: Vec<_> = findings.iter().map(|finding| format!("{} {:?}", finding.entity, finding.class)).collect();
            let sent: Vec<_> = repairs.iter().map(|repair| format!("{} {:?} {:?} {:?}", repair.entity, repair.revision, repair.action, known(repair.entity))).collect();
            panic!("{report}\nbehind {:?}\nfound {found:?}\nsent {sent:?}", scene.known.behind);
        }
    }
}
