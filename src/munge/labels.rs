//! Labels and descriptions: which languages, and which is the best.
//!
//! Promise: of equally good labels the first one; a label without a language is in none of those asked for.
//! Rules: upstream's `limitLabelLanguages` and `singleLabelMode`.

use crate::munge::{Options, Unfit};
use crate::rdf::term::{Literal, Tag, Term};

/// The best label (or description) so far: its place in the order of languages, and the triple.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Best(Option<(usize, u32)>);

impl Best {
    /// Looks at another one; the triple that must now go is returned.
    pub fn meet(&mut self, order: &[String], language: Option<&str>, triple: u32) -> Option<u32> {
        let Some(rank) = order.iter().position(|wanted| language == Some(wanted)) else { return Some(triple) };
        match self.0 {
            Some((best, best_triple)) if best < rank || (best == rank && best_triple <= triple) => Some(triple),
            before => {
                self.0 = Some((rank, triple));
                before.map(|(_, triple)| triple)
            }
        }
    }
}

/// The language of a label; `None` where it has none.
pub(super) fn language<'a>(object: &Term<'a>, predicate: &str) -> Result<Option<&'a str>, Unfit> {
    match object {
        Term::Literal(Literal { tag: Tag::Language(language), .. }) => Ok(Some(language)),
        Term::Literal(_) => Ok(None),
        _ => Err(Unfit::NotLiteral(predicate.to_owned())),
    }
}

/// Whether labels of that language are wanted.
pub(super) fn is_wanted(options: &Options, language: Option<&str>) -> bool {
    options.label_languages.as_ref().is_none_or(|wanted| wanted.iter().any(|wanted| language == Some(wanted)))
}
