//! What the rows of a result can look like.
//!
//! Promise: each form is one well-formed text or file.
//! Not here: how it is made (see `encoder`).

/// What rows look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Columns beside each other, for people.
    Table,
    /// Comma-separated values with a header line; what is NULL is empty.
    Csv,
    /// One object a line; what is NULL is null.
    Json,
    /// A Parquet file.
    Parquet,
}
