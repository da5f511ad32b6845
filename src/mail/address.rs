//! Addresses as people and programs write them (RFC 5322, section 3.4, and what is found in its place).

use std::net::IpAddr;

use url::Host;

use super::{
    Address, charset, encoded_word,
    limits::ADDRESS_BYTES_MAX,
    line::{is_direction_mark, is_invisible, one_line, own_line, without_overrides},
};

/// What may stand before an address that somebody pasted from a link or a directory.
const SCHEMES: [&str; 3] = ["mailto:", "smtp:", "email:"];

/// The addresses of a header value in their order; whoever is named without an address is left out.
pub(super) fn list(value: &[u8], label: Option<&str>) -> Vec<Address> {
    let text = charset::decode(value, label);
    let mut reader = Reader { rest: &text, entry: Entry::default(), found: Vec::new(), surname: None, quotes_close: true, comments_close: true };
    while reader.step() {}
    reader.end_entry();
    reader.found
}

/// An address alone, lower-case, if this is one, without what some programs put around it.
pub(super) fn address(written: &str) -> Option<String> {
    bare(written).map(in_ascii)
}

fn bare(written: &str) -> Option<String> {
    // Pasted along, and seen by nobody.
    let written = written.replace(|letter| is_invisible(letter) || is_direction_mark(letter), "");
    // The quotation marks of a local part stay.
    let is_quoted = written.contains("\"@");
    let mut bare = written.trim_matches(|letter: char| letter.is_whitespace() || "<>'[](),;:".contains(letter) || letter == '"' && !is_quoted);
    for scheme in SCHEMES {
        bare = match bare.get(..scheme.len()) {
            Some(start) if start.eq_ignore_ascii_case(scheme) => &bare[scheme.len()..],
            _ => bare,
        };
    }
    // A route (RFC 5322, section 4.4): `@relay.example:user@a.example`.
    let bare = if bare.starts_with('@') { bare.rsplit_once(':').map_or(bare, |(_, last)| last) } else { bare };
    let bare = bare.trim_end_matches('.');
    match bare.rsplit_once('@') {
        // The bracket of a literal was no bracket around it.
        Some((_, domain)) if domain.starts_with('[') => as_it_stands(&format!("{}]", bare.trim_end_matches(']'))),
        // Without quotes the rest of these would be read otherwise.
        Some((local, domain)) if !local.starts_with('"') && local.contains(['[', ']', ':', '\\']) => {
            as_it_stands(&format!("\"{}\"@{domain}", local.replace('\\', "\\\\").replace('"', "\\\"")))
        }
        _ => as_it_stands(bare),
    }
}

/// An address that somebody gives, lower-case, if mail can go there and come from there as it stands: that there is such a mailbox is not looked for.
pub fn given(written: &str) -> Option<String> {
    let written = written.trim();
    let address = bare(written).filter(|read| *read == written.to_lowercase())?;
    let (local, domain) = address.rsplit_once('@')?;
    let is_host = match domain.strip_prefix('[').and_then(|literal| literal.strip_suffix(']')) {
        Some(literal) => literal.trim_start_matches("ipv6:").parse::<IpAddr>().is_ok(),
        None => domain.split('.').all(is_label),
    };
    ((local.starts_with('"') || !local.contains('@')) && is_host).then(|| in_ascii(address))
}

/// Whether the local part changes in nothing but ASCII's capitals when it is put in lower case: beyond ASCII two letters may become one (the sign of the
/// kelvin and `k`), and to a mail server they are two mailboxes.
pub fn local_part_stays(written: &str) -> bool {
    let local = written.rsplit_once('@').map_or(written, |(local, _)| local);
    local.to_lowercase() == local.to_ascii_lowercase()
}

/// An address that is looked for, as it would be kept.
pub fn as_kept(written: &str) -> String {
    in_ascii(written.trim().to_lowercase())
}

/// A part of a domain: letters of any script, digits, hyphens between them; the underscore is used and no host's.
fn is_label(label: &str) -> bool {
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|letter| letter.is_alphanumeric() || "-_".contains(letter))
}

/// An address in lower case that can stand in a header (RFC 5322, section 3.4.1, and RFC 6532). More may be wrong with one that a mail has: forgers write a
/// second @, machines a domain that is none.
pub(super) fn sound(bare: &str) -> Option<String> {
    as_it_stands(bare).map(in_ascii)
}

fn as_it_stands(bare: &str) -> Option<String> {
    let address = bare.to_lowercase();
    let (local, domain) = address.rsplit_once('@')?;
    let is_odd = |letter: char| letter.is_whitespace() || letter.is_control() || is_direction_mark(letter) || is_invisible(letter);
    // An address literal stands in brackets, and nothing else has any.
    let domain = domain.strip_prefix('[').and_then(|literal| literal.strip_suffix(']')).unwrap_or(domain);
    let quoted = local.strip_prefix('"').and_then(|local| local.strip_suffix('"')).filter(|inside| !inside.is_empty());
    let fits = address.len() <= ADDRESS_BYTES_MAX && !local.is_empty() && !domain.is_empty();
    if !fits || domain.chars().any(|letter| is_odd(letter) || "<>[]\\\"(),;".contains(letter)) {
        return None;
    }
    let is_sound = match quoted {
        Some(inside) => is_quotable(inside) && !inside.chars().any(|letter| is_odd(letter) && letter != ' '),
        None => !local.chars().any(|letter| is_odd(letter) || "<>[]:\\\"(),;".contains(letter)),
    };
    is_sound.then_some(address)
}

/// The same address with its domain as the DNS has it: one is one, however a mail spells it, and a server needs no SMTPUTF8 for it.
pub(super) fn in_ascii(address: String) -> String {
    let mapped = address.rsplit_once('@').and_then(|(local, domain)| Some(format!("{local}@{}", domain_in_ascii(domain)?)));
    mapped.filter(|mapped| as_it_stands(mapped).as_ref() == Some(mapped)).unwrap_or(address)
}

/// A domain with letters beyond ASCII as the DNS has it (RFC 5890), if it is one: what it is mapped to is letters, digits, hyphens and dots alone.
pub(super) fn domain_in_ascii(domain: &str) -> Option<String> {
    if domain.is_ascii() || domain.contains('%') || domain.len() > ADDRESS_BYTES_MAX {
        return None;
    }
    let Ok(Host::Domain(ascii)) = Host::parse(domain) else { return None };
    let ascii = ascii.trim_end_matches('.');
    ascii.split('.').all(|label| is_label(label) && label.is_ascii()).then(|| ascii.to_owned())
}

/// Whether marks of quotation and backslashes stand behind a backslash, as they must between marks of quotation.
fn is_quotable(inside: &str) -> bool {
    let mut letters = inside.chars();
    while let Some(letter) = letters.next() {
        if letter == '"' || letter == '\\' && letters.next().is_none() {
            return false;
        }
    }
    true
}

/// What was read since the last comma.
#[derive(Default)]
struct Entry {
    /// The words outside of brackets.
    phrase: String,
    comment: String,
    /// What stood in angle brackets.
    angle: Option<String>,
}

struct Reader<'a> {
    rest: &'a str,
    entry: Entry,
    found: Vec<Address>,
    /// Words before a comma without an address: the first half of `Last, First <...>`.
    surname: Option<String>,
    /// False after a mark that is never closed: the rest is not searched again for each that follows.
    quotes_close: bool,
    comments_close: bool,
}

impl Reader<'_> {
    /// Reads letters up to the next mark, and the mark; false at the end.
    fn step(&mut self) -> bool {
        let marks = |letter: char| matches!(letter, '"' | '(' | '<' | '>' | ',' | ';' | ':' | '=');
        let (plain, rest) = self.rest.split_at(self.rest.find(marks).unwrap_or(self.rest.len()));
        self.entry.phrase.push_str(plain);
        self.rest = rest;
        let Some(letter) = self.rest.chars().next() else { return false };
        if let Some(bytes) = self.rest.starts_with("=?").then(|| encoded_word_bytes(self.rest)).flatten() {
            // Words are decoded together with the blanks between them, at the end of the entry.
            self.entry.phrase.push_str(&self.rest[..bytes]);
            self.rest = &self.rest[bytes..];
            return true;
        }
        self.rest = &self.rest[letter.len_utf8()..];
        match letter {
            '"' if self.quotes_close => {
                let Some((inside, rest)) = quoted(self.rest) else {
                    self.quotes_close = false;
                    return true;
                };
                self.rest = rest;
                // A quoted local part stays quoted.
                if rest.starts_with('@') && self.entry.phrase.trim().is_empty() {
                    self.entry.phrase.push_str(&format!("\"{}\"", inside.replace('\\', "\\\\").replace('"', "\\\"")));
                } else {
                    self.entry.phrase.push_str(&inside);
                }
            }
            '"' => {}
            '(' if self.comments_close => match comment(self.rest) {
                Some((inside, rest)) => {
                    self.rest = rest;
                    self.entry.comment.push_str(inside);
                }
                None => self.comments_close = false,
            },
            '<' => self.angle(),
            ',' | ';' => self.end_entry(),
            ':' if !self.entry.phrase.contains('@') => {
                let lower = self.entry.phrase.to_ascii_lowercase();
                match SCHEMES.iter().find(|scheme| lower.ends_with(scheme.trim_end_matches(':'))) {
                    Some(scheme) => self.entry.phrase.truncate(lower.len() + 1 - scheme.len()),
                    // The name of a group.
                    None => {
                        self.entry.phrase.clear();
                        self.surname = None;
                    }
                }
            }
            // Closes nothing.
            '>' => self.entry.phrase.push(' '),
            letter => self.entry.phrase.push(letter),
        }
        true
    }

    /// What follows an opening bracket, up to the closing one or, where that is missing, to the next comma.
    fn angle(&mut self) {
        let mut in_quotes = false;
        let end = self.rest.find(|letter| {
            in_quotes ^= letter == '"';
            !in_quotes && matches!(letter, '>' | '<')
        });
        let end = end.or_else(|| self.rest.find([',', ';', '>'])).unwrap_or(self.rest.len());
        let inside = &self.rest[..end];
        self.rest = &self.rest[end..];
        self.rest = self.rest.strip_prefix('>').unwrap_or(self.rest);
        if self.entry.angle.as_deref().is_none_or(|before| address(before).is_none()) {
            self.entry.angle = Some(inside.to_owned());
        }
        self.entry.phrase.push(' ');
    }

    fn end_entry(&mut self) {
        let Entry { phrase, comment, angle } = std::mem::take(&mut self.entry);
        let phrase = own_line(encoded_word::text(phrase.as_bytes(), None));
        let comment = own_line(encoded_word::text(comment.as_bytes(), None));
        let surname = self.surname.take();
        if let Some(address) = angle.as_deref().and_then(angle_address) {
            let name = match surname {
                Some(surname) if !phrase.is_empty() => format!("{surname}, {phrase}"),
                _ if phrase.is_empty() => comment,
                _ => phrase,
            };
            self.found.push(named(address, &name));
        } else if let Some((address, rest)) = hidden_in(&phrase) {
            self.found.push(named(address, if rest.is_empty() { &comment } else { &rest }));
        } else if let Some((address, rest)) = hidden_in(&comment) {
            self.found.push(named(address, if phrase.is_empty() { &rest } else { &phrase }));
        } else if !phrase.is_empty() {
            self.surname = Some(phrase);
        }
    }
}

/// The address between angle brackets; without comments and the blanks that some programs put around the `@`.
fn angle_address(inside: &str) -> Option<String> {
    address(inside).or_else(|| {
        let decoded = encoded_word::text(inside.as_bytes(), None);
        let without_comments: String = decoded.split('(').enumerate().map(|(at, piece)| if at == 0 { piece } else { after(piece, ')') }).collect();
        let compact: String = without_comments.split_whitespace().collect();
        // The first of several.
        address(&compact).or_else(|| compact.split([',', ';']).find_map(address))
    })
}

fn after(text: &str, mark: char) -> &str {
    text.split_once(mark).map_or("", |(_, rest)| rest)
}

/// An address among words, and the other words.
fn hidden_in(words: &str) -> Option<(String, String)> {
    if !words.contains('@') {
        return None;
    }
    if let Some(address) = words.starts_with('"').then(|| address(words)).flatten() {
        return Some((address, String::new()));
    }
    let mut before = ' ';
    // The bracket of a literal belongs to its address.
    let ends_piece = |letter: char| {
        let is_literals = std::mem::replace(&mut before, letter) == '@' && letter == '[';
        letter.is_whitespace() || "<>[](),;".contains(letter) && !is_literals
    };
    let mut pieces = words.split(ends_piece).filter(|piece| !piece.is_empty());
    let written = pieces.find(|piece| piece.contains('@') && address(piece).is_some());
    match written {
        Some(written) => {
            let rest = words.replacen(written, "", 1);
            let rest = one_line(rest.trim_matches(|letter: char| letter.is_whitespace() || "<>[](),;\"'".contains(letter)));
            Some((address(written)?, rest.into_owned()))
        }
        // `user @ a.example`
        None => {
            let compact: String = words.split_whitespace().collect();
            address(&compact).map(|address| (address, String::new()))
        }
    }
}

fn named(address: String, name: &str) -> Address {
    let name = without_overrides(name.to_owned()).trim_matches(['"', ' ']).to_owned();
    let is_the_address = |name: &str| in_ascii(name.trim_matches(['\'', '<', '>']).to_lowercase()) == address;
    let name = Some(name).filter(|name| !name.is_empty() && !is_the_address(name));
    Address { name, address }
}

/// The text up to the closing quotation mark, and what follows it.
fn quoted(rest: &str) -> Option<(String, &str)> {
    let mut inside = String::new();
    let mut letters = rest.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((inside, &rest[at + 1..])),
            '\\' => inside.extend(letters.next().map(|(_, escaped)| escaped)),
            letter => inside.push(letter),
        }
    }
    None
}

/// The text up to the closing parenthesis, and what follows it; parentheses may be nested.
pub(super) fn comment(rest: &str) -> Option<(&str, &str)> {
    let mut depth = 1_usize;
    let mut escaped = false;
    for (at, letter) in rest.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&rest[..at], &rest[at + 1..]));
        }
    }
    None
}

fn encoded_word_bytes(rest: &str) -> Option<usize> {
    encoded_word::word_bytes(rest.as_bytes()).filter(|bytes| rest.is_char_boundary(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &str) -> Vec<String> {
        let found = list(value.as_bytes(), None);
        found.into_iter().map(|found| found.name.map_or(found.address.clone(), |name| format!("{name} <{}>", found.address))).collect()
    }

    #[test]
    fn every_way_to_write_one_address_is_read() {
        for (value, expected) in [
            ("ANN@A.example", "ann@a.example"),
            ("<ann@a.example>", "ann@a.example"),
            ("Ann Smith <ann@a.example>", "Ann Smith <ann@a.example>"),
            ("\"Smith, Ann\" <ann@a.example>", "Smith, Ann <ann@a.example>"),
            ("Smith, Ann <ann@a.example>", "Smith, Ann <ann@a.example>"),
            (r#""Ann \"A\" Smith" <ann@a.example>"#, "Ann \"A\" Smith <ann@a.example>"),
            ("ann@a.example (Ann (the first) Smith)", "Ann (the first) Smith <ann@a.example>"),
            ("Ann ann@a.example", "Ann <ann@a.example>"),
            ("Ann <ann@a.example", "Ann <ann@a.example>"),
            ("Ann ann@a.example>", "Ann <ann@a.example>"),
            ("Ann <<ann@a.example>>", "Ann <ann@a.example>"),
            ("Ann [mailto:ann@a.example]", "Ann <ann@a.example>"),
            ("<mailto:ann@a.example>", "ann@a.example"),
            ("mailto:ann@a.example", "ann@a.example"),
            ("\"ann@a.example\" <ann@a.example>", "ann@a.example"),
            ("'ann@a.example' <>", "ann@a.example"),
            ("\"Ann <ann@a.example>\"", "Ann <ann@a.example>"),
            ("\"<ann@a.example>\" <\"ann@a.example\">", "ann@a.example"),
            ("\"b@evil.example\" <ann@a.example>", "b@evil.example <ann@a.example>"),
            ("Ann <@one.example,@two.example:ann@a.example>", "Ann <ann@a.example>"),
            ("Ann <ann @ a.example>", "Ann <ann@a.example>"),
            ("ann @ a.example", "ann@a.example"),
            ("Ann <ann(comment)@a.example>", "Ann <ann@a.example>"),
            ("\"ann smith\"@a.example", "\"ann smith\"@a.example"),
            ("Ann <\"ann smith\"@a.example>", "Ann <\"ann smith\"@a.example>"),
            (r#""a\"b\\c"@a.example"#, r#""a\"b\\c"@a.example"#),
            (r#"Ann <"a\"b"@a.example>"#, r#"Ann <"a\"b"@a.example>"#),
            ("=?utf-8?Q?Smith,_Zo=C3=AB?= <zoe@a.example>", "Smith, Zoë <zoe@a.example>"),
            ("=?utf-8?Q?Smith, Zo=C3=AB?= <zoe@a.example>", "Smith, Zoë <zoe@a.example>"),
            ("\"=?utf-8?Q?Zo=C3=AB?=\" <zoe@a.example>", "Zoë <zoe@a.example>"),
            ("=?utf-8?Q?Zo=C3?= =?utf-8?Q?=AB?= <zoe@a.example>", "Zoë <zoe@a.example>"),
            ("=?utf-8?Q?Zo=C3=AB_<zoe@a.example>?=", "Zoë <zoe@a.example>"),
            ("zoe@a.example (=?utf-8?Q?Zo=C3=AB?=)", "Zoë <zoe@a.example>"),
            ("Zoë <zoë@bücher.example>", "Zoë <zoë@xn--bcher-kva.example>"),
            ("zoe@xn--bcher-kva.example.", "zoe@xn--bcher-kva.example"),
            ("zoe@Bücher.example", "zoe@xn--bcher-kva.example"),
            ("zoé@bücher。example", "zoé@xn--bcher-kva.example"),
            ("zoé@bücher.example。", "zoé@xn--bcher-kva.example"),
            ("ann@a；b.example", "ann@a；b.example"),
            ("ann@bücher%2eevil.example", "ann@bücher%2eevil.example"),
            ("zoë@bücher.example <zoë@xn--bcher-kva.example>", "zoë@xn--bcher-kva.example"),
            ("ann@[127.0.0.1]", "ann@[127.0.0.1]"),
            ("Ann <Ann@[IPv6:2001:DB8::1]>", "Ann <ann@[ipv6:2001:db8::1]>"),
            ("Ann ann@[127.0.0.1]", "Ann <ann@[127.0.0.1]>"),
            ("<ann@[10.0.0.1].>", "ann@[10.0.0.1]"),
            (r"CONTOSO\ann@srv.contoso.example", r#""contoso\\ann"@srv.contoso.example"#),
            ("Fax <fax:+123@f.example>", r#"Fax <"fax:+123"@f.example>"#),
            ("<user[1]@a.example>", r#""user[1]"@a.example"#),
            ("<ann@a.example\u{200b}>", "ann@a.example"),
            ("<\u{202a}ann@a.example\u{202c}>", "ann@a.example"),
            ("\u{200e}ann@a.exam\u{ad}ple", "ann@a.example"),
            ("Ann[ann@a.example]", "Ann <ann@a.example>"),
            ("Team [Support]ann@a.example", "Team [Support <ann@a.example>"),
            ("ann@a.example[Ann]", "Ann <ann@a.example>"),
            // Whoever writes such a local part is none of those whom it names.
            (r#"<"boss@a.example,@[x"@a.example>"#, r#""boss@a.example,@[x"@a.example"#),
            (r#"<"boss@a.example,x"@a.example>"#, r#""boss@a.example,x"@a.example"#),
            (r#"Ann <"ann@b.example,@[x"@a.example>"#, r#"Ann <"ann@b.example,@[x"@a.example>"#),
            (r#""ann@[x"@a.example"#, r#""ann@[x"@a.example"#),
            ("=?utf-8?Q?=E2=80=AE_=E2=80=AE?= <ann@a.example>", "ann@a.example"),
            ("Ann \u{202e}htimS <ann@a.example>", "Ann htimS <ann@a.example>"),
            ("Unclosed \"quote <ann@a.example>", "Unclosed quote <ann@a.example>"),
            ("Unclosed (comment <ann@a.example>", "Unclosed comment <ann@a.example>"),
        ] {
            assert_eq!(written(value), [expected], "{value}");
        }
    }

    #[test]
    fn lists_and_groups_are_read_and_who_has_no_address_is_left_out() {
        assert_eq!(written("a@a.example, B <b@a.example>; c@a.example,,"), ["a@a.example", "B <b@a.example>", "c@a.example"]);
        assert_eq!(written("Team: a@a.example, b@a.example;, C <c@a.example>"), ["a@a.example", "b@a.example", "C <c@a.example>"]);
        for nobody in ["undisclosed-recipients:;", "nobody", "<>", "@", "a@", "@a.example", "a b@", "\u{202e}@a.example", "(", "\"", ""] {
            assert!(written(nobody).is_empty(), "{nobody:?}");
        }
    }

    #[test]
    fn an_address_that_is_given_is_one_that_mail_goes_to_and_comes_from() {
        for good in [
            "ann@a.example",
            " O'Brien+x@A.example ",
            "a/b@intranet",
            r#""Ann Smith"@a.example"#,
            r#""a@b"@c.example"#,
            "ann@[127.0.0.1]",
            "zoë@xn--bcher-kva.example",
        ] {
            assert_eq!(given(good), Some(good.trim().to_lowercase()), "{good}");
        }
        assert_eq!(given("zoë@Bücher.example").unwrap(), "zoë@xn--bcher-kva.example");
        for bad in [
            "mailto:ann@a.example",
            "a[b@c.example",
            "[x]@c.example",
            "a:b@c.example",
            r"a\b@c.example",
            "<ann@a.example>",
            "'q'@c.example",
            "x@c.example.",
            "x@.",
            "x@c..d",
            "x@host:25",
            "x@-.-",
            "x@[boss]",
            "x@c.example|y",
            "x@%00",
            "x@.c",
            "x@\u{200b}c.example",
            "a@b@c.example",
            "ann smith@a.example",
            "ann@[127.0.0.1",
            "ann@a[b.example",
            "ann",
            "@a",
            "",
        ] {
            assert_eq!(given(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_reading_of_hostile_lists_ends() {
        for hostile in ["(", "\"", "<", "=?", "a@a.example,", "<a@", "\"a\"@", "a\\\"", ":("] {
            list(hostile.repeat(100_000).as_bytes(), None);
        }
    }
}
