//! Content as Wikibase writes it in Turtle.
//!
//! Promise: the shape of `Special:EntityData?flavor=dump`, and of dumps: prefixes, the entity-data block first, then the entity, its
//! pages in other wikis, its statements, at last the values and references that were not yet written in the same document.
//! Invariant: what a node says depends on its name alone; but the node of a property's "no value" class is numbered within the
//! document, as Wikibase does, so that its name says nothing.

use std::collections::HashSet;
use std::fmt::Write;

use headwater::wikibase::entity::EntityId;
use headwater::wikibase::timestamp::Timestamp;
use headwater::wikibase::uris::UrisScheme;

use crate::wiki::content::{
    Content, Datatype, Entity, Form, Lexeme, Own, Rank, Reference, Sense, Sitelink, Statement, Term, Value, WIKIS, Wiki,
};
use crate::wiki::random::{hash, uuid};

/// What wiki it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Wikidata: items, properties and lexemes.
    Wikidata,
    /// Commons: the structured data of files.
    Commons,
}

/// The prefixes of the wiki's own nodes.
#[derive(Clone, Copy)]
struct Prefixes {
    entity: &'static str,
    data: &'static str,
    statement: &'static str,
    reference: &'static str,
    value: &'static str,
}

/// Prefixes that all documents declare.
const VOCABULARIES: [(&str, &str); 12] = [
    ("rdf", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"),
    ("xsd", "http://www.w3.org/2001/XMLSchema#"),
    ("ontolex", "http://www.w3.org/ns/lemon/ontolex#"),
    ("dct", "http://purl.org/dc/terms/"),
    ("rdfs", "http://www.w3.org/2000/01/rdf-schema#"),
    ("owl", "http://www.w3.org/2002/07/owl#"),
    ("wikibase", "http://wikiba.se/ontology#"),
    ("skos", "http://www.w3.org/2004/02/skos/core#"),
    ("schema", "http://schema.org/"),
    ("cc", "http://creativecommons.org/ns#"),
    ("geo", "http://www.opengis.net/ont/geosparql#"),
    ("prov", "http://www.w3.org/ns/prov#"),
];

/// Prefixes of predicates, below Wikidata's `prop/`.
const PREDICATES: [(&str, &str); 12] = [
    ("wdt", "direct/"),
    ("wdtn", "direct-normalized/"),
    ("p", ""),
    ("ps", "statement/"),
    ("psv", "statement/value/"),
    ("psn", "statement/value-normalized/"),
    ("pq", "qualifier/"),
    ("pqv", "qualifier/value/"),
    ("pqn", "qualifier/value-normalized/"),
    ("pr", "reference/"),
    ("prv", "reference/value/"),
    ("prn", "reference/value-normalized/"),
];

/// What the ontology calls the predicates of a property.
const PROPERTY_TERMS: [(&str, &str); 9] = [
    ("directClaim", "wdt"),
    ("claim", "p"),
    ("statementProperty", "ps"),
    ("statementValue", "psv"),
    ("qualifier", "pq"),
    ("qualifierValue", "pqv"),
    ("reference", "pr"),
    ("referenceValue", "prv"),
    ("novalue", "wdno"),
];

const LICENSE: &str =
    "cc:license <http://creativecommons.org/publicdomain/zero/1.0/> ;\n\tschema:softwareVersion \"1.0.0\"";

impl Flavour {
    /// How the wiki writes its URIs.
    pub fn scheme(self) -> UrisScheme {
        match self {
            Self::Wikidata => UrisScheme::wikidata(),
            Self::Commons => UrisScheme::commons(),
        }
    }

    /// Its host, as `meta.domain` has it.
    pub const fn host(self) -> &'static str {
        match self {
            Self::Wikidata => "www.wikidata.org",
            Self::Commons => "commons.wikimedia.org",
        }
    }

    const fn own(self) -> Prefixes {
        match self {
            Self::Wikidata => {
                Prefixes { entity: "wd", data: "data", statement: "wds", reference: "wdref", value: "wdv" }
            }
            Self::Commons => {
                Prefixes { entity: "sdc", data: "sdcdata", statement: "sdcs", reference: "sdcref", value: "sdcv" }
            }
        }
    }

    /// The lines that documents begin with.
    fn prefixes(self) -> String {
        let mut text = String::new();
        let mut prefix = |name: &str, namespace: &str| text += &format!("@prefix {name}: <{namespace}> .\n");
        VOCABULARIES.iter().for_each(|(name, namespace)| prefix(name, namespace));
        let mut nodes = |wiki: Self, host: &str| {
            let own = wiki.own();
            prefix(own.entity, &format!("{host}entity/"));
            prefix(own.data, &format!("https://{}/wiki/Special:EntityData/", wiki.host()));
            prefix(own.statement, &format!("{host}entity/statement/"));
            prefix(own.reference, &format!("{host}reference/"));
            prefix(own.value, &format!("{host}value/"));
        };
        nodes(Self::Wikidata, "http://www.wikidata.org/");
        if self == Self::Commons {
            nodes(Self::Commons, "https://commons.wikimedia.org/");
        }
        let properties = "http://www.wikidata.org/prop/";
        PREDICATES.iter().for_each(|(name, path)| prefix(name, &format!("{properties}{path}")));
        prefix("wdno", &format!("{properties}novalue/"));
        text
    }
}

/// A page at one revision.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'c> {
    /// Which entity.
    pub id: EntityId,
    /// Its revision.
    pub revision: u64,
    /// When that was made, in milliseconds since 1970.
    pub time: i64,
    /// What it says.
    pub content: &'c Content,
}

/// A document being written.
pub struct Document {
    /// What is written.
    pub text: String,
    own: Prefixes,
    is_dump: bool,
    /// What the names of blank nodes without meaning begin with, and how many there are.
    genid: String,
    genids: u32,
    /// The nodes that need not be written again.
    seen: HashSet<u128>,
    values: Vec<Value>,
    references: Vec<Reference>,
}

impl Document {
    /// `Special:EntityData`'s of a page.
    pub fn of(flavour: Flavour, page: Shown<'_>) -> String {
        let mut document = Self::new(flavour, "genid".to_owned(), false);
        document.page(page);
        document.text
    }

    /// A part of a dump that was begun at `start`; the number of the part is in the names of blank nodes.
    pub fn dump(flavour: Flavour, part: &str, start: i64) -> Self {
        let mut document = Self::new(flavour, format!("genid{part}-"), true);
        document.text += "wikibase:Dump a schema:Dataset,\n\t\towl:Ontology ;\n\t";
        document.text += LICENSE;
        let date = seconds(start);
        document.put(format_args!(" ;\n\tschema:dateModified \"{date}\"^^xsd:dateTime ;\n\t"));
        document.text += "owl:imports <http://wikiba.se/ontology-1.0.owl> .\n\n";
        document
    }

    fn new(flavour: Flavour, genid: String, is_dump: bool) -> Self {
        let text = flavour.prefixes() + "\n";
        let (seen, own) = (HashSet::new(), flavour.own());
        Self { text, own, is_dump, genid, genids: 0, seen, values: Vec::new(), references: Vec::new() }
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        self.text.write_fmt(text).expect("memory takes all");
    }

    /// Whether the node is still to be written. A dump's memory is small: now and then it writes one again.
    fn is_new(&mut self, node: u128) -> bool {
        let is_new = self.seen.insert(node);
        if is_new && self.is_dump && node.is_multiple_of(13) {
            self.seen = HashSet::from([node]);
        }
        is_new
    }

    /// Writes a page.
    pub fn page(&mut self, Shown { id, revision, time, content }: Shown<'_>) {
        let (data, entity) = (self.own.data, self.own.entity);
        let version = format!(
            "schema:version \"{revision}\"^^xsd:integer ;\n\tschema:dateModified \"{}\"^^xsd:dateTime",
            seconds(time)
        );
        match content {
            Content::Redirect(target) => {
                self.put(format_args!("{data}:{id} {version} .\n\n{entity}:{id} owl:sameAs {entity}:{target} .\n\n"));
            }
            Content::Entity(content) => {
                self.put(format_args!("{data}:{id} a schema:Dataset ;\n\tschema:about {entity}:{id} ;\n\t"));
                if !self.is_dump {
                    self.put(format_args!("{LICENSE} ;\n\t"));
                }
                self.put(format_args!("{version}{} .\n\n", counts(content)));
                self.entity(id, content);
            }
        }
    }

    fn entity(&mut self, id: EntityId, content: &Entity) {
        let name = format!("{}:{id}", self.own.entity);
        match &content.own {
            Own::Item(sitelinks) => {
                self.put(format_args!("{name} a wikibase:Item .\n\n"));
                sitelinks.iter().for_each(|link| self.sitelink(&name, *link));
            }
            Own::Property(datatype) => self.property(id, *datatype),
            Own::Lexeme(lexeme) => self.lexeme(&name, lexeme),
            Own::MediaInfo(size) => self.file(&name, id, *size),
        }
        self.terms(&name, content);
        self.statements(&id.to_string(), &content.statements);
        if let Own::Lexeme(lexeme) = &content.own {
            lexeme.forms.iter().for_each(|form| self.form(id, form));
            lexeme.senses.iter().for_each(|sense| self.sense(id, sense));
        }
        self.nodes();
    }

    fn sitelink(&mut self, item: &str, link: Sitelink) {
        let Wiki { host, language, group, word } = WIKIS[link.wiki];
        let title = format!("{word} {}", link.title);
        let (path, name) = (percent(&title), quoted(&title.replace('_', " ")));
        self.put(format_args!(
            "<https://{host}/wiki/{path}> a schema:Article ;\n\tschema:about {item} ;\n\tschema:inLanguage \"{language}\" ;\n\t\
             schema:isPartOf <https://{host}/> ;\n\tschema:name {name}@{language}"
        ));
        self.text += if link.badge { " ;\n\twikibase:badge wd:Q17437796 .\n\n" } else { " .\n\n" };
        if self.is_new(hash(1, link.wiki as u64)) {
            self.put(format_args!("<https://{host}/> wikibase:wikiGroup \"{group}\" .\n\n"));
        }
    }

    fn terms(&mut self, name: &str, content: &Entity) {
        let labels: &[&str] = match content.own {
            Own::MediaInfo(_) => &["schema:caption", "rdfs:label"],
            _ => &["rdfs:label", "skos:prefLabel", "schema:name"],
        };
        let labels = content.labels.iter().flat_map(|term| labels.iter().map(move |predicate| (*predicate, term)));
        let descriptions = content.descriptions.iter().map(|term| ("schema:description", term));
        let aliases = content.aliases.iter().map(|term| ("skos:altLabel", term));
        let all: Vec<_> = labels.chain(descriptions).chain(aliases).map(said).collect();
        if !all.is_empty() {
            self.put(format_args!("{name} {} .\n\n", all.join(" ;\n\t")));
        }
    }

    fn property(&mut self, id: EntityId, datatype: Datatype) {
        let (kind, is_iri, has_node) = match datatype {
            Datatype::Item => ("WikibaseItem", true, false),
            Datatype::Time => ("Time", false, true),
            Datatype::Quantity => ("Quantity", false, true),
            Datatype::Place => ("GlobeCoordinate", false, true),
            Datatype::Id => ("ExternalId", false, false),
            Datatype::Url => ("Url", true, false),
            Datatype::Monolingual => ("Monolingualtext", false, false),
            Datatype::Text => ("String", false, false),
        };
        self.put(format_args!("wd:{id} a wikibase:Property ;\n\twikibase:propertyType wikibase:{kind}"));
        PROPERTY_TERMS.iter().for_each(|(term, prefix)| self.put(format_args!(" ;\n\twikibase:{term} {prefix}:{id}")));
        self.text += " .\n\n";
        let normalized: &[&str] = if has_node { &["psn", "pqn", "prn"] } else { &[] };
        for prefix in ["p", "psv", "pqv", "prv"].iter().chain(normalized) {
            self.put(format_args!("{prefix}:{id} a owl:ObjectProperty .\n\n"));
        }
        let value = if is_iri { "ObjectProperty" } else { "DatatypeProperty" };
        for prefix in ["wdt", "ps", "pq", "pr"] {
            self.put(format_args!("{prefix}:{id} a owl:{value} .\n\n"));
        }
        self.genids += 1;
        let node = format!("_:{}{}", self.genid, self.genids);
        self.put(format_args!(
            "wdno:{id} a owl:Class ;\n\towl:complementOf {node} .\n\n{node} a owl:Restriction ;\n\t\
             owl:onProperty wdt:{id} ;\n\towl:someValuesFrom owl:Thing .\n\n"
        ));
    }

    fn lexeme(&mut self, name: &str, lexeme: &Lexeme) {
        let Lexeme { lemma, language, category, forms, senses, .. } = lexeme;
        let [label, lemma] = ["rdfs:label", "wikibase:lemma"].map(|predicate| said((predicate, lemma)));
        self.put(format_args!(
            "{name} a wikibase:Lexeme,\n\t\tontolex:LexicalEntry ;\n\t{label} ;\n\t{lemma} ;\n\t\
             dct:language wd:Q{language} ;\n\twikibase:lexicalCategory wd:Q{category}"
        ));
        forms.iter().for_each(|form| self.put(format_args!(" ;\n\tontolex:lexicalForm {name}-F{}", form.number)));
        senses.iter().for_each(|sense| self.put(format_args!(" ;\n\tontolex:sense {name}-S{}", sense.number)));
        self.text += " .\n\n";
    }

    fn form(&mut self, lexeme: EntityId, form: &Form) {
        let id = format!("{lexeme}-F{}", form.number);
        self.put(format_args!("wd:{id} a wikibase:Form,\n\t\tontolex:Form"));
        self.twice(["rdfs:label", "ontolex:representation"], &form.representations);
        form.features.iter().for_each(|item| self.put(format_args!(" ;\n\twikibase:grammaticalFeature wd:Q{item}")));
        self.text += " .\n\n";
        self.statements(&id, &form.statements);
    }

    fn sense(&mut self, lexeme: EntityId, sense: &Sense) {
        let id = format!("{lexeme}-S{}", sense.number);
        self.put(format_args!("wd:{id} a wikibase:Sense,\n\t\tontolex:LexicalSense"));
        self.twice(["rdfs:label", "skos:definition"], &sense.glosses);
        self.text += " .\n\n";
        self.statements(&id, &sense.statements);
    }

    fn twice(&mut self, predicates: [&str; 2], terms: &[Term]) {
        for term in terms {
            predicates.iter().for_each(|predicate| self.put(format_args!(" ;\n\t{}", said((predicate, term)))));
        }
    }

    fn file(&mut self, name: &str, id: EntityId, size: u64) {
        self.put(format_args!(
            "{name} a wikibase:Mediainfo,\n\t\tschema:MediaObject,\n\t\tschema:ImageObject ;\n\t\
             schema:encodingFormat \"image/jpeg\" ;\n\t\
             schema:contentUrl <https://upload.wikimedia.org/wikipedia/commons/a/a7/Spring_%28{id}%29.jpg> ;\n\t\
             schema:contentSize \"{size}\"^^xsd:integer ;\n\tschema:height \"{}\"^^xsd:integer .\n\n",
            400 + size % 4000
        ));
    }

    /// The statements of an entity, form or sense: what they come to, then each by itself.
    fn statements(&mut self, id: &str, statements: &[Statement]) {
        let Prefixes { entity, statement: node, reference: source, .. } = self.own;
        for statement in statements.iter().filter(|statement| is_best(statement, statements)) {
            let said = self.values(statement.property, statement.value, statement.node, ["wdt", "", "wdtn"]);
            self.put(format_args!("{entity}:{id} {said} .\n\n"));
        }
        for statement in statements {
            let Statement { property, value, rank, qualifiers, references, .. } = statement;
            // Some are old, and have the letters of their time.
            let is_old = statement.node.is_multiple_of(8);
            let uuid = uuid(statement.node);
            let name = if is_old { id.to_lowercase() + "-" + &uuid } else { format!("{id}-{}", uuid.to_uppercase()) };
            let best = if is_best(statement, statements) { ",\n\t\twikibase:BestRank" } else { "" };
            let said = self.values(*property, *value, statement.node ^ 1, ["ps", "psv", "psn"]);
            self.put(format_args!(
                "{entity}:{id} p:P{property} {node}:{name} .\n\n{node}:{name} a wikibase:Statement{best} ;\n\t\
                 wikibase:rank wikibase:{rank:?}Rank ;\n\t{said}"
            ));
            for (property, value) in qualifiers {
                let unknown = statement.node ^ u128::from(*property);
                let said = self.values(*property, *value, unknown, ["pq", "pqv", "pqn"]);
                self.put(format_args!(" ;\n\t{said}"));
            }
            for reference in references {
                self.put(format_args!(" ;\n\tprov:wasDerivedFrom {source}:{}", reference.name()));
                self.references.push(*reference);
            }
            self.text += " .\n\n";
        }
    }

    /// `ps:P569 "1900-01-01T00:00:00Z"^^xsd:dateTime ; psv:P569 wdv:…`: the value, its node and its normal form, where there are such
    /// and the prefixes for them are not empty. `unknown` names the value if it is not known.
    fn values(&mut self, property: u32, value: Value, unknown: u128, [simple, full, normal]: [&str; 3]) -> String {
        if value == Value::None {
            return format!("a wdno:P{property}");
        }
        let mut said = format!("{simple}:P{property} {}", value.text(unknown));
        if let Value::Id(number) = value {
            said += &format!(" ;\n\t{normal}:P{property} <http://authority.example.org/{number}>");
        }
        if let (Some(node), false) = (value.node(), full.is_empty()) {
            said += &format!(" ;\n\t{full}:P{property} {}:{node:032x}", self.own.value);
            self.values.push(value);
            if let Some(base) = value.in_metres() {
                let node = base.node().expect("a length has one");
                said += &format!(" ;\n\t{normal}:P{property} {}:{node:032x}", self.own.value);
            }
        }
        said
    }

    /// What was pointed at, unless it is there already.
    fn nodes(&mut self) {
        for reference in std::mem::take(&mut self.references) {
            if self.is_new(hash(2, reference.0.into())) {
                self.reference(reference);
            }
        }
        while let Some(value) = self.values.pop() {
            if let Some(node) = value.node()
                && self.is_new(node)
            {
                self.value(value, node);
            }
        }
    }

    fn reference(&mut self, reference: Reference) {
        let number = reference.0;
        let unknown = hash(3, number.into());
        let prefixes = ["pr", "prv", "prn"];
        let mut said = vec![self.values(248, Value::Item(5_412 + number), unknown, prefixes)];
        if !number.is_multiple_of(3) {
            said.push(self.values(813, Value::Day(number % 10), unknown, prefixes));
        }
        if !number.is_multiple_of(2) {
            said.push(self.values(854, Value::Page(number), unknown, prefixes));
        }
        if number.is_multiple_of(7) {
            said.push(self.values(577, Value::Unknown, unknown, prefixes));
        }
        let name = format!("{}:{}", self.own.reference, reference.name());
        self.put(format_args!("{name} a wikibase:Reference ;\n\t{} .\n\n", said.join(" ;\n\t")));
    }

    fn value(&mut self, value: Value, node: u128) {
        let prefix = self.own.value;
        self.put(format_args!("{prefix}:{node:032x} "));
        match value {
            Value::Day(_) => self.put(format_args!(
                "a wikibase:TimeValue ;\n\twikibase:timeValue {} ;\n\twikibase:timePrecision \"11\"^^xsd:integer ;\n\t\
                 wikibase:timeTimezone \"0\"^^xsd:integer ;\n\t\
                 wikibase:timeCalendarModel <http://www.wikidata.org/entity/Q1985727> .\n\n",
                value.text(0)
            )),
            Value::Place(number) => self.put(format_args!(
                "a wikibase:GlobecoordinateValue ;\n\twikibase:geoLatitude \"{number}.5\"^^xsd:double ;\n\t\
                 wikibase:geoLongitude \"-{number}.25\"^^xsd:double ;\n\twikibase:geoPrecision \"1.0E-5\"^^xsd:double ;\n\t\
                 wikibase:geoGlobe <http://www.wikidata.org/entity/Q2> .\n\n"
            )),
            _ => {
                let unit = if value.in_metres() == Some(value) { 11_573 } else { 3_710 };
                self.put(format_args!(
                    "a wikibase:QuantityValue ;\n\twikibase:quantityAmount {} ;\n\t\
                     wikibase:quantityUnit <http://www.wikidata.org/entity/Q{unit}>",
                    value.text(0)
                ));
                let base = value.in_metres().unwrap_or(value);
                let to = base.node().expect("a length has one");
                self.put(format_args!(" ;\n\twikibase:quantityNormalized {prefix}:{to:032x} .\n\n"));
                self.values.push(base);
            }
        }
    }
}

impl Reference {
    /// The name of its node.
    fn name(self) -> String {
        let hash = hash(2, self.0.into());
        format!("{hash:032x}{:08x}", hash as u32)
    }
}

impl Value {
    /// As it stands in a triple.
    fn text(self, unknown: u128) -> String {
        match self {
            Self::Item(number) => format!("wd:Q{number}"),
            Self::Day(number) => {
                let (year, month, day) = (1900 + number / 336, number / 28 % 12 + 1, number % 28 + 1);
                format!("\"{year}-{month:02}-{day:02}T00:00:00Z\"^^xsd:dateTime")
            }
            Self::Length(number) => format!("\"+{}.{}\"^^xsd:decimal", number / 10, number % 10),
            Self::Place(number) => format!("\"Point(-{number}.25 {number}.5)\"^^geo:wktLiteral"),
            Self::Id(number) => format!("\"{number:06}\""),
            Self::Page(number) => format!("<https://pages.example.org/wells?no={number}>"),
            Self::Title(number) => format!("\"On springs, volume {number}\"@en"),
            Self::Text(number) => quoted(&format!("\"{number}\" wells")),
            Self::Unknown => format!("_:{unknown:032x}"),
            Self::None => unreachable!("it is no value"),
        }
    }

    /// The name of its node, if it has one.
    fn node(self) -> Option<u128> {
        match self {
            Self::Day(number) => Some(hash(4, number.into())),
            Self::Length(number) => Some(hash(5, number.into())),
            Self::Place(number) => Some(hash(6, number.into())),
            _ => None,
        }
    }

    /// A length in metres; odd numbers are feet.
    fn in_metres(self) -> Option<Self> {
        match self {
            Self::Length(number) if !number.is_multiple_of(2) => Some(Self::Length(number * 1000 * 2)),
            Self::Length(_) => Some(self),
            _ => None,
        }
    }
}

/// Whether the statement is among those of its property that count.
fn is_best(statement: &Statement, all: &[Statement]) -> bool {
    let of_property = |other: &&Statement| other.property == statement.property;
    let is_preferred = |other: &Statement| other.rank == Rank::Preferred;
    match statement.rank {
        Rank::Preferred => true,
        Rank::Normal => !all.iter().filter(of_property).any(is_preferred),
        Rank::Deprecated => false,
    }
}

/// How many sitelinks, statements and identifiers there are.
fn counts(content: &Entity) -> String {
    let of_id = |statement: &&Statement| matches!(statement.value, Value::Id(_));
    let mut counts = vec![
        ("statements", content.statements.len()),
        ("identifiers", content.statements.iter().filter(of_id).count()),
    ];
    match &content.own {
        Own::Item(sitelinks) => counts.insert(0, ("sitelinks", sitelinks.len())),
        Own::MediaInfo(_) => counts.clear(),
        _ => {}
    }
    counts.iter().map(|(what, count)| format!(" ;\n\twikibase:{what} \"{count}\"^^xsd:integer")).collect()
}

fn said((predicate, term): (&str, &Term)) -> String {
    format!("{predicate} {}@{}", quoted(&term.text), term.language)
}

/// A literal with its quotes.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t");
    format!("\"{escaped}\"")
}

/// A title in a URL.
fn percent(title: &str) -> String {
    let written = |byte: u8| match byte {
        b' ' => "_".to_owned(),
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b':' | b'(' | b')' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    title.bytes().map(written).collect()
}

/// A time as Wikibase keeps it, to the second.
fn seconds(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis - millis.rem_euclid(1000)).expect("it is in this age")
}
