//! Rows as bytes: a table for people, CSV, JSON lines, Parquet.
//!
//! Promise: the bytes that [`Encoder::push`] and [`Encoder::finish`] give are one well-formed text or file.
//! Invariant: no more than `LOOK` rows, or a row group of Parquet, are held back.
//! Not here: where they are written.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::writer::LineDelimited;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::arrow::{csv, json};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_writer::ArrowWriterOptions;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::WriterProperties;

use crate::sql::SqlError;
use crate::sql::form::Form;

/// Rows that decide how wide the columns of a table are.
const LOOK: usize = 1000;

/// Makes the bytes, batch by batch.
pub enum Encoder {
    /// For [`Form::Table`].
    Table(Table),
    /// For [`Form::Csv`]; the schema as long as the header is not written.
    Csv(Option<SchemaRef>),
    /// For [`Form::Json`].
    Json,
    /// For [`Form::Parquet`].
    Parquet(Box<ArrowWriter<Vec<u8>>>),
}

impl Encoder {
    /// Begins a text or file with these columns.
    pub fn new(form: Form, schema: SchemaRef) -> Result<Self, SqlError> {
        Ok(match form {
            Form::Table => Self::Table(Table::new(schema)),
            Form::Csv => Self::Csv(Some(schema)),
            Form::Json => Self::Json,
            Form::Parquet => Self::Parquet(Box::new(parquet(schema).map_err(unfit)?)),
        })
    }

    /// Adds rows; the bytes that are ready.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, SqlError> {
        match self {
            Self::Table(table) => table.push(batch).map_err(unfit),
            Self::Csv(header) => csv(batch, header.take().is_some()).map_err(unfit),
            Self::Json => json(batch).map_err(unfit),
            Self::Parquet(writer) => {
                writer.write(batch).map_err(unfit)?;
                Ok(std::mem::take(writer.inner_mut()))
            }
        }
    }

    /// Ends the text or file; the last bytes.
    pub fn finish(self) -> Result<Vec<u8>, SqlError> {
        match self {
            Self::Table(mut table) => Ok(table.release()),
            Self::Csv(Some(schema)) => csv(&RecordBatch::new_empty(schema), true).map_err(unfit),
            Self::Csv(None) | Self::Json => Ok(Vec::new()),
            Self::Parquet(writer) => writer.into_inner().map_err(unfit),
        }
    }
}

fn unfit(error: impl std::fmt::Display) -> SqlError {
    SqlError::Failed(format!("its result cannot be written in this form: {error}"))
}

fn csv(batch: &RecordBatch, header: bool) -> Result<Vec<u8>, ArrowError> {
    let mut bytes = Vec::new();
    csv::WriterBuilder::new().with_header(header).build(&mut bytes).write(batch)?;
    Ok(bytes)
}

fn json(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut bytes = Vec::new();
    let mut writer = json::WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(&mut bytes);
    writer.write(batch)?;
    writer.finish()?;
    Ok(bytes)
}

fn parquet(schema: SchemaRef) -> Result<ArrowWriter<Vec<u8>>, ParquetError> {
    let compression = Compression::ZSTD(ZstdLevel::default());
    let properties = WriterProperties::builder().set_compression(compression).build();
    // Without arrow's own schema in the file, every reader sees plain Parquet types.
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    ArrowWriter::try_new_with_options(Vec::new(), schema, options)
}

/// A table for people: two spaces between columns, numbers to the right.
pub struct Table {
    names: Vec<String>,
    right: Vec<bool>,
    /// Rows that are held back until the widths are known, and then nothing.
    held: Vec<Vec<String>>,
    widths: Option<Vec<usize>>,
}

impl Table {
    fn new(schema: SchemaRef) -> Self {
        let names = schema.fields().iter().map(|field| field.name().clone()).collect();
        let right = schema.fields().iter().map(|field| field.data_type().is_numeric()).collect();
        Self { names, right, held: Vec::new(), widths: None }
    }

    fn push(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        let options = FormatOptions::default().with_null("NULL");
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let row = |row| columns.iter().map(|column| column.value(row).to_string()).collect();
        self.held.extend((0..batch.num_rows()).map(row));
        let wait = self.widths.is_none() && self.held.len() < LOOK;
        Ok(if wait { Vec::new() } else { self.release() })
    }

    /// The rows held back, below the header if there was none yet.
    fn release(&mut self) -> Vec<u8> {
        let (rows, mut text) = (std::mem::take(&mut self.held), String::new());
        if self.widths.is_none() {
            let widths: Vec<_> = (0..self.names.len()).map(|column| width(&self.names, &rows, column)).collect();
            self.line(&mut text, &widths, &self.names);
            let rules: Vec<_> = widths.iter().map(|width| "-".repeat(*width)).collect();
            self.line(&mut text, &widths, &rules);
            self.widths = Some(widths);
        }
        let widths = self.widths.as_deref().unwrap_or_default();
        rows.iter().for_each(|row| self.line(&mut text, widths, row));
        text.into_bytes()
    }

    /// A row, on as many lines as its longest cell has.
    fn line(&self, text: &mut String, widths: &[usize], row: &[String]) {
        let height = row.iter().map(|cell| cell.lines().count()).max().unwrap_or(0).max(1);
        for at in 0..height {
            let start = text.len();
            for ((cell, width), right) in row.iter().zip(widths).zip(&self.right) {
                let gap = if text.len() > start { "  " } else { "" };
                let cell = cell.lines().nth(at).unwrap_or_default();
                let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
                let (before, after) = if *right { (padding.as_str(), "") } else { ("", padding.as_str()) };
                text.extend([gap, before, cell, after]);
            }
            text.truncate(start + text[start..].trim_end().len());
            text.push('\n');
        }
    }
}

fn width(names: &[String], rows: &[Vec<String>], column: usize) -> usize {
    let cells = rows.iter().map(|row| &row[column]).chain([&names[column]]);
    cells.flat_map(|cell| cell.lines()).map(|line| line.chars().count()).max().unwrap_or(0)
}
