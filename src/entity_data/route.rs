//! Where requests go: the wiki itself, or a place that stands for it.
//!
//! Promise: what is asked for is always the wiki's; only whom is asked differs.
//! In -> out: `hostname=https://target:port` -> [`Route`]; the wiki's entity-data namespace and routes -> [`Target`].
//! Rule: upstream's `CustomRoutePlanner`. A route changes scheme, host and port of the connection. The `Host` header stays the
//! wiki's. The name in the TLS handshake, and in the certificate that is accepted, is the target's; with a route to `http` there
//! is no TLS. Without a port, the scheme's own is meant (upstream takes the port of the wiki's URL, if one stands there).
//! Invariant: pure.

use reqwest::Url;

use crate::entity_data::error::FetchSetUpError;
use crate::wikibase::entity::{EntityId, Revision};

/// Who is to be asked in the place of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    host: String,
    target: Url,
}

/// The text is no route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no route: it is written like www.wikidata.org=https://target.example.org:8443")]
pub struct RouteError(String);

impl Route {
    /// Reads `hostname=https://target:port`; without a scheme, `http` is meant.
    pub fn parse(text: &str) -> Result<Self, RouteError> {
        let bad = || RouteError(text.to_owned());
        let (host, target) = text.trim().split_once('=').ok_or_else(bad)?;
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let target = if target.contains("://") { target.to_owned() } else { format!("http://{target}") };
        let target = web(&target).ok_or_else(bad)?;
        let is_place = target.path() == "/" && target.query().is_none() && target.username().is_empty();
        if host.is_empty() || !host.bytes().all(legal) || !is_place {
            return Err(bad());
        }
        Ok(Self { host: host.to_ascii_lowercase(), target })
    }
}

/// An absolute URL of a web server.
fn web(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.host_str().is_some() && url.fragment().is_none()).then_some(url)
}

/// Whom to ask for entity data, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The wiki's namespace of entity data, with a slash at its end.
    public: String,
    /// The same at the place that is asked.
    asked: String,
    /// What the `Host` header says, where it is not what `asked` says.
    host: Option<String>,
}

impl Target {
    /// The first route for the wiki's host is taken; without one the wiki itself is asked. Errors: `BadUrl`.
    pub fn new(entity_data: &str, routes: &[Route]) -> Result<Self, FetchSetUpError> {
        let slash = if entity_data.ends_with('/') { "" } else { "/" };
        let bad = || FetchSetUpError::BadUrl(entity_data.to_owned());
        let wiki = web(&format!("{entity_data}{slash}")).filter(|url| url.query().is_none()).ok_or_else(bad)?;
        let host = wiki.host_str().unwrap_or_default();
        let public = wiki.to_string();
        let Some(route) = routes.iter().find(|route| route.host == host) else {
            return Ok(Self { asked: public.clone(), public, host: None });
        };
        let asked = format!("{}{}", route.target.as_str().trim_end_matches('/'), wiki.path());
        let port = wiki.port().map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self { asked, host: Some(format!("{host}{port}")), public })
    }

    /// The URL that is requested.
    pub fn asked(&self, entity: EntityId, revision: Revision) -> String {
        document(&self.asked, entity, revision)
    }

    /// The wiki's own URL of the same, for people.
    pub fn public(&self, entity: EntityId, revision: Revision) -> String {
        document(&self.public, entity, revision)
    }

    /// What the `Host` header must say, where the requested URL says something else.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
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
    fn whom_to_ask() {
        // Namespace, route; the place that is asked, the `Host` header if it is set.
        let wiki = "https://www.wikidata.org/wiki/Special:EntityData/";
        let path = "/wiki/Special:EntityData/";
        let rows = [
            (wiki, None, format!("https://www.wikidata.org{path}"), None),
            (wiki, Some("wikidata.org=http://x:1"), format!("https://www.wikidata.org{path}"), None),
            (wiki, Some("www.wikidata.org=http://x:6500"), format!("http://x:6500{path}"), Some("www.wikidata.org")),
            (wiki, Some("WWW.Wikidata.org=x:6500"), format!("http://x:6500{path}"), Some("www.wikidata.org")),
            (wiki, Some("www.wikidata.org=https://x"), format!("https://x{path}"), Some("www.wikidata.org")),
            (
                wiki,
                Some("www.wikidata.org=https://[::1]:8"),
                format!("https://[::1]:8{path}"),
                Some("www.wikidata.org"),
            ),
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
    fn the_first_route_counts() {
        let routes = ["w=http://a", "w=http://b"].map(|route| Route::parse(route).unwrap());
        let target = Target::new("http://w/", &routes).unwrap();
        assert!(target.asked.starts_with("http://a/"), "{target:?}");
    }

    #[test]
    fn what_is_no_route_and_no_namespace() {
        let bad = [
            "",
            "w",
            "w=",
            "=http://x",
            "w=ftp://x",
            "w=http://x/y",
            "w=http://x?y",
            "w/=http://x",
            "w=http://u@x",
            "w=http://",
        ];
        for text in bad {
            assert_eq!(Route::parse(text), Err(RouteError(text.to_owned())), "{text}");
        }
        for text in ["", "w", "ftp://w/", "http://w/?title=", "http://w/#x", "https:///"] {
            assert!(matches!(Target::new(text, &[]), Err(FetchSetUpError::BadUrl(named)) if named == text), "{text}");
        }
    }
}
