//! The rules: which triples of an entity stay.
//!
//! Promise: one function a rule, in the order in which they are asked; the first to answer decides.
//! In -> out: an entity's triples -> a [`Verdict`] on each, its id and its revision.
//! Invariant: a triple whose subject is not known to be linked waits (`munge::links`) and is judged again when it is. So links
//! are followed however the triples are ordered, which upstream does only for links that come first.
//! Rules: upstream's `Munger`. In examples, `…` is what the rule does not look at.

use crate::munge::labels::{self, Best};
use crate::munge::links::Links;
use crate::munge::{Options, Rule, Unfit, Verdict};
use crate::rdf::term::{Literal, Term, Triple};
use crate::wikibase::entity::{EntityId, Revision};
use crate::wikibase::names::{Name, Namer, Space};

/// An entity that can be munged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// Which.
    pub id: EntityId,
    /// Its revision.
    pub revision: Revision,
    /// Whether its points have latitude first and must be switched: the format is 0.0.1.
    pub latitude_first: bool,
}

/// What is known of a triple when its entity ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Whether it stays.
    pub verdict: Verdict,
    /// The namespace of its subject; [`Space::Other`] for a blank node.
    pub subject: Space,
}

/// Judges entities, one after the other.
pub struct Judge<'s, 'a> {
    options: &'s Options,
    namer: Namer<'s, 'a>,
    links: Links<'a>,
    judgements: Vec<Judgement>,
    facts: Facts<'a>,
}

/// What is learned of an entity on the way.
#[derive(Default)]
struct Facts<'a> {
    id: &'a str,
    revision: Option<&'a str>,
    has_date: bool,
    format: Option<&'a str>,
    best_label: Best,
    best_description: Best,
}

/// A triple with its names.
struct Named<'t, 'a> {
    at: u32,
    triple: &'t Triple<'a>,
    /// `None`: a blank node.
    subject: Option<Name<'a>>,
    predicate: Name<'a>,
}

/// An answer of a rule; `Ok(None)`: the rule does not apply.
type Answer = Result<Option<Verdict>, Unfit>;

const KEEP: Answer = Ok(Some(Verdict::Keep));

fn drop(rule: Rule) -> Answer {
    Ok(Some(Verdict::Drop(rule)))
}

const TYPE: Name<'_> = Name::new(Space::Rdf, "type");
const ARTICLE: Name<'_> = Name::new(Space::Schema, "Article");

impl<'s, 'a> Judge<'s, 'a> {
    /// A judge for triples whose namespaces are numbered alike.
    pub fn new(options: &'s Options, namer: Namer<'s, 'a>) -> Self {
        Self { options, namer, links: Links::default(), judgements: Vec::new(), facts: Facts::default() }
    }

    /// Names IRIs as the judge does.
    pub fn namer(&mut self) -> &mut Namer<'s, 'a> {
        &mut self.namer
    }

    /// Judges the triples of the entity whose id is `id`, in a dump of this `format` (its `schema:softwareVersion`).
    /// One judgement a triple is then to be had from [`Self::judgements`].
    pub fn entity(&mut self, id: &'a str, triples: &[Triple<'a>], format: Option<&str>) -> Result<Fit, Unfit> {
        self.links.clear();
        self.facts = Facts { id, ..Facts::default() };
        self.judgements.clear();
        let mut last: Option<(&Term<'a>, Option<Name<'a>>)> = None;
        for (at, triple) in (0_u32..).zip(triples) {
            let subject = match last {
                Some((term, subject)) if term.is_same(&triple.subject) => subject,
                _ => self.subject(&triple.subject),
            };
            last = Some((&triple.subject, subject));
            // A triple that waits for ever is unlinked.
            let verdict = Verdict::Drop(Rule::Unlinked);
            let space = subject.map_or(Space::Other, |subject| subject.space);
            self.judgements.push(Judgement { verdict, subject: space });
            self.judge(at, triple, subject)?;
            while let Some(released) = self.links.next_released() {
                let triple = &triples[released as usize];
                let subject = self.subject(&triple.subject);
                self.judge(released, triple, subject)?;
            }
        }
        for (_, waiting) in self.links.waiting().filter(|(node, _)| node.space == Space::Entity) {
            waiting.iter().for_each(|at| self.judgements[*at as usize].verdict = Verdict::Drop(Rule::OtherEntity));
        }
        self.fit(format)
    }

    /// On the triples of the last entity.
    pub fn judgements(&self) -> &[Judgement] {
        &self.judgements
    }

    /// The end of an entity: what it must have, it has.
    fn fit(&self, format: Option<&str>) -> Result<Fit, Unfit> {
        let is_unknown = |node: &Name<'_>| node.space != Space::Entity;
        let is_kept = |judgement: &Judgement| judgement.verdict == Verdict::Keep;
        if self.links.waiting().any(|(node, _)| is_unknown(node)) && !self.judgements.iter().any(is_kept) {
            return Err(Unfit::Nothing);
        }
        let found = self.facts.revision.ok_or(Unfit::NoRevision)?;
        let revision = Revision::parse(found.as_bytes())
            .map_err(|rule| Unfit::BadRevision { rule: rule.to_string(), found: found.chars().take(60).collect() })?;
        if !self.facts.has_date {
            return Err(Unfit::NoDate);
        }
        let id = EntityId::parse(self.facts.id.as_bytes())?;
        Ok(Fit { id, revision, latitude_first: self.facts.format.or(format) == Some("0.0.1") })
    }

    fn subject(&mut self, subject: &Term<'a>) -> Option<Name<'a>> {
        match subject {
            Term::Iri(iri) => Some(self.namer.name(*iri)),
            _ => None,
        }
    }

    fn judge(&mut self, at: u32, triple: &Triple<'a>, subject: Option<Name<'a>>) -> Result<(), Unfit> {
        let named = Named { at, triple, subject, predicate: self.namer.predicate(triple.predicate) };
        if let Some(verdict) = self.verdict(&named)? {
            self.judgements[at as usize].verdict = verdict;
        }
        Ok(())
    }

    /// Asks the rules for the kind of subject. `None`: the triple waits.
    fn verdict(&mut self, t: &Named<'_, 'a>) -> Answer {
        let Some(subject) = t.subject else { return KEEP };
        match subject.space {
            Space::Data => self.data_node(t),
            Space::Statement => self.statement_node(t, subject),
            Space::Reference => self.reference_node(t, subject),
            Space::Value => self.value_node(t, subject),
            Space::Entity => self.entity_node(t, subject),
            Space::NoValue | Space::Genid => KEEP,
            Space::Claim | Space::ReferenceValue | Space::Property => property(t),
            _ => self.other(t, subject),
        }
    }

    fn object(&mut self, t: &Named<'_, 'a>) -> Option<Name<'a>> {
        match &t.triple.object {
            Term::Iri(iri) => Some(self.namer.name(*iri)),
            _ => None,
        }
    }

    /// The object, if it lies in that namespace.
    fn object_in(&mut self, t: &Named<'_, 'a>, space: Space) -> Option<Name<'a>> {
        match &t.triple.object {
            Term::Iri(iri) if self.namer.space(*iri) == space => Some(self.namer.name(*iri)),
            _ => None,
        }
    }

    /// Waits for `node`, unless it is linked.
    fn wait(&mut self, t: &Named<'_, 'a>, node: Name<'a>) -> Option<Verdict> {
        if self.links.has(&node) {
            return Some(Verdict::Keep);
        }
        self.links.wait(node, t.at);
        None
    }

    // --- the entity-data node -------------------------------------------------------------------------------------

    fn data_node(&mut self, t: &Named<'_, 'a>) -> Answer {
        if t.predicate == Name::new(Space::Schema, "softwareVersion") {
            self.facts.format = Some(literal(t)?.value);
        }
        if t.predicate == Name::new(Space::Schema, "about") {
            self.about(t)?;
        }
        Ok(Some(self.moved(t)?.unwrap_or(Verdict::Drop(Rule::DataNode))))
    }

    /// `data:Q1 schema:about wd:Q2` is an error: which of them is it?
    fn about(&mut self, t: &Named<'_, 'a>) -> Result<(), Unfit> {
        match self.object(t) {
            Some(name) if name.local == self.facts.id => Ok(()),
            Some(name) => Err(Unfit::About(name.local.to_owned())),
            None => Err(Unfit::NotLiteral("schema:about".to_owned())),
        }
    }

    /// `data:Q1 schema:version 7` -> `wd:Q1 schema:version 7`; so `schema:dateModified` and what is in `wikibase:`
    fn moved(&mut self, t: &Named<'_, 'a>) -> Answer {
        match (t.predicate.space, t.predicate.local) {
            (Space::Schema, "version") => self.facts.revision = Some(literal(t)?.value),
            (Space::Schema, "dateModified") => {
                literal(t)?;
                self.facts.has_date = true;
            }
            (Space::Ontology, _) => {
                literal(t)?;
            }
            _ => return Ok(None),
        }
        Ok(Some(Verdict::Move))
    }

    // --- the entity -----------------------------------------------------------------------------------------------

    fn entity_node(&mut self, t: &Named<'_, 'a>, subject: Name<'a>) -> Answer {
        if let Some(verdict) = self.other_entity(t, subject) {
            return Ok(verdict);
        }
        if t.predicate == TYPE {
            return self.entity_type(t);
        }
        match (t.predicate.space, t.predicate.local) {
            (Space::Schema, "name") | (Space::Skos, "prefLabel") => drop(Rule::DuplicateLabel),
            (Space::Rdfs, "label") if self.is_of_lexeme(subject) => drop(Rule::LexemeLabel),
            (Space::Rdfs, "label") => self.best_label(t),
            (Space::Schema, "description") => self.best_description(t),
            (Space::Skos, "altLabel") => self.alias(t),
            (Space::Ontolex, "lexicalForm" | "sense") => self.sub_entity(t),
            (Space::Claim, _) => self.claim(t),
            _ => KEEP,
        }
    }

    /// `wd:Q2 …` among the triples of Q1 goes; `wd:L1-F1 …` waits for `wd:L1 ontolex:lexicalForm wd:L1-F1`.
    fn other_entity(&mut self, t: &Named<'_, 'a>, subject: Name<'a>) -> Option<Option<Verdict>> {
        if subject.local == self.facts.id || self.links.has(&subject) {
            return None;
        }
        Some(self.wait(t, subject))
    }

    /// `wd:Q1 a wikibase:Item` goes; `wd:P1 a wikibase:Property` stays.
    fn entity_type(&mut self, t: &Named<'_, 'a>) -> Answer {
        match self.object(t) {
            Some(Name { space: Space::Ontology, local: "Item" | "Lexeme" | "Form" | "Sense" })
                if !self.options.keep_types =>
            {
                drop(Rule::EntityType)
            }
            _ => KEEP,
        }
    }

    /// `wd:L1-S1 rdfs:label "word"@en` goes: a lexeme and its parts have lemmas, representations and glosses.
    fn is_of_lexeme(&self, subject: Name<'a>) -> bool {
        subject.local.starts_with('L') || self.links.has(&subject)
    }

    /// `wd:Q1 rdfs:label "b"@fr` goes if only English is asked for, or if there is a better one.
    fn best_label(&mut self, t: &Named<'_, 'a>) -> Answer {
        let mut best = self.facts.best_label;
        let answer = self.best(t, &mut best);
        self.facts.best_label = best;
        answer
    }

    /// `wd:Q1 schema:description "b"@fr`, as a label.
    fn best_description(&mut self, t: &Named<'_, 'a>) -> Answer {
        let mut best = self.facts.best_description;
        let answer = self.best(t, &mut best);
        self.facts.best_description = best;
        answer
    }

    fn best(&mut self, t: &Named<'_, 'a>, best: &mut Best) -> Answer {
        if self.options.label_languages.is_none() && self.options.single_label.is_none() {
            return KEEP;
        }
        let language = labels::language(&t.triple.object, t.predicate.local)?;
        if !labels::is_wanted(self.options, language) {
            return drop(Rule::Language);
        }
        let Some(order) = &self.options.single_label else { return KEEP };
        match best.meet(order, language, t.at) {
            Some(worse) if worse == t.at => drop(Rule::NotTheBest),
            worse => {
                if let Some(worse) = worse {
                    self.judgements[worse as usize].verdict = Verdict::Drop(Rule::NotTheBest);
                }
                KEEP
            }
        }
    }

    /// `wd:Q1 skos:altLabel "b"@fr` goes if only English is asked for.
    fn alias(&mut self, t: &Named<'_, 'a>) -> Answer {
        if self.options.label_languages.is_some() {
            let language = labels::language(&t.triple.object, t.predicate.local)?;
            if !labels::is_wanted(self.options, language) {
                return drop(Rule::Language);
            }
        }
        KEEP
    }

    /// `wd:L1 ontolex:sense wd:L1-S1` stays, and with it what is said of `wd:L1-S1`.
    fn sub_entity(&mut self, t: &Named<'_, 'a>) -> Answer {
        if let Some(part) = self.object_in(t, Space::Entity) {
            self.links.link(part);
        }
        KEEP
    }

    /// `wd:Q1 p:P1 s:Q1-x` stays, and with it what is said of `s:Q1-x`.
    fn claim(&mut self, t: &Named<'_, 'a>) -> Answer {
        if let Some(statement) = self.object_in(t, Space::Statement) {
            self.links.link(statement);
        }
        KEEP
    }

    // --- statements, references, values ---------------------------------------------------------------------------

    fn statement_node(&mut self, t: &Named<'_, 'a>, subject: Name<'a>) -> Answer {
        if let Some(verdict) = self.node_type(t, "Statement") {
            return Ok(Some(verdict));
        }
        if let Some(verdict) = self.derived_from(t) {
            return Ok(Some(verdict));
        }
        let verdict = self.wait(t, subject);
        if verdict.is_some()
            && let Some(value) = self.object_in(t, Space::Value)
        {
            self.links.link(value);
        }
        Ok(verdict)
    }

    /// `s:Q1-x a wikibase:Statement` goes; `s:Q1-x a wikibase:BestRank` is for the rules that follow.
    fn node_type(&mut self, t: &Named<'_, 'a>, class: &str) -> Option<Verdict> {
        if t.predicate != TYPE {
            return None;
        }
        if self.options.keep_types {
            return Some(Verdict::Keep);
        }
        let is_class = self.object(t) == Some(Name::new(Space::Ontology, class));
        is_class.then_some(Verdict::Drop(Rule::NodeType))
    }

    /// `s:Q1-x prov:wasDerivedFrom ref:y` stays even if nothing links `s:Q1-x`, and with it what is said of `ref:y`.
    fn derived_from(&mut self, t: &Named<'_, 'a>) -> Option<Verdict> {
        if t.predicate != Name::new(Space::Prov, "wasDerivedFrom") {
            return None;
        }
        if let Some(reference) = self.object_in(t, Space::Reference) {
            self.links.link(reference);
        }
        Some(Verdict::Keep)
    }

    /// `ref:y pr:P1 …` stays if a statement is derived from `ref:y`; `ref:y prv:P1 v:z` links `v:z`.
    fn reference_node(&mut self, t: &Named<'_, 'a>, subject: Name<'a>) -> Answer {
        if let Some(verdict) = self.node_type(t, "Reference") {
            return Ok(Some(verdict));
        }
        let verdict = self.wait(t, subject);
        if verdict.is_some()
            && t.predicate.space == Space::ReferenceValue
            && let Some(value) = self.object_in(t, Space::Value)
        {
            self.links.link(value);
        }
        Ok(verdict)
    }

    /// `v:z wikibase:timeValue …` stays if `v:z` is linked; `v:z wikibase:quantityNormalized v:n` links `v:n` in any case.
    fn value_node(&mut self, t: &Named<'_, 'a>, subject: Name<'a>) -> Answer {
        if t.predicate == TYPE {
            return KEEP;
        }
        if t.predicate == Name::new(Space::Ontology, "quantityNormalized")
            && let Some(value) = self.object(t)
        {
            self.links.link(value);
        }
        Ok(self.wait(t, subject))
    }

    // --- everything else ------------------------------------------------------------------------------------------

    fn other(&mut self, t: &Named<'_, 'a>, subject: Name<'a>) -> Answer {
        if let Some(verdict) = wiki_group(t) {
            return Ok(Some(verdict));
        }
        self.sitelink(t, subject)
    }

    /// `<https://it.wikipedia.org/wiki/Roma> a schema:Article` stays, and with it all else that is said of the page.
    fn sitelink(&mut self, t: &Named<'_, 'a>, subject: Name<'a>) -> Answer {
        if t.predicate == TYPE && self.object(t) == Some(ARTICLE) {
            self.links.link(subject);
        }
        match self.wait(t, subject) {
            Some(_) if self.options.skip_sitelinks => drop(Rule::Sitelink),
            verdict => Ok(verdict),
        }
    }
}

/// `p:P1 a owl:ObjectProperty` stays; what else is said of a predicate goes.
fn property(t: &Named<'_, '_>) -> Answer {
    if t.predicate == TYPE { KEEP } else { drop(Rule::PropertyDetail) }
}

/// `<https://it.wikipedia.org/> wikibase:wikiGroup "wikipedia"` stays, even without sitelinks.
fn wiki_group(t: &Named<'_, '_>) -> Option<Verdict> {
    (t.predicate == Name::new(Space::Ontology, "wikiGroup")).then_some(Verdict::Keep)
}

fn literal<'a>(t: &Named<'_, 'a>) -> Result<Literal<'a>, Unfit> {
    match &t.triple.object {
        Term::Literal(literal) => Ok(*literal),
        _ => Err(Unfit::NotLiteral(t.predicate.local.to_owned())),
    }
}
