//! One statement of Turtle -> its triples.
//!
//! Promise: the triples that oxttl gives for it, in the same order, or an error.
//! In -> out: text, the prefixes that hold -> triples, the end of the statement, the prefixes that hold after it.
//! Invariant: plain statements (names, IRIs and strings without escapes, no nesting) are read here; anything else is
//! handed to oxttl, so that there is one judge of what Turtle means.
//! Not here: where a statement begins (see `dump::scan`).

use oxrdf::{NamedOrBlankNode, Term};
use oxttl::TurtleParser;

use crate::rdf::SyntaxError;
use crate::rdf::lexer::{self, Kind, Token};
use crate::rdf::prefixes::Prefixes;
use crate::rdf::vocab;

/// An IRI in two parts, as a prefixed name gives it; the IRI is the one followed by the other.
#[derive(Clone, Copy, Debug)]
pub struct Iri<'a> {
    namespace: &'a str,
    local: &'a [u8],
}

impl<'a> Iri<'a> {
    /// An IRI spelled out in full.
    pub const fn full(iri: &'a str) -> Self {
        Self { namespace: "", local: iri.as_bytes() }
    }

    /// Whether this is `iri`.
    pub fn is(self, iri: &str) -> bool {
        iri.as_bytes().strip_prefix(self.namespace.as_bytes()) == Some(self.local)
    }

    /// The whole IRI.
    pub fn to_text(self) -> String {
        format!("{}{}", self.namespace, String::from_utf8_lossy(self.local))
    }
}

/// A subject or an object.
#[derive(Clone, Copy, Debug)]
pub enum Node<'a> {
    /// An IRI.
    Iri(Iri<'a>),
    /// A blank node.
    Blank,
    /// A literal's lexical form, without its language or datatype.
    Literal(&'a str),
}

/// Subject, predicate and object, borrowed from the text.
#[derive(Clone, Copy, Debug)]
pub struct Triple<'a> {
    /// An IRI or a blank node.
    pub subject: Node<'a>,
    /// An IRI.
    pub predicate: Iri<'a>,
    /// Anything.
    pub object: Node<'a>,
}

impl<'a> Triple<'a> {
    /// The same triple, as oxttl gives it.
    pub fn from_oxrdf(triple: &'a oxrdf::Triple) -> Self {
        let subject = match &triple.subject {
            NamedOrBlankNode::NamedNode(node) => Node::Iri(Iri::full(node.as_str())),
            NamedOrBlankNode::BlankNode(_) => Node::Blank,
        };
        let object = match &triple.object {
            Term::NamedNode(node) => Node::Iri(Iri::full(node.as_str())),
            Term::BlankNode(_) => Node::Blank,
            Term::Literal(literal) => Node::Literal(literal.value()),
        };
        Self { subject, predicate: Iri::full(triple.predicate.as_str()), object }
    }
}

/// Who wants triples, and which.
pub trait Listener {
    /// Whether triples of this subject and predicate are wanted. The objects of others are passed over unread.
    fn wants(&self, subject: Node<'_>, predicate: Iri<'_>) -> bool;

    /// Takes a wanted triple.
    fn take(&mut self, triple: Triple<'_>);
}

/// A statement that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// The byte after its dot.
    pub end: usize,
    /// Whether it may have declared a prefix or a base.
    pub directive: bool,
}

/// Reads the statement (or directive) that begins at or after `at` and gives its triples to `listener`.
///
/// `None` if the text ends first, and then nothing was given and no prefix changed. With `whole`, the text's end is the
/// document's end.
pub fn statement(
    text: &[u8],
    at: usize,
    whole: bool,
    prefixes: &mut Prefixes,
    listener: &mut dyn Listener,
) -> Result<Option<Read>, SyntaxError> {
    match plain(text, at, whole, prefixes, listener)? {
        Plain::Triples(end, triples) => {
            triples.into_iter().for_each(|triple| listener.take(triple));
            Ok(Some(Read { end, directive: false }))
        }
        Plain::Prefix { label, namespace, end } => {
            prefixes.declare(&label, &namespace);
            Ok(Some(Read { end, directive: true }))
        }
        Plain::Incomplete => Ok(None),
        Plain::Other => any_statement(text, at, whole, prefixes, listener),
    }
}

/// [`statement`] without the short way: oxttl reads it, whatever it is.
pub fn any_statement(
    text: &[u8],
    at: usize,
    whole: bool,
    prefixes: &mut Prefixes,
    listener: &mut dyn Listener,
) -> Result<Option<Read>, SyntaxError> {
    let Some(end) = lexer::statement_end(text, at, whole)? else { return Ok(None) };
    let place = |error: SyntaxError| SyntaxError::new(at + error.offset, error.message);
    oxttl_triples(&text[at..end], prefixes, listener).map_err(place)?;
    Ok(Some(Read { end, directive: true }))
}

/// Reads what is left of a document after its last dot: nothing, or SPARQL-style directives.
pub fn rest(text: &[u8], at: usize, prefixes: &mut Prefixes) -> Result<(), SyntaxError> {
    let place = |error: SyntaxError| SyntaxError::new(at + error.offset, error.message);
    oxttl_triples(&text[at..], prefixes, &mut Nobody).map_err(place)
}

struct Nobody;

impl Listener for Nobody {
    fn wants(&self, _: Node<'_>, _: Iri<'_>) -> bool {
        false
    }

    fn take(&mut self, _: Triple<'_>) {}
}

fn oxttl_triples(text: &[u8], prefixes: &mut Prefixes, listener: &mut dyn Listener) -> Result<(), SyntaxError> {
    // oxttl 0.2.5 loses the end of a name with escapes that touches the end of its input; so nothing touches it.
    let text = [text, b"\n"].concat();
    let mut parser = oxttl_parser(prefixes).map_err(|message| SyntaxError::new(0, message))?.for_slice(&text);
    let mut triples = Vec::new();
    for triple in parser.by_ref() {
        triples.push(
            triple.map_err(|error| {
                SyntaxError::new(error.location().start.offset as usize, error.message().to_owned())
            })?,
        );
    }
    for (label, namespace) in parser.prefixes() {
        prefixes.declare(label, namespace);
    }
    if let Some(base) = parser.base_iri() {
        prefixes.declare_base(base);
    }
    triples.iter().map(Triple::from_oxrdf).for_each(|triple| {
        if listener.wants(triple.subject, triple.predicate) {
            listener.take(triple);
        }
    });
    Ok(())
}

fn oxttl_parser(prefixes: &Prefixes) -> Result<TurtleParser, String> {
    let mut parser = TurtleParser::new();
    for (label, namespace) in prefixes.iter() {
        parser = parser.with_prefix(label, namespace).map_err(|error| error.to_string())?;
    }
    match prefixes.base() {
        Some(base) => parser.with_base_iri(base).map_err(|error| error.to_string()),
        None => Ok(parser),
    }
}

/// What the short way made of a statement.
enum Plain<'a> {
    Triples(usize, Vec<Triple<'a>>),
    Prefix {
        label: String,
        namespace: String,
        end: usize,
    },
    Incomplete,
    /// Not plain: for oxttl.
    Other,
}

/// Why the short way ends early.
enum Stop {
    Incomplete,
    Other,
    Syntax(SyntaxError),
}

fn plain<'a>(
    text: &'a [u8],
    at: usize,
    whole: bool,
    prefixes: &'a Prefixes,
    listener: &dyn Listener,
) -> Result<Plain<'a>, SyntaxError> {
    let mut reader = Reader { text, at, whole, prefixes, listener };
    match reader.statement() {
        Ok(plain) => Ok(plain),
        Err(Stop::Incomplete) => Ok(Plain::Incomplete),
        Err(Stop::Other) => Ok(Plain::Other),
        Err(Stop::Syntax(error)) => Err(error),
    }
}

struct Reader<'a, 'l> {
    text: &'a [u8],
    at: usize,
    whole: bool,
    prefixes: &'a Prefixes,
    listener: &'l dyn Listener,
}

impl<'a> Reader<'a, '_> {
    fn statement(&mut self) -> Result<Plain<'a>, Stop> {
        let first = self.next()?;
        if first.kind == Kind::At {
            return self.prefix(first);
        }
        let subject = self.node(first)?;
        let mut triples = Vec::new();
        let mut verb = self.next()?;
        loop {
            let predicate = self.verb(verb)?;
            let wanted = self.listener.wants(subject, predicate);
            let mut after = loop {
                let token = self.next()?;
                let (object, after) = self.object(token, wanted)?;
                triples.extend(object.map(|object| Triple { subject, predicate, object }));
                if after.kind != Kind::Punctuation(b',') {
                    break after;
                }
            };
            while after.kind == Kind::Punctuation(b';') {
                after = self.next()?;
                verb = after;
            }
            match after.kind {
                Kind::Dot => return Ok(Plain::Triples(self.at, triples)),
                _ if verb == after => {}
                _ => return Err(Stop::Other),
            }
        }
    }

    /// `@prefix label: <namespace> .`
    fn prefix(&mut self, first: Token) -> Result<Plain<'a>, Stop> {
        let (name, iri, dot) = (self.next()?, self.next()?, self.next()?);
        let is_prefix = &self.text[first.start..first.end] == b"@prefix";
        match (name.kind, iri.kind, dot.kind) {
            (Kind::Name { colon, .. }, Kind::Iri { plain: true }, Kind::Dot)
                if is_prefix && name.start + colon + 1 == name.end =>
            {
                let label = self.str(name.start, name.start + colon)?.to_owned();
                let namespace = self.iri(iri)?.to_owned();
                Ok(Plain::Prefix { label, namespace, end: dot.end })
            }
            _ => Err(Stop::Other),
        }
    }

    fn verb(&self, token: Token) -> Result<Iri<'a>, Stop> {
        match token.kind {
            Kind::Keyword if &self.text[token.start..token.end] == b"a" => Ok(Iri::full(vocab::RDF_TYPE)),
            _ => match self.node(token)? {
                Node::Iri(iri) => Ok(iri),
                _ => Err(Stop::Other),
            },
        }
    }

    /// An object, if it is wanted, and the token after it.
    fn object(&mut self, token: Token, wanted: bool) -> Result<(Option<Node<'a>>, Token), Stop> {
        let object = match token.kind {
            _ if !wanted => None,
            Kind::String { plain: true } => Some(Node::Literal(self.str(token.start + 1, token.end - 1)?)),
            Kind::Number => Some(Node::Literal(self.str(token.start, token.end)?)),
            _ => Some(self.node(token)?),
        };
        let after = self.next()?;
        match (token.kind, after.kind) {
            (Kind::String { .. }, Kind::At) => Ok((object, self.next()?)),
            (Kind::String { .. }, Kind::Datatype) => match self.next()?.kind {
                Kind::Name { .. } | Kind::Iri { .. } => Ok((object, self.next()?)),
                _ => Err(Stop::Other),
            },
            (Kind::String { .. } | Kind::Number | Kind::Name { .. } | Kind::Iri { .. } | Kind::Blank, _) => {
                Ok((object, after))
            }
            _ => Err(Stop::Other),
        }
    }

    /// An IRI or a blank node.
    fn node(&self, token: Token) -> Result<Node<'a>, Stop> {
        match token.kind {
            Kind::Name { colon, plain: true } => {
                let colon = token.start + colon;
                let namespace = self.prefixes.get(self.str(token.start, colon)?).ok_or(Stop::Other)?.text();
                Ok(Node::Iri(Iri { namespace, local: &self.text[colon + 1..token.end] }))
            }
            Kind::Iri { plain: true } => Ok(Node::Iri(Iri::full(self.iri(token)?))),
            Kind::Blank => Ok(Node::Blank),
            _ => Err(Stop::Other),
        }
    }

    /// The text of an absolute IRI. With a base in force even those are for oxttl, which then removes dot segments.
    fn iri(&self, token: Token) -> Result<&'a str, Stop> {
        let iri = self.str(token.start + 1, token.end - 1)?;
        let absolute = iri.starts_with("http://") || iri.starts_with("https://");
        if absolute && self.prefixes.base().is_none() { Ok(iri) } else { Err(Stop::Other) }
    }

    fn next(&mut self) -> Result<Token, Stop> {
        let token = lexer::token(self.text, self.at, self.whole).map_err(Stop::Syntax)?.ok_or(Stop::Incomplete)?;
        self.at = token.end;
        Ok(token)
    }

    fn str(&self, start: usize, end: usize) -> Result<&'a str, Stop> {
        std::str::from_utf8(&self.text[start..end]).map_err(|_| Stop::Other)
    }
}
