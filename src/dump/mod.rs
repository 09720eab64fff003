pub mod facts;
pub mod anchors;
pub mod scan;
