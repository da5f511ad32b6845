//! Addresses in prose, in logs and in fields: found by their `@`, each letter looked at a bounded number of times.

use crate::mail::{address::in_ascii, limits::ADDRESS_BYTES_MAX};

/// An address and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Lower-case.
    pub address: String,
    /// The byte at which it begins in its line, with its bracket or quotation mark.
    pub start: usize,
}

/// The first address in a text, lower-case.
pub fn first(text: &str) -> Option<String> {
    all(text).next().map(|found| found.address)
}

/// Every address in a line, in order.
pub fn all(line: &str) -> impl Iterator<Item = Found> {
    line.match_indices('@').filter_map(|(at, _)| around(line, at))
}

/// The address whose `@` is at this byte.
fn around(line: &str, at: usize) -> Option<Found> {
    let before = &line[line.floor_char_boundary(at.saturating_sub(ADDRESS_BYTES_MAX))..at];
    let after = &line[at + 1..line.floor_char_boundary((at + 1).saturating_add(ADDRESS_BYTES_MAX))];
    let (local, domain) = bracketed(before, after).or_else(|| bare(before, after))?;
    let start = at - local.len();
    let local = local.trim_matches(['\'', '"', '=', '/', '.']);
    let domain = domain.trim_end_matches(['.', '-', '\'']);
    let is_domain = domain.contains(|letter: char| letter.is_alphanumeric()) && !domain.starts_with(['.', '-']) && !domain.contains("..");
    if local.is_empty() || !is_domain || local.len() + 1 + domain.len() > ADDRESS_BYTES_MAX {
        return None;
    }
    let opened = line[..start].trim_end_matches(['<', '[', '(', '"', '\'', '«', '“', '„', '‘', '`']);
    Some(Found { address: in_ascii(format!("{local}@{domain}").to_lowercase()), start: opened.len() })
}

/// Between angle brackets, where an address may hold any letter of any script.
fn bracketed<'a>(before: &'a str, after: &'a str) -> Option<(&'a str, &'a str)> {
    let local = &before[before.rfind('<')? + 1..];
    let domain = &after[..after.find('>')?];
    // A source route (`<@relay.example:a@b.example>`) and a type (`<smtp:a@b.example>`) come before the address.
    let local = local.rsplit(':').next().unwrap_or_default();
    let is_plain = |part: &str| !part.contains(|letter: char| letter.is_whitespace() || letter.is_control() || "<>@()[],;\"".contains(letter));
    // An address literal (RFC 5321, section 4.1.3).
    let host = domain.strip_prefix('[').and_then(|literal| literal.strip_suffix(']')).unwrap_or(domain);
    (is_plain(local) && is_plain(host)).then_some((local, domain))
}

/// In running text. Letters beyond ASCII end it: in many scripts no blank stands between a word and an address.
fn bare<'a>(before: &'a str, after: &'a str) -> Option<(&'a str, &'a str)> {
    let is_local = |letter: char| letter.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(letter);
    let is_domain = |letter: char| letter.is_ascii_alphanumeric() || ".-_".contains(letter);
    let local = &before[before.rfind(|letter| !is_local(letter)).map_or(0, |last| last + before[last..].chars().next().map_or(0, char::len_utf8))..];
    let literal = after.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(literal, _)| literal);
    let is_address =
        |literal: &&str| literal.contains(['.', ':']) && literal.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":.".contains(&byte));
    let literal = literal.filter(is_address);
    let name_bytes = after.find(|letter| !is_domain(letter)).unwrap_or(after.len());
    let domain = &after[..literal.map_or(name_bytes, |literal| literal.len() + "[]".len())];
    // What follows another `@` is no mail address: a path, a cookie, a source route.
    let goes_on = after[domain.len()..].starts_with('@');
    let is_host = literal.is_some() || domain.trim_end_matches('.').contains('.');
    (is_host && !goes_on).then_some((local, domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Vec<String> {
        all(line).map(|found| found.address).collect()
    }

    #[test]
    fn addresses_are_found_in_brackets_in_prose_and_behind_labels() {
        assert_eq!(found("to <A.b+c@D.example>: and x@y.example."), ["a.b+c@d.example", "x@y.example"]);
        assert_eq!(found("[SMTP:a@d.example] 'b@d.example' F=<c@d.example>"), ["a@d.example", "b@d.example", "c@d.example"]);
        assert_eq!(found("宛先はa@d.exampleです <ü@ö.example> <root@localhost>"), ["a@d.example", "ü@xn--nda.example", "root@localhost"]);
        assert_eq!(found("<@relay.example:a@d.example>"), ["a@d.example"]);
        assert_eq!(found("<a@[127.0.0.1]> and b@[IPv6:2001:db8::1]."), ["a@[127.0.0.1]", "b@[ipv6:2001:db8::1]"]);
    }

    #[test]
    fn what_only_looks_like_an_address_is_none() {
        for line in ["@", "a@", "@b.example", "me @ home", "a@b", "a@b..c.example", "user@-.example", "root@[alpha]"] {
            assert!(found(line).is_empty(), "{line}: {:?}", found(line));
        }
    }

    #[test]
    fn where_an_address_begins_counts_its_bracket() {
        assert_eq!(all("to: <a@d.example>").next().map(|found| found.start), Some(4));
        assert_eq!(all("a@d.example x").next().map(|found| found.start), Some(0));
    }

    #[test]
    fn long_runs_are_searched_in_bounded_steps() {
        let line = format!("{}@{}", "a".repeat(200_000), "@".repeat(10_000));
        assert!(found(&line).is_empty());
    }
}
