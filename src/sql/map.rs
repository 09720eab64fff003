//! A revision map in memory as a table.
//!
//! Promise: the rows `entity`, `revision` of a state, made when they are asked for; a deletion's revision is negative.
//! Invariant: a partition takes every nth span of numbers, so that all are about as large.
//! Not here: where the state comes from.

use std::sync::Arc;

use datafusion::arrow::array::{Int64Array, RecordBatch, StringViewBuilder};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;

use crate::state::{EntityState, StateTable};
use crate::storage::tasks;
use crate::wikibase::entity::EntityKind;

/// Numbers in a span, of which a batch is made.
const SPAN: usize = 1 << 13;

/// Every nth span of a state.
#[derive(Debug)]
struct Part {
    state: Arc<StateTable>,
    schema: SchemaRef,
    first: usize,
    step: usize,
}

/// The table of `state`, read by that many threads.
pub fn table(state: Arc<StateTable>, threads: usize) -> Result<Arc<dyn TableProvider>> {
    let fields = vec![Field::new("entity", DataType::Utf8View, false), Field::new("revision", DataType::Int64, false)];
    let schema = Arc::new(Schema::new(fields));
    let part = |first| Part { state: state.clone(), schema: schema.clone(), first, step: threads };
    let parts = (0..threads).map(|first| Arc::new(part(first)) as Arc<dyn PartitionStream>).collect();
    Ok(Arc::new(StreamingTable::try_new(schema, parts)?))
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (state, schema) = (self.state.clone(), self.schema.clone());
        let spans = spans(&state).into_iter().skip(self.first).step_by(self.step);
        let batches = spans.map(move |(kind, start)| batch(&state, &schema, kind, start));
        let batches = batches.filter(|batch| !matches!(batch, Ok(batch) if batch.num_rows() == 0));
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), tasks::stream(batches)))
    }
}

/// The kind and the first number of each span.
fn spans(state: &StateTable) -> Vec<(EntityKind, usize)> {
    let of_kind = |kind| (0..state.end(kind)).step_by(SPAN).map(move |start| (kind, start));
    EntityKind::ALL.into_iter().flat_map(of_kind).collect()
}

fn batch(state: &StateTable, schema: &SchemaRef, kind: EntityKind, start: usize) -> Result<RecordBatch> {
    let (mut entities, mut revisions) = (StringViewBuilder::new(), Vec::new());
    for (entity, state) in state.range(kind, start..start + SPAN) {
        entities.append_value(entity.to_string());
        // A revision is less than 2^62, so nothing is lost.
        let revision = state.revision().get() as i64;
        revisions.push(if matches!(state, EntityState::Deleted(_)) { -revision } else { revision });
    }
    let columns = vec![Arc::new(entities.finish()) as _, Arc::new(Int64Array::from(revisions)) as _];
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}
