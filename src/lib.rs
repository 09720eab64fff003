pub mod dump;
pub mod rdf;
pub mod state;
pub mod wikibase;
