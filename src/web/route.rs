//! Where requests go: the server that a URL names, or a place that stands for it.
//!
//! Promise: what is asked for is always the named server's; only whom is asked differs.
//! In -> out: `hostname=https://target:port` -> [`Route`]; a URL and routes -> [`Target`].
//! Rule: upstream's `CustomRoutePlanner`. A route changes scheme, host and port of the connection. The `Host` header stays the
//! named server's. The name in the TLS handshake, and in the certificate that is accepted, is the target's; with a route to `http`
//! there is no TLS. Without a port, the scheme's own is meant (upstream takes the port of the URL, if one stands there).
//! Invariant: pure.

use reqwest::Url;

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

/// The text is no URL that may be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is none of a web server.
    #[error("`{0}` is no URL of a web server: it is written like https://stream.wikimedia.org/v2/stream/NAME")]
    Form(String),
    /// A name or password stands in it, which would be shown wherever the URL is. It is not shown here.
    #[error("a URL of {0} has a user or a password in it: they are never taken from there")]
    Secret(String),
}

impl Route {
    /// Reads `hostname=https://target:port`; without a scheme, `http` is meant.
    pub fn parse(text: &str) -> Result<Self, RouteError> {
        // A password is not shown.
        let shown = || match text.rsplit_once('@') {
            Some((_, place)) => format!("…@{place}"),
            None => text.to_owned(),
        };
        let bad = || RouteError(shown());
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

/// Whom to ask for what a URL names, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    public: Url,
    asked: String,
    host: Option<String>,
}

impl Target {
    /// The first route for the URL's host is taken; without one the named server itself is asked.
    pub fn new(url: &str, routes: &[Route]) -> Result<Self, UrlError> {
        let public = web(url).ok_or_else(|| UrlError::Form(url.to_owned()))?;
        let host = public.host_str().unwrap_or_default();
        if !public.username().is_empty() || public.password().is_some() {
            return Err(UrlError::Secret(host.to_owned()));
        }
        let Some(route) = routes.iter().find(|route| route.host == host) else {
            return Ok(Self { asked: public.to_string(), public, host: None });
        };
        let query = public.query().map(|query| format!("?{query}")).unwrap_or_default();
        let asked = format!("{}{}{query}", route.target.as_str().trim_end_matches('/'), public.path());
        let port = public.port().map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self { asked, host: Some(format!("{host}{port}")), public })
    }

    /// The URL that is requested.
    pub fn asked(&self) -> &str {
        &self.asked
    }

    /// The named server's own URL of the same, for people.
    pub fn public(&self) -> &str {
        self.public.as_str()
    }

    /// Whether a query stands in the URL.
    pub fn has_query(&self) -> bool {
        self.public.query().is_some()
    }

    /// What the `Host` header must say, where the requested URL says something else.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_to_ask() {
        // URL, route; the place that is asked, the `Host` header if it is set.
        let wiki = "https://www.wikidata.org/wiki/x?a=b&c=d";
        let path = "/wiki/x?a=b&c=d";
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
            ("http://W:8080", None, "http://w:8080/".to_owned(), None),
            ("http://w:8080/data/", Some("w=https://x:9"), "https://x:9/data/".to_owned(), Some("w:8080")),
        ];
        for (url, route, asked, host) in rows {
            let routes: Vec<_> = route.map(|route| Route::parse(route).unwrap()).into_iter().collect();
            let target = Target::new(url, &routes).unwrap();
            assert_eq!((target.asked(), target.host()), (asked.as_str(), host), "{url} {route:?}");
            assert_eq!(target.public(), Target::new(url, &[]).unwrap().asked());
            assert_eq!(target.has_query(), url.contains('?'));
        }
    }

    #[test]
    fn the_first_route_counts() {
        let routes = ["w=http://a", "w=http://b"].map(|route| Route::parse(route).unwrap());
        assert_eq!(Target::new("http://w/", &routes).unwrap().asked(), "http://a/");
    }

    #[test]
    fn what_is_no_route_and_no_url() {
        let bad = ["", "w", "w=", "=http://x", "w=ftp://x", "w=http://x/y", "w=http://x?y", "w/=http://x", "w=http://"];
        for text in bad {
            assert_eq!(Route::parse(text), Err(RouteError(text.to_owned())), "{text}");
        }
        assert_eq!(Route::parse("w=http://u:secret@x"), Err(RouteError("…@x".to_owned())));
        for text in ["", "w", "ftp://w/", "http://w/#x", "https:///"] {
            assert_eq!(Target::new(text, &[]), Err(UrlError::Form(text.to_owned())), "{text}");
        }
        for text in ["http://u@w/x", "http://u:p@w/x", "https://:p@w/"] {
            assert_eq!(Target::new(text, &[]), Err(UrlError::Secret("w".to_owned())), "{text}");
        }
    }
}
