//! What stands for the SQL engine in a build without the feature `sql`.
//!
//! Promise: whoever asks for the engine is told that there is none.
//! Invariant: it cannot be started, so nothing else here can ever be called.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Write;

use crate::env::Env;
use crate::sql::form::Form;
use crate::sql::{Settings, SqlError};

/// An engine that there is not.
pub struct Engine(Infallible);

/// The rows of a statement that was never run.
pub struct Rows(Infallible);

impl Engine {
    /// Errors: `NoEngine`, always.
    pub fn start(_: Settings, _: &Env) -> Result<Self, SqlError> {
        Err(SqlError::NoEngine)
    }

    /// As with an engine.
    pub fn add_table(&self, _: &str, _: &str) -> Result<(), SqlError> {
        match self.0 {}
    }

    /// As with an engine.
    pub fn query(&self, _: &str, _: &BTreeMap<String, String>) -> Result<Rows, SqlError> {
        match self.0 {}
    }
}

impl Rows {
    /// As with an engine.
    pub fn write(self, _: Form, _: impl Write) -> Result<u64, SqlError> {
        match self.0 {}
    }
}
