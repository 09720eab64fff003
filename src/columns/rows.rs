//! Rows of a Parquet file of any shape, as JSON.
//!
//! Promise: every row, each value under its column's name, whatever is nested in what; what is null is left out, as JSON events are.
//! Times are written as in RFC 3339.
//! Invariant: row by row, several times slower than [`Reader`](crate::columns::Reader): for small tables.

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use serde_json::{Map, Value};

use crate::columns::{ColumnsError, guarded, source};
use crate::storage::Blob;
use crate::wikibase::timestamp::Timestamp;

/// Gives each row to `take`, until that fails. Errors: `Corrupt`, `Storage`; those of `take`.
pub fn each<E: From<ColumnsError>>(blob: Blob, mut take: impl FnMut(Value) -> Result<(), E>) -> Result<(), E> {
    let location = blob.location().clone();
    let file = guarded(&location, || SerializedFileReader::new(source::Source::new(blob)))?;
    let mut rows = guarded(&location, || file.get_row_iter(None))?;
    while let Some(row) = guarded(&location, || rows.next().transpose())? {
        take(object(&row))?;
    }
    Ok(())
}

fn object(row: &Row) -> Value {
    let fields = row.get_column_iter().filter(|(_, field)| !matches!(field, Field::Null));
    Value::Object(fields.map(|(name, field)| (name.clone(), value(field))).collect())
}

fn value(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(flag) => Value::from(*flag),
        Field::Byte(number) => Value::from(*number),
        Field::Short(number) => Value::from(*number),
        Field::Int(number) => Value::from(*number),
        Field::Long(number) => Value::from(*number),
        Field::UByte(number) => Value::from(*number),
        Field::UShort(number) => Value::from(*number),
        Field::UInt(number) => Value::from(*number),
        Field::ULong(number) => Value::from(*number),
        Field::Float(number) => Value::from(*number),
        Field::Double(number) => Value::from(*number),
        Field::Str(text) => Value::from(text.clone()),
        Field::TimestampMillis(millis) => time(*millis),
        Field::TimestampMicros(micros) => time(micros.div_euclid(1000)),
        Field::Group(row) => object(row),
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        Field::MapInternal(map) => {
            let text = |key: &Field| match key {
                Field::Str(text) => text.clone(),
                other => other.to_string(),
            };
            Value::Object(map.entries().iter().map(|(key, field)| (text(key), value(field))).collect::<Map<_, _>>())
        }
        other => Value::from(other.to_string()),
    }
}

fn time(millis: i64) -> Value {
    Timestamp::from_millis(millis).map_or(Value::Null, |time| Value::from(time.to_string()))
}
