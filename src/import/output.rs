//! Where the pieces go: files of text, or of a table.
//!
//! Promise: pieces given in order are written in order; a file is published when it is complete.
//! Invariant: a row group is encoded on rayon's threads and added in its turn, so that the files do not depend on how many
//! there are. As many groups are waited for as their share of the memory allows.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use rayon::ScopeFifo;

use crate::columns::ColumnsError;
use crate::columns::table::{Group, Table, TableFile};
use crate::compression::Compression;
use crate::import::memory::Shares;
use crate::import::worker::{Content, Piece};
use crate::rdf::turtle;
use crate::storage::Location;
use crate::triples::files::{Files, StoredFile};
use crate::triples::rows::{self, FIELDS, Rows};
use crate::triples::{Format, TriplesError};

/// The open output of a run.
pub struct Output {
    files: Files,
    kind: Kind,
}

enum Kind {
    Text { compression: Compression, is_turtle: bool },
    Table(Box<Groups>),
}

/// Rows on their way into the open file.
struct Groups {
    table: Arc<Table>,
    file: Option<TableFile>,
    group_rows: usize,
    /// Groups in work at most.
    most: usize,
    pending: Vec<Rows>,
    pending_rows: usize,
    encoding: VecDeque<(u64, Receiver<Result<Group, ColumnsError>>)>,
}

impl Output {
    /// Text files in `dir`.
    pub fn text(dir: Location, format: Format, compression: Compression, done: Vec<StoredFile>) -> Self {
        let is_turtle = format == Format::Turtle;
        let extension = format!("{}{}", if is_turtle { ".ttl" } else { ".nt" }, compression.extension());
        Self { files: Files::new(dir, "triples", extension, done), kind: Kind::Text { compression, is_turtle } }
    }

    /// Files of a table in `dir`, compressed at `level`, of row groups as large and as many at once as the `shares` say.
    pub fn table(dir: Location, level: i32, shares: &Shares, done: Vec<StoredFile>) -> Result<Self, ColumnsError> {
        let groups = Groups {
            table: Arc::new(Table::new(&FIELDS, level)?),
            file: None,
            group_rows: shares.group_rows,
            most: shares.groups,
            pending: Vec::new(),
            pending_rows: 0,
            encoding: VecDeque::new(),
        };
        Ok(Self { files: Files::new(dir, "part", ".parquet".to_owned(), done), kind: Kind::Table(Box::new(groups)) })
    }

    /// Adds a piece to the open file.
    pub fn add<'s>(&mut self, piece: Piece, scope: &ScopeFifo<'s>) -> Result<(), TriplesError> {
        match (&mut self.kind, piece.content) {
            (Kind::Table(groups), Content::Rows(rows)) => groups.add(rows, &mut self.files, scope),
            (Kind::Text { compression, is_turtle }, Content::Text(text)) => {
                if *is_turtle && !self.files.is_open() {
                    let header = compression.compress(turtle::header()).map_err(TriplesError::Compress)?;
                    self.files.write(header, 0)?;
                }
                Ok(self.files.write(text, piece.triples)?)
            }
            _ => unreachable!("a plan has one format"),
        }
    }

    /// Publishes the open file, if one is.
    pub fn close<'s>(&mut self, scope: &ScopeFifo<'s>) -> Result<(), TriplesError> {
        if let Kind::Table(groups) = &mut self.kind {
            groups.close(&mut self.files, scope)?;
        }
        Ok(self.files.close()?)
    }

    /// The files that are complete.
    pub fn done(&self) -> &[StoredFile] {
        self.files.done()
    }
}

impl Groups {
    fn add<'s>(&mut self, rows: Rows, files: &mut Files, scope: &ScopeFifo<'s>) -> Result<(), TriplesError> {
        self.pending_rows += rows.len();
        self.pending.push(rows);
        if self.pending_rows >= self.group_rows { self.encode(files, scope) } else { Ok(()) }
    }

    /// Has the pending rows encoded, and writes the groups that are due.
    fn encode<'s>(&mut self, files: &mut Files, scope: &ScopeFifo<'s>) -> Result<(), TriplesError> {
        let count = std::mem::take(&mut self.pending_rows) as u64;
        let rows = std::mem::take(&mut self.pending);
        if count > 0 {
            let (sender, receiver) = sync_channel(1);
            let table = Arc::clone(&self.table);
            scope.spawn_fifo(move |_| {
                // Nobody listens any more if the run has failed.
                let _ = sender.send(table.encode(rows::columns(&rows)));
            });
            self.encoding.push_back((count, receiver));
        }
        while self.encoding.len() > self.most {
            self.write_next(files)?;
        }
        Ok(())
    }

    fn write_next(&mut self, files: &mut Files) -> Result<(), TriplesError> {
        let Some((count, group)) = self.encoding.pop_front() else { return Ok(()) };
        let group = group.recv().expect("a row group is always answered for")?;
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(self.table.file()?),
        };
        Ok(files.write(file.append(group)?, count)?)
    }

    fn close<'s>(&mut self, files: &mut Files, scope: &ScopeFifo<'s>) -> Result<(), TriplesError> {
        self.encode(files, scope)?;
        while !self.encoding.is_empty() {
            self.write_next(files)?;
        }
        if let Some(file) = self.file.take() {
            files.write(file.finish()?, 0)?;
        }
        Ok(())
    }
}
