//! An answer of the server -> a document, or why there is none.
//!
//! Promise: what is given is all that the server had to say, unpacked, and no more than is allowed.
//! Rules: upstream's `WikibaseRepository`.
//! Not here: whether it is Turtle (see `munge::document`).

use std::time::Duration;

use bytes::Bytes;

use crate::compression::gunzip;
use crate::entity_data::attempts::Trouble;
use crate::web::{BodyError, NoAnswer, Response};
use crate::wikibase::timestamp::Timestamp;

/// Reads an answer that came at the time `now`; its text may have `most` bytes.
pub async fn read(response: Response, most: usize, now: Timestamp) -> Result<Bytes, Trouble> {
    match response.status() {
        404 => return Err(Trouble::NotFound),
        204 => return Err(Trouble::NoContent),
        status @ (503 | 429) => {
            return Err(Trouble::Busy { status, asked: response.retry_after(now) });
        }
        200..300 => {}
        // Redirects are among them: they are not followed.
        status => return Err(Trouble::Unexpected(format!("the status {status}"))),
    }
    if response.header("content-type").is_some_and(|kind| starts_with(kind, "text/html")) {
        return Err(Trouble::Unexpected("a page in HTML".to_owned()));
    }
    let is_packed = match response.header("content-encoding").unwrap_or_default() {
        packed if starts_with(packed, "gzip") || starts_with(packed, "x-gzip") => true,
        plain if plain.is_empty() || starts_with(plain, "identity") => false,
        other => return Err(Trouble::Unexpected(format!("an answer in the encoding {other:?}"))),
    };
    let body = response.body(most).await.map_err(|error| match error {
        BodyError::TooLarge(_) => Trouble::Unexpected(error.to_string()),
        BodyError::NoAnswer(NoAnswer::Unreachable { reason, .. } | NoAnswer::Broken(reason)) => Trouble::Broken(reason),
    })?;
    let body = if is_packed && !body.is_empty() { unpacked(&body, most)? } else { body };
    if body.is_empty() { Err(Trouble::Empty) } else { Ok(body.into()) }
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start))
}

fn unpacked(body: &[u8], most: usize) -> Result<Vec<u8>, Trouble> {
    match gunzip(body, most) {
        Ok(text) => text.ok_or_else(|| Trouble::Unexpected(BodyError::TooLarge(most).to_string())),
        Err(error) => Err(Trouble::Broken(format!("it is not the gzip that it says it is: {error}"))),
    }
}

/// Why a request has no answer. `waited` is how long a connection was waited for, if it was in vain.
pub fn without_answer(error: NoAnswer, waited: Duration) -> Trouble {
    match error {
        NoAnswer::Unreachable { reason, is_timeout } => {
            Trouble::Unreachable { reason, waited: if is_timeout { waited } else { Duration::ZERO } }
        }
        NoAnswer::Broken(reason) => Trouble::Broken(reason),
    }
}
