//! Laws of the server.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater::entity_data::{Asked, FetchError, Fetcher, Settings};
use headwater::env::Env;
use headwater::wikibase::entity::{EntityId, Revision};
use headwater::wikibase::timestamp::Timestamp;
use headwater::wikibase::uris::UrisScheme;

use crate::wiki::history::History;
use crate::wiki::server::{Server, Trouble, Until};

fn fetcher(server: &Server, in_flight: usize) -> Fetcher {
    let settings = Settings { entity_data: server.url(), in_flight, ..Settings::new(&UrisScheme::wikidata()) };
    Fetcher::new(settings, &Env::default()).unwrap()
}

fn asked(entity: EntityId, revision: u64) -> Asked {
    Asked { entity, revision: Revision::new(revision).unwrap(), is_new: false, event_time: Timestamp::default() }
}

/// All revisions of all pages.
fn revisions(history: &History) -> Vec<(EntityId, u64)> {
    let of_page = |(entity, page): (EntityId, &crate::wiki::history::Page)| {
        page.revisions.iter().map(move |revision| (entity, revision.number)).collect::<Vec<_>>()
    };
    history.pages().flat_map(of_page).collect()
}

#[test]
fn each_document_is_served_as_it_is() {
    let history = Arc::new(History::random(4, 500));
    let server = Server::start(Arc::clone(&history));
    let fetcher = fetcher(&server, 100);
    let mut queue = VecDeque::new();
    for (entity, revision) in revisions(&history) {
        queue.push_back((entity, revision, fetcher.begin(asked(entity, revision))));
    }
    let (mut there, mut gone) = (0, 0);
    for (entity, revision, pending) in queue {
        match (pending.wait(), history.document(entity, revision)) {
            (Ok(got), Some(document)) => {
                assert_eq!(got, document.as_bytes());
                there += 1;
            }
            (Err(FetchError::NotFound { .. }), None) => gone += 1,
            (got, expected) => panic!("{entity} at {revision}: {got:?}, not {expected:?}"),
        }
    }
    assert!(there > 100 && gone > 0);
    let counted = server.asked();
    assert_eq!((counted.requests, counted.documents), (there + gone, there));
    assert!(counted.connections < counted.requests / 2, "{counted:?}");
}

#[test]
fn the_wiki_is_shown_as_it_was() {
    let history = Arc::new(History::random(4, 300));
    let server = Server::start(Arc::clone(&history));
    let fetcher = fetcher(&server, 10);
    for change in history.changes.iter().step_by(7) {
        for time in [change.time, change.time - 1] {
            server.at(time);
            let got = fetcher.begin(asked(change.entity, change.revision)).wait();
            let expected = history.document_at(change.entity, change.revision, time);
            assert_eq!(got.ok().as_deref(), expected.as_deref().map(str::as_bytes), "{change:?}");
        }
    }
}

#[test]
fn a_hundred_answers_wait_at_once() {
    let history = Arc::new(History::random(4, 300));
    let server = Server::start(Arc::clone(&history));
    server.delay(Duration::from_millis(300));
    let fetcher = fetcher(&server, 100);
    let start = Instant::now();
    let revisions = revisions(&history);
    let pending: Vec<_> = revisions[..200].iter().map(|(id, revision)| fetcher.begin(asked(*id, *revision))).collect();
    pending.into_iter().for_each(|pending| drop(pending.wait()));
    assert!(start.elapsed() >= Duration::from_millis(600));
    assert!(server.asked().at_once > 80, "{:?}", server.asked());
}

#[test]
fn troubles_are_as_they_are_called() {
    let history = Arc::new(History::random(4, 100));
    let server = Server::start(Arc::clone(&history));
    let fetcher = fetcher(&server, 10);
    let (entity, revision) = history.entities(i64::MAX).next().map(|(id, revision)| (id, revision.number)).unwrap();
    let document = history.document(entity, revision).unwrap();
    let fetch = |trouble, until| {
        server.trouble(entity, Some(revision), trouble, until);
        let before = server.asked_of(entity);
        let got = fetcher.begin(asked(entity, revision)).wait();
        (got, server.asked_of(entity) - before)
    };
    let (got, requests) = fetch(Trouble::Busy(Some(0)), Until::Times(2));
    assert_eq!((got.unwrap(), requests), (document.clone().into_bytes().into(), 3));
    let (got, requests) = fetch(Trouble::BreaksOff, Until::Times(1));
    assert_eq!((got.unwrap(), requests), (document.clone().into_bytes().into(), 2));
    assert!(matches!(fetch(Trouble::NotFound, Until::Ever), (Err(FetchError::NotFound { .. }), 1)));
    assert!(matches!(fetch(Trouble::Empty, Until::Ever), (Err(FetchError::Empty { .. }), 1)));
    for trouble in [Trouble::Status(500), Trouble::Html] {
        assert!(matches!(fetch(trouble, Until::Ever), (Err(FetchError::Unexpected { .. }), 1)), "{trouble:?}");
    }
    let got = fetch(Trouble::Large(10 << 20), Until::Ever).0.unwrap();
    assert!(got.len() >= 10 << 20 && got.starts_with(document.as_bytes()));
    let start = Instant::now();
    assert!(fetch(Trouble::Silent(Duration::from_millis(200)), Until::Times(1)).0.is_ok());
    assert!(start.elapsed() >= Duration::from_millis(200));
    assert!(fetch(Trouble::NotFound, Until::Elapsed(Duration::ZERO)).0.is_ok());
}
