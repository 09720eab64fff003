//! A server that answers as MediaWiki does, and as it does not.

// Another module's tests have their own copy.
#[allow(clippy::duplicate_mod)]
#[allow(dead_code, reason = "others use more of it")]
#[path = "../../tests/storage/server.rs"]
mod server;

use server::{Got, Said, said, serve};

use super::*;

fn api(url: &str) -> Api {
    let settings = Settings { pause: Duration::ZERO, ..Settings::new(&format!("{url}/w/api.php")) };
    Api::new(settings, &Env::default()).unwrap()
}

fn entities(ids: &[&str]) -> Vec<EntityId> {
    ids.iter().map(|id| EntityId::parse(id.as_bytes()).unwrap()).collect()
}

fn json(text: &str) -> Option<Said> {
    Some(said(200).body(text.as_bytes()))
}

fn page(title: &str, id: u64, revision: u64) -> String {
    format!(
        r#"{{"pageid":{id},"ns":0,"title":"{title}","revisions":[{{"revid":{revision},"parentid":1,"timestamp":"2026-01-05T00:00:00Z"}}]}}"#
    )
}

#[test]
fn each_entity_is_answered_in_its_place() {
    let url = serve(|got: &Got| {
        let line = &got.line;
        assert!(
            line.starts_with("GET /w/api.php?action=query&format=json&formatversion=2&maxlag=5&prop=revisions"),
            "{line}"
        );
        if line.contains("titles=Q1%7CProperty%3AP2%7CQ3%7CLexeme%3AL4") {
            // The wiki speaks German, and tells pages in an order of its own.
            let pages = [page("Q3", 3, 30), page("Eigenschaft:P2", 2, 20), page("Lexeme:L4", 4, 40)].join(",");
            return json(&format!(
                r#"{{"batchcomplete":true,"query":{{"normalized":[{{"fromencoded":false,"from":"Property:P2","to":"Eigenschaft:P2"}}],
                "pages":[{{"ns":0,"title":"Q1","missing":true}},{pages}]}}}}"#
            ));
        }
        assert!(line.contains("pageids=50%7C60"), "{line}");
        json(&format!(r#"{{"query":{{"pages":[{{"pageid":60,"missing":true}},{}]}}}}"#, page("File:X.jpg", 50, 500)))
    });
    let latest = api(&url).latest(&entities(&["M50", "Q1", "P2", "Q3", "M60", "L4"])).unwrap();
    let told: Vec<_> =
        latest.iter().map(|latest| latest.as_ref().map(|latest| (latest.revision.get(), &*latest.title))).collect();
    let expected = [
        Some((500, "File:X.jpg")),
        None,
        Some((20, "Eigenschaft:P2")),
        Some((30, "Q3")),
        None,
        Some((40, "Lexeme:L4")),
    ];
    assert_eq!(told, expected);
    assert_eq!(latest[0].as_ref().unwrap().time, Timestamp::parse("2026-01-05T00:00:00Z").unwrap());
}

#[test]
fn what_is_no_answer_is_an_error_and_no_deletion() {
    let rows = [
        ("a page is left out", r#"{"query":{"pages":[]}}"#, "leaves out a page"),
        ("a page without revisions", r#"{"query":{"pages":[{"title":"Q1"}]}}"#, "without its newest revision"),
        ("not all at once", r#"{"continue":{"rvcontinue":"x"},"query":{"pages":[]}}"#, "not tell all at once"),
        ("an error", r#"{"error":{"code":"badvalue","info":"no such thing"}}"#, "badvalue: no such thing"),
        ("no query", "{}", "no `query`"),
        ("a page in HTML", "<html>", "no such JSON"),
        (
            "a revision that is none",
            r#"{"query":{"pages":[{"title":"Q1","revisions":[{"revid":0,"timestamp":"2026-01-05T00:00:00Z"}]}]}}"#,
            "revision",
        ),
        (
            "a time that is none",
            r#"{"query":{"pages":[{"title":"Q1","revisions":[{"revid":1,"timestamp":"yesterday"}]}]}}"#,
            "a time is written",
        ),
    ];
    for (what, answer, said) in rows {
        let url = serve(move |_: &Got| json(answer));
        let error = api(&url).latest(&entities(&["Q1"])).unwrap_err();
        assert!(matches!(error, ApiError::Answer { .. }) && error.to_string().contains(said), "{what}: {error}");
    }
    let url = serve(|_: &Got| Some(said(404)));
    assert!(matches!(api(&url).latest(&entities(&["Q1"])), Err(ApiError::Answer { .. })));
}

#[test]
fn who_asks_for_patience_is_asked_again() {
    let lag = r#"{"error":{"code":"maxlag","info":"Waiting for a server: 7 seconds lagged","lag":7}}"#;
    let answer = format!(r#"{{"query":{{"pages":[{}]}}}}"#, page("Q1", 1, 10));
    let good = answer.clone();
    let mut answers =
        vec![said(503), said(429), said(200).body(lag.as_bytes()), said(200).body(good.as_bytes())].into_iter();
    let url = serve(move |_: &Got| answers.next());
    assert_eq!(api(&url).latest(&entities(&["Q1"])).unwrap()[0].as_ref().unwrap().revision.get(), 10);
    // An answer that breaks off, too.
    let mut first = true;
    let url = serve(move |_: &Got| if std::mem::take(&mut first) { None } else { json(&answer) });
    assert!(api(&url).latest(&entities(&["Q1"])).unwrap()[0].is_some());
    let url = serve(move |_: &Got| json(lag));
    assert!(
        matches!(api(&url).latest(&entities(&["Q1"])), Err(ApiError::Busy { said, .. }) if said.starts_with("maxlag"))
    );
}

#[test]
fn the_log_tells_when_a_page_was_deleted_or_restored() {
    let log = r#"{"query":{"logevents":[
        {"type":"delete","action":"revision","timestamp":"2026-01-07T00:00:00Z"},
        {"type":"delete","action":"restore","timestamp":"2026-01-06T00:00:00Z"},
        {"type":"delete","action":"delete","timestamp":"2026-01-05T00:00:00Z"}]}}"#;
    let url = serve(move |got: &Got| {
        let wanted = ["letitle=Property%3AP2", "letitle=File%3AX%20y.jpg"].iter().any(|title| got.line.contains(title));
        assert!(wanted && got.line.contains("list=logevents&letype=delete"), "{}", got.line);
        json(log)
    });
    let api = api(&url);
    let (property, media) = (entities(&["P2"])[0], entities(&["M5"])[0]);
    let restored = Timestamp::parse("2026-01-06T00:00:00Z").ok();
    assert_eq!(api.turned(property, None).unwrap(), restored);
    assert_eq!(api.turned(media, Some("File:X y.jpg")).unwrap(), restored);
    // Which page it was cannot be known of media info that is gone.
    assert_eq!(api.turned(media, None).unwrap(), None);
}

#[test]
fn an_api_is_that_of_its_wiki() {
    let concept = |uri: &str| format!(r#"{{"server":"//elsewhere.example.org","wikibase-conceptbaseuri":"{uri}"}}"#);
    let server = |server: &str| format!(r#"{{"server":"{server}"}}"#);
    // What the wiki says of itself, whether the user named the API, and what of it is refused.
    let rows = [
        (concept("http://www.wikidata.org/entity/"), false, None),
        (concept("https://www.wikidata.org/entity"), true, None),
        (concept("http://test.wikidata.org/entity/"), true, Some("http://test.wikidata.org/entity/")),
        (concept("http://test.wikidata.org/entity/"), false, Some("http://test.wikidata.org/entity/")),
        (server("//www.wikidata.org"), false, None),
        (server("https://www.wikidata.org"), false, None),
        (server("//de.wikipedia.org"), false, Some("//de.wikipedia.org")),
        (server("//localhost:8080"), true, None),
        ("{}".to_owned(), false, None),
    ];
    for (general, is_chosen, refused) in rows {
        let answer = format!(r#"{{"query":{{"general":{general}}}}}"#);
        let url = serve(move |got: &Got| {
            assert!(got.line.contains("&meta=siteinfo&siprop=general"), "{}", got.line);
            json(&answer)
        });
        let found = match api(&url).check_wiki(&UrisScheme::wikidata(), is_chosen) {
            Ok(()) => None,
            Err(ApiError::OtherWiki { found, .. }) => Some(found),
            Err(error) => panic!("{general}: {error}"),
        };
        assert_eq!(found.as_deref(), refused, "{general} {is_chosen}");
    }
    let url = serve(|_: &Got| json(r#"{"query":{"pages":[]}}"#));
    let error = api(&url).check_wiki(&UrisScheme::wikidata(), true).unwrap_err();
    assert!(error.to_string().contains("which wiki it is of"), "{error}");
}

/// What has none of many entities of a kind was asked in vain, unless it knows of a deletion.
#[test]
fn not_all_of_many_are_missing() {
    const DELETED: &str = r#"{"type":"delete","action":"delete","timestamp":"2026-01-05T00:00:00Z"}"#;
    let missing = |titles: &str| {
        let pages = titles.split("%7C").map(|title| format!(r#"{{"title":"{title}","missing":true}}"#));
        pages.collect::<Vec<_>>().join(",").replace("%3A", ":")
    };
    // How many items are asked of; whether a property is, too, and is there; whose deletion the log tells.
    let rows = [(10, false, "", true), (11, false, "", false), (11, true, "", false), (50, false, "Q50", true)];
    for (count, with_property, deleted, is_good) in rows {
        let url = serve(move |got: &Got| {
            let value = |name: &str| Some(got.line.split_once(name)?.1.split([' ', '&']).next()?.to_owned());
            if let Some(title) = value("letitle=") {
                let events = if title == deleted { DELETED } else { "" };
                return json(&format!(r#"{{"query":{{"logevents":[{events}]}}}}"#));
            }
            let pages = missing(&value("&titles=")?)
                .replace(r#"{"title":"Property:P1","missing":true}"#, &page("Property:P1", 1, 10));
            json(&format!(r#"{{"query":{{"pages":[{pages}]}}}}"#))
        });
        let mut ids: Vec<_> = (1..=count).map(|number| format!("Q{number}")).collect();
        ids.extend(with_property.then(|| "P1".to_owned()));
        let ids: Vec<_> = ids.iter().map(|id| &**id).collect();
        match api(&url).latest(&entities(&ids)) {
            Ok(latest) => assert!(is_good && latest.iter().all(Option::is_none), "{count}"),
            Err(ApiError::AllMissing { count: told, kind: "items", .. }) => {
                assert!(!is_good && told == count, "{told}")
            }
            Err(error) => panic!("{count}: {error}"),
        }
    }
}
