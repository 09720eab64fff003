//! Where documents are: in the wiki, or at a place that stands for it.
//!
//! Promise: what is asked for is always the wiki's; only whom is asked differs.
//! In -> out: the wiki's entity-data namespace and routes -> [`Target`].
//! Invariant: pure.
//! Not here: what a route is (see `web`).

use crate::entity_data::error::FetchSetUpError;
use crate::web::{self, Route, UrlError};
use crate::wikibase::entity::{EntityId, Revision};

/// Whom to ask for entity data, and how: the wiki's namespace of it, with a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(web::Target);

impl Target {
    /// The first route for the wiki's host is taken; without one the wiki itself is asked. Errors: `BadUrl`, `Secret`.
    pub fn new(entity_data: &str, routes: &[Route]) -> Result<Self, FetchSetUpError> {
        let slash = if entity_data.ends_with('/') { "" } else { "/" };
        match web::Target::new(&format!("{entity_data}{slash}"), routes) {
            Ok(target) if !target.has_query() => Ok(Self(target)),
            Err(error @ UrlError::Secret(_)) => Err(FetchSetUpError::Secret(error)),
            _ => Err(FetchSetUpError::BadUrl(entity_data.to_owned())),
        }
    }

    /// The URL that is requested.
    pub fn asked(&self, entity: EntityId, revision: Revision) -> String {
        document(self.0.asked(), entity, revision)
    }

    /// The wiki's own URL of the same, for people.
    pub fn public(&self, entity: EntityId, revision: Revision) -> String {
        document(self.0.public(), entity, revision)
    }

    /// What the `Host` header must say, where the requested URL says something else.
    pub fn host(&self) -> Option<&str> {
        self.0.host()
    }
}

/// `flavor=dump` leaves out what other documents say; as in dumps.
fn document(namespace: &str, entity: EntityId, revision: Revision) -> String {
    format!("{namespace}{entity}.ttl?flavor=dump&revision={revision}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_documents_are() {
        // Namespace, route; the place that is asked, the `Host` header if it is set.
        let wiki = "https://www.wikidata.org/wiki/Special:EntityData/";
        let path = "/wiki/Special:EntityData/";
        let rows = [
            (wiki, None, format!("https://www.wikidata.org{path}"), None),
            (wiki, Some("www.wikidata.org=http://x:6500"), format!("http://x:6500{path}"), Some("www.wikidata.org")),
            ("http://W:8080/data", None, "http://w:8080/data/".to_owned(), None),
            ("http://w:8080/data/", Some("w=https://x:9"), "https://x:9/data/".to_owned(), Some("w:8080")),
        ];
        let (entity, revision) = (EntityId::parse(b"Q42").unwrap(), Revision::new(7).unwrap());
        for (namespace, route, asked, host) in rows {
            let routes: Vec<_> = route.map(|route| Route::parse(route).unwrap()).into_iter().collect();
            let target = Target::new(namespace, &routes).unwrap();
            assert_eq!(target.asked(entity, revision), format!("{asked}Q42.ttl?flavor=dump&revision=7"));
            assert_eq!(target.host(), host, "{namespace} {route:?}");
            let public = Target::new(namespace, &[]).unwrap().asked(entity, revision);
            assert_eq!(target.public(entity, revision), public);
        }
    }

    #[test]
    fn what_is_no_namespace() {
        for text in ["", "w", "ftp://w/", "http://w/?title=", "http://w/#x", "https:///"] {
            assert!(matches!(Target::new(text, &[]), Err(FetchSetUpError::BadUrl(named)) if named == text), "{text}");
        }
    }
}
