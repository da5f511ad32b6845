//! A quick look at digits as they come: could some of them be a card's? Most texts have none that could, and are not looked at any closer.

use std::ops::Range;

use super::{
    finder::Sink,
    letters::{Charset, Class, Letters, class},
    link::Escapes,
    number::{self, DIGITS},
    run::is_emphasis,
};

/// Digits in a row that are looked at; who sends more is looked at closely.
const LOOKED_AT: usize = 64;

/// Never says no where there is a card: of all that the finder asks, it asks no more than length, check digit, issuer, whole groups of digits, and little
/// between them.
#[derive(Debug)]
pub(super) struct Tally {
    digits: [u8; LOOKED_AT],
    count: usize,
    /// Where groups begin, a bit for each digit.
    begins: u64,
    in_group: bool,
    may_be_card: bool,
    /// Only in links they mean anything; elsewhere no card begins directly after one.
    escapes: Escapes,
}

impl Default for Tally {
    fn default() -> Self {
        Tally { digits: [0; LOOKED_AT], count: 0, begins: 0, in_group: false, may_be_card: false, escapes: Escapes::default() }
    }
}

impl Tally {
    fn digit(&mut self, digit: u8) {
        let Some(place) = self.digits.get_mut(self.count) else {
            self.may_be_card = true;
            return;
        };
        *place = digit;
        if !self.in_group {
            self.begins |= 1 << self.count;
            self.in_group = true;
        }
        self.count += 1;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Takes in a text whose digits are ASCII's or UTF-8's. What came before it and what comes behind it may belong to a card at its ends.
    pub(super) fn text(&mut self, text: &[u8]) {
        let mut rest = text;
        loop {
            while let Some((letter, at)) = Letters::new(rest, Charset::Bytes).next().filter(|_| !self.escapes.is_idle()) {
                self.push(letter, at.clone());
                rest = &rest[at.end..];
            }
            let Some(sign) = escape(rest) else { return self.words(rest) };
            self.words(&rest[..sign]);
            self.push('%', sign..sign + 1);
            rest = &rest[sign + 1..];
        }
    }

    /// Text without escapes.
    fn words(&mut self, text: &[u8]) {
        let (Some(first), Some(last)) = (text.iter().position(interrupts), text.iter().rposition(interrupts)) else { return self.letters(text) };
        self.letters(&text[..first]);
        self.interrupt();
        let mut within = &text[first..last];
        while let Some((run, behind)) = next_run(within) {
            self.letters(run);
            self.interrupt();
            within = behind;
        }
        self.letters(&text[last + 1..]);
    }

    fn letters(&mut self, text: &[u8]) {
        let mut at = 0;
        loop {
            if self.is_empty() {
                // Most of a text: it interrupts what has not begun.
                at += before_digit(&text[at..]);
            }
            let Some(&byte) = text.get(at) else { return };
            if byte.is_ascii() {
                self.ascii(byte);
                at += 1;
            } else {
                let (letter, place) = Letters::new(&text[at..], Charset::Bytes).next().unwrap_or((' ', 0..1));
                self.take(letter);
                at += place.end;
            }
        }
    }

    /// What `push` makes of a letter of ASCII.
    fn ascii(&mut self, letter: u8) {
        match letter {
            b'0'..=b'9' => self.digit(letter - b'0'),
            b'\r' => {}
            _ if interrupts(&letter) => self.interrupt(),
            _ => self.end_group(),
        }
    }

    /// With all that has come so far.
    pub(super) fn may_be_card(&mut self) -> bool {
        self.end_group();
        self.may_be_card
    }

    /// Something stands between this digit and the next.
    fn end_group(&mut self) {
        self.look();
        self.in_group = false;
    }

    /// Whether the digits up to here could be a card's.
    fn look(&mut self) {
        if !self.in_group || self.count < *DIGITS.start() {
            return;
        }
        let begins = |first: &usize| self.begins >> first & 1 == 1;
        let firsts = DIGITS.filter_map(|length| self.count.checked_sub(length)).filter(begins);
        self.may_be_card |= firsts.into_iter().any(|first| number::is_card(&self.digits[first..self.count]));
    }

    fn take(&mut self, letter: char) {
        match class(letter) {
            Class::Digit(digit) => self.digit(digit),
            Class::Other if !is_between(letter) => self.interrupt(),
            Class::Nothing => {}
            _ => self.end_group(),
        }
    }

    /// What no card has between its digits.
    fn interrupt(&mut self) {
        self.end_group();
        self.count = 0;
        self.begins = 0;
    }
}

/// Whether no card has this byte in it. Of those beyond ASCII nothing is said.
fn interrupts(byte: &u8) -> bool {
    /// An answer for each byte; asked so often that it is looked up.
    const ANSWERS: [bool; 256] = {
        let mut answers = [false; 256];
        let mut byte = 0_u8;
        while byte.is_ascii() {
            let is_part = byte.is_ascii_digit() || matches!(byte, b' ' | b'\t'..=b'\r' | b'-' | b'.' | b'>' | b'|' | b'_' | b'*');
            answers[byte as usize] = !is_part;
            byte += 1;
        }
        answers
    };
    ANSWERS[usize::from(*byte)]
}

/// The next stretch that is long enough for a card and not interrupted, and what stands behind it. A card that begins within its fewest digits from
/// here has the byte at their end in it: where that one interrupts, all of them are passed over.
fn next_run(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut from = 0;
    while let Some(window) = text.get(from..from + *DIGITS.start()) {
        match window.iter().rposition(interrupts) {
            Some(at) => from += at + 1,
            None => {
                let end = text[from..].iter().position(interrupts).unwrap_or(text.len() - from);
                return Some(text[from..].split_at(end));
            }
        }
    }
    None
}

/// Bytes looked at together; compilers make a few instructions of it.
const CHUNK_BYTES: usize = 32;

/// No digit beyond ASCII begins with a smaller byte in UTF-8.
const DIGIT_BYTE_MIN: u8 = 0xd9;

/// Bytes before the first that is a digit or the beginning of one.
fn before_digit(bytes: &[u8]) -> usize {
    let may_count = |byte: &u8| byte.is_ascii_digit() || *byte >= DIGIT_BYTE_MIN;
    let none = |chunk: &&[u8]| !chunk.iter().fold(false, |any, byte| any | may_count(byte));
    let passed = bytes.chunks(CHUNK_BYTES).take_while(none).count() * CHUNK_BYTES;
    bytes.get(passed..).map_or(bytes.len(), |rest| passed + rest.iter().position(may_count).unwrap_or(rest.len()))
}

/// Whether a letter that is neither digit, blank nor sign may yet stand between digits: it quotes a line, is emphasis, or a blank in the name of a file.
pub(super) fn is_between(letter: char) -> bool {
    matches!(letter, '>' | '|') || is_emphasis(letter)
}

/// Where the next percent sign stands that has its two digits. They may come later.
fn escape(text: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'%', text).find(|at| text[at + 1..].iter().take(2).all(u8::is_ascii_hexdigit))
}

impl Sink for Tally {
    fn push(&mut self, letter: char, at: Range<usize>) {
        if letter != '%' && self.escapes.is_idle() {
            return self.take(letter);
        }
        // The number may end here, should this be no link.
        self.look();
        self.escapes.push(letter, at).into_iter().for_each(|(letter, _)| self.take(letter));
    }

    fn end_word(&mut self) {}

    fn end_text(&mut self) {
        self.escapes.finish();
        self.interrupt();
    }
}
