//! The value of an Authentication-Results header (RFC 8601, section 2.2): comments, quoted strings and blanks wherever they may stand.

/// Methods that are read of one header; the rest is dropped.
const METHODS_MAX: usize = 64;
/// Properties that are read of one method; the rest is dropped.
const PROPERTIES_MAX: usize = 32;
/// The only version there is.
const VERSION: &str = "1";

/// Everything in lower case, of ASCII alone: domains and keywords are compared without case, and beyond ASCII other letters have the same small one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Results {
    /// The authserv-id. Exchange Online writes none.
    pub(super) server: Option<String>,
    methods: Vec<Method>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Method {
    name: String,
    pub(super) result: String,
    properties: Vec<(String, String)>,
}

impl Results {
    /// `None` if the header is of a version that we do not know, or empty.
    pub(super) fn read(value: &str) -> Option<Results> {
        let mut cursor = Cursor { bytes: value.as_bytes(), at: 0 };
        cursor.skip();
        let start = cursor.at;
        let server = cursor.word(true);
        cursor.skip();
        let server = if cursor.peek() == Some(b'=') {
            cursor.at = start;
            None
        } else {
            let version = cursor.word(true);
            cursor.skip();
            if server.is_empty() || !(version.is_empty() || version == VERSION) || !matches!(cursor.peek(), None | Some(b';')) {
                return None;
            }
            Some(server)
        };
        let mut methods = Vec::new();
        while cursor.peek().is_some() && methods.len() < METHODS_MAX {
            methods.extend(cursor.method());
        }
        Some(Results { server, methods })
    }

    pub(super) fn of<'a>(&'a self, method: &'static str) -> impl Iterator<Item = &'a Method> {
        self.methods.iter().filter(move |found| found.name == method)
    }
}

impl Method {
    /// The value of `ptype.property`, or of `reason`.
    pub(super) fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// Passes over blanks and comments, which nest. Whether there were any.
    fn skip(&mut self) -> bool {
        let start = self.at;
        let mut depth = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'(' => depth += 1,
                b')' if depth > 0 => depth -= 1,
                b'\\' if depth > 0 => self.at += 1,
                _ if depth > 0 || byte.is_ascii_whitespace() => {}
                _ => break,
            }
            self.at += 1;
        }
        self.at = self.at.min(self.bytes.len());
        self.at > start
    }

    /// Up to a blank, a comment or a semicolon; quoted strings in it lose their quotes.
    fn word(&mut self, ends_at_equals: bool) -> String {
        let mut word = Vec::new();
        while let Some(byte) = self.peek() {
            match byte {
                b';' | b'(' => break,
                b'=' if ends_at_equals => break,
                _ if byte.is_ascii_whitespace() => break,
                b'"' => {
                    self.at += 1;
                    while let Some(quoted) = self.next().filter(|quoted| *quoted != b'"') {
                        word.extend(if quoted == b'\\' { self.next() } else { Some(quoted) });
                    }
                    continue;
                }
                _ => word.push(byte),
            }
            self.at += 1;
        }
        String::from_utf8_lossy(&word).to_ascii_lowercase()
    }

    /// What stands before an equals sign: `dkim`, `dkim/1`, `header . d`. `None` at the end of a method.
    fn key(&mut self) -> Option<String> {
        let mut key = Vec::new();
        loop {
            let spaced = self.skip();
            let byte = self.peek().filter(|byte| *byte != b';')?;
            let joined = matches!(byte, b'.' | b'/') || key.ends_with(b".") || key.ends_with(b"/");
            // Words that belong to nothing, which some servers write between the properties.
            if spaced && !joined && byte != b'=' {
                key.clear();
            }
            match byte {
                b'"' => drop(self.word(true)),
                b'=' => {
                    self.at += 1;
                    return Some(String::from_utf8_lossy(&key).to_ascii_lowercase());
                }
                _ => {
                    key.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    /// One `; method=result reason="..." ptype.property=value ...`.
    fn method(&mut self) -> Option<Method> {
        if self.peek() == Some(b';') {
            self.at += 1;
        }
        let mut pairs = Vec::new();
        while let Some(key) = self.key() {
            self.skip();
            let value = self.word(false);
            if pairs.len() <= PROPERTIES_MAX {
                pairs.push((key, value));
            }
        }
        let mut pairs = pairs.into_iter();
        let (name, result) = pairs.next()?;
        let name = match name.split_once('/') {
            Some((name, VERSION)) => name.to_owned(),
            Some(_) => return None,
            None => name,
        };
        Some(Method { name, result, properties: pairs.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method(name: &str, result: &str, properties: &[(&str, &str)]) -> Method {
        let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Method { name: name.to_owned(), result: result.to_owned(), properties }
    }

    #[test]
    fn comments_quotes_versions_and_blanks_may_stand_anywhere() {
        let read = Results::read(
            " (a (nested \\) one)) \"mx.a.example\" (x) 1 ; (y) DKIM (z) / 1 = (q) PASS reason = \"it; is=good\" (ok) header . D = A.example; spf=pass smtp.mailfrom=\"b c\"@a.example;none",
        );
        let methods = vec![
            method("dkim", "pass", &[("reason", "it; is=good"), ("header.d", "a.example")]),
            method("spf", "pass", &[("smtp.mailfrom", "b c@a.example")]),
        ];
        assert_eq!(read, Some(Results { server: Some("mx.a.example".to_owned()), methods }));
    }

    #[test]
    fn a_header_without_an_id_is_read_as_exchange_online_writes_it() {
        let read = Results::read(
            "dkim=pass (signature was verified) header.d=a.example;dmarc=pass action=none header.from=a.example;compauth=pass reason=100",
        );
        let read = read.unwrap();
        assert_eq!(read.server, None);
        assert_eq!(read.of("compauth").next(), Some(&method("compauth", "pass", &[("reason", "100")])));
        assert_eq!(read.of("dmarc").next().unwrap().property("header.from"), Some("a.example"));
    }

    #[test]
    fn unknown_versions_and_broken_headers_say_nothing() {
        assert_eq!(Results::read("mx.a.example 2; dmarc=pass header.from=a.example"), None);
        assert_eq!(Results::read("mx.a.example x y; dmarc=pass"), None);
        assert_eq!(Results::read(""), None);
        assert_eq!(Results::read("mx.a.example; dkim/2=pass").unwrap().methods, []);
        for broken in ["(", "\"", "a;b=\"", "a;b=\\", "a;(\\", "a;=;=;", "=", ";;;"] {
            let _ = Results::read(broken);
        }
        // A comment, a quoted string and a stray word hide nothing and add nothing.
        assert_eq!(Results::read("a; x (dmarc=pass) \"dmarc=pass\" y=z").unwrap().methods, [method("y", "z", &[])]);
    }

    #[test]
    fn what_is_read_of_a_header_is_bounded() {
        let many = format!("a{}", "; b=c".repeat(10_000));
        assert_eq!(Results::read(&many).unwrap().methods.len(), METHODS_MAX);
        assert_eq!(Results::read(&format!("a; b=c{}", " d=e".repeat(10_000))).unwrap().methods[0].properties.len(), PROPERTIES_MAX);
    }
}
