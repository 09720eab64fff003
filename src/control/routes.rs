//! What can be asked for, and how it is answered.
//!
//! Promise: every request has one answer; an error says what to do, as `{"error": …}`.
//! In -> out: a method, a path, a body -> [`Wanted`]; what a desk says -> [`Answer`].
//! Rules: `GET` (and `HEAD`) `/health`, `/status`, `/metrics`; `POST /savepoint` with `{"to": PLACE}`, `POST /stop` with
//! `{"savepoint": PLACE or true or false}`; what is left out of a body is chosen by the updater, and it stops with a savepoint.
//! Invariant: pure, but for what the desk does.

use serde::{Deserialize, Serialize};

use crate::control::{Desk, Refusal};

const JSON: &str = "application/json";
/// The text format of Prometheus.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Something to look at.
    Look(Look),
    /// Something to do.
    Act(Act),
}

/// Something to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// As [`Desk::health`].
    Health,
    /// As [`Desk::status`].
    Status,
    /// As [`Desk::metrics`].
    Metrics,
}

/// Something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// As [`Desk::save`].
    Save,
    /// As [`Desk::stop`].
    Stop,
}

/// Something to do, in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// As [`Desk::save`].
    Save(Option<String>),
    /// As [`Desk::stop`].
    Stop(Option<Option<String>>),
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP's number for how it went.
    pub status: u16,
    /// What the body is.
    pub content_type: &'static str,
    /// The methods that are allowed, where another was used.
    pub allow: Option<&'static str>,
    /// The body.
    pub body: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaveBody {
    to: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StopBody {
    savepoint: Option<Wish>,
}

/// `true`, `false` or a place.
#[derive(Deserialize)]
#[serde(untagged)]
enum Wish {
    Whether(bool),
    At(String),
}

/// What is to be done with a request.
pub fn route(method: &str, path: &str) -> Result<Route, Answer> {
    let route = match path {
        "/health" => Route::Look(Look::Health),
        "/status" => Route::Look(Look::Status),
        "/metrics" => Route::Look(Look::Metrics),
        "/savepoint" => Route::Act(Act::Save),
        "/stop" => Route::Act(Act::Stop),
        _ => {
            let known = "there is GET /health, /status, /metrics; POST /savepoint, /stop";
            return Err(Answer::error(404, format!("nothing is here; {known}")));
        }
    };
    match (route, method) {
        (Route::Look(_), "GET" | "HEAD") | (Route::Act(_), "POST") => Ok(route),
        (Route::Look(_), _) => Err(Answer::not_allowed("GET, HEAD")),
        (Route::Act(_), _) => Err(Answer::not_allowed("POST")),
    }
}

/// Looks.
pub fn look(look: Look, desk: &dyn Desk) -> Answer {
    match look {
        Look::Health => match desk.health() {
            Ok(()) => Answer::json(200, &serde_json::json!({ "healthy": true })),
            Err(reason) => Answer::error(503, reason),
        },
        Look::Status => Answer::ok(JSON, desk.status()),
        Look::Metrics => Answer::ok(EXPOSITION, desk.metrics().into_bytes()),
    }
}

/// What a body asks for; an empty one leaves all to the updater.
pub fn order(act: Act, body: &[u8]) -> Result<Order, Answer> {
    match act {
        Act::Save => Ok(Order::Save(read::<SaveBody>(body, r#"{"to": PLACE}"#)?.and_then(|body| body.to))),
        Act::Stop => {
            let body = read::<StopBody>(body, r#"{"savepoint": PLACE, true or false}"#)?;
            Ok(Order::Stop(match body.and_then(|body| body.savepoint) {
                Some(Wish::Whether(false)) => None,
                Some(Wish::At(place)) => Some(Some(place)),
                Some(Wish::Whether(true)) | None => Some(None),
            }))
        }
    }
}

fn read<'b, T: Deserialize<'b>>(body: &'b [u8], form: &str) -> Result<Option<T>, Answer> {
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    let wrong =
        |error| Answer::error(400, format!("the body is not as it should be, that is {form} or empty: {error}"));
    serde_json::from_slice(body).map(Some).map_err(wrong)
}

/// Does it; blocks until it is done.
pub fn act(order: Order, desk: &dyn Desk) -> Answer {
    #[derive(Serialize)]
    struct Done {
        savepoint: Option<String>,
    }
    let done = match order {
        Order::Save(to) => desk.save(to).map(Some),
        Order::Stop(save) => desk.stop(save),
    };
    match done {
        Ok(savepoint) => Answer::json(200, &Done { savepoint }),
        Err(refusal) => {
            let status = match refusal {
                Refusal::Wrong(_) => 400,
                Refusal::NotNow(_) => 409,
                Refusal::Failed(_) => 500,
                Refusal::Ended => 503,
            };
            Answer::error(status, refusal.to_string())
        }
    }
}

impl Answer {
    /// What went wrong.
    pub fn error(status: u16, error: String) -> Self {
        Self::json(status, &serde_json::json!({ "error": error }))
    }

    fn not_allowed(allow: &'static str) -> Self {
        Self { allow: Some(allow), ..Self::error(405, format!("only {allow} can be done here")) }
    }

    fn ok(content_type: &'static str, body: Vec<u8>) -> Self {
        Self { status: 200, content_type, allow: None, body }
    }

    fn json(status: u16, value: &impl Serialize) -> Self {
        // What is serialized here are texts and truths, which always can be.
        let mut body = serde_json::to_vec(value).unwrap_or_default();
        body.push(b'\n');
        Self { status, ..Self::ok(JSON, body) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_as_in_this_table() {
        let at = |place: &str| Some(place.to_owned());
        let rows = [
            (Act::Save, "", Some(Order::Save(None))),
            (Act::Save, " \n", Some(Order::Save(None))),
            (Act::Save, "{}", Some(Order::Save(None))),
            (Act::Save, r#"{"to": null}"#, Some(Order::Save(None))),
            (Act::Save, r#"{"to": "s3://b/x"}"#, Some(Order::Save(at("s3://b/x")))),
            (Act::Save, r#"{"To": "s3://b/x"}"#, None),
            (Act::Save, r#"{"to": 7}"#, None),
            (Act::Save, r#"{"to": "x"} x"#, None),
            (Act::Save, "to=x", None),
            (Act::Save, "\u{0}", None),
            (Act::Stop, "", Some(Order::Stop(Some(None)))),
            (Act::Stop, "{}", Some(Order::Stop(Some(None)))),
            (Act::Stop, r#"{"savepoint": true}"#, Some(Order::Stop(Some(None)))),
            (Act::Stop, r#"{"savepoint": false}"#, Some(Order::Stop(None))),
            (Act::Stop, r#"{"savepoint": "x"}"#, Some(Order::Stop(Some(at("x"))))),
            (Act::Stop, r#"{"savepoint": 1}"#, None),
            (Act::Stop, r#"{"to": "x"}"#, None),
        ];
        for (act, body, expected) in rows {
            let got = order(act, body.as_bytes());
            assert_eq!(got.as_ref().ok(), expected.as_ref(), "{act:?} {body}");
            assert!(got.err().is_none_or(|answer| answer.status == 400), "{act:?} {body}");
        }
    }
}
