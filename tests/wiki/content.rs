//! What a page of an entity holds.
//!
//! Invariant: values and references are numbers out of small ranges, so that entities share them; what a number stands for never
//! changes, as a node's name is a hash of what it says. A statement has a name of its own.
//! Not here: how content is made and changed (see `edit`) and how it is written (see `turtle`).

use headwater::wikibase::entity::EntityId;

/// What a page of an entity holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// An entity.
    Entity(Entity),
    /// Where another entity is to be found that this one was merged into.
    Redirect(EntityId),
}

/// An entity.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity {
    /// Labels by language, each language once; the captions of a file. Lexemes have none.
    pub labels: Vec<Term>,
    /// Descriptions by language, each language once.
    pub descriptions: Vec<Term>,
    /// Aliases.
    pub aliases: Vec<Term>,
    /// Statements, those of a property together.
    pub statements: Vec<Statement>,
    /// What entities of its kind have.
    pub own: Own,
}

/// What entities of one kind have.
#[derive(Clone, Debug, PartialEq)]
pub enum Own {
    /// Its pages in other wikis, at most one in each.
    Item(Vec<Sitelink>),
    /// What its values are.
    Property(Datatype),
    /// Its lemma, forms and senses.
    Lexeme(Lexeme),
    /// The size of the file, in bytes.
    MediaInfo(u64),
}

/// A text in a language.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// One of [`LANGUAGES`].
    pub language: &'static str,
    /// The text.
    pub text: String,
}

/// The languages of terms.
pub const LANGUAGES: [&str; 8] = ["en", "de", "fr", "ja", "ru", "fa", "zh-hant", "nds-nl"];

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Its name.
    pub node: u128,
    /// One of [`PROPERTIES`].
    pub property: u32,
    /// Its value.
    pub value: Value,
    /// How it stands to the other statements of the property.
    pub rank: Rank,
    /// What is said of it.
    pub qualifiers: Vec<(u32, Value)>,
    /// Where it is from.
    pub references: Vec<Reference>,
}

/// How a statement stands to the others of its property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// If there are such, only they count.
    Preferred,
    /// As most are.
    Normal,
    /// It does not count.
    Deprecated,
}

/// Where a statement is from: a work, a day, a page on the web, as its number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference(pub u32);

/// A value; the numbers stand for what is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// The item of that number.
    Item(u32),
    /// A day, so many after the first of 1900.
    Day(u32),
    /// Tenths of a metre.
    Length(u32),
    /// A place on Earth.
    Place(u32),
    /// An identifier elsewhere.
    Id(u32),
    /// A page on the web.
    Page(u32),
    /// A text in a language.
    Title(u32),
    /// A text.
    Text(u32),
    /// There is a value, but nobody knows which.
    Unknown,
    /// There is none.
    None,
}

/// What the values of a property are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datatype {
    /// Items.
    Item,
    /// Days.
    Time,
    /// Lengths.
    Quantity,
    /// Places.
    Place,
    /// Identifiers elsewhere.
    Id,
    /// Pages on the web.
    Url,
    /// Texts in a language.
    Monolingual,
    /// Texts.
    Text,
}

/// The properties of statements, and what their values are.
pub const PROPERTIES: [(u32, Datatype); 9] = [
    (31, Datatype::Item),
    (50, Datatype::Item),
    (569, Datatype::Time),
    (2043, Datatype::Quantity),
    (625, Datatype::Place),
    (214, Datatype::Id),
    (856, Datatype::Url),
    (1476, Datatype::Monolingual),
    (1810, Datatype::Text),
];

/// A page in another wiki that is about an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sitelink {
    /// Where in [`WIKIS`] the wiki stands.
    pub wiki: usize,
    /// The page's title; no two pages of a wiki have the same number.
    pub title: u32,
    /// Whether it is an excellent page.
    pub badge: bool,
}

/// A wiki with pages about items.
#[derive(Clone, Copy, Debug)]
pub struct Wiki {
    /// Its host.
    pub host: &'static str,
    /// Its language.
    pub language: &'static str,
    /// What group of wikis it is of.
    pub group: &'static str,
    /// What its titles begin with.
    pub word: &'static str,
}

/// The wikis with pages about items.
pub const WIKIS: [Wiki; 5] = [
    Wiki { host: "en.wikipedia.org", language: "en", group: "wikipedia", word: "River" },
    Wiki { host: "de.wikipedia.org", language: "de", group: "wikipedia", word: "Flüsse_(\"Bäche\")" },
    Wiki { host: "ja.wikipedia.org", language: "ja", group: "wikipedia", word: "川" },
    Wiki { host: "fr.wikivoyage.org", language: "fr", group: "wikivoyage", word: "L'eau" },
    Wiki { host: "commons.wikimedia.org", language: "en", group: "commons", word: "Category:Springs" },
];

/// A lexeme but for its statements.
#[derive(Clone, Debug, PartialEq)]
pub struct Lexeme {
    /// The word.
    pub lemma: Term,
    /// The item of its language.
    pub language: u32,
    /// The item of its lexical category.
    pub category: u32,
    /// The forms.
    pub forms: Vec<Form>,
    /// The senses.
    pub senses: Vec<Sense>,
    /// The number that the next form or sense gets; those of deleted ones are not used again.
    pub next: u32,
}

/// A form of a lexeme.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// Its number, as in `L1-F1`.
    pub number: u32,
    /// How it is written.
    pub representations: Vec<Term>,
    /// The items of its grammatical features.
    pub features: Vec<u32>,
    /// Statements about it.
    pub statements: Vec<Statement>,
}

/// A sense of a lexeme.
#[derive(Clone, Debug, PartialEq)]
pub struct Sense {
    /// Its number, as in `L1-S2`.
    pub number: u32,
    /// What it means.
    pub glosses: Vec<Term>,
    /// Statements about it.
    pub statements: Vec<Statement>,
}

impl Content {
    /// The entity, unless it is a redirect.
    pub fn entity(&self) -> Option<&Entity> {
        match self {
            Self::Entity(entity) => Some(entity),
            Self::Redirect(_) => None,
        }
    }

    /// The redirect's target.
    pub fn redirect(&self) -> Option<EntityId> {
        match self {
            Self::Entity(_) => None,
            Self::Redirect(target) => Some(*target),
        }
    }

    /// The pages in other wikis.
    pub fn sitelinks(&self) -> &[Sitelink] {
        match self {
            Self::Entity(Entity { own: Own::Item(sitelinks), .. }) => sitelinks,
            _ => &[],
        }
    }
}

impl Datatype {
    /// The value of that number.
    pub const fn value(self, number: u32) -> Value {
        match self {
            Self::Item => Value::Item(number + 1),
            Self::Time => Value::Day(number),
            Self::Quantity => Value::Length(number),
            Self::Place => Value::Place(number),
            Self::Id => Value::Id(number),
            Self::Url => Value::Page(number),
            Self::Monolingual => Value::Title(number),
            Self::Text => Value::Text(number),
        }
    }
}
