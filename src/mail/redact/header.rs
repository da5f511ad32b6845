//! Headers of a mail or of a part: the words in them, with encoded words and names of files undone.

use std::ops::Range;

use super::{
    Reading, Sheet,
    finder::Finder,
    letters::{Charset, Letters},
    number::DIGITS,
    text,
    transfer::Transfer,
};
use crate::mail::{encoded_word::Word, parameters::Parameters};

/// Bytes of a charset's name with its language, and of a parameter's name with its section.
const NAME_BYTES_MAX: usize = 64;
/// Quotes and blanks around the semicolon between two parameters.
const BLANKS_MAX: usize = 80;

/// Headers that hold nothing but names of mails, servers and programs, by the beginnings of their names.
const NO_WORDS: [&str; 28] = [
    "arc-",
    "authentication-results",
    "content-id",
    "content-length",
    "content-transfer-encoding",
    "date",
    "delivered-to",
    "dkim-",
    "domainkey-",
    "errors-to",
    "in-reply-to",
    "list-",
    "message-id",
    "mime-version",
    "precedence",
    "received",
    "references",
    "return-path",
    "thread-index",
    "x-forefront-",
    "x-gm-",
    "x-google-",
    "x-mailer",
    "x-microsoft-antispam",
    "x-ms-",
    "x-originating-ip",
    "x-received",
    "x-spam",
];

/// A stretch of a header's value that is written in one way.
struct Piece {
    source: Range<usize>,
    decoded: Range<usize>,
    transfer: Transfer,
    charset: Charset,
}

/// Cuts card numbers out of a block of headers.
pub(super) fn cut(block: Range<usize>, sheet: &mut Sheet<'_>) {
    let original = sheet.original;
    let mut at = block.start;
    while at < block.end {
        let end = header_end(&original[..block.end], at);
        let colon = memchr::memchr(b':', &original[at..end]);
        if let Some(colon) = colon {
            let name = original[at..at + colon].trim_ascii();
            if has_words(name) {
                let has_parameters = ["content-type", "content-disposition"].iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
                cut_value(at + colon + 1..end, has_parameters, sheet);
            }
        } else {
            sheet.cut_text(at..end, Transfer::Plain, None, Reading::Text);
        }
        at = end;
    }
}

fn has_words(name: &[u8]) -> bool {
    let first = name.first().map(u8::to_ascii_lowercase);
    let starts = |start: &str| name.get(..start.len()).is_some_and(|written| written.eq_ignore_ascii_case(start.as_bytes()));
    let is_id = name.last_chunk().is_some_and(|end: &[u8; 3]| end.eq_ignore_ascii_case(b"-id"));
    !is_id && !NO_WORDS.iter().any(|start| first == Some(start.as_bytes()[0]) && starts(start))
}

/// After the line and those that continue it.
fn header_end(block: &[u8], start: usize) -> usize {
    let mut at = start;
    loop {
        at = memchr::memchr(b'\n', &block[at..]).map_or(block.len(), |offset| at + offset + 1);
        if !matches!(block.get(at), Some(b' ' | b'\t')) {
            return at;
        }
    }
}

fn cut_value(value: Range<usize>, has_parameters: bool, sheet: &mut Sheet<'_>) {
    if !may_hold_card(&sheet.original[value.clone()]) {
        return;
    }
    let (pieces, decoded) = undo(sheet.original, value.clone(), has_parameters);
    if !text::may_hold_card(&decoded) {
        return;
    }
    let mut finder = if has_parameters { Finder::of_names() } else { Finder::default() };
    for piece in &pieces {
        for (letter, at) in Letters::new(&decoded[piece.decoded.clone()], piece.charset) {
            finder.push(letter, piece.decoded.start + at.start..piece.decoded.start + at.end);
        }
    }
    let found = finder.finish();
    if found.cards == 0 {
        return;
    }
    let mut after = decoded.clone();
    for digit in found.digits {
        let piece = pieces.get(pieces.partition_point(|piece| piece.decoded.end <= digit.start));
        piece.map_or(Charset::Bytes, |piece| piece.charset).star(&mut after[digit]);
    }
    let mut cut = sheet.now(value.clone()).to_vec();
    for piece in pieces.iter().filter(|piece| decoded[piece.decoded.clone()] != after[piece.decoded.clone()]) {
        let place = piece.source.start - value.start..piece.source.end - value.start;
        piece.transfer.rewrite(&mut cut[place], &after[piece.decoded.clone()]);
    }
    // With another boundary the mail would have other parts.
    if !has_parameters || boundary(&cut) == boundary(sheet.now(value.clone())) {
        sheet.cards += found.cards;
        sheet.after()[value].copy_from_slice(&cut);
    }
}

/// A look at the value as it is written: an encoded word may hold anything, and a percent sign may stand for a digit.
fn may_hold_card(written: &[u8]) -> bool {
    let may_be_digit = |byte: &u8| byte.is_ascii_digit() || *byte == b'%' || !byte.is_ascii();
    // In pieces whose digits a byte can count: many are looked at together.
    let pieces = written.chunks(usize::from(u8::MAX));
    let digits: usize = pieces.map(|piece| usize::from(piece.iter().map(|byte| u8::from(may_be_digit(byte))).sum::<u8>())).sum();
    digits >= *DIGITS.start() || memchr::memchr_iter(b'=', written).any(|at| written.get(at + 1) == Some(&b'?'))
}

/// That of a multipart.
fn boundary(content_type: &[u8]) -> Option<Vec<u8>> {
    let parameters = Parameters::read(content_type.trim_ascii(), None);
    parameters.value.starts_with("multipart/").then(|| parameters.raw("boundary")).flatten()
}

/// The value as it reads, in pieces.
fn undo(original: &[u8], value: Range<usize>, has_parameters: bool) -> (Vec<Piece>, Vec<u8>) {
    let (mut pieces, mut decoded) = (Vec::new(), Vec::new());
    let plain = if has_parameters { Transfer::Percent } else { Transfer::Plain };
    let mut add = |source: Range<usize>, transfer: Transfer, label: Option<&str>| {
        let start = decoded.len();
        decoded.extend_from_slice(&transfer.decode(&original[source.clone()]));
        let charset = Charset::of(label, &decoded[start..]);
        pieces.push(Piece { source, decoded: start..decoded.len(), transfer, charset });
    };
    let (mut at, mut from) = (value.start, value.start);
    while at < value.end {
        let rest = &original[at..value.end];
        let (skipped, word) = match rest[0] {
            b'=' if rest.starts_with(b"=?") => match encoded_word(rest, has_parameters) {
                Some(word) => (word.length, Some(word)),
                None => (0, None),
            },
            b'\r' | b'\n' => (1, None),
            b'"' | b';' if has_parameters => (parameter_bytes(rest), None),
            _ => (0, None),
        };
        if skipped == 0 {
            let begins = |byte: &u8| matches!(byte, b'=' | b'\r' | b'\n' | b'"' | b';');
            at += 1 + rest[1..].iter().position(begins).unwrap_or(rest.len() - 1);
            continue;
        }
        if from < at {
            add(from..at, plain, None);
        }
        if matches!(rest[0], b'\r' | b'\n') && rest.get(1).is_some_and(|next| !next.is_ascii_whitespace()) {
            add(at..at + 1, Transfer::LineEnd, None);
        }
        if let Some(word) = word {
            add(at + word.text.start..at + word.text.end, word.transfer, Some(&word.charset));
        }
        at += skipped;
        from = at;
    }
    if from < value.end {
        add(from..value.end, plain, None);
    }
    (pieces, decoded)
}

/// An encoded word at the beginning.
struct EncodedWord {
    charset: String,
    transfer: Transfer,
    text: Range<usize>,
    /// With the blanks up to the next one.
    length: usize,
}

/// As it is decoded, where it is shown. Where it has no end, the next parameter is none of it.
fn encoded_word(rest: &[u8], has_parameters: bool) -> Option<EncodedWord> {
    let mut word = Word::at(rest)?;
    let is_ended = word.end >= word.start + word.payload.len() + "?=".len();
    if has_parameters
        && !is_ended
        && let Some(parameter) = memchr::memchr(b';', word.payload)
    {
        (word.payload, word.end) = (&word.payload[..parameter], word.start + parameter);
    }
    let charset = word.label.split('*').next().unwrap_or_default().to_owned();
    let transfer = if word.is_base64 { Transfer::Base64 } else { Transfer::Word };
    // Blanks between two encoded words are not shown.
    let blanks = rest[word.end..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let length = word.end + if rest[word.end + blanks..].starts_with(b"=?") { blanks } else { 0 };
    Some(EncodedWord { charset, transfer, text: word.start..word.start + word.payload.len(), length })
}

/// Bytes of what parts two pieces of one file name (RFC 2231, section 3).
fn parameter_bytes(rest: &[u8]) -> usize {
    let semicolon = rest.iter().take(BLANKS_MAX).take_while(|byte| **byte == b'"' || byte.is_ascii_whitespace()).count();
    if rest.get(semicolon) != Some(&b';') {
        return 0;
    }
    let name = semicolon + 1 + rest[semicolon + 1..].iter().take(BLANKS_MAX).take_while(|byte| byte.is_ascii_whitespace()).count();
    let Some(equals) = rest[name..].iter().take(NAME_BYTES_MAX).position(|byte| matches!(byte, b'=' | b';')) else { return 0 };
    let written = String::from_utf8_lossy(&rest[name..name + equals]).trim().to_ascii_lowercase();
    let value = name + equals + 1;
    let goes_on = written.split('*').nth(1).is_some_and(|section| section.parse::<u32>().is_ok_and(|section| section > 0));
    if goes_on { value + usize::from(rest.get(value) == Some(&b'"')) } else { 0 }
}
