//! The statements that come with the program.
//!
//! Promise: each is one file in `sql/`, which any engine runs that reads the same tables.

/// A statement with a name.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// The name, that of its file without `.sql`.
    pub name: &'static str,
    /// The text.
    pub text: &'static str,
}

macro_rules! built_in {
    ($($name:literal),*) => {
        &[$(BuiltIn { name: $name, text: include_str!(concat!("../../sql/", $name, ".sql")) }),*]
    };
}

/// All of them.
pub const ALL: &[BuiltIn] = built_in![
    "changed_entities",
    "deleted_entities",
    "dump_start",
    "dump_statistics",
    "entity_revision_map",
    "entity_triples",
    "reconcile",
    "redirects"
];

impl BuiltIn {
    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        ALL.iter().find(|statement| statement.name == name).copied()
    }

    /// What the comment at its head says, line by line.
    pub fn comment(&self) -> impl Iterator<Item = &'static str> {
        self.text.lines().map_while(|line| line.strip_prefix("--")).map(str::trim)
    }
}
