//! What the wiki's API says: at which revisions pages are, when they were deleted and restored, and which wiki it is.
//!
//! Promise: the same, whether it is asked over HTTP (see `server`) or not.
//! Rules: MediaWiki's action API, as far as `headwater::mediawiki` asks it.

use std::collections::BTreeMap;

use headwater::mediawiki::{ApiError, Latest};
use headwater::reconcile::repair::Wiki;
use headwater::wikibase::entity::{EntityId, EntityKind, Revision};
use headwater::wikibase::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::wiki::events::time;
use crate::wiki::history::History;

/// The wiki as it is at some time, asked without a server.
pub struct Asked<'h> {
    /// The wiki.
    pub history: &'h History,
    /// When, in milliseconds since 1970.
    pub at: i64,
}

impl Wiki for Asked<'_> {
    fn latest(&mut self, entities: &[EntityId]) -> Result<Vec<Option<Latest>>, ApiError> {
        let latest = |entity: &EntityId| {
            let page = self.history.page(*entity).filter(|page| page.is_there(self.at))?;
            let revision = page.newest(self.at)?;
            let (number, time) = (Revision::new(revision.number).ok()?, Timestamp::from_millis(revision.time)?);
            Some(Latest { revision: number, time, title: title(*entity) })
        };
        Ok(entities.iter().map(latest).collect())
    }

    fn turned(&mut self, entity: EntityId, _: Option<&str>) -> Result<Option<Timestamp>, ApiError> {
        let page = self.history.page(entity);
        Ok(page.and_then(|page| page.turned(self.at)).and_then(Timestamp::from_millis))
    }
}

/// The title of an entity's page.
fn title(entity: EntityId) -> String {
    match entity.kind() {
        EntityKind::Item => entity.to_string(),
        EntityKind::Property => format!("Property:{entity}"),
        EntityKind::Lexeme => format!("Lexeme:{entity}"),
        EntityKind::MediaInfo => format!("File:{entity}.jpg"),
    }
}

/// The query of a request to the API.
pub fn query(request: &str) -> Option<&str> {
    request.strip_prefix("GET /w/api.php?")?.split(' ').next()
}

/// The answer to a query.
pub fn answer(history: &History, at: i64, query: &str) -> Value {
    let parameters: BTreeMap<_, _> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let values = |name: &str| -> Vec<String> {
        let text = parameters.get(name).map(|text| decoded(text)).unwrap_or_default();
        text.split('|').filter(|value| !value.is_empty()).map(str::to_owned).collect()
    };
    let named = |title: &str| {
        let id = title.strip_prefix("File:").and_then(|name| name.strip_suffix(".jpg")).unwrap_or(title);
        EntityId::parse(id.rsplit(':').next().unwrap_or(id).as_bytes()).ok()
    };
    if parameters.get("meta") == Some(&"siteinfo") {
        let scheme = history.shape.flavour.scheme();
        let (server, concept) = (format!("//{}", scheme.host()), scheme.concept());
        return json!({ "batchcomplete": true, "query": { "general": {
            "server": server,
            "wikibase-conceptbaseuri": concept,
        } } });
    }
    if let [wanted] = &*values("letitle") {
        let page = named(wanted).and_then(|entity| history.page(entity));
        let action = page.map(|page| if page.is_there(at) { "restore" } else { "delete" });
        let turned = page.and_then(|page| page.turned(at));
        let event = turned.map(|turned| json!({ "type": "delete", "action": action, "timestamp": time(turned) }));
        return json!({ "query": { "logevents": event.into_iter().collect::<Vec<_>>() } });
    }
    let page = |entity: Option<EntityId>, mut page: Value| {
        let known = entity.and_then(|entity| history.page(entity)).filter(|page| page.is_there(at));
        match known.and_then(|page| page.newest(at)) {
            Some(revision) => {
                page["revisions"] = json!([{ "revid": revision.number, "timestamp": time(revision.time) }]);
                page["title"] = entity.map(title).into();
            }
            None => page["missing"] = true.into(),
        }
        page
    };
    let titled = values("titles").into_iter().map(|title| page(named(&title), json!({ "title": title })));
    let of_id = |id: &String| {
        let number: u64 = id.parse().unwrap_or_default();
        let media = EntityId::new(EntityKind::MediaInfo, number as u32);
        page(media, json!({ "pageid": number }))
    };
    let pages: Vec<_> = titled.chain(values("pageids").iter().map(of_id)).collect();
    json!({ "batchcomplete": true, "query": { "pages": pages } })
}

/// A value as it was before it became a part of a URL.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| char::from(byte.unwrap_or(b'0')).to_digit(16).unwrap_or(0) as u8;
        bytes.push(if byte == b'%' { digit(rest.next()) << 4 | digit(rest.next()) } else { byte });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
