pub mod state;
pub mod wikibase;
