//! A stored file as the Parquet decoder wants to see it.
//!
//! Promise: only the ranges asked for are read, a small window at a time where the decoder does not say how much.
//! Not here: what is in them.

use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::storage::Blob;
use crate::storage::sequential::Sequential;

/// Bytes read ahead where no length is known; page headers are far shorter.
const WINDOW: u64 = 16 << 10;

#[derive(Clone)]
pub struct Source(Arc<Blob>);

impl Source {
    pub fn new(blob: Blob) -> Self {
        Self(Arc::new(blob))
    }
}

impl Length for Source {
    fn len(&self) -> u64 {
        self.0.size()
    }
}

impl ChunkReader for Source {
    type T = Sequential;

    fn get_read(&self, start: u64) -> Result<Sequential, ParquetError> {
        Ok(Sequential::new(self.0.clone(), start, WINDOW))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let end = start.saturating_add(length as u64);
        self.0.read(start..end).map_err(|error| ParquetError::External(error.into()))
    }
}
