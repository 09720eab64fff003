//! Texts that look like the very things a dump reader searches for, as anybody may write them into an alias.
//!
//! Promise: every text here is harmless where it stands, inside a quoted literal.
//! Invariant: written through `Turtle::escaped`; no real entity is named by them.

/// Literal texts that a careless reader takes for data blocks, revisions, headers or the end of a statement.
pub const TRAPS: &[&str] = &[
    "data:Q1 schema:version \"5\"^^xsd:integer .",
    "data:Q1 a schema:Dataset ;\n\tschema:about wd:Q1 ;\n\tschema:version \"5\"^^xsd:integer .\n",
    ".\n\ndata:Q2 a schema:Dataset ;\n\tschema:version \"6\"^^xsd:integer .\n\n",
    "wikibase:Dump",
    "wikibase:Dump a schema:Dataset ;\n\tschema:dateModified \"1999-01-01T00:00:00Z\"^^xsd:dateTime .",
    "@prefix data: <https://example.org/> .",
    "\n@prefix data: <https://example.org/> .\n",
    "<https://www.wikidata.org/wiki/Special:EntityData/Q3> <http://schema.org/version> \"7\" .",
    "C:\\data\\",
    "\\\" schema:version \\\"8",
    "\"\"\"",
    "# data:Q4 schema:version 9 .",
    "a 3\" pipe; a 5' board, # 7",
    "<not an iri",
];
