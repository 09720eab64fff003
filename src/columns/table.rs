//! Tables of texts that repeat, whose row groups are encoded side by side.
//!
//! Promise: the file is the same however many threads encoded it.
//! In -> out: [`Texts`] -> a [`Group`], on any thread -> [`TableFile`], in order.
//! Layout, for readers that skip: one bloom filter for each column that is asked for by value, small pages with their own
//! least and greatest value, dictionaries large enough for the nodes of a row group.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::{DataType, Field as ArrowField, Schema, SchemaRef};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;

use crate::columns::{ColumnsError, Texts, encode};

/// Rows of a data page: what a reader takes in to get at one row.
const PAGE_ROWS: usize = 8192;
/// Bytes of a dictionary: a row group's different nodes, and not an excuse to write each of them again.
const DICTIONARY: usize = 16 << 20;

/// A column of such a table.
#[derive(Clone, Copy, Debug)]
pub struct TableField {
    /// Its name.
    pub name: &'static str,
    /// Whether it is looked up by value.
    pub looked_up: bool,
}

/// How files of a table are written.
pub struct Table {
    schema: SchemaRef,
    properties: Arc<WriterProperties>,
}

/// A row group, encoded.
pub struct Group(Vec<ArrowColumnChunk>);

/// A file of a table, as its bytes become ready.
pub struct TableFile {
    writer: SerializedFileWriter<Vec<u8>>,
}

impl Table {
    /// A table of these columns. A `level` of Zstandard; 0 for no compression.
    pub fn new(fields: &[TableField], level: i32) -> Result<Self, ColumnsError> {
        let field = |field: &TableField| ArrowField::new(field.name, DataType::Utf8, false);
        let schema = Arc::new(Schema::new(fields.iter().map(field).collect::<Vec<_>>()));
        let compression = match level {
            0 => Compression::UNCOMPRESSED,
            level => Compression::ZSTD(ZstdLevel::try_new(level).map_err(encode)?),
        };
        let mut properties = WriterProperties::builder()
            .set_created_by(concat!("headwater version ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(compression)
            .set_dictionary_page_size_limit(DICTIONARY)
            .set_data_page_row_count_limit(PAGE_ROWS)
            .set_write_batch_size(PAGE_ROWS)
            .set_max_row_group_row_count(None);
        for field in fields.iter().filter(|field| field.looked_up) {
            properties = properties.set_column_bloom_filter_enabled(ColumnPath::from(field.name), true);
        }
        Ok(Self { schema, properties: Arc::new(properties.build()) })
    }

    /// Begins a file.
    pub fn file(&self) -> Result<TableFile, ColumnsError> {
        let schema = ArrowSchemaConverter::new().convert(&self.schema).map_err(encode)?;
        let writer = SerializedFileWriter::new(Vec::new(), schema.root_schema_ptr(), Arc::clone(&self.properties));
        Ok(TableFile { writer: writer.map_err(encode)? })
    }

    /// Encodes rows: one column for each field, all of one length.
    pub fn encode(&self, columns: Vec<Texts>) -> Result<Group, ColumnsError> {
        // The factory wants a file for its schema only; without encryption a group's number does not matter.
        let factory = ArrowRowGroupWriterFactory::new(&self.file()?.writer, Arc::clone(&self.schema));
        let writers = factory.create_column_writers(0).map_err(encode)?;
        let mut chunks = Vec::with_capacity(writers.len());
        for ((mut writer, texts), field) in writers.into_iter().zip(columns).zip(self.schema.fields()) {
            let array: ArrayRef = Arc::new(texts.0);
            for leaf in compute_leaves(field, &array).map_err(encode)? {
                writer.write(&leaf).map_err(encode)?;
            }
            chunks.push(writer.close().map_err(encode)?);
        }
        Ok(Group(chunks))
    }
}

impl TableFile {
    /// Adds a row group; returns the bytes that are ready since the last call.
    pub fn append(&mut self, group: Group) -> Result<Vec<u8>, ColumnsError> {
        let mut rows = self.writer.next_row_group().map_err(encode)?;
        for chunk in group.0 {
            chunk.append_to_row_group(&mut rows).map_err(encode)?;
        }
        rows.close().map_err(encode)?;
        Ok(std::mem::take(self.writer.inner_mut()))
    }

    /// Ends the file; returns the last of its bytes.
    pub fn finish(self) -> Result<Vec<u8>, ColumnsError> {
        self.writer.into_inner().map_err(encode)
    }
}
