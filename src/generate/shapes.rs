//! What kinds of things items describe, and which statements they then have.
//!
//! Promise: tables only.
//! Invariant: property numbers are used as on Wikidata; every value is invented.

/// What a statement's value looks like.
#[derive(Clone, Copy, Debug)]
pub enum Range {
    /// One of `size` items from number `from` on.
    Items { from: u32, size: u32 },
    /// Any item.
    AnyItem,
    /// A day between the starts of two years; one time in `only_year` just a year.
    Days { from: i32, to: i32, only_year: u32 },
    /// A number of at most `most` hundredths, of a unit (199 is none).
    Amount { most: u32, unit: u32 },
    /// A place on Earth.
    Place,
    /// An identifier elsewhere.
    Id(&'static IdShape),
    /// The words of a title, in English.
    Title,
    /// A name as plain text.
    Name,
    /// A web page.
    Page,
    /// A file on Commons.
    File,
}

/// How the identifiers of some other catalogue look.
#[derive(Debug)]
pub struct IdShape {
    /// What all begin with.
    pub before: &'static str,
    /// How many there are.
    pub count: u64,
    /// What all end with.
    pub after: &'static str,
    /// What stands before and after one in its URI, where it has one.
    pub uri: Option<(&'static str, &'static str)>,
}

/// A statement that things of a class may have.
#[derive(Debug)]
pub struct Slot {
    /// The property.
    pub property: u32,
    /// Which values it takes.
    pub range: Range,
    /// How many things out of 1024 have it.
    pub chance: u32,
    /// How many values it has at most.
    pub most: u32,
    /// Whether the values are numbered by a qualifier (series ordinal).
    pub numbered: bool,
}

/// A kind of thing.
#[derive(Debug)]
pub struct Class {
    /// How many items out of 1024 are of it.
    pub share: u32,
    /// Whether items of it are labelled with a title of words rather than a name.
    pub titled: bool,
    /// How many languages labels are written in: on average half of it.
    pub labels: u32,
    /// How many sitelinks there are at most; most items have far fewer.
    pub sitelinks: u32,
    /// What a description says, with its language.
    pub descriptions: &'static [(&'static str, &'static str)],
    /// The statements, in order.
    pub slots: &'static [Slot],
}

const fn slot(property: u32, range: Range, chance: u32, most: u32) -> Slot {
    Slot { property, range, chance, most, numbered: false }
}

const fn numbered(property: u32, range: Range, chance: u32, most: u32) -> Slot {
    Slot { property, range, chance, most, numbered: true }
}

const fn plain(before: &'static str, count: u64, after: &'static str) -> IdShape {
    IdShape { before, count, after, uri: None }
}

const fn linked(before: &'static str, count: u64, after: &'static str, uri: (&'static str, &'static str)) -> IdShape {
    IdShape { before, count, after, uri: Some(uri) }
}

const DOI: IdShape = linked("10.5555/HW.", 9_000_000, "", ("https://doi.example.org/10.5555/HW.", ""));
const LIBRARY: IdShape = linked("n", 99_999_999, "", ("http://library.example.org/authorities/names/n", ""));
const AUTHORITY: IdShape = linked("", 399_999_999, "", ("http://authority.example.org/id/", "/"));
const CATALOGUE: IdShape = plain("", 49_999_999, "");
const GRAPH: IdShape = linked("/g/11", 9_999_999_999, "", ("http://graph.example.org/kg/g/11", ""));
const REGISTER: IdShape = plain("R-", 999_999, "X");
const STAR: IdShape = plain("J", 999_999_999, "+12");
const PAGES: IdShape = plain("", 999, "-1204");

/// A property that identifiers in [`REFERENCED`] belong to, and their shape: what references cite.
pub const REFERENCED: &[(u32, &IdShape)] = &[(214, &AUTHORITY), (244, &LIBRARY), (698, &CATALOGUE)];

const ARTICLE: Class = Class {
    share: 360,
    titled: true,
    labels: 12,
    sitelinks: 0,
    descriptions: &[
        ("en", "scientific article"),
        ("nl", "wetenschappelijk artikel"),
        ("de", "wissenschaftlicher Artikel"),
        ("fr", "article scientifique"),
        ("es", "artículo científico"),
        ("ast", "artículu científicu"),
        ("it", "articolo scientifico"),
        ("pt", "artigo científico"),
        ("ca", "article científic"),
        ("sv", "vetenskaplig artikel"),
        ("da", "videnskabelig artikel"),
        ("uk", "наукова стаття"),
        ("ru", "научная статья"),
        ("bg", "научна статия"),
        ("sr", "научни чланак"),
        ("ar", "مقالة علمية"),
        ("he", "מאמר מדעי"),
        ("zh", "科學文章"),
        ("ja", "学術論文"),
        ("ko", "논문"),
        ("bn", "বৈজ্ঞানিক নিবন্ধ"),
        ("hy", "գիտական հոդված"),
        ("ka", "სამეცნიერო სტატია"),
        ("th", "บทความทางวิทยาศาสตร์"),
        ("el", "επιστημονικό άρθρο"),
        ("tr", "bilimsel makale"),
        ("vi", "bài báo khoa học"),
        ("ro", "articol științific"),
        ("cs", "vědecký článek"),
        ("hu", "tudományos cikk"),
    ],
    slots: &[
        slot(31, Range::Items { from: 13_442_800, size: 2 }, 1024, 1),
        slot(1476, Range::Title, 1000, 1),
        slot(577, Range::Days { from: 1950, to: 2024, only_year: 4 }, 1000, 1),
        slot(1433, Range::Items { from: 5_100_000, size: 30_000 }, 980, 1),
        numbered(2093, Range::Name, 900, 9),
        numbered(50, Range::AnyItem, 300, 4),
        slot(356, Range::Id(&DOI), 800, 1),
        slot(698, Range::Id(&CATALOGUE), 700, 1),
        slot(304, Range::Id(&PAGES), 800, 1),
        slot(478, Range::Items { from: 1, size: 180 }, 100, 1),
        slot(407, Range::Items { from: 1860, size: 3 }, 300, 1),
        slot(921, Range::Items { from: 11_000, size: 9_000 }, 260, 3),
        slot(2860, Range::AnyItem, 330, 26),
    ],
};

const PERSON: Class = Class {
    share: 130,
    titled: false,
    labels: 90,
    sitelinks: 7,
    descriptions: &[
        ("en", "surveyor of rivers"),
        ("nl", "landmeter"),
        ("de", "Flussvermesser"),
        ("fr", "arpenteur de rivières"),
        ("es", "agrimensor de ríos"),
        ("ru", "землемер"),
        ("ar", "مساح أنهار"),
        ("zh", "河流測量員"),
        ("he", "מודד נהרות"),
        ("ga", "suirbhéir abhann"),
        ("sq", "topograf"),
        ("ast", "agrimensor"),
    ],
    slots: &[
        slot(31, Range::Items { from: 5, size: 1 }, 1024, 1),
        slot(21, Range::Items { from: 6_581_072, size: 2 }, 900, 1),
        slot(106, Range::Items { from: 36_180, size: 400 }, 900, 3),
        slot(569, Range::Days { from: 1700, to: 2000, only_year: 3 }, 800, 1),
        slot(570, Range::Days { from: 1800, to: 2024, only_year: 3 }, 450, 1),
        slot(19, Range::AnyItem, 500, 1),
        slot(20, Range::AnyItem, 300, 1),
        slot(27, Range::Items { from: 30, size: 200 }, 700, 2),
        slot(735, Range::Items { from: 4_900_000, size: 5_000 }, 700, 1),
        slot(734, Range::Items { from: 21_400_000, size: 40_000 }, 400, 1),
        slot(18, Range::File, 200, 1),
        slot(69, Range::AnyItem, 300, 3),
        slot(108, Range::AnyItem, 250, 2),
        slot(40, Range::AnyItem, 100, 4),
        slot(214, Range::Id(&AUTHORITY), 500, 1),
        slot(244, Range::Id(&LIBRARY), 300, 1),
        slot(646, Range::Id(&GRAPH), 400, 1),
        slot(345, Range::Id(&CATALOGUE), 200, 1),
        slot(2048, Range::Amount { most: 210, unit: 11_573 }, 120, 1),
        slot(856, Range::Page, 80, 1),
    ],
};

const SETTLEMENT: Class = Class {
    share: 130,
    titled: false,
    labels: 90,
    sitelinks: 14,
    descriptions: &[
        ("en", "village on the upper river"),
        ("en-gb", "village on the upper river"),
        ("de", "Dorf am Oberlauf"),
        ("nl", "dorp aan de bovenloop"),
        ("fr", "village en amont"),
        ("sv", "by vid övre älven"),
        ("ru", "село в верховьях реки"),
        ("uk", "село у верхів'ї річки"),
        ("fa", "روستایی در بالادست رود"),
        ("zh", "上游的村莊"),
        ("ja", "上流の村"),
        ("tr", "yukarı nehir kıyısında köy"),
        ("it", "villaggio sull'alto corso del fiume"),
        ("es", "pueblo del curso alto del río"),
    ],
    slots: &[
        slot(31, Range::Items { from: 532, size: 60 }, 1024, 2),
        slot(17, Range::Items { from: 30, size: 200 }, 1000, 1),
        slot(131, Range::Items { from: 900_000, size: 20_000 }, 900, 1),
        slot(625, Range::Place, 900, 1),
        slot(1082, Range::Amount { most: 20_000, unit: 199 }, 500, 3),
        slot(2046, Range::Amount { most: 90_000, unit: 712_226 }, 400, 1),
        slot(2044, Range::Amount { most: 99_000, unit: 11_573 }, 300, 1),
        slot(421, Range::Items { from: 6_655, size: 24 }, 400, 2),
        slot(18, Range::File, 250, 1),
        slot(373, Range::Name, 300, 1),
        slot(47, Range::AnyItem, 200, 8),
        slot(1566, Range::Id(&CATALOGUE), 600, 1),
        slot(590, Range::Id(&REGISTER), 200, 1),
        slot(646, Range::Id(&GRAPH), 500, 1),
        slot(856, Range::Page, 120, 1),
    ],
};

const TAXON: Class = Class {
    share: 90,
    titled: false,
    labels: 92,
    sitelinks: 8,
    descriptions: &[
        ("en", "species of insect"),
        ("es", "especie de insecto"),
        ("nl", "soort uit de familie"),
        ("de", "Art der Insekten"),
        ("fr", "espèce d'insectes"),
        ("it", "specie di insetti"),
        ("pt", "espécie de inseto"),
        ("ar", "نوع من الحشرات"),
        ("ru", "вид насекомых"),
        ("bg", "вид насекомо"),
        ("vi", "loài côn trùng"),
        ("ro", "specie de insecte"),
        ("ga", "speiceas feithidí"),
        ("sq", "lloj i insekteve"),
        ("ka", "მწერების სახეობა"),
        ("he", "מין של חרק"),
        ("zh", "昆蟲的一種"),
    ],
    slots: &[
        slot(31, Range::Items { from: 16_521, size: 1 }, 1024, 1),
        slot(225, Range::Name, 1024, 1),
        slot(105, Range::Items { from: 7_432, size: 6 }, 1024, 1),
        slot(171, Range::AnyItem, 1000, 1),
        slot(846, Range::Id(&CATALOGUE), 700, 1),
        slot(830, Range::Id(&CATALOGUE), 500, 1),
        slot(815, Range::Id(&CATALOGUE), 300, 1),
        slot(646, Range::Id(&GRAPH), 300, 1),
        slot(18, Range::File, 100, 1),
    ],
};

const STAR_LIKE: Class = Class {
    share: 94,
    titled: false,
    labels: 50,
    sitelinks: 1,
    descriptions: &[
        ("en", "star in the constellation Fons"),
        ("nl", "ster in het sterrenbeeld Fons"),
        ("de", "Stern im Sternbild Fons"),
        ("fr", "étoile de la constellation Fons"),
        ("ast", "estrella de la constelación Fons"),
        ("sq", "yll në yllësinë Fons"),
        ("ga", "réalta sa réaltbhuíon Fons"),
    ],
    slots: &[
        slot(31, Range::Items { from: 523, size: 3 }, 1024, 1),
        slot(59, Range::Items { from: 8_800, size: 88 }, 1024, 1),
        slot(528, Range::Id(&STAR), 1024, 3),
        slot(6257, Range::Amount { most: 36_000, unit: 28_390 }, 1000, 1),
        slot(6258, Range::Amount { most: 9_000, unit: 28_390 }, 1000, 1),
        slot(1215, Range::Amount { most: 2_000, unit: 199 }, 900, 3),
        slot(2214, Range::Amount { most: 900, unit: 21_500_224 }, 900, 1),
        slot(3083, Range::Id(&STAR), 900, 1),
    ],
};

const CATEGORY: Class = Class {
    share: 160,
    titled: false,
    labels: 30,
    sitelinks: 9,
    descriptions: &[
        ("en", "Wikimedia category"),
        ("nl", "Wikimedia-categorie"),
        ("de", "Wikimedia-Kategorie"),
        ("fr", "page de catégorie d'un projet Wikimedia"),
        ("es", "categoría de Wikimedia"),
        ("it", "categoria di un progetto Wikimedia"),
        ("pt", "categoria de um projeto da Wikimedia"),
        ("sv", "Wikimedia-kategori"),
        ("ru", "категория в проекте Викимедиа"),
        ("uk", "категорія проєкту Вікімедіа"),
        ("ja", "ウィキメディアのカテゴリ"),
        ("zh", "维基媒体项目分类"),
        ("ko", "위키미디어 분류"),
        ("ar", "تصنيف ويكيميديا"),
        ("he", "דף קטגוריה"),
        ("el", "κατηγορία εγχειρημάτων Wikimedia"),
        ("bn", "উইকিমিডিয়া বিষয়শ্রেণী"),
        ("hi", "विकिमीडिया श्रेणी"),
        ("ta", "விக்கிமீடியப் பகுப்பு"),
        ("th", "หน้าหมวดหมู่วิกิมีเดีย"),
        ("hy", "Վիքիմեդիայի նախագծի կատեգորիա"),
        ("ka", "ვიკიმედიის კატეგორია"),
        ("fa", "ردهٔ ویکی‌مدیا"),
        ("tr", "Vikimedya kategorisi"),
        ("vi", "thể loại Wikimedia"),
        ("id", "kategori Wikimedia"),
        ("hu", "Wikimédia-kategória"),
        ("cs", "kategorie na projektech Wikimedia"),
    ],
    slots: &[
        slot(31, Range::Items { from: 4_167_836, size: 1 }, 1024, 1),
        slot(301, Range::AnyItem, 500, 1),
        slot(971, Range::AnyItem, 250, 2),
        slot(373, Range::Name, 200, 1),
    ],
};

const FILM: Class = Class {
    share: 60,
    titled: true,
    labels: 20,
    sitelinks: 4,
    descriptions: &[
        ("en", "short film about water"),
        ("de", "Kurzfilm über Wasser"),
        ("fr", "court métrage sur l'eau"),
        ("nl", "korte film over water"),
        ("ru", "короткометражный фильм о воде"),
        ("ja", "水の短編映画"),
    ],
    slots: &[
        slot(31, Range::Items { from: 11_424, size: 5 }, 1024, 1),
        slot(1476, Range::Title, 700, 1),
        slot(577, Range::Days { from: 1920, to: 2024, only_year: 2 }, 900, 2),
        slot(57, Range::AnyItem, 900, 1),
        slot(161, Range::AnyItem, 800, 9),
        slot(58, Range::AnyItem, 500, 2),
        slot(495, Range::Items { from: 30, size: 200 }, 900, 1),
        slot(364, Range::Items { from: 1860, size: 30 }, 900, 1),
        slot(2047, Range::Amount { most: 20_000, unit: 7_727 }, 600, 1),
        slot(345, Range::Id(&CATALOGUE), 800, 1),
        slot(136, Range::Items { from: 130_232, size: 90 }, 700, 3),
    ],
};

/// Every class; the shares add up to 1024.
pub const CLASSES: &[Class] = &[ARTICLE, PERSON, SETTLEMENT, TAXON, STAR_LIKE, CATEGORY, FILM];
