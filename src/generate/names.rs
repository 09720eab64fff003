//! Names of things and people, the same name in many scripts.
//!
//! Promise: a [`Name`] is 8 bytes and is spelled in any [`Script`] without looking anything else up.
//! Invariant: the names mean nothing; they are syllables in a row.

use crate::generate::random::mix;
use crate::generate::turtle::Turtle;

/// How the syllables of a name are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Consonants, the same as capitals, vowels.
    Letters(&'static Letters),
    /// One sign a syllable, each 3 bytes long; and what stands between two words.
    Signs(&'static str, &'static str),
}

/// The letters of a script: 16 consonants, as capitals and not, and 4 vowels, all as text.
#[derive(Debug, PartialEq, Eq)]
pub struct Letters {
    capitals: [&'static str; 16],
    consonants: [&'static str; 16],
    vowels: [&'static str; 4],
}

/// A name of one to three words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name(u64);

impl Name {
    /// The name with that number; there are as many as numbers.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// A name of the same kind that is not this one.
    pub const fn other(self, which: u64) -> Self {
        Self(mix(self.0 ^ which))
    }

    /// A one-word name that begins alike and ends differently.
    pub const fn inflected(self, which: u64) -> Self {
        let ending = (which & 63) << 16;
        Self(self.0 & !(63 << 16) & !15 | ending)
    }

    /// Appends the name in `script`.
    #[inline]
    pub fn write(self, script: Script, out: &mut Turtle) {
        let (shape, mut rest) = (self.0 & 15, self.0 >> 4);
        let lengths: &[u8] = match shape {
            0..=2 => &[3],
            3..=5 => &[2, 2],
            6..=9 => &[2, 3],
            10..=12 => &[3, 2],
            13..=14 => &[3, 3],
            _ => &[2, 1, 3],
        };
        for (at, length) in lengths.iter().enumerate() {
            if at > 0 {
                out.put(&[script.between_words()]);
            }
            for syllable in 0..*length {
                script.syllable((rest & 63) as usize, syllable == 0, out);
                rest >>= 6;
            }
        }
    }
}

impl Script {
    fn between_words(self) -> &'static str {
        match self {
            Self::Letters(_) => " ",
            Self::Signs(_, between) => between,
        }
    }

    #[inline]
    fn syllable(self, number: usize, first: bool, out: &mut Turtle) {
        match self {
            Self::Letters(letters) => {
                let consonants = if first { &letters.capitals } else { &letters.consonants };
                out.put(&[consonants[number / 4], letters.vowels[number % 4]]);
            }
            Self::Signs(signs, _) => out.put(&[&signs[number * 3..number * 3 + 3]]),
        }
    }
}

/// Latin letters.
pub const LATIN: Script = Script::Letters(&Letters {
    capitals: ["B", "D", "G", "K", "L", "M", "N", "P", "R", "S", "T", "V", "Z", "J", "H", "F"],
    consonants: ["b", "d", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "j", "h", "f"],
    vowels: ["a", "e", "i", "o"],
});
/// Cyrillic letters.
pub const CYRILLIC: Script = Script::Letters(&Letters {
    capitals: ["Б", "Д", "Г", "К", "Л", "М", "Н", "П", "Р", "С", "Т", "В", "З", "Ж", "Х", "Ф"],
    consonants: ["б", "д", "г", "к", "л", "м", "н", "п", "р", "с", "т", "в", "з", "ж", "х", "ф"],
    vowels: ["а", "е", "и", "о"],
});
/// Greek letters.
pub const GREEK: Script = Script::Letters(&Letters {
    capitals: ["Β", "Δ", "Γ", "Κ", "Λ", "Μ", "Ν", "Π", "Ρ", "Σ", "Τ", "Φ", "Ζ", "Ξ", "Χ", "Θ"],
    consonants: ["β", "δ", "γ", "κ", "λ", "μ", "ν", "π", "ρ", "σ", "τ", "φ", "ζ", "ξ", "χ", "θ"],
    vowels: ["α", "ε", "ι", "ο"],
});
/// Armenian letters.
pub const ARMENIAN: Script = Script::Letters(&Letters {
    capitals: ["Բ", "Դ", "Գ", "Կ", "Լ", "Մ", "Ն", "Պ", "Ր", "Ս", "Տ", "Վ", "Զ", "Ջ", "Հ", "Ֆ"],
    consonants: ["բ", "դ", "գ", "կ", "լ", "մ", "ն", "պ", "ր", "ս", "տ", "վ", "զ", "ջ", "հ", "ֆ"],
    vowels: ["ա", "ե", "ի", "ո"],
});
/// Georgian letters.
pub const GEORGIAN: Script = Script::Letters(&Letters {
    capitals: ["ბ", "დ", "გ", "კ", "ლ", "მ", "ნ", "პ", "რ", "ს", "ტ", "ვ", "ზ", "ჯ", "ჰ", "ფ"],
    consonants: ["ბ", "დ", "გ", "კ", "ლ", "მ", "ნ", "პ", "რ", "ს", "ტ", "ვ", "ზ", "ჯ", "ჰ", "ფ"],
    vowels: ["ა", "ე", "ი", "ო"],
});
/// Arabic letters.
pub const ARABIC: Script = Script::Letters(&Letters {
    capitals: ["ب", "د", "غ", "ك", "ل", "م", "ن", "ف", "ر", "س", "ت", "و", "ز", "ج", "ه", "ش"],
    consonants: ["ب", "د", "غ", "ك", "ل", "م", "ن", "ف", "ر", "س", "ت", "و", "ز", "ج", "ه", "ش"],
    vowels: ["ا", "ي", "ي", "و"],
});
/// Hebrew letters.
pub const HEBREW: Script = Script::Letters(&Letters {
    capitals: ["ב", "ד", "ג", "ק", "ל", "מ", "נ", "פ", "ר", "ס", "ט", "ו", "ז", "י", "ה", "ש"],
    consonants: ["ב", "ד", "ג", "ק", "ל", "מ", "נ", "פ", "ר", "ס", "ט", "ו", "ז", "י", "ה", "ש"],
    vowels: ["א", "", "י", "ו"],
});
/// Devanagari letters.
pub const DEVANAGARI: Script = Script::Letters(&Letters {
    capitals: ["ब", "द", "ग", "क", "ल", "म", "न", "प", "र", "स", "त", "व", "ज", "य", "ह", "फ"],
    consonants: ["ब", "द", "ग", "क", "ल", "म", "न", "प", "र", "स", "त", "व", "ज", "य", "ह", "फ"],
    vowels: ["ा", "े", "ि", "ो"],
});
/// Bengali letters.
pub const BENGALI: Script = Script::Letters(&Letters {
    capitals: ["ব", "দ", "গ", "ক", "ল", "ম", "ন", "প", "র", "স", "ত", "ভ", "জ", "য", "হ", "ফ"],
    consonants: ["ব", "দ", "গ", "ক", "ল", "ম", "ন", "প", "র", "স", "ত", "ভ", "জ", "য", "হ", "ফ"],
    vowels: ["া", "ে", "ি", "ো"],
});
/// Tamil letters.
pub const TAMIL: Script = Script::Letters(&Letters {
    capitals: ["ப", "த", "க", "ச", "ல", "ம", "ந", "ட", "ர", "ஸ", "ண", "வ", "ஜ", "ய", "ஹ", "ழ"],
    consonants: ["ப", "த", "க", "ச", "ல", "ம", "ந", "ட", "ர", "ஸ", "ண", "வ", "ஜ", "ய", "ஹ", "ழ"],
    vowels: ["ா", "ே", "ி", "ோ"],
});
/// Thai letters.
pub const THAI: Script = Script::Letters(&Letters {
    capitals: ["บ", "ด", "ก", "ค", "ล", "ม", "น", "ป", "ร", "ส", "ต", "ว", "ซ", "จ", "ห", "ฟ"],
    consonants: ["บ", "ด", "ก", "ค", "ล", "ม", "น", "ป", "ร", "ส", "ต", "ว", "ซ", "จ", "ห", "ฟ"],
    vowels: ["า", "ะ", "ิ", "ู"],
});
/// Hangul.
pub const HANGUL: Script = Script::Signs(
    "가게기고나네니노다데디도라레리로마메미모바베비보사세시소자제지조차체치초카케키코타테티토파페피포하헤히호아에이오까께끼꼬따떼띠또",
    " ",
);
/// Katakana.
pub const KANA: Script = Script::Signs(
    "アエイオカケキコサセシソタテチトナネニノハヘヒホマメミモラレリロガゲギゴザゼジゾダデドヅバベビボパペピポヤユヨワリンザヌハロタマ",
    "·",
);
/// Chinese characters.
pub const HAN: Script = Script::Signs(
    "山水林石金木火土日月光明天海江河南北東西中城王李田高文安平和長新古白黑青紅花草馬牛羊鳥魚龍門家路橋塔寺原野谷川島港州京春夏秋冬雪",
    "·",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_in_three_scripts() {
        let spelled = |script| {
            let mut out = Turtle::default();
            Name::new(0x1234_5678_9abc_def6).write(script, &mut out);
            String::from_utf8(out.0).unwrap()
        };
        assert_eq!(spelled(LATIN), "Vojo Fatige");
        assert_eq!(spelled(CYRILLIC), "Вожо Фатиге");
        assert_eq!(spelled(HAN), "路島·夏鳥月");
    }
}
