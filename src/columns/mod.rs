//! Tables of a few typed columns as Parquet files: the one door to arrow and parquet.
//!
//! Promise: what [`Encoder`] makes, [`Reader`] and any other reader of Parquet gives back, a row group at a time.
//! In -> out: batches of [`Column`]s <-> the bytes of one file.
//! Invariant: whatever the bytes of a file, the result is columns of the asked types without nulls, or an error.
//! Not here: what the columns mean, and where the bytes go.

pub mod rows;
mod source;
pub mod table;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::types::{ArrowDictionaryKeyType, Int8Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, Int32Array, Int64Array, PrimitiveArray, RecordBatch, StringArray,
};
use arrow_schema::{DataType, Field as ArrowField, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use crate::storage::{Blob, Location, StorageError};

/// Rows that make a good batch: their columns stay in the processor's cache.
pub const BATCH_ROWS: usize = 1 << 16;

/// A column's name and type.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name in the file.
    pub name: &'static str,
    /// The type of its values.
    pub kind: Type,
}

/// What a column holds. No column that is read has nulls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Whole numbers; kept small where they ascend.
    Int64,
    /// Whole numbers, some of which may be missing. To be written only.
    MaybeInt64,
    /// Texts, mostly different ones.
    Text,
    /// Texts that are repeated: at most 128 different ones. Read as [`Column::FewTexts`], written as [`Column::Text`].
    FewTexts,
    /// True or false.
    Flag,
}

/// The values of a column in one batch.
#[derive(Clone, Debug)]
pub enum Column {
    /// Of [`Type::Int64`].
    Int64(Vec<i64>),
    /// Of [`Type::MaybeInt64`].
    MaybeInt64(Vec<Option<i64>>),
    /// Of [`Type::Text`].
    Text(Texts),
    /// Of [`Type::FewTexts`]: the different texts, and for each row the index of its own.
    FewTexts(Vec<String>, Vec<i8>),
    /// Of [`Type::Flag`].
    Flag(Vec<bool>),
}

/// Many texts, packed.
#[derive(Clone, Debug)]
pub struct Texts(StringArray);

impl Texts {
    /// The same text `rows` times.
    pub fn repeated(text: &str, rows: usize) -> Self {
        std::iter::repeat_n(text, rows).collect()
    }

    /// The first `rows` of them, or all if they are fewer. Copies nothing.
    pub fn first(&self, rows: usize) -> Self {
        Self(self.0.slice(0, rows.min(self.0.len())))
    }

    /// The texts in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.0.len()).map(|at| self.0.value(at))
    }
}

impl<T: AsRef<str>> FromIterator<T> for Texts {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        Self(StringArray::from_iter_values(texts))
    }
}

/// Why columns could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ColumnsError {
    /// The file could not be opened or read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The bytes are no Parquet, or damaged.
    #[error("{location} is no readable Parquet file")]
    Corrupt {
        /// The file.
        location: Location,
        /// What Parquet says of it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file has no column of that name.
    #[error("{location} has no column `{column}`")]
    MissingColumn {
        /// The file.
        location: Location,
        /// The name.
        column: &'static str,
    },
    /// The column has another type.
    #[error("the column `{column}` of {location} is of type {found}")]
    WrongType {
        /// The file.
        location: Location,
        /// The name.
        column: &'static str,
        /// The type in the file.
        found: String,
    },
    /// A value is missing.
    #[error("row {row} of {location} has no `{column}`")]
    Null {
        /// The file.
        location: Location,
        /// The name.
        column: &'static str,
        /// The row, from 1.
        row: u64,
    },
    /// The columns given to an encoder do not fit each other.
    #[error("these columns make no table")]
    Encode(#[source] Box<dyn Error + Send + Sync>),
}

/// Makes the bytes of a Parquet file, piece by piece.
pub struct Encoder {
    schema: SchemaRef,
    writer: ArrowWriter<Vec<u8>>,
}

impl Encoder {
    /// Begins a file of these columns.
    pub fn new(fields: &[Field]) -> Result<Self, ColumnsError> {
        let arrow_field = |field: &Field| {
            let kind = if field.kind == Type::FewTexts { Type::Text } else { field.kind };
            ArrowField::new(field.name, arrow_type(kind), kind == Type::MaybeInt64)
        };
        let arrow: Vec<_> = fields.iter().map(arrow_field).collect();
        let schema = Arc::new(Schema::new(arrow));
        // Without arrow's own schema in the file, every reader sees plain Parquet types.
        let options = ArrowWriterOptions::new().with_properties(properties(fields)).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), schema.clone(), options).map_err(encode)?;
        Ok(Self { schema, writer })
    }

    /// Adds rows: one column for each field, all of one length.
    pub fn push(&mut self, columns: Vec<Column>) -> Result<(), ColumnsError> {
        let arrays = columns.into_iter().map(to_array).collect();
        let batch =
            RecordBatch::try_new(self.schema.clone(), arrays).map_err(|error| ColumnsError::Encode(error.into()))?;
        self.writer.write(&batch).map_err(encode)
    }

    /// The bytes that are ready since the last call; they follow each other in the file.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.writer.inner_mut())
    }

    /// Ends the file; returns the bytes that [`Encoder::take`] has not.
    pub fn finish(self) -> Result<Vec<u8>, ColumnsError> {
        self.writer.into_inner().map_err(encode)
    }
}

fn properties(fields: &[Field]) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("headwater version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false);
    for field in fields {
        let column = ColumnPath::from(field.name);
        properties = match field.kind {
            Type::Int64 | Type::MaybeInt64 => properties.set_column_encoding(column, Encoding::DELTA_BINARY_PACKED),
            Type::FewTexts => properties.set_column_dictionary_enabled(column, true),
            Type::Text | Type::Flag => properties,
        };
    }
    properties.build()
}

fn arrow_type(kind: Type) -> DataType {
    match kind {
        Type::Int64 | Type::MaybeInt64 => DataType::Int64,
        Type::Text => DataType::Utf8,
        Type::FewTexts => DataType::Dictionary(DataType::Int8.into(), DataType::Utf8.into()),
        Type::Flag => DataType::Boolean,
    }
}

fn to_array(column: Column) -> ArrayRef {
    match column {
        Column::Int64(values) => Arc::new(Int64Array::from(values)),
        Column::MaybeInt64(values) => Arc::new(Int64Array::from(values)),
        Column::Text(texts) => Arc::new(texts.0),
        Column::Flag(flags) => Arc::new(BooleanArray::from(flags)),
        Column::FewTexts(texts, rows) => {
            let text = |row: i8| usize::try_from(row).ok().and_then(|row| texts.get(row)).map(String::as_str);
            Arc::new(rows.into_iter().map(text).collect::<StringArray>())
        }
    }
}

fn encode(error: ParquetError) -> ColumnsError {
    ColumnsError::Encode(error.into())
}

/// Reads some columns of a Parquet file, batch by batch.
///
/// Each item has one column for each field asked for, in that order, and at most [`BATCH_ROWS`] rows. Columns that were
/// not asked for are not read. After an error there are no more items.
pub struct Reader {
    location: Location,
    fields: &'static [Field],
    batches: Option<ParquetRecordBatchReader>,
    rows: u64,
    done: u64,
}

impl Reader {
    /// Opens the file. Errors: `Corrupt`, `MissingColumn`, `WrongType`, `Storage`.
    ///
    /// A text may be stored as any kind of UTF-8 text; a whole number in 32 or 64 bits.
    pub fn open(blob: Blob, fields: &'static [Field]) -> Result<Self, ColumnsError> {
        let location = blob.location().clone();
        let source = source::Source::new(blob);
        let builder = guarded(&location, || {
            let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
            let plain = ParquetRecordBatchReaderBuilder::try_new_with_options(source.clone(), options.clone())?;
            let schema = with_dictionaries(plain.schema(), fields);
            ParquetRecordBatchReaderBuilder::try_new_with_options(source, options.with_schema(schema))
        })?;
        let mut roots = Vec::new();
        for field in fields {
            let Ok(root) = builder.schema().index_of(field.name) else {
                return Err(ColumnsError::MissingColumn { location, column: field.name });
            };
            let found = builder.schema().field(root).data_type();
            if *found != arrow_type(field.kind) && !(field.kind == Type::Int64 && *found == DataType::Int32) {
                return Err(ColumnsError::WrongType { location, column: field.name, found: found.to_string() });
            }
            roots.push(root);
        }
        let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let batches = guarded(&location, || builder.with_projection(mask).with_batch_size(BATCH_ROWS).build())?;
        Ok(Self { location, fields, batches: Some(batches), rows, done: 0 })
    }

    /// How many rows the file says it has. Not to be trusted before they have been read.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The next batch, all columns taken out by name.
    fn batch(&mut self) -> Option<Result<Vec<Column>, ColumnsError>> {
        let batches = self.batches.as_mut()?;
        let batch = match guarded(&self.location, || batches.next().transpose().map_err(ParquetError::from)) {
            Err(error) => return Some(Err(error)),
            Ok(None) => return None,
            Ok(Some(batch)) => batch,
        };
        let columns = self.fields.iter().map(|field| self.column(&batch, *field)).collect();
        self.done += batch.num_rows() as u64;
        Some(columns)
    }

    fn column(&self, batch: &RecordBatch, field: Field) -> Result<Column, ColumnsError> {
        let (location, column) = (self.location.clone(), field.name);
        let Some(array) = batch.column_by_name(column) else {
            return Err(ColumnsError::MissingColumn { location, column });
        };
        if let Some(row) = (0..array.len()).find(|row| array.null_count() > 0 && array.is_null(*row)) {
            return Err(ColumnsError::Null { location, column, row: self.done + row as u64 + 1 });
        }
        let found = array.data_type().to_string();
        from_array(array).ok_or(ColumnsError::WrongType { location, column, found })
    }
}

impl Iterator for Reader {
    type Item = Result<Vec<Column>, ColumnsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.batch();
        if !matches!(item, Some(Ok(_))) {
            self.batches = None;
        }
        item
    }
}

/// The file's schema, with the columns that hold few texts to be read as such.
fn with_dictionaries(schema: &SchemaRef, fields: &[Field]) -> SchemaRef {
    let few = |name: &str| fields.iter().any(|field| field.name == name && field.kind == Type::FewTexts);
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Utf8 if few(field.name()) => {
            Arc::new(field.as_ref().clone().with_data_type(arrow_type(Type::FewTexts)))
        }
        _ => field.clone(),
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
}

fn from_array(array: &ArrayRef) -> Option<Column> {
    let array = array.as_any();
    if let Some(numbers) = array.downcast_ref::<Int64Array>() {
        return Some(Column::Int64(numbers.values().to_vec()));
    }
    if let Some(numbers) = array.downcast_ref::<Int32Array>() {
        return Some(Column::Int64(numbers.values().iter().map(|number| i64::from(*number)).collect()));
    }
    if let Some(texts) = array.downcast_ref::<StringArray>() {
        return Some(Column::Text(Texts(texts.clone())));
    }
    if let Some(flags) = array.downcast_ref::<BooleanArray>() {
        return Some(Column::Flag(flags.values().iter().collect()));
    }
    array.downcast_ref::<DictionaryArray<Int8Type>>().and_then(few_texts)
}

fn few_texts<K: ArrowDictionaryKeyType<Native = i8>>(array: &DictionaryArray<K>) -> Option<Column> {
    let texts = array.values().as_any().downcast_ref::<StringArray>()?;
    let keys: &PrimitiveArray<K> = array.keys();
    let texts = (0..texts.len()).map(|at| texts.value(at).to_owned()).collect();
    Some(Column::FewTexts(texts, keys.values().to_vec()))
}

/// Runs a step of the decoder. It is not made for hostile bytes everywhere: a panic of its own is an error of the file.
fn guarded<T>(location: &Location, step: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ColumnsError> {
    let corrupt = |source| ColumnsError::Corrupt { location: location.clone(), source };
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(Ok(value)) => Ok(value),
        // An error of storage underneath comes out as what it is.
        Ok(Err(ParquetError::External(error))) => match error.downcast::<StorageError>() {
            Ok(error) if !matches!(*error, StorageError::TooShort { .. }) => Err(ColumnsError::Storage(*error)),
            Ok(error) => Err(corrupt(error)),
            Err(error) => Err(corrupt(error)),
        },
        Ok(Err(error)) => Err(corrupt(error.into())),
        Err(_) => Err(corrupt("the decoder gave up on it".into())),
    }
}
