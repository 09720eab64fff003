//! Why storage could not do as asked.
//!
//! Promise: callers tell by the variant whether a later try may succeed; the words of a store are kept, its repetitions are not.
//! Invariant: nothing in an error is a secret.

use std::error::Error;
use std::io;

use crate::storage::location::Location;

/// Why storage could not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The text is no location.
    #[error("`{text}` is no location: {rule}")]
    BadLocation {
        /// What was given, without a password.
        text: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// A URL of a scheme that no store here understands.
    #[error(
        "locations of the scheme `{scheme}` are not supported: give a path, or a URL of file, hdfs, viewfs, s3, swift, http or https"
    )]
    NotSupported {
        /// The part of the URL before the colon.
        scheme: String,
    },
    /// What a store needs to be reached is not known or not valid.
    #[error("{store} cannot be used: {reason}")]
    NotSetUp {
        /// The store, as URLs in it begin.
        store: String,
        /// What is missing.
        reason: String,
    },
    /// The store can be read only.
    #[error("{location} cannot be written: over HTTP files are only read")]
    ReadOnly {
        /// Where.
        location: Location,
    },
    /// The store does not let this user do that.
    #[error("{location}: no permission to {action} it")]
    Forbidden {
        /// Where.
        location: Location,
        /// What was being done, as a verb.
        action: &'static str,
        /// The store's words.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file is another than it was when it was opened.
    #[error("{location} was replaced while it was being read")]
    Changed {
        /// Where.
        location: Location,
    },
    /// Nothing is there.
    #[error("nothing found at {location}")]
    NotFound {
        /// Where.
        location: Location,
    },
    /// A web server does not tell what it has.
    #[error("{location} cannot be searched: a web server does not tell which files it has; name each of them")]
    NotListed {
        /// The directory.
        location: Location,
    },
    /// The file is larger than one of its kind can be.
    #[error("{location} has {size} bytes, and what is looked for has {most} at most")]
    TooLarge {
        /// Where.
        location: Location,
        /// Its size in bytes.
        size: u64,
        /// The most that is read, in bytes.
        most: u64,
    },
    /// Something is there already.
    #[error("{location} already exists")]
    AlreadyExists {
        /// Where.
        location: Location,
    },
    /// Another process is writing there.
    #[error("another process is writing to {location}")]
    InUse {
        /// The directory.
        location: Location,
    },
    /// A directory, a pipe or a device is where a file is needed.
    #[error("{location} is not a regular file")]
    NotAFile {
        /// Where.
        location: Location,
    },
    /// A file is where a directory is needed.
    #[error("{location} is no directory, or is within what is none")]
    NotADirectory {
        /// Where.
        location: Location,
    },
    /// The file is shorter than the bytes that were asked for: it was cut, or something that describes it lies.
    #[error("{location} ends before byte {end}")]
    TooShort {
        /// Where.
        location: Location,
        /// The byte after the last one asked for.
        end: u64,
    },
    /// Only a local file can be appended to.
    #[error("{location} is no local file: nothing can be appended to it")]
    NotLocal {
        /// Where.
        location: Location,
    },
    /// The store refused or failed: no permission, full disk, I/O error. A later try may succeed.
    #[error("could not {action} {location}")]
    Unavailable {
        /// Where.
        location: Location,
        /// What was being done, as a verb.
        action: &'static str,
        /// The reason; an [`io::Error`] wherever there was one.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// What an error of a store means for `location`.
pub fn failed(location: &Location, action: &'static str, error: object_store::Error) -> StorageError {
    let location = location.clone();
    match error {
        object_store::Error::NotFound { .. } => StorageError::NotFound { location },
        object_store::Error::AlreadyExists { .. } => StorageError::AlreadyExists { location },
        object_store::Error::NotSupported { source } => {
            StorageError::NotSetUp { store: location.to_string(), reason: source.to_string() }
        }
        error if unusable(&location, &error).is_some() => {
            let reason = unusable(&location, &error).unwrap_or_default();
            StorageError::NotSetUp { store: location.to_string(), reason }
        }
        object_store::Error::Precondition { .. } => StorageError::Changed { location },
        error @ (object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. })
            if location.local().is_none() =>
        {
            StorageError::Forbidden { location, action, source: error.into() }
        }
        error if location.local().is_none() => StorageError::Unavailable { location, action, source: in_short(error) },
        error => match root(&error) {
            Some(root) if root.kind() == io::ErrorKind::NotADirectory => StorageError::NotADirectory { location },
            Some(root) => StorageError::Unavailable { location, action, source: copy(root).into() },
            None => StorageError::Unavailable { location, action, source: error.into() },
        },
    }
}

/// A store that cannot be used as it is set up: to try again is of no use.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub String);

/// Why a store cannot be used as it is set up, if that is what the error says.
fn unusable(location: &Location, error: &object_store::Error) -> Option<String> {
    let mut causes = std::iter::successors(Some(error as &(dyn Error + 'static)), |error| (*error).source());
    if let Some(unusable) = causes.find_map(|cause| cause.downcast_ref::<Unusable>()) {
        return Some(unusable.0.clone());
    }
    location.store().why_unusable(&error.to_string()).map(str::to_owned)
}

/// What a store says went wrong and where, with the system's reason, and without what Java tells of its own whereabouts.
fn in_short(error: object_store::Error) -> Box<dyn Error + Send + Sync> {
    let text = error.to_string();
    let words = ["\n\tat ", "\\n\\tat "].iter().fold(text.as_str(), |text, at| text.split(at).next().unwrap_or(text));
    let reason = root(&error).map(io::Error::to_string).filter(|reason| !words.contains(reason.as_str()));
    reason.map_or(words.to_owned(), |reason| format!("{words}: {reason}")).into()
}

/// As [`failed`], of a local file.
pub fn failed_io(location: &Location, action: &'static str, error: io::Error) -> StorageError {
    let location = location.clone();
    match error.kind() {
        io::ErrorKind::NotFound => StorageError::NotFound { location },
        io::ErrorKind::NotADirectory => StorageError::NotADirectory { location },
        io::ErrorKind::PermissionDenied => StorageError::Forbidden { location, action, source: error.into() },
        _ => StorageError::Unavailable { location, action, source: error.into() },
    }
}

/// The I/O error that an error of the store wraps. The store's own words repeat their cause; it is told once here.
fn root(error: &object_store::Error) -> Option<&io::Error> {
    std::iter::successors(Some(error as &(dyn Error + 'static)), |error| (*error).source())
        .find_map(|error| error.downcast_ref::<io::Error>())
}

/// The same error, as far as it can be copied.
pub fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
