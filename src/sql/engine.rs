//! The engine: tables by name, and statements over them.
//!
//! Promise: what the engine says of an error is told by who must act (see [`SqlError`]).
//! Invariant: no statement that is not read-only gets as far as being run.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::sync::Arc;

use datafusion::arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::env::Env;
use crate::sql::rows::Rows;
use crate::sql::{Settings, SqlError, statement, tables};
use crate::storage::tasks::Tasks;

/// The engine.
pub struct Engine {
    pub(in crate::sql) session: SessionContext,
    pub(in crate::sql) env: Env,
    tasks: Tasks,
}

impl Engine {
    /// An engine without tables. It ends what it does when `env` says stop.
    pub fn start(settings: Settings, env: &Env) -> Result<Self, SqlError> {
        let memory = Arc::new(FairSpillPool::new(settings.memory));
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(memory).build_arc().map_err(told)?;
        let session = SessionContext::new_with_config_rt(config(settings.threads), runtime);
        let tasks = Tasks::start(settings.threads).map_err(|error| SqlError::Unavailable(error.into()))?;
        Ok(Self { session, env: env.clone(), tasks })
    }

    /// Makes what is at `text` (a file, a directory, a pattern) the table `name`. What it is, is told by its content: a
    /// savepoint, Parquet files (also in directories such as `date=20260105`, which become columns), a revision map.
    ///
    /// A revision map in CSV is read now, and kept in 10 bytes an entity.
    /// Errors: `TableName`, `NotATable`, `RevisionMap`, `Savepoint`, `Storage`, `Failed`, `Cancelled`.
    pub fn add_table(&self, name: &str, text: &str) -> Result<(), SqlError> {
        tables::add(self, name, text)
    }

    /// Begins to run one statement, with these values for its parameters: `:entity` has the name `entity`.
    ///
    /// Errors: `Statement`, `NotOne`, `NotReadOnly`, `NoValue`, `NoParameter`, and those of running.
    pub fn query(&self, text: &str, values: &BTreeMap<String, String>) -> Result<Rows<'_>, SqlError> {
        let statement = statement::parse(text, values)?;
        let plan = self.wait(self.session.state().statement_to_plan(statement))?.map_err(unplanned)?;
        let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        read_only.verify_plan(&plan).map_err(|error| SqlError::NotReadOnly(words(&error)))?;
        let frame = self.wait(self.session.execute_logical_plan(plan))?.map_err(unplanned)?;
        let stream = self.wait(frame.execute_stream())?.map_err(told)?;
        Ok(Rows::new(self, stream))
    }

    /// Drives `work` to its end. Errors: `Cancelled`.
    pub(in crate::sql) fn wait<T>(&self, work: impl Future<Output = T>) -> Result<T, SqlError> {
        self.tasks.run(&self.env.stop, work).ok_or(SqlError::Cancelled)
    }
}

fn config(threads: usize) -> SessionConfig {
    let mut config = SessionConfig::new().with_target_partitions(threads).with_information_schema(true);
    let parquet = &mut config.options_mut().execution.parquet;
    // Rows are filtered while they are decoded: a statement about a predicate or an entity needs few of the other values.
    parquet.pushdown_filters = true;
    parquet.reorder_filters = true;
    config
}

/// An error of running.
pub(in crate::sql) fn told(error: DataFusionError) -> SqlError {
    let error = match error {
        DataFusionError::External(error) => match error.downcast::<SqlError>() {
            Ok(error) => return *error,
            Err(error) => DataFusionError::External(error),
        },
        error => error,
    };
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => SqlError::Memory(words(&error)),
        DataFusionError::SQL(..) | DataFusionError::Plan(_) | DataFusionError::SchemaError(..) => {
            SqlError::Statement(words(&error))
        }
        DataFusionError::NotImplemented(_) => SqlError::Statement(words(&error)),
        DataFusionError::Internal(_) | DataFusionError::ExecutionJoin(_) => SqlError::Bug(words(&error)),
        // What a file has not got, a damaged file asked for; all else that goes wrong in a store began with the system.
        DataFusionError::ObjectStore(source) if !is_of_the_system(source.as_ref()) => SqlError::Failed(words(&error)),
        DataFusionError::ArrowError(source, _) if matches!(**source, ArrowError::IoError(..)) => {
            SqlError::Unavailable(error.into())
        }
        DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) => SqlError::Unavailable(error.into()),
        _ => SqlError::Failed(words(&error)),
    }
}

fn is_of_the_system(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source()).any(|error| error.is::<io::Error>())
}

/// An error of planning: the statement's, unless it is clearly another's.
fn unplanned(error: DataFusionError) -> SqlError {
    match told(error) {
        SqlError::Failed(words) => SqlError::Statement(words),
        error => error,
    }
}

/// What an error says, without the names of the layers it went through.
pub(in crate::sql) fn words(error: &DataFusionError) -> String {
    match error.find_root() {
        DataFusionError::SQL(error, _) => error.to_string().trim_start_matches("sql parser error: ").to_owned(),
        DataFusionError::SchemaError(error, _) => error.to_string(),
        DataFusionError::ParquetError(error) => error.to_string(),
        DataFusionError::ArrowError(error, _) => error.to_string(),
        DataFusionError::External(error) => chain(error.as_ref()),
        // Tables have one name here, whatever catalogs the engine keeps them in.
        error => error.message().replace("datafusion.public.", ""),
    }
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
