//! OpenStack's object storage as a store, over its own API.
//!
//! Promise: what is read is what was stored, whole; what is stored is there whole or not at all.
//! Invariant: what is sent has its MD5 with it, which Swift checks; what is received has the length that was announced, and is
//! of the object that was opened.
//! Rules: Swift's API v1. Its S3 gateway is not used for it: that has no conditional writes before Swift 2.36, and needs other
//! keys than Keystone's.
//! Not here: copies, since a copy goes through the server byte by byte; and what a directory is, which Swift does not know.

mod account;
mod listing;
mod segments;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use http::{HeaderMap, Method, StatusCode};
use md5::{Digest, Md5};
use object_store::client::{HttpResponse, SpawnedReqwestConnector};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use serde::Deserialize;

use crate::storage::Fresh;
use crate::storage::error::Unusable;
use crate::storage::secrets::Secrets;
use crate::storage::swift::account::{Account, Answer, Ask, Pauses, body, failed, length};
use crate::storage::swift::segments::{SEGMENTS, Segments};
use crate::wikibase::timestamp::Timestamp;

/// A container.
#[derive(Clone, Debug)]
pub struct Swift(Arc<Container>);

#[derive(Debug)]
struct Container {
    account: Account,
    name: String,
}

impl Swift {
    /// The container in the account of a service. Errors: a sentence, where the account is not known.
    pub fn new(
        container: &str,
        service: &str,
        secrets: &Secrets,
        connector: &SpawnedReqwestConnector,
    ) -> std::result::Result<Self, String> {
        let account = Account::new(service, secrets, connector)?;
        Ok(Self(Arc::new(Container { account, name: container.to_owned() })))
    }
}

impl Container {
    /// Asks about an object, or with an empty path about the container.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        headers: &[(&'static str, String)],
        body: PutPayload,
    ) -> Result<Answer> {
        let parts = path.split('/').filter(|_| !path.is_empty());
        let names: Vec<_> = std::iter::once(self.name.as_str()).chain(parts).collect();
        self.account.ask(&Ask { method, names: &names, query, headers, body }).await
    }

    /// As [`Container::ask`], without a body and for a success.
    async fn done(&self, method: Method, path: &str, query: &[(&str, &str)]) -> Result<HttpResponse> {
        let answer = self.ask(method, path, query, &[], PutPayload::new()).await?;
        checked(answer.response, path).await
    }

    /// Stores an object whole. Returns its MD5.
    async fn put(&self, path: &str, payload: PutPayload, is_new: bool) -> Result<String> {
        let md5 = md5(&payload);
        let mut headers = vec![("ETag", md5.clone()), ("Content-Type", "application/octet-stream".to_owned())];
        if is_new {
            headers.push(("If-None-Match", "*".to_owned()));
        }
        let answer = self.ask(Method::PUT, path, &[], &headers, payload).await?;
        let is_there = answer.response.status() == StatusCode::PRECONDITION_FAILED;
        if is_new && is_there {
            // What is there may be what an earlier try has stored, whose answer was lost.
            if answer.is_repeated && self.head(path).await?.e_tag.as_deref() == Some(&md5) {
                return Ok(md5);
            }
            return Err(Error::AlreadyExists { path: path.to_owned(), source: "an object is there".into() });
        }
        if answer.response.status() == StatusCode::NOT_FOUND {
            return Err(self.absent());
        }
        checked(answer.response, path).await?;
        Ok(md5)
    }

    fn absent(&self) -> Error {
        failed(Unusable(format!("there is no container {}", self.name)))
    }

    async fn head(&self, path: &str) -> Result<ObjectMeta> {
        let response = self.done(Method::HEAD, path, &[]).await?;
        let size = length(response.headers()).ok_or_else(|| failed("the answer has no length"))?;
        meta(path, response.headers(), size)
    }

    /// What an object is made of that is about to be replaced: the names of its segments, if it has any here.
    async fn segments_of(&self, path: &str) -> Result<Vec<String>> {
        let found = self.ask(Method::HEAD, path, &[], &[], PutPayload::new()).await?.response;
        if !is_large(&found) {
            return Ok(Vec::new());
        }
        let manifest = body(self.done(Method::GET, path, &[("multipart-manifest", "get")]).await?).await?;
        let entries: Vec<Entry> = serde_json::from_slice(&manifest).map_err(failed)?;
        let ours = format!("/{}/{SEGMENTS}/", self.name);
        let inside = |entry: Entry| Some(format!("{SEGMENTS}/{}", entry.name.strip_prefix(&ours)?));
        Ok(entries.into_iter().filter_map(inside).collect())
    }

    /// Deletes segments that no object is made of any more. What cannot be deleted only takes up room.
    async fn forget(&self, segments: &[String]) {
        for segment in segments {
            let _ = self.ask(Method::DELETE, segment, &[], &[], PutPayload::new()).await;
        }
    }

    /// Deletes an object; a large one with what it is made of.
    async fn delete(&self, path: &str) -> Result<()> {
        let found = self.done(Method::HEAD, path, &[]).await?;
        let query: &[_] = if is_large(&found) { &[("multipart-manifest", "delete")] } else { &[] };
        let answer = self.ask(Method::DELETE, path, query, &[], PutPayload::new()).await?;
        match answer.response.status() {
            StatusCode::NOT_FOUND if answer.is_repeated => Ok(()),
            _ => checked(answer.response, path).await.map(drop),
        }
    }

    /// The bytes of a range, in pieces; where they break off, asked for anew from there.
    async fn read(self: Arc<Self>, path: Path, options: GetOptions) -> Result<GetResult> {
        let wanted = options.range.as_ref().map(header_of);
        let response = self.get(path.as_ref(), wanted, None).await?;
        let (range, size) = extent(&response)?;
        let meta = meta(path.as_ref(), response.headers(), size)?;
        options.check_preconditions(&meta)?;
        let e_tag = meta.e_tag.clone();
        let reading =
            Reading { container: self, path, e_tag, at: range.start, end: range.end, pieces: Some(pieces(response)) };
        let stream = futures::stream::try_unfold(reading, Reading::next).boxed();
        Ok(GetResult { payload: GetResultPayload::Stream(stream), meta, range, attributes: Default::default() })
    }

    async fn get(&self, path: &str, range: Option<String>, e_tag: Option<&str>) -> Result<HttpResponse> {
        let range = range.map(|range| ("Range", range));
        let e_tag = e_tag.map(|e_tag| ("If-Match", e_tag.to_owned()));
        let headers: Vec<_> = range.into_iter().chain(e_tag).collect();
        checked(self.ask(Method::GET, path, &[], &headers, PutPayload::new()).await?.response, path).await
    }
}

/// A segment as a manifest names it.
#[derive(Deserialize)]
struct Entry {
    name: String,
}

/// A range that is being read.
struct Reading {
    container: Arc<Container>,
    path: Path,
    e_tag: Option<String>,
    /// The next byte, and the one after the last.
    at: u64,
    end: u64,
    pieces: Option<BoxStream<'static, Result<Bytes>>>,
}

impl Reading {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>> {
        let mut pauses = Pauses::default();
        while self.at < self.end {
            let piece = match &mut self.pieces {
                Some(pieces) => pieces.try_next().await,
                None => {
                    let range = header_of(&GetRange::Bounded(self.at..self.end));
                    let response = self.container.get(self.path.as_ref(), Some(range), self.e_tag.as_deref()).await?;
                    self.pieces.insert(pieces(response)).try_next().await
                }
            };
            match piece {
                Ok(Some(piece)) if piece.len() as u64 <= self.end - self.at => {
                    self.at += piece.len() as u64;
                    return Ok(Some((piece, self)));
                }
                Ok(Some(_)) => return Err(failed("more was received than asked for")),
                // It broke off: a server was lost, or a segment of a large object is.
                Ok(None) => pauses.wait(|| failed("the answer broke off")).await?,
                Err(error) => pauses.wait(|| error).await?,
            }
            self.pieces = None;
        }
        Ok(None)
    }
}

#[async_trait]
impl ObjectStore for Swift {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let is_new = match opts.mode {
            PutMode::Create => true,
            PutMode::Overwrite => false,
            PutMode::Update(_) => return Err(unable("to replace an object only if it is a certain one")),
        };
        let may_replace = !is_new && opts.extensions.get::<Fresh>().is_none();
        let old = if may_replace { self.0.segments_of(location.as_ref()).await? } else { Vec::new() };
        let md5 = self.0.put(location.as_ref(), payload, is_new).await?;
        self.0.forget(&old).await;
        Ok(PutResult { e_tag: Some(md5), version: None })
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let may_replace = opts.extensions.get::<Fresh>().is_none();
        Ok(Box::new(Segments::new(Arc::clone(&self.0), location, may_replace)?))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if !options.head {
            return Arc::clone(&self.0).read(location.clone(), options).await;
        }
        let meta = self.0.head(location.as_ref()).await?;
        options.check_preconditions(&meta)?;
        let payload = GetResultPayload::Stream(futures::stream::empty().boxed());
        Ok(GetResult { payload, meta, range: 0..0, attributes: Default::default() })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let container = Arc::clone(&self.0);
        let delete = move |location: Result<Path>| {
            let container = Arc::clone(&container);
            async move {
                let location = location?;
                container.delete(location.as_ref()).await.map(|()| location)
            }
        };
        locations.map(delete).buffered(8).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        listing::all(Arc::clone(&self.0), prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        listing::inside(&self.0, prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(unable("to copy"))
    }
}

impl fmt::Display for Swift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Swift({})", self.0.name)
    }
}

fn is_large(response: &HttpResponse) -> bool {
    response.headers().get("X-Static-Large-Object").is_some_and(|value| value == "True")
}

fn unable(what: &str) -> Error {
    Error::NotImplemented { operation: what.to_owned(), implementer: "Swift".to_owned() }
}

fn md5(payload: &PutPayload) -> String {
    let mut digest = Md5::new();
    payload.iter().for_each(|piece| digest.update(piece));
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The response, if it is a success.
async fn checked(response: HttpResponse, path: &str) -> Result<HttpResponse> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    // Its words are HTML, but for what a large object lacks.
    let is_text = response.headers().get("Content-Type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    let words = if is_text { body(response).await.unwrap_or_default() } else { Bytes::new() };
    let words = String::from_utf8_lossy(&words[..words.len().min(300)]).trim().replace('\n', ", ");
    let source = format!("the server answered {status}{}{words}", if words.is_empty() { "" } else { ": " }).into();
    let path = path.to_owned();
    Err(match status {
        StatusCode::NOT_FOUND => Error::NotFound { path, source },
        StatusCode::UNAUTHORIZED => Error::Unauthenticated { path, source },
        StatusCode::FORBIDDEN => Error::PermissionDenied { path, source },
        StatusCode::PRECONDITION_FAILED => Error::Precondition { path, source },
        _ => failed(source),
    })
}

fn pieces(response: HttpResponse) -> BoxStream<'static, Result<Bytes>> {
    response.into_body().bytes_stream().map_err(failed).boxed()
}

fn header_of(range: &GetRange) -> String {
    match range {
        GetRange::Bounded(range) => format!("bytes={}-{}", range.start, range.end.saturating_sub(1)),
        GetRange::Offset(from) => format!("bytes={from}-"),
        GetRange::Suffix(length) => format!("bytes=-{length}"),
    }
}

/// Which bytes a response brings, and how many the object has.
fn extent(response: &HttpResponse) -> Result<(std::ops::Range<u64>, u64)> {
    let odd = || failed("the answer does not say which bytes it brings");
    let length = length(response.headers()).ok_or_else(odd)?;
    if response.status() != StatusCode::PARTIAL_CONTENT {
        return Ok((0..length, length));
    }
    let text = response.headers().get("Content-Range").and_then(|value| value.to_str().ok()).ok_or_else(odd)?;
    let (range, size) = text.strip_prefix("bytes ").and_then(|text| text.split_once('/')).ok_or_else(odd)?;
    let (start, _) = range.split_once('-').ok_or_else(odd)?;
    let start: u64 = start.parse().map_err(|_| odd())?;
    Ok((start..start + length, size.parse().map_err(|_| odd())?))
}

fn meta(path: &str, headers: &HeaderMap, size: u64) -> Result<ObjectMeta> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let modified = text("Last-Modified").and_then(|text| Timestamp::parse_http(text).ok()).unwrap_or_default();
    // Plain objects have it bare, large ones in quotes.
    let e_tag = text("ETag").map(|e_tag| e_tag.trim_matches('"').to_owned());
    Ok(ObjectMeta { location: Path::parse(path)?, last_modified: modified.to_chrono(), size, e_tag, version: None })
}
