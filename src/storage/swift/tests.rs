//! Swift and Keystone as they behave when something goes wrong.

#[path = "../../../tests/storage/server.rs"]
mod server;

use std::sync::Mutex;

use object_store::ObjectStoreExt;
use server::{Said, said, serve};

use super::*;
use crate::storage::tasks;

/// A container `c`, known by these variables.
fn swift(variables: &[(&str, &str)]) -> Swift {
    let runtime = tasks::runtime().unwrap();
    let connector = SpawnedReqwestConnector::new(runtime.handle().clone());
    Swift::new("c", "bed", &Secrets::given(variables), &connector).unwrap()
}

fn with_token(url: &str) -> Swift {
    swift(&[("OS_AUTH_TOKEN", "t"), ("OS_STORAGE_URL", &format!("{url}/v1/a"))])
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tasks::runtime().unwrap().block_on(work)
}

fn get(swift: &Swift, path: &str) -> Result<Bytes> {
    wait(async { swift.get(&Path::parse(path).expect("a path")).await?.bytes().await })
}

#[test]
fn a_session_that_ended_is_begun_anew() {
    let mut logins = 0;
    let url = serve(move |got| match got.line.as_str() {
        "GET /auth/v1.0" if got.header("X-Auth-User") == "u" && got.header("X-Auth-Key") == "k" => {
            logins += 1;
            let storage = format!("http://{}/v1/a", got.header("Host"));
            Some(said(200).header("X-Auth-Token", format!("t{logins}")).header("X-Storage-Url", storage))
        }
        "GET /v1/a/c/x%20%25y" if got.header("X-Auth-Token") == "t2" => Some(said(200).body(b"here")),
        _ => Some(said(401)),
    });
    let auth = format!("{url}/auth/v1.0");
    let store = swift(&[("ST_AUTH", &auth), ("ST_USER", "u"), ("ST_KEY", "k")]);
    assert_eq!(get(&store, "x %y").unwrap(), "here");
    let stranger = swift(&[("ST_AUTH", &auth), ("ST_USER", "u"), ("ST_KEY", "wrong")]);
    assert!(matches!(get(&stranger, "x"), Err(Error::Unauthenticated { .. })));
}

#[test]
fn keystone_is_asked_and_its_catalogue_read() {
    let url = serve(|got| match got.line.as_str() {
        "POST /v3/auth/tokens" => {
            let asked: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
            assert_eq!(asked["auth"]["identity"]["password"]["user"]["name"], "me");
            assert_eq!(asked["auth"]["identity"]["password"]["user"]["domain"]["name"], "Default");
            assert_eq!(asked["auth"]["scope"]["project"]["name"], "ours");
            let endpoint = |interface: &str, region: &str| serde_json::json!({"interface": interface, "region": region, "url": format!("http://{}/{interface}-{region}", got.header("Host"))});
            let endpoints = [endpoint("internal", "two"), endpoint("public", "one"), endpoint("public", "two")];
            let catalog = serde_json::json!([{"type": "image", "endpoints": []}, {"type": "object-store", "endpoints": endpoints}]);
            let answer = serde_json::json!({"token": {"catalog": catalog}}).to_string();
            Some(said(201).header("X-Subject-Token", "kt").body(answer.as_bytes()))
        }
        "GET /public-two/c/x" if got.header("X-Auth-Token") == "kt" => Some(said(200).body(b"two")),
        _ => Some(said(404)),
    });
    let auth = format!("{url}/v3/");
    let who =
        [("OS_AUTH_URL", auth.as_str()), ("OS_USERNAME", "me"), ("OS_PASSWORD", "p"), ("OS_PROJECT_NAME", "ours")];
    let known = |region| swift(&[&who[..], &[("OS_REGION_NAME", region)]].concat());
    assert_eq!(get(&known("two"), "x").unwrap(), "two");
    assert!(get(&known("three"), "x").unwrap_err().to_string().contains("object-store in that region"));
}

#[test]
fn what_is_missing_to_log_in_is_named() {
    let rows: [(&[(&str, &str)], &str); 4] = [
        (&[], "neither ST_AUTH"),
        (&[("ST_AUTH", "http://x")], "ST_USER is not set"),
        (&[("ST_AUTH_BED", "http://x"), ("ST_USER", "u")], "ST_KEY is not set"),
        (&[("OS_AUTH_URL", "http://x"), ("OS_USERNAME", "u")], "OS_PASSWORD is not set"),
    ];
    for (variables, expected) in rows {
        let connector = SpawnedReqwestConnector::new(tasks::runtime().unwrap().handle().clone());
        let error = Swift::new("c", "bed", &Secrets::given(variables), &connector).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn trouble_passes_and_answers_that_break_off_are_read_on() {
    let mut tries = 0;
    let text: Vec<u8> = (0..200_000_u32).map(|at| (at % 251) as u8).collect();
    let whole = text.clone();
    let url = serve(move |got| {
        tries += 1;
        let from = |range: &str| range.strip_prefix("bytes=")?.split('-').next()?.parse::<usize>().ok();
        let start = from(got.header("Range")).unwrap_or(0);
        let answer = said(if start > 0 { 206 } else { 200 }).header("ETag", "e");
        let answer = answer.header("Content-Range", format!("bytes {start}-199999/200000"));
        match tries {
            1 => Some(said(503)),
            2 => None,
            3 => Some(Said { length: Some(200_000), ..answer.body(&whole[..70_000]) }),
            _ if start == 70_000 && got.header("If-Match") == "e" => Some(answer.body(&whole[start..])),
            _ => Some(said(400)),
        }
    });
    assert!(get(&with_token(&url), "x").unwrap() == text);
    let never = serve(|_| Some(said(501)));
    assert!(get(&with_token(&never), "x").unwrap_err().to_string().contains("501"), "not tried again");
}

#[test]
fn an_object_stored_by_a_lost_request_is_our_own() {
    for (is_ours, expected) in [(true, true), (false, false)] {
        let mut puts = 0;
        let url = serve(move |got| match &got.line[..4] {
            "PUT " => {
                assert_eq!((got.header("If-None-Match"), got.body.as_slice()), ("*", &b"mine"[..]));
                assert_eq!(got.header("ETag"), md5(&PutPayload::from("mine")));
                puts += 1;
                if puts == 1 { None } else { Some(said(412)) }
            }
            _ => Some(
                said(200).header("ETag", if is_ours { md5(&PutPayload::from("mine")) } else { "other".to_owned() }),
            ),
        });
        let put = with_token(&url);
        let stored = wait(put.put_opts(&Path::from("x"), "mine".into(), PutMode::Create.into()));
        assert_eq!(stored.is_ok(), expected, "{stored:?}");
        assert!(expected || matches!(stored, Err(Error::AlreadyExists { .. })));
    }
    let none = serve(|_| Some(said(404)));
    let error = wait(with_token(&none).put(&Path::from("x"), "mine".into())).unwrap_err();
    assert!(error.to_string().contains("there is no container c"), "{error}");
}

#[test]
fn where_nothing_is_nothing_is_looked_for() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let url = serve(move |got| {
        log.lock().unwrap().push(got.line.split(['/', ' ']).next().unwrap_or_default().to_owned());
        Some(said(if got.line.starts_with("HEAD") { 404 } else { 201 }))
    });
    let (store, path) = (with_token(&url), Path::from("x"));
    for (is_fresh, expected) in [(true, ["PUT", "PUT PUT"]), (false, ["HEAD PUT", "PUT HEAD PUT"])] {
        let extensions = || if is_fresh { crate::storage::fresh() } else { http::Extensions::new() };
        let options = PutOptions { extensions: extensions(), ..PutOptions::default() };
        wait(store.put_opts(&path, "whole".into(), options)).unwrap();
        assert_eq!(asked.lock().unwrap().drain(..).collect::<Vec<_>>().join(" "), expected[0]);
        let options = PutMultipartOptions { extensions: extensions(), ..PutMultipartOptions::default() };
        let mut parts = wait(store.put_multipart_opts(&path, options)).unwrap();
        wait(parts.put_part("in parts".into())).unwrap();
        wait(parts.complete()).unwrap();
        assert_eq!(asked.lock().unwrap().drain(..).collect::<Vec<_>>().join(" "), expected[1]);
    }
}

#[test]
fn a_listing_has_all_pages_and_only_what_has_a_name() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let url = serve(move |got| {
        log.lock().unwrap().push(got.line.clone());
        let object = |name: &str, kind: &str| serde_json::json!({"name": name, "bytes": 3, "hash": "h", "last_modified": "2026-01-05T01:02:03.400000", "content_type": kind});
        let page = match got.line.split("marker=").nth(1).map(|rest| rest.split('&').next().unwrap()) {
            Some("") => vec![object(".segments/a/1", "x"), object("a", "application/directory"), object("a/b c", "x")],
            Some("a%2Fb+c") => vec![object("a//b", "x"), object("d/ä", "x")],
            _ => vec![],
        };
        Some(said(200).body(serde_json::json!(page).to_string().as_bytes()))
    });
    let store = with_token(&url);
    let found: Vec<_> = wait(store.list(None).try_collect()).unwrap();
    let names: Vec<_> = found.iter().map(|meta| meta.location.as_ref()).collect();
    assert_eq!(names, ["a/b c", "d/ä"]);
    assert_eq!((found[0].size, found[0].last_modified.timestamp_millis()), (3, 1_767_574_923_400));
    assert_eq!(asked.lock().unwrap().len(), 3);
}
