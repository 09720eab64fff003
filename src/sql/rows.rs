//! The result of a statement, as it comes.
//!
//! Promise: rows are written as soon as they are known, in the order of the statement.
//! Not here: what they look like (see `encoder`).

use std::future::poll_fn;
use std::io::Write;

use datafusion::execution::SendableRecordBatchStream;

use crate::sql::SqlError;
use crate::sql::encoder::Encoder;
use crate::sql::engine::{Engine, told};
use crate::sql::form::Form;

/// The rows.
pub struct Rows<'a> {
    engine: &'a Engine,
    stream: SendableRecordBatchStream,
}

impl<'a> Rows<'a> {
    pub(in crate::sql) fn new(engine: &'a Engine, stream: SendableRecordBatchStream) -> Self {
        Self { engine, stream }
    }

    /// Writes all of them and gives their number. Errors: `Write`, and those of running.
    pub fn write(mut self, form: Form, mut target: impl Write) -> Result<u64, SqlError> {
        let mut encoder = Encoder::new(form, self.stream.schema())?;
        let mut rows = 0;
        while let Some(batch) = self.engine.wait(poll_fn(|context| self.stream.as_mut().poll_next(context)))? {
            let batch = batch.map_err(told)?;
            rows += batch.num_rows() as u64;
            target.write_all(&encoder.push(&batch)?).map_err(SqlError::Write)?;
        }
        target.write_all(&encoder.finish()?).map_err(SqlError::Write)?;
        target.flush().map_err(SqlError::Write)?;
        Ok(rows)
    }
}
