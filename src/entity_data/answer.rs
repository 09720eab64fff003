//! An answer of the server -> a document, or why there is none.
//!
//! Promise: what is given is all that the server had to say, unpacked, and no more than is allowed.
//! Rules: upstream's `WikibaseRepository`; RFC 9110 for `Retry-After`.
//! Not here: whether it is Turtle (see `munge::document`).

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use crate::compression::gunzip;
use crate::entity_data::attempts::Trouble;
use crate::wikibase::timestamp::Timestamp;

/// Reads an answer that came at the time `now`; its text may have `most` bytes.
pub async fn read(response: Response, most: usize, now: Timestamp) -> Result<Bytes, Trouble> {
    let header = |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    match response.status() {
        StatusCode::NOT_FOUND => return Err(Trouble::NotFound),
        StatusCode::NO_CONTENT => return Err(Trouble::NoContent),
        status @ (StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) => {
            let asked = header(RETRY_AFTER).and_then(|text| pause(text, now));
            return Err(Trouble::Busy { status: status.as_u16(), asked });
        }
        // Redirects are among them: they are not followed.
        status if !status.is_success() => return Err(Trouble::Unexpected(format!("the status {}", status.as_u16()))),
        _ => {}
    }
    if header(CONTENT_TYPE).is_some_and(|kind| starts_with(kind, "text/html")) {
        return Err(Trouble::Unexpected("a page in HTML".to_owned()));
    }
    let is_packed = match header(CONTENT_ENCODING).unwrap_or_default() {
        packed if starts_with(packed, "gzip") || starts_with(packed, "x-gzip") => true,
        plain if plain.is_empty() || starts_with(plain, "identity") => false,
        other => return Err(Trouble::Unexpected(format!("an answer in the encoding {other:?}"))),
    };
    let body = body(response, most).await?;
    let body = if is_packed && !body.is_empty() { unpacked(&body, most)? } else { body };
    if body.is_empty() { Err(Trouble::Empty) } else { Ok(body.into()) }
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start))
}

/// The pause that `Retry-After` asks for: in seconds, or up to a date.
fn pause(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = Timestamp::parse_http(text).ok()?;
    Some(Duration::from_millis(until.millis().saturating_sub(now.millis()).max(0) as u64))
}

/// The body as it was sent.
async fn body(mut response: Response, most: usize) -> Result<Vec<u8>, Trouble> {
    let length = response.content_length().unwrap_or(0);
    if length > most as u64 {
        return Err(too_large(most));
    }
    let mut body = Vec::with_capacity(length as usize);
    while let Some(piece) = response.chunk().await.map_err(|error| Trouble::Broken(reason(&error)))? {
        if body.len() + piece.len() > most {
            return Err(too_large(most));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn unpacked(body: &[u8], most: usize) -> Result<Vec<u8>, Trouble> {
    match gunzip(body, most) {
        Ok(text) => text.ok_or_else(|| too_large(most)),
        Err(error) => Err(Trouble::Broken(format!("it is not the gzip that it says it is: {error}"))),
    }
}

fn too_large(most: usize) -> Trouble {
    Trouble::Unexpected(format!("more than {most} bytes"))
}

/// Why a request has no answer. `waited` is how long a connection was waited for, if it was in vain.
pub fn without_answer(error: &reqwest::Error, waited: Duration) -> Trouble {
    match error.is_connect() {
        true => {
            let waited = if error.is_timeout() { waited } else { Duration::ZERO };
            Trouble::Unreachable { reason: reason(error), waited }
        }
        false => Trouble::Broken(reason(error)),
    }
}

/// The first cause: what stands before it names the URL and the steps that it failed.
fn reason(error: &reqwest::Error) -> String {
    let first = std::iter::successors(Some(error as &(dyn Error + 'static)), |error| (*error).source()).last();
    first.map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_in_seconds_or_up_to_a_date() {
        let now = Timestamp::parse("2026-01-05T00:00:00Z").unwrap();
        let rows = [
            ("7", Some(7)),
            ("0", Some(0)),
            ("Mon, 05 Jan 2026 00:01:00 GMT", Some(60)),
            ("Sun, 04 Jan 2026 00:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ];
        for (text, seconds) in rows {
            assert_eq!(pause(text, now), seconds.map(Duration::from_secs), "{text}");
        }
    }
}
