//! One Turtle document under construction: header, prefixes, what was already defined in it.
//!
//! Promise: value and reference nodes are defined at the end of the entity that first needs them, mostly only there.
//! Invariant: as in Wikibase, what was defined is remembered in a table that forgets, so some are defined twice.

use crate::generate::random::mix;
use crate::generate::statement::{Reference, Statement};
use crate::generate::turtle::Turtle;
use crate::generate::value::Value;
use crate::wikibase::timestamp::Timestamp;

/// The prefixes of the nodes, which differ between wikis and over time.
#[derive(Clone, Copy, Debug)]
pub struct Nodes {
    /// Of entities.
    pub entity: &'static str,
    /// Of entity-data documents.
    pub data: &'static str,
    /// Of statements.
    pub statement: &'static str,
    /// Of references.
    pub reference: &'static str,
    /// Of values.
    pub value: &'static str,
}

/// A document under construction.
#[derive(Debug)]
pub struct Document {
    /// What was written and not yet taken away.
    pub text: Turtle,
    /// The prefixes it uses.
    pub nodes: Nodes,
    /// The id of the entity that is being written, or of the form or sense.
    pub id: String,
    /// Room for the statements of an entity.
    pub statements: Vec<Statement>,
    /// Numbers the restriction nodes of properties.
    pub restrictions: u32,
    /// The document's number, which is part of the names of restriction nodes.
    pub number: u32,
    open: bool,
    seen: Vec<u64>,
    values: Vec<(Value, u128)>,
    references: Vec<Reference>,
}

const SEEN: usize = 1 << 14;

impl Document {
    /// An empty document.
    pub fn new(nodes: Nodes, number: u32) -> Self {
        Self {
            text: Turtle::default(),
            nodes,
            id: String::new(),
            statements: Vec::new(),
            restrictions: 0,
            number,
            open: false,
            seen: vec![0; SEEN],
            values: Vec::new(),
            references: Vec::new(),
        }
    }

    /// Writes the prefixes and the header that says when the document was begun.
    pub fn header(&mut self, prefixes: &[(&str, &str)], started: Timestamp) {
        for (prefix, namespace) in prefixes {
            self.text.put(&["@prefix ", prefix, ": <", namespace, "> .\n"]);
        }
        self.text.put(&["\nwikibase:Dump a schema:Dataset,\n\t\towl:Ontology ;\n\t"]);
        self.text.put(&["cc:license <http://creativecommons.org/publicdomain/zero/1.0/> ;\n\t"]);
        self.text.put(&["schema:softwareVersion \"1.0.0\" ;\n\tschema:dateModified \"", &started.to_string()]);
        self.text.put(&["\"^^xsd:dateTime ;\n\towl:imports <http://wikiba.se/ontology-1.0.owl> .\n\n"]);
    }

    /// The next sentence is about the entity, form or sense [`Self::id`], if there is anything to say.
    pub fn begin(&mut self) {
        self.open = false;
    }

    /// Goes on to the next predicate of the entity, form or sense.
    pub fn next(&mut self) {
        if self.open {
            self.then();
        } else {
            self.text.put(&[self.nodes.entity, &self.id, " "]);
            self.open = true;
        }
    }

    /// Goes on to the next predicate of any subject.
    pub fn then(&mut self) {
        self.text.put(&[" ;\n\t"]);
    }

    /// Ends the sentence if one was begun.
    pub fn end(&mut self) {
        if self.open {
            self.text.put(&[" .\n\n"]);
        }
        self.open = false;
    }

    /// Appends a predicate made from a property.
    pub fn predicate(&mut self, prefix: &str, property: u32, after: &str) {
        self.text.put(&[prefix]);
        self.text.number(property);
        self.text.put(&[after]);
    }

    /// Whether this is the first time; now and then it forgets.
    pub fn is_new(&mut self, key: u64) -> bool {
        let slot = &mut self.seen[(mix(key) >> 40) as usize % SEEN];
        std::mem::replace(slot, key) != key
    }

    /// The value has to be defined at the end of the entity.
    pub fn need_value(&mut self, value: Value, hash: u128) {
        if self.is_new(hash as u64) {
            self.values.push((value, hash));
        }
    }

    /// The reference has to be defined at the end of the entity.
    pub fn need_reference(&mut self, reference: Reference) {
        if !self.is_new(reference.hash() as u64) {
            return;
        }
        self.references.push(reference);
        if let Some(value) = reference.value()
            && let Some(hash) = value.hash()
        {
            self.need_value(value, hash);
        }
    }

    /// Defines the values and references that are still to be defined.
    pub fn define_nodes(&mut self) {
        for (value, hash) in std::mem::take(&mut self.values) {
            value.write_node(hash, self);
        }
        for reference in std::mem::take(&mut self.references) {
            reference.write(self);
        }
    }
}
