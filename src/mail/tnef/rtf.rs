//! The words of a mail in compressed RTF (MS-OXRTFCP): the HTML or the text that Outlook wrapped into it (MS-OXRTFEX), or else what a reader would see.

use super::{
    super::{charset, transfer::hexadecimal},
    label_of,
};

/// Bytes of compressed RTF; each becomes nine at most.
const COMPRESSED_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Bytes that it says it becomes.
const RTF_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of the header before the data, of which the first word does not count itself.
const HEADER_BYTES: usize = 16;
/// Groups inside of groups.
const DEPTH_MAX: usize = 1_000;
/// Letters of a control word.
const WORD_BYTES_MAX: usize = 32;

/// Groups that hold no words.
const WITHOUT_WORDS: [&[u8]; 16] = [
    b"fonttbl",
    b"colortbl",
    b"stylesheet",
    b"info",
    b"pict",
    b"object",
    b"header",
    b"footer",
    b"headerl",
    b"headerr",
    b"footerl",
    b"footerr",
    b"listtable",
    b"generator",
    b"themedata",
    b"xmlnstbl",
];

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Document {
    Html(String),
    Text(String),
}

/// `None` if it is broken or too large.
pub(super) fn read(compressed: &[u8]) -> Option<Document> {
    let word = |at: usize| {
        compressed.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_le_bytes).and_then(|word| usize::try_from(word).ok())
    };
    let (compressed_bytes, rtf_bytes) = (word(0)?.checked_add(4)?, word(4)?);
    // The library trusts these numbers.
    let is_whole = (HEADER_BYTES..=COMPRESSED_BYTES_MAX).contains(&compressed_bytes) && rtf_bytes <= RTF_BYTES_MAX;
    let is_stored = compressed.get(8..12)? == b"MELA";
    if !is_whole || is_stored && rtf_bytes + HEADER_BYTES > compressed_bytes {
        return None;
    }
    let rtf = compressed_rtf::decompress_rtf(compressed.get(..compressed_bytes)?).ok()?;
    // Each letter is a byte.
    Some(words(&rtf.chars().map(|letter| u8::try_from(letter).unwrap_or(b'?')).collect::<Vec<u8>>()))
}

/// What holds within a group.
#[derive(Clone, Copy)]
struct Group {
    /// It holds no words.
    skipped: bool,
    /// It holds what only a reader of RTF shall see, because the HTML has it elsewhere.
    rtf_only: bool,
    /// Letters that stand in for one in Unicode.
    stand_ins: usize,
}

struct Reader {
    text: String,
    /// Bytes that are not decoded yet, because a letter may have several.
    bytes: Vec<u8>,
    label: String,
    group: Group,
    outer: Vec<Group>,
    is_html: bool,
    /// Stand-ins that still follow.
    passed: usize,
    /// The first half of a letter of two.
    surrogate: Option<u16>,
}

/// The words of RTF.
fn words(rtf: &[u8]) -> Document {
    let group = Group { skipped: false, rtf_only: false, stand_ins: 1 };
    let mut reader = Reader {
        text: String::new(),
        bytes: Vec::new(),
        label: "windows-1252".to_owned(),
        group,
        outer: Vec::new(),
        is_html: false,
        passed: 0,
        surrogate: None,
    };
    let mut at = 0;
    while at < rtf.len() {
        at = match rtf[at] {
            b'{' => {
                if reader.outer.len() == DEPTH_MAX {
                    break;
                }
                reader.outer.push(reader.group);
                at + 1
            }
            b'}' => {
                reader.flush();
                reader.group = reader.outer.pop().unwrap_or(reader.group);
                at + 1
            }
            b'\\' => reader.control(rtf, at + 1),
            b'\r' | b'\n' => at + 1,
            byte => {
                reader.byte(byte);
                at + 1
            }
        };
    }
    reader.flush();
    if reader.is_html { Document::Html(reader.text) } else { Document::Text(reader.text) }
}

impl Reader {
    /// Reads a control word or symbol, and returns where the rest begins.
    fn control(&mut self, rtf: &[u8], start: usize) -> usize {
        let Some(first) = rtf.get(start) else { return rtf.len() };
        if !first.is_ascii_alphabetic() {
            return self.symbol(rtf, start, *first);
        }
        let letters = rtf[start..].iter().take(WORD_BYTES_MAX).take_while(|byte| byte.is_ascii_alphabetic()).count();
        let word = &rtf[start..start + letters];
        let mut end = start + letters;
        let digits = rtf[end..].iter().take(11).enumerate().take_while(|(at, byte)| byte.is_ascii_digit() || *at == 0 && **byte == b'-').count();
        let number = std::str::from_utf8(&rtf[end..end + digits]).ok().and_then(|digits| digits.parse::<i64>().ok());
        end += digits;
        end += usize::from(rtf.get(end) == Some(&b' '));
        match (word, number) {
            // Bytes that are no RTF.
            (b"bin", Some(count)) => return end.saturating_add(usize::try_from(count).unwrap_or(0)).min(rtf.len()),
            (b"ansicpg", Some(codepage)) => self.label = label_of(u32::try_from(codepage).unwrap_or(1252)),
            (b"fromhtml", _) => self.is_html = true,
            (b"htmlrtf", number) => {
                self.flush();
                self.group.rtf_only = number != Some(0);
            }
            (b"uc", Some(count)) => self.group.stand_ins = usize::try_from(count).unwrap_or(1).min(10),
            (b"u", Some(unit)) => self.unicode(unit),
            (b"par" | b"line" | b"sect" | b"row", _) => self.letter('\n'),
            (b"tab" | b"cell", _) => self.letter('\t'),
            (b"lquote" | b"rquote", _) => self.letter(if word[0] == b'l' { '‘' } else { '’' }),
            (b"ldblquote" | b"rdblquote", _) => self.letter(if word[0] == b'l' { '“' } else { '”' }),
            (b"emdash", _) => self.letter('—'),
            (b"endash", _) => self.letter('–'),
            (b"bullet", _) => self.letter('•'),
            (word, _) if WITHOUT_WORDS.contains(&word) => self.group.skipped = true,
            _ => {}
        }
        end
    }

    fn symbol(&mut self, rtf: &[u8], start: usize, symbol: u8) -> usize {
        match symbol {
            b'\'' => match rtf.get(start + 1..start + 3).and_then(hexadecimal) {
                Some(byte) => {
                    self.byte(byte);
                    return start + 3;
                }
                None => return start + 1,
            },
            // A group that may be left out: all but those that hold HTML are.
            b'*' => {
                self.flush();
                self.group.skipped |= !rtf[start + 1..].starts_with(b"\\htmltag") || !self.is_html;
                self.group.rtf_only &= self.group.skipped;
            }
            b'~' => self.letter('\u{a0}'),
            b'_' => self.letter('-'),
            b'\r' | b'\n' => self.letter('\n'),
            b'{' | b'}' | b'\\' => self.byte(symbol),
            _ => {}
        }
        start + 1
    }

    fn byte(&mut self, byte: u8) {
        if self.passed > 0 {
            self.passed -= 1;
        } else if !self.group.skipped && !self.group.rtf_only {
            self.bytes.push(byte);
        }
    }

    fn letter(&mut self, letter: char) {
        self.flush();
        if !self.group.skipped && !self.group.rtf_only {
            self.text.push(letter);
        }
    }

    /// A UTF-16 unit, written as a signed number.
    fn unicode(&mut self, unit: i64) {
        let unit = (unit & 0xffff) as u16;
        self.flush();
        let units = self.surrogate.take().into_iter().chain([unit]);
        let letters: Vec<_> = char::decode_utf16(units).collect();
        if let [Err(_)] = letters[..]
            && (0xd800..0xdc00).contains(&unit)
        {
            self.surrogate = Some(unit);
        } else {
            letters.into_iter().for_each(|letter| self.letter(letter.unwrap_or(char::REPLACEMENT_CHARACTER)));
        }
        self.passed = self.group.stand_ins;
    }

    fn flush(&mut self) {
        self.passed = 0;
        if !self.bytes.is_empty() {
            self.text.push_str(&charset::decode(&self.bytes, Some(&self.label)));
            self.bytes.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(rtf: &str) -> Document {
        words(rtf.as_bytes())
    }

    #[test]
    fn wrapped_html_is_unwrapped() {
        let rtf = r"{\rtf1\ansi\ansicpg1252\fromhtml1 \deff0{\fonttbl{\f0 Arial;}}{\*\generator x;}
{\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 Gr\'fc\'dfe \u9786?{\*\htmltag84 &nbsp;}\htmlrtf \'a0\htmlrtf0 1 {\*\htmltag84 &lt;}\htmlrtf <\htmlrtf0  2{\*\htmltag72 </p>}\htmlrtf\par}\htmlrtf0}";
        assert_eq!(html(rtf), Document::Html("<p>Grüße ☺&nbsp;1 &lt; 2</p>".to_owned()));
    }

    #[test]
    fn other_rtf_is_its_words() {
        let rtf = r"{\rtf1\ansi\ansicpg932\fromtext {\fonttbl{\f0\fnil Arial;}}{\pict\bin3 }}}}one\par \'83n\'83\'8d\'81[\tab {\b two} \{x\} \u-10179?\u-8640?}";
        assert_eq!(html(rtf), Document::Text("one\nハロー\ttwo {x} 🙀".to_owned()));
    }

    #[test]
    fn compressed_rtf_is_read_and_lies_about_its_size_are_refused() {
        let compressed = compressed_rtf::compress_rtf(r"{\rtf1\ansi words words words}").unwrap();
        assert_eq!(read(&compressed), Some(Document::Text("words words words".to_owned())));
        for at in 0..compressed.len() {
            let mut broken = compressed.clone();
            broken[at] ^= 0xff;
            read(&broken);
            read(&compressed[..at]);
        }
        let mut huge = compressed.clone();
        huge[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(read(&huge), None);
        let mut stored = compressed;
        stored[8..12].copy_from_slice(b"MELA");
        stored[4..8].copy_from_slice(&1_000_u32.to_le_bytes());
        assert_eq!(read(&stored), None);
    }

    #[test]
    fn hostile_rtf_ends() {
        for hostile in ["{", "}", "\\", "\\'", "\\bin99999999999 ", "\\u1", "{\\*", "\\uc-1\\u1"] {
            words(hostile.repeat(10_000).as_bytes());
        }
    }
}
