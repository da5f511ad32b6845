//! The value of a Content-Type or Content-Disposition and its parameters (RFC 2045, section 5; RFC 2231), and what is written in their place: blanks
//! without quotes, raw 8-bit letters, encoded words, percent signs without a charset.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use super::{charset, encoded_word, line::own_line};

/// Pieces of one parameter (RFC 2231, section 3).
const PIECES_MAX: usize = 100;

/// Parameters of one header.
const PARAMETERS_MAX: usize = 300;

pub(super) struct Parameters<'a> {
    /// Before the first semicolon, in lower case, without comments.
    pub(super) value: String,
    parameters: Vec<Parameter>,
    label: Option<&'a str>,
}

struct Parameter {
    /// In lower case, without what RFC 2231 puts after it.
    name: String,
    /// Its place among the pieces of a parameter.
    piece: Option<usize>,
    /// Whether percent signs stand for bytes.
    is_encoded: bool,
    value: Vec<u8>,
}

impl<'a> Parameters<'a> {
    pub(super) fn read(written: &[u8], label: Option<&'a str>) -> Self {
        let first = written.iter().position(|byte| matches!(byte, b';' | b' ' | b'\t' | b'\r' | b'\n' | b'(' | b',')).unwrap_or(written.len());
        let value = String::from_utf8_lossy(written[..first].trim_ascii()).trim_matches(['"', '\'']).to_ascii_lowercase();
        let mut parameters = Vec::new();
        let mut rest = &written[first..];
        while let Some((parameter, after)) = next(rest).filter(|_| parameters.len() < PARAMETERS_MAX) {
            parameters.extend(parameter);
            rest = after;
        }
        Parameters { value, parameters, label }
    }

    /// The decoded text of a parameter, on one line. In pieces and with a charset (RFC 2231) it is better than plain.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let extended = self.extended(name);
        let plain = || self.parameters.iter().find(|found| found.name == name && found.piece.is_none() && !found.is_encoded);
        let text = extended.or_else(|| plain().map(|found| self.text(&found.value)))?;
        Some(own_line(text)).filter(|text| !text.is_empty())
    }

    /// The bytes of a plain parameter.
    pub(super) fn raw(&self, name: &str) -> Option<Vec<u8>> {
        let plain = self.parameters.iter().find(|found| found.name == name && !found.is_encoded)?;
        Some(plain.value.clone())
    }

    fn extended(&self, name: &str) -> Option<String> {
        let mut pieces: Vec<&Parameter> =
            self.parameters.iter().filter(|found| found.name == name && (found.piece.is_some() || found.is_encoded)).take(PIECES_MAX).collect();
        pieces.sort_by_key(|piece| piece.piece);
        let first = pieces.first()?;
        let (label, skipped) = if first.is_encoded { charset_of(&first.value) } else { (None, 0) };
        let mut bytes = Vec::new();
        let mut expected = first.piece;
        for (at, piece) in pieces.iter().enumerate() {
            // A piece is missing, or here twice: what follows belongs elsewhere.
            if piece.piece != expected {
                break;
            }
            expected = expected.map(|number| number + 1);
            let value = if at == 0 { &piece.value[skipped..] } else { &piece.value[..] };
            if piece.is_encoded {
                bytes.extend(percent_decode(value));
            } else {
                bytes.extend_from_slice(value);
            }
        }
        let is_plain = !pieces.iter().any(|piece| piece.is_encoded);
        Some(if is_plain { self.text(&bytes) } else { charset::decode(&bytes, label.as_deref().or(self.label)).into_owned() })
    }

    /// A plain value, which may hold any encoding that it should not.
    fn text(&self, value: &[u8]) -> String {
        // A file may have two apostrophes in its name.
        if let (Some(label), skipped) = charset_of(value)
            && charset::is_known(&label)
        {
            return charset::decode(&Cow::from(percent_decode(&value[skipped..])), Some(&label)).into_owned();
        }
        if value.is_ascii() && value.contains(&b'%') {
            let bytes: Vec<u8> = percent_decode(value).collect();
            if let Some(text) = String::from_utf8(bytes).ok().filter(|text| !text.is_ascii()) {
                return text;
            }
        }
        encoded_word::text(value, self.label)
    }
}

/// The parameter after the next semicolon or blank, and the rest. `None` at the end.
fn next(rest: &[u8]) -> Option<(Option<Parameter>, &[u8])> {
    let start = rest.iter().position(|byte| !matches!(byte, b';' | b',') && !byte.is_ascii_whitespace())?;
    let rest = &rest[start..];
    if rest[0] == b'(' {
        let end = rest.iter().position(|byte| matches!(byte, b')' | b';')).map_or(rest.len(), |at| at + 1);
        return Some((None, &rest[end..]));
    }
    let name_bytes = rest.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(rest.len());
    if rest.get(name_bytes) != Some(&b'=') {
        return Some((None, &rest[name_bytes..]));
    }
    let name = String::from_utf8_lossy(rest[..name_bytes].trim_ascii());
    let (value, rest) = value_at(rest[name_bytes + 1..].trim_ascii_start());
    let (name, is_encoded) = name.strip_suffix('*').map_or((name.as_ref(), false), |bare| (bare, true));
    let (name, piece) = match name.split_once('*') {
        Some((bare, number)) => (bare, number.parse().ok()),
        None => (name, None),
    };
    // Words without a semicolon before them: the last is the name.
    let name = name.rsplit(|letter: char| letter.is_ascii_whitespace()).next().unwrap_or_default().to_ascii_lowercase();
    Some((Some(Parameter { name, piece, is_encoded, value }), rest))
}

/// A value in quotes or up to the next semicolon, and the rest.
fn value_at(rest: &[u8]) -> (Vec<u8>, &[u8]) {
    let Some(inside) = rest.strip_prefix(b"\"") else {
        let end = rest.iter().position(|byte| *byte == b';').unwrap_or(rest.len());
        return (rest[..end].trim_ascii().to_vec(), &rest[end..]);
    };
    let mut value = Vec::new();
    let mut at = 0;
    while let Some(byte) = inside.get(at) {
        match (byte, inside.get(at + 1)) {
            (b'"', _) => return (value, &inside[at + 1..]),
            // Other backslashes are those of Windows paths.
            (b'\\', Some(escaped @ (b'"' | b'\\'))) => {
                value.push(*escaped);
                at += 1;
            }
            (byte, _) => value.push(*byte),
        }
        at += 1;
    }
    // The closing mark is missing.
    let end = inside.iter().position(|byte| *byte == b';').unwrap_or(inside.len());
    (inside[..end].trim_ascii().to_vec(), &inside[end..])
}

/// The charset of `utf-8'en'...`, and the bytes before the text.
fn charset_of(value: &[u8]) -> (Option<String>, usize) {
    let mut marks = value.iter().enumerate().filter(|(_, byte)| **byte == b'\'').map(|(at, _)| at);
    let (Some(first), Some(second)) = (marks.next(), marks.next()) else { return (None, 0) };
    let is_label = |bytes: &[u8]| bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte));
    let looks_right = first < 40 && second - first < 20 && is_label(&value[..first]) && is_label(&value[first + 1..second]);
    if !looks_right {
        return (None, 0);
    }
    (Some(String::from_utf8_lossy(&value[..first]).into_owned()).filter(|label| !label.is_empty()), second + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_read_in_every_spelling() {
        for (written, expected) in [
            ("attachment; filename=\"report.pdf\"", "report.pdf"),
            ("attachment; filename=my report.pdf; size=1", "my report.pdf"),
            ("attachment; FileName = \"a \\\"b\\\".pdf\"", "a \"b\".pdf"),
            ("attachment; filename=\"C:\\Temp\\report.pdf\"", "C:\\Temp\\report.pdf"),
            ("attachment; filename=\"unclosed.pdf; size=1", "unclosed.pdf"),
            ("attachment; filename*=utf-8'en'Gr%C3%BC%C3%9Fe.pdf", "Grüße.pdf"),
            ("attachment; filename=x.pdf; filename*=UTF-8''Gr%C3%BC%C3%9Fe.pdf", "Grüße.pdf"),
            ("attachment; filename*=iso-8859-1''Gr%FC%DFe.pdf", "Grüße.pdf"),
            ("attachment; filename*1=part.pdf; filename*0=\"first \"", "first part.pdf"),
            ("attachment; filename*0*=utf-8''Gr%C3; filename*1*=%BC%C3%9F; filename*2=e.pdf", "Grüße.pdf"),
            ("attachment; filename*0*=gb2312''%C4; filename*1*=%E3%BA%C3.txt", "你好.txt"),
            ("attachment; filename*0=one; filename*2=three", "one"),
            ("attachment; filename=\"=?utf-8?Q?Gr=C3=BC=C3=9Fe?=.pdf\"", "Grüße.pdf"),
            ("attachment; filename*0=\"=?utf-8?Q?Gr=C3=BC\"; filename*1=\"=C3=9Fe?=.pdf\"", "Grüße.pdf"),
            ("attachment; filename=\"Gr%C3%BC%C3%9Fe.pdf\"", "Grüße.pdf"),
            ("attachment; filename=\"100%25.pdf\"", "100%25.pdf"),
            ("attachment; filename=utf-8''Gr%C3%BC%C3%9Fe.pdf", "Grüße.pdf"),
            ("attachment; filename=\"it's John's.pdf\"", "it's John's.pdf"),
            ("attachment; filename=\"L'avis-d'imposition.pdf\"", "L'avis-d'imposition.pdf"),
            ("attachment; filename*0=\"L'avis-\"; filename*1=\"d'imposition.pdf\"", "L'avis-d'imposition.pdf"),
            ("attachment; filename=\"cp850'de'Gr%81%E1e.pdf\"", "Grüße.pdf"),
            ("attachment; filename=\"utf-7''Gr+APwA3w-e.pdf\"", "Grüße.pdf"),
            ("attachment; filename*=x-unheard''Gr%C3%BC%C3%9Fe.pdf", "Grüße.pdf"),
            ("attachment filename=\"x.pdf\"", "x.pdf"),
            ("attachment;\r\n\tfilename=\"a\r\n b.pdf\"", "a b.pdf"),
        ] {
            assert_eq!(Parameters::read(written.as_bytes(), None).get("filename").as_deref(), Some(expected), "{written}");
        }
        let raw = Parameters::read(b"attachment; filename=\"Gr\xfc\xdfe.pdf\"", Some("iso-8859-1"));
        assert_eq!(raw.get("filename").as_deref(), Some("Grüße.pdf"));
    }

    #[test]
    fn the_reading_of_hostile_parameters_ends() {
        for hostile in ["a*0=b;", ";", "(", "\"", "=\"", "a='';", "%"] {
            let parameters = Parameters::read(hostile.repeat(100_000).as_bytes(), None);
            parameters.get("a");
        }
    }
}
