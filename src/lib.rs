pub mod decode;
pub mod dump;
pub mod rdf;
pub mod state;
pub mod storage;
pub mod wikibase;
