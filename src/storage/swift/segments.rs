//! A large object, stored in segments.
//!
//! Promise: it appears when all of it is there; until then nothing has its name.
//! Invariant: segments have names that nobody else uses, and are what the manifest says, which Swift checks when it is stored.
//! Rules: static large objects; of dynamic ones the content follows a listing, which may lag.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use http::Method;
use object_store::path::Path;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};
use serde_json::json;

use crate::storage::claim::Attempt;
use crate::storage::swift::account::failed;
use crate::storage::swift::{Container, checked};

/// The directory of all segments, at the root of the container.
pub const SEGMENTS: &str = ".segments";

/// An object of which segments are being stored.
#[derive(Debug)]
pub struct Segments {
    container: Arc<Container>,
    path: String,
    /// What the names of the segments begin with.
    stem: String,
    stored: Arc<Mutex<Vec<Option<Segment>>>>,
    /// Whether something may have its name already.
    may_replace: bool,
}

#[derive(Clone, Debug)]
struct Segment {
    md5: String,
    size: usize,
}

impl Segments {
    /// Begins an object. Errors: `Generic` where the system has no random numbers.
    pub fn new(container: Arc<Container>, location: &Path, may_replace: bool) -> Result<Self> {
        let attempt = Attempt::fresh().map_err(failed)?;
        let stem = format!("{SEGMENTS}/{location}/segments{attempt}");
        Ok(Self { container, path: location.to_string(), stem, stored: Arc::default(), may_replace })
    }

    fn name(&self, at: usize) -> String {
        format!("{}/{at:08}", self.stem)
    }

    fn count(&self) -> usize {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[async_trait]
impl MultipartUpload for Segments {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let at = self.count();
        let name = self.name(at);
        let (container, stored) = (Arc::clone(&self.container), Arc::clone(&self.stored));
        stored.lock().unwrap_or_else(PoisonError::into_inner).push(None);
        Box::pin(async move {
            let size = payload.content_length();
            let md5 = container.put(&name, payload, false).await?;
            stored.lock().unwrap_or_else(PoisonError::into_inner)[at] = Some(Segment { md5, size });
            Ok(())
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let stored: Option<Vec<_>> =
            self.stored.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        let stored = stored.ok_or_else(|| failed("a segment is missing"))?;
        let entry = |(at, Segment { md5, size }): (usize, Segment)| json!({"path": format!("/{}/{}", self.container.name, self.name(at)), "etag": md5, "size_bytes": size});
        let manifest: Vec<_> = stored.into_iter().enumerate().map(entry).collect();
        let payload = PutPayload::from(json!(manifest).to_string());
        let headers = [("Content-Type", "application/octet-stream".to_owned())];
        let query = [("multipart-manifest", "put")];
        let old = if self.may_replace { self.container.segments_of(&self.path).await? } else { Vec::new() };
        let answer = self.container.ask(Method::PUT, &self.path, &query, &headers, payload).await?;
        checked(answer.response, &self.path).await?;
        self.container.forget(&old).await;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn abort(&mut self) -> Result<()> {
        for at in 0..self.count() {
            // Those that never arrived are not there.
            let _ = self.container.delete(&self.name(at)).await;
        }
        Ok(())
    }
}
