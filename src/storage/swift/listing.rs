//! What is in a container.
//!
//! Promise: all names below a directory, however many pages they fill.
//! Invariant: a listing may lag behind what was stored and deleted: Swift's listings do. Nothing that must be right is taken
//! from one.

use std::sync::Arc;

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use http::Method;
use object_store::path::Path;
use object_store::{Error, ListResult, ObjectMeta, Result};
use serde::Deserialize;

use crate::storage::swift::Container;
use crate::storage::swift::account::{body, failed};
use crate::storage::swift::segments::SEGMENTS;
use crate::wikibase::timestamp::Timestamp;

/// Names in a page, at most; also the most that Swift gives.
const PAGE: &str = "10000";

/// An entry of a listing: an object, or what many names have in common.
#[derive(Deserialize)]
#[serde(untagged)]
enum Item {
    Common { subdir: String },
    Object { name: String, bytes: u64, hash: String, last_modified: String, content_type: String },
}

impl Item {
    fn name(&self) -> &str {
        match self {
            Self::Common { subdir } => subdir,
            Self::Object { name, .. } => name,
        }
    }
}

/// Every object below `prefix`.
pub fn all(container: Arc<Container>, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
    let below = directory(prefix);
    let is_root = below.is_empty();
    let next = move |marker: String| {
        let (container, below) = (Arc::clone(&container), below.clone());
        async move {
            let page = page(&container, &below, &marker, None).await?;
            let last = page.last().map(|item| item.name().to_owned());
            Ok::<_, Error>(last.map(|last| (futures::stream::iter(page.into_iter().map(Ok)), last)))
        }
    };
    let items = futures::stream::try_unfold(String::new(), next).try_flatten();
    let objects = items.try_filter_map(|item| async move { Ok(object(item)) });
    objects.try_filter(move |meta| std::future::ready(!(is_root && is_segment(meta)))).boxed()
}

/// What is right inside `prefix`.
pub async fn inside(container: &Container, prefix: Option<&Path>) -> Result<ListResult> {
    let below = directory(prefix);
    let mut found = ListResult { common_prefixes: Vec::new(), objects: Vec::new() };
    let mut marker = String::new();
    loop {
        let page = page(container, &below, &marker, Some("/")).await?;
        let Some(last) = page.last() else { return Ok(found) };
        marker = last.name().to_owned();
        for item in page {
            match item {
                Item::Common { subdir } => found.common_prefixes.extend(Path::parse(subdir.trim_end_matches('/'))),
                item => found.objects.extend(object(item)),
            }
        }
    }
}

async fn page(container: &Container, below: &str, marker: &str, delimiter: Option<&str>) -> Result<Vec<Item>> {
    let mut query = vec![("format", "json"), ("limit", PAGE), ("prefix", below), ("marker", marker)];
    query.extend(delimiter.map(|delimiter| ("delimiter", delimiter)));
    let response = container.done(Method::GET, "", &query).await.map_err(|error| match error {
        Error::NotFound { .. } => container.absent(),
        error => error,
    })?;
    serde_json::from_slice(&body(response).await?).map_err(failed)
}

fn directory(prefix: Option<&Path>) -> String {
    prefix.filter(|prefix| !prefix.is_root()).map_or_else(String::new, |prefix| format!("{prefix}/"))
}

/// An object that has a name here: not what others store to stand for a directory, nor names like `a//b`.
fn object(item: Item) -> Option<ObjectMeta> {
    let Item::Object { name, bytes, hash, last_modified, content_type } = item else { return None };
    let location = Path::parse(&name).ok().filter(|_| content_type != "application/directory")?;
    // In UTC, and written without saying so.
    let modified = Timestamp::parse(&format!("{last_modified}Z")).unwrap_or_default();
    Some(ObjectMeta { location, last_modified: modified.to_chrono(), size: bytes, e_tag: Some(hash), version: None })
}

fn is_segment(meta: &ObjectMeta) -> bool {
    meta.location.parts().next().is_some_and(|part| part.as_ref() == SEGMENTS)
}
