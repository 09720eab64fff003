//! Who may ask: not a page in somebody's browser.
//!
//! Promise: no page of another site makes the updater do anything, and where only this machine is listened to, none sees anything.
//! In -> out: what a request says of whom it is for and where it comes from -> whether it may pass.
//! Rules: a page can send requests to any address; its browser then tells its site as `Origin`. A site whose name is made to mean
//! this machine (DNS rebinding) is told by that name, which stands in `Host`; so `Host` must be an address or a name that is known.
//! Invariant: pure.

use std::net::{Ipv4Addr, Ipv6Addr};

/// What is known of the server's own names.
#[derive(Debug)]
pub struct Guard {
    names: Vec<String>,
    is_loopback: bool,
}

/// Why a request may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// It does not say for whom it is.
    #[error("the request has no Host, or more than one")]
    NoHost,
    /// It is for somebody else.
    #[error("the request's Host is neither an address nor a name of this server")]
    Host,
    /// It comes from the page of another site.
    #[error("the request comes from a page of another site")]
    Origin,
}

impl Guard {
    /// For a server with these names, in lower case, that only this machine reaches, or others too.
    pub const fn new(names: Vec<String>, is_loopback: bool) -> Self {
        Self { names, is_loopback }
    }

    /// Whether a request for `host` from a page of `origin` may make the updater do something.
    pub fn may_act(&self, host: Option<&str>, origin: Option<&str>) -> Result<(), Foreign> {
        let host = host.ok_or(Foreign::NoHost)?;
        self.is_ours(host)?;
        let site = |origin: &str| origin.split_once("://").map(|(_, site)| site.eq_ignore_ascii_case(host));
        match origin {
            Some(origin) if site(origin) != Some(true) => Err(Foreign::Origin),
            _ => Ok(()),
        }
    }

    /// Whether a request for `host` may look. Where others than this machine may ask, they do so by names that are not known here.
    pub fn may_look(&self, host: Option<&str>) -> Result<(), Foreign> {
        match host {
            Some(host) if self.is_loopback => self.is_ours(host),
            _ => Ok(()),
        }
    }

    fn is_ours(&self, host: &str) -> Result<(), Foreign> {
        let name = without_port(host).to_ascii_lowercase();
        let is_address = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
            Some(name) => name.parse::<Ipv6Addr>().is_ok(),
            None => name.parse::<Ipv4Addr>().is_ok(),
        };
        let is_known = |name: &str| name == "localhost" || self.names.iter().any(|known| known == name);
        if is_address || is_known(&name) { Ok(()) } else { Err(Foreign::Host) }
    }
}

/// `name:80` -> `name`; `[::1]:80` -> `[::1]`.
fn without_port(host: &str) -> &str {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_do_what() {
        let (loopback, open) =
            (Guard::new(vec!["127.0.0.1".to_owned()], true), Guard::new(vec!["updater.example".to_owned()], false));
        let ok = Ok(());
        // A host, an origin, and whether each of the two servers may be told to do something and looked at.
        type Row = (Option<&'static str>, Option<&'static str>, [Result<(), Foreign>; 4]);
        let (host, origin) = (Err(Foreign::Host), Err(Foreign::Origin));
        let rows: &[Row] = &[
            (Some("127.0.0.1:9464"), None, [ok; 4]),
            (Some("127.0.0.1"), None, [ok; 4]),
            (Some("[::1]:9464"), None, [ok; 4]),
            (Some("[::1]"), None, [ok; 4]),
            (Some("10.1.2.3:9464"), None, [ok; 4]),
            (Some("LocalHost:9464"), None, [ok; 4]),
            (Some("Updater.Example:9464"), None, [host, ok, host, ok]),
            (Some("evil.example:9464"), None, [host, host, host, ok]),
            (Some("127.0.0.1.evil.example"), None, [host, host, host, ok]),
            (Some("localhost.evil.example:80"), None, [host, host, host, ok]),
            (Some("user@127.0.0.1"), None, [host, host, host, ok]),
            (Some("::1"), None, [host, host, host, ok]),
            (Some("[127.0.0.1]"), None, [host, host, host, ok]),
            (Some(""), None, [host, host, host, ok]),
            (None, None, [Err(Foreign::NoHost), Err(Foreign::NoHost), ok, ok]),
            (Some("localhost:9464"), Some("http://localhost:9464"), [ok; 4]),
            (Some("localhost:9464"), Some("http://localhost"), [origin, origin, ok, ok]),
            (Some("localhost:9464"), Some("https://evil.example"), [origin, origin, ok, ok]),
            (Some("localhost:9464"), Some("null"), [origin, origin, ok, ok]),
            (Some("localhost:9464"), Some(""), [origin, origin, ok, ok]),
            (Some("evil.example"), Some("http://evil.example"), [host, host, host, ok]),
        ];
        for (host, origin, expected) in rows {
            let got = [
                loopback.may_act(*host, *origin),
                open.may_act(*host, *origin),
                loopback.may_look(*host),
                open.may_look(*host),
            ];
            assert_eq!(got, *expected, "{host:?} {origin:?}");
        }
    }
}
