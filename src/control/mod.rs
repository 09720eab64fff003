//! Who may ask a running updater, and what? A small HTTP server. The door to hyper.
//!
//! Promise: an updater can be watched and told to save or to stop by any HTTP client of this machine, but by no page in a browser.
//! In -> out: requests -> calls of a [`Desk`]; what it says -> JSON, or text for Prometheus.
//! Rules: the routes are in `control::routes`, who may ask is in `control::guard`.
//! Invariant: no request is remembered; a client that is slow, silent or gone costs a place among a few, for a while.
//! Not here: authentication. There is none: whoever reaches the address may stop the updater, so it is one of loopback unless a
//! caller asks for another.

mod guard;
mod routes;
mod serve;

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use crate::control::guard::Guard;
use crate::storage::server::Server;

/// Where an updater listens unless told otherwise.
pub const DEFAULT: &str = "127.0.0.1:9464";
/// Where it listens if another has that.
pub const ANY: &str = "127.0.0.1:0";

/// Whom requests are handed to.
pub trait Desk: Send + Sync {
    /// Whether all is well; if not, why. Returns at once.
    fn health(&self) -> Result<(), String>;

    /// How it is, as JSON. Returns at once.
    fn status(&self) -> Vec<u8>;

    /// How it is, in Prometheus' text format. Returns at once.
    fn metrics(&self) -> String;

    /// Takes a savepoint, at that place or at one of its own choosing. Blocks until it is there, and tells where.
    fn save(&self, to: Option<String>) -> Result<String, Refusal>;

    /// Stops, with a savepoint if one is asked for, at that place or at one of its own choosing. Blocks until nothing more will
    /// be done, and tells where the savepoint is.
    fn stop(&self, save: Option<Option<String>>) -> Result<Option<String>, Refusal>;
}

/// Why a [`Desk`] does not do as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// What was asked for is wrong, such as a place that cannot be.
    #[error("{0}")]
    Wrong(String),
    /// It cannot be done now.
    #[error("{0}")]
    NotNow(String),
    /// It was tried, and failed.
    #[error("{0}")]
    Failed(String),
    /// The updater has ended.
    #[error("the updater has ended")]
    Ended,
}

/// An address to listen at: a host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    host: String,
    port: u16,
    names: Vec<String>,
}

/// Why requests cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The text is no address.
    #[error("`{0}` is no address to listen at: write HOST:PORT, such as 127.0.0.1:9464 or [::1]:9464")]
    Address(String),
    /// The address cannot be had.
    #[error("could not listen at {address}: {error}")]
    Listen {
        /// The address.
        address: String,
        /// Why not.
        error: io::Error,
    },
}

impl Listen {
    /// Reads `HOST:PORT`; with port 0 any that is free is taken.
    pub fn parse(text: &str) -> Result<Self, ControlError> {
        let wrong = || ControlError::Address(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let in_brackets = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = in_brackets.unwrap_or(host);
        // An address of IPv6 without brackets, whose last part was taken for a port; and what is no name.
        let is_wrong = host.is_empty() || host.contains(['/', '@', ' ']) || host.contains(':') != in_brackets.is_some();
        let port = port.parse().map_err(|_| wrong())?;
        if is_wrong { Err(wrong()) } else { Ok(Self { host: host.to_ascii_lowercase(), port, names: Vec::new() }) }
    }

    /// By this name, too, it may be asked to do something. Addresses, `localhost` and the host that it listens at are good anyway.
    pub fn named(mut self, name: &str) -> Self {
        self.names.push(name.to_ascii_lowercase());
        self
    }

    /// Whether only this machine reaches it.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// Takes requests while it lives. Dropped, it lets those who are being answered have their answers, for two seconds at most.
#[derive(Debug)]
pub struct Control(Server);

impl Control {
    /// Begins to take requests.
    pub fn start(listen: &Listen, desk: Arc<dyn Desk>) -> Result<Self, ControlError> {
        let refused = |error| ControlError::Listen { address: format!("{}:{}", listen.host, listen.port), error };
        let addresses: Vec<_> = (listen.host.as_str(), listen.port).to_socket_addrs().map_err(refused)?.collect();
        let names = listen.names.iter().chain([&listen.host]).cloned().collect();
        let guard = Arc::new(Guard::new(names, listen.is_loopback()));
        serve::start(&addresses, &guard, &desk).map(Self).map_err(refused)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }
}

#[cfg(test)]
mod tests;
