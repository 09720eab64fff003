//! IRIs that Wikibase dumps are made of.

/// `rdf:type`, written `a` in Turtle.
pub const RDF_TYPE: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type";
/// `schema:version`: the revision of an entity, on its entity-data node.
pub const SCHEMA_VERSION: &str = "http://schema.org/version";
/// `schema:dateModified`: on a dump's header, when that part of the dump was begun.
pub const SCHEMA_DATE_MODIFIED: &str = "http://schema.org/dateModified";
/// `schema:softwareVersion`: on a dump's header, the version of its format.
pub const SCHEMA_SOFTWARE_VERSION: &str = "http://schema.org/softwareVersion";
/// `schema:Dataset`: a type of every dump header.
pub const SCHEMA_DATASET: &str = "http://schema.org/Dataset";
/// `owl:sameAs`: from a redirect to its target.
pub const OWL_SAME_AS: &str = "http://www.w3.org/2002/07/owl#sameAs";
/// `wikibase:`, the ontology's namespace.
pub const WIKIBASE: &str = "http://wikiba.se/ontology#";
/// `wikibase:Reference`: the type of references, and their context in a triples table.
pub const WIKIBASE_REFERENCE: &str = "http://wikiba.se/ontology#Reference";
/// `wikibase:Value`: the context of values in a triples table.
pub const WIKIBASE_VALUE: &str = "http://wikiba.se/ontology#Value";
/// `wikibase:wikiGroup`: from a wiki to the group that it is of, such as `wikipedia`.
pub const WIKIBASE_WIKI_GROUP: &str = "http://wikiba.se/ontology#wikiGroup";
/// `wikibase:Dump`, the subject of a dump's header; then its names in ontology versions before 1.0.
/// Rule: upstream's `NormalizingRdfHandler`.
pub const WIKIBASE_DUMP: [&str; 3] =
    ["http://wikiba.se/ontology#Dump", "http://wikiba.se/ontology-beta#Dump", "http://wikiba.se/ontology-0.0.1#Dump"];
/// `rdf:langString`: what a literal with a language is, and no other may say to be.
pub const RDF_LANG_STRING: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString";
/// `xsd:string`: what a literal without language or datatype is.
pub const XSD_STRING: &str = "http://www.w3.org/2001/XMLSchema#string";
/// `xsd:integer`: what `12` is.
pub const XSD_INTEGER: &str = "http://www.w3.org/2001/XMLSchema#integer";
/// `xsd:decimal`: what `1.5` is.
pub const XSD_DECIMAL: &str = "http://www.w3.org/2001/XMLSchema#decimal";
/// `xsd:boolean`: what `true` is.
pub const XSD_BOOLEAN: &str = "http://www.w3.org/2001/XMLSchema#boolean";
