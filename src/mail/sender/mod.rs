//! Whether a mail's sender is who he says: what a mail server that we trust wrote into the header. We verify no SPF, DKIM or DMARC ourselves.

mod results;
mod domain;
mod exchange;
mod arc;
mod letter;
mod passed_on;

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Address, Proof, Warning, address::in_ascii, header::Headers};
use domain::{is_aligned, of_address, of_results};
pub use passed_on::{UNREAD_ACCOUNTS, is_a_group, written_by};
use results::Results;

/// Authentication-Results headers that are looked at. Servers write one each, and a mail passes a dozen of them.
pub const RESULTS_MAX: usize = 100;
/// Bytes of a server's name or of a sealer's domain (RFC 1035, section 2.3.4).
pub const SERVER_BYTES_MAX: usize = 255;
/// Forwarders whose seals one mailbox may trust.
pub const SEALERS_MAX: usize = 10;

/// Headers that the sender writes. What a server adds stands above them, so that below them all is the sender's word.
const WRITTEN_BY_THE_SENDER: [&str; 5] = ["from", "sender", "to", "subject", "date"];

/// Whose word on senders counts, in one mailbox. In words: `nobody`, `rfc8601 ID`, `rfc8601 ID arc SEALER...` or `exchange_online`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", inline)]
pub enum Trust {
    /// Nobody's: every sender is unproven.
    #[default]
    Nobody,
    /// Of the server with this authserv-id (RFC 8601), lower-case; and, where it says that their seals are whole, of these forwarders (RFC 8617).
    Rfc8601 { server: String, sealers: Vec<String> },
    /// Of Exchange Online, which writes no authserv-id.
    ExchangeOnline,
}

/// Words that name no trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("trust is `nobody`, `exchange_online`, `rfc8601 ID` or `rfc8601 ID arc SEALER...` with at most {SEALERS_MAX} sealers")]
pub struct NotATrust;

impl FromStr for Trust {
    type Err = NotATrust;

    fn from_str(text: &str) -> Result<Self, NotATrust> {
        let lower = text.to_lowercase();
        let words: Vec<&str> = lower.split_whitespace().collect();
        let is_name =
            |word: &str| word.len() <= SERVER_BYTES_MAX && word.bytes().all(|byte| byte.is_ascii_graphic() && !b";=\"(),\\".contains(&byte));
        match words.as_slice() {
            ["nobody"] => Ok(Trust::Nobody),
            ["exchange_online"] => Ok(Trust::ExchangeOnline),
            ["rfc8601", server] if is_name(server) => Ok(Trust::Rfc8601 { server: (*server).to_owned(), sealers: Vec::new() }),
            ["rfc8601", server, "arc", sealers @ ..]
                if is_name(server) && (1..=SEALERS_MAX).contains(&sealers.len()) && sealers.iter().all(|sealer| is_name(sealer)) =>
            {
                Ok(Trust::Rfc8601 { server: (*server).to_owned(), sealers: sealers.iter().map(|sealer| (*sealer).to_owned()).collect() })
            }
            _ => Err(NotATrust),
        }
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trust::Nobody => f.write_str("nobody"),
            Trust::ExchangeOnline => f.write_str("exchange_online"),
            Trust::Rfc8601 { server, sealers } if sealers.is_empty() => write!(f, "rfc8601 {server}"),
            Trust::Rfc8601 { server, sealers } => write!(f, "rfc8601 {server} arc {}", sealers.join(" ")),
        }
    }
}

impl TryFrom<String> for Trust {
    type Error = NotATrust;

    fn try_from(text: String) -> Result<Self, NotATrust> {
        text.parse()
    }
}

impl From<Trust> for String {
    fn from(trust: Trust) -> String {
        trust.to_string()
    }
}

/// What the trusted server says of the author, if there is one. `headers` are those that every server reads as we do.
pub fn proof(headers: &Headers<'_>, author: Option<&Address>, trust: &Trust) -> Proof {
    let Some(author) = author else { return Proof::default() };
    let domain = of_address(&author.address);
    let by = match trust {
        Trust::Nobody => None,
        Trust::ExchangeOnline => exchange::vouches(headers, domain),
        Trust::Rfc8601 { server, sealers } => of_server(headers, server).and_then(|results| {
            let itself = vouches(&results, domain);
            itself.or_else(|| arc::is_vouched_by_a_sealer(headers, &results, domain, sealers).then_some("arc"))
        }),
    };
    Proof { by }
}

/// The one author, whom neither a reader nor a mail server would take for another. `written` is each From as it came.
pub fn author<'a>(written: &[&[u8]], authors: &'a [Address]) -> Result<&'a Address, Warning> {
    match (authors, written) {
        ([], _) => Err(Warning::NoAuthor),
        ([author], [from]) => {
            if names_another(author) {
                Err(Warning::AuthorNamedAsAnother)
            } else if !letter::names_alone(from, &author.address) {
                Err(Warning::AuthorOddlyWritten)
            } else {
                Ok(author)
            }
        }
        _ => Err(Warning::SeveralAuthors),
    }
}

/// The name beside the address is an address too, and a different one: people see the name alone. Or the address begins with another.
fn names_another(author: &Address) -> bool {
    let plain = |letter| match letter {
        '\u{ff20}' | '\u{fe6b}' => '@',
        '\u{2024}' | '\u{3002}' | '\u{fe52}' | '\u{ff0e}' | '\u{ff61}' => '.',
        other => other,
    };
    if author.address.rsplit_once('@').is_some_and(|(local, _)| local.contains(['@', '\u{ff20}', '\u{fe6b}'])) {
        return true;
    }
    let name: String = author.name.as_deref().unwrap_or_default().to_lowercase().chars().map(plain).collect();
    let words = name.split(|letter: char| letter.is_whitespace() || "<>()[]\"',;:".contains(letter));
    let mut addresses = words.filter(|word| word.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.')));
    addresses.any(|address| in_ascii(address.to_owned()) != author.address)
}

/// What the server with this id found: in its topmost header, if that stands where servers write. It must remove headers that carry its id from
/// what comes in, as RFC 8601 (section 5) wants.
fn of_server(headers: &Headers<'_>, server: &str) -> Option<Results> {
    written_by_servers(headers).find(|results| results.server.as_deref() == Some(server))
}

/// The results that stand above what the sender wrote, the topmost first.
fn written_by_servers(headers: &Headers<'_>) -> impl Iterator<Item = Results> {
    let above = headers.iter().take_while(|(name, _)| !WRITTEN_BY_THE_SENDER.contains(name));
    above.filter(|(name, _)| *name == "authentication-results").take(RESULTS_MAX).filter_map(|(_, value)| Results::read(value))
}

/// By which method these results prove that the domain of From is the sender's own.
fn vouches(results: &Results, domain: &str) -> Option<&'static str> {
    let passed = |method: &'static str| results.of(method).filter(|found| found.result == "pass");
    let contradicted =
        results.of("dmarc").any(|dmarc| dmarc.result == "fail" || dmarc.property("header.from").is_some_and(|from| of_results(from) != domain));
    if contradicted {
        return None;
    }
    if passed("dmarc").any(|dmarc| dmarc.property("header.from").is_some()) {
        return Some("dmarc");
    }
    let aligned = |value: Option<&str>| value.is_some_and(|value| is_aligned(&of_results(value), domain));
    if passed("dkim").any(|dkim| aligned(dkim.property("header.d").or_else(|| dkim.property("header.i")))) {
        return Some("dkim");
    }
    passed("spf").any(|spf| aligned(spf.property("smtp.mailfrom"))).then_some("spf")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::header::HeaderLine;

    fn headers<'a>(lines: &[&'a str]) -> Vec<HeaderLine<'a>> {
        lines
            .iter()
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (&*name.to_lowercase().leak(), value.trim().to_owned().into()))
            .collect()
    }

    fn by(trust: &str, lines: &[&str]) -> Option<&'static str> {
        let lines: Vec<&str> = lines.iter().copied().chain(["From: Ann <ann@a.example>"]).collect();
        let author = Address { address: "ann@a.example".to_owned(), name: Some("Ann".to_owned()) };
        proof(&headers(&lines), Some(&author), &trust.parse().unwrap()).by
    }

    /// A whole mail of this From, of whose domain the trusted server says that DMARC passed.
    fn read(from: &str, domain: &str, more: &str) -> (Option<&'static str>, Vec<Warning>) {
        let raw = format!("Authentication-Results: mx.a.example; dmarc=pass header.from={domain}\r\nFrom: {from}\r\n{more}\r\nx\r\n");
        let mail = crate::mail::parse::parse(raw.as_bytes(), &"rfc8601 mx.a.example".parse().unwrap()).unwrap();
        (mail.sender.by, mail.warnings)
    }

    #[test]
    fn a_trust_has_one_form_in_words() {
        for words in ["nobody", "exchange_online", "rfc8601 mx.contoso.example", "rfc8601 mx.contoso.example arc a.example b.example"] {
            assert_eq!(words.parse::<Trust>().unwrap().to_string(), words);
        }
        assert_eq!(" RFC8601  MX.Contoso.example ".parse::<Trust>().unwrap().to_string(), "rfc8601 mx.contoso.example");
        for wrong in
            ["", "rfc8601", "rfc8601 a b", "rfc8601 a arc", "rfc8601 a;b", "exchange_online x", &format!("rfc8601 a arc {}", "b ".repeat(11))]
        {
            assert_eq!(wrong.parse::<Trust>(), Err(NotATrust), "{wrong:?}");
        }
    }

    #[test]
    fn dmarc_dkim_or_spf_of_the_trusted_server_prove_the_domain_of_from() {
        for (results, expected) in [
            ("mx.a.example; dmarc=pass (p=none) header.from=a.example", Some("dmarc")),
            ("MX.A.example 1; DMARC = Pass header.from=A.EXAMPLE.", Some("dmarc")),
            ("mx.a.example; dmarc=pass", None),
            ("mx.a.example; dmarc=pass header.from=b.example; dkim=pass header.d=a.example", None),
            ("mx.a.example; dmarc=fail header.from=a.example; dkim=pass header.d=a.example", None),
            ("mx.a.example; dmarc=none header.from=a.example; dkim=pass header.d=mail.a.example", Some("dkim")),
            ("mx.a.example; dkim=fail header.d=a.example; dkim=pass header.i=@a.example", Some("dkim")),
            ("mx.a.example; dkim=pass header.d=b.example header.i=x@a.example", None),
            ("mx.a.example; spf=pass smtp.mailfrom=\"bounce+1\"@news.a.example", Some("spf")),
            ("mx.a.example; spf=pass smtp.helo=a.example", None),
            ("mx.a.example; spf=softpass smtp.mailfrom=a.example", None),
            ("mx.a.example; none", None),
            ("other.example; dmarc=pass header.from=a.example", None),
            ("dmarc=pass header.from=a.example", None),
        ] {
            assert_eq!(by("rfc8601 mx.a.example", &[&format!("Authentication-Results: {results}")]), expected, "{results}");
            assert_eq!(by("nobody", &[&format!("Authentication-Results: {results}")]), None);
        }
    }

    #[test]
    fn a_domain_of_any_script_is_proven_however_it_is_written() {
        let from = |author: &str, results: &str| read(author, results, "");
        for author in ["ann@bücher.example", "ann@xn--bcher-kva.example", "\"ann@bücher.example\" <ann@bücher.example>"] {
            for results in ["bücher.example", "xn--bcher-kva.example"] {
                assert_eq!(from(author, results), (Some("dmarc"), Vec::new()), "{author}, {results}");
            }
        }
        let (by, warnings) = from("\"boss@bücher.example\" <ann@bücher.example>", "bücher.example");
        assert_eq!((by, warnings), (None, vec![Warning::AuthorNamedAsAnother]));
    }

    #[test]
    fn an_address_that_had_to_be_cleaned_proves_nobody() {
        assert_eq!(read("Ann <'ann@a.example>", "a.example", ""), (None, vec![Warning::AuthorOddlyWritten]));
        for charset in ["utf-8", "utf-7", "utf-16", "iso-2022-jp"] {
            let more = format!("Content-Type: text/plain; charset={charset}\r\n");
            assert_eq!(
                read("Ann <ann+x@a.example>", "a.example", &more),
                (Some("dmarc"), Vec::new()),
                "the charset of a body is not the header's: {charset}"
            );
        }
    }

    #[test]
    fn only_the_topmost_header_of_the_server_counts_and_none_below_what_the_sender_wrote() {
        let (pass, fail) =
            ("Authentication-Results: mx.a.example; dmarc=pass header.from=a.example", "Authentication-Results: mx.a.example; dmarc=fail");
        let foreign = "Authentication-Results: other.example; none";
        assert_eq!(by("rfc8601 mx.a.example", &[fail, pass]), None);
        assert_eq!(by("rfc8601 mx.a.example", &[foreign, pass, fail]), Some("dmarc"));
        assert_eq!(by("rfc8601 mx.a.example", &["Subject: x", pass]), None);
    }

    #[test]
    fn an_author_who_is_several_nobody_or_named_as_another_is_unproven() {
        let address = |address: &str, name: &str| Address { address: address.to_owned(), name: Some(name.to_owned()) };
        let one = [&b"Ann <ann@a.example>"[..]];
        let (ann, bob) = (address("ann@a.example", "Ann"), address("bob@a.example", "Bob"));
        assert_eq!(author(&one, std::slice::from_ref(&ann)), Ok(&ann));
        assert_eq!(author(&one, &[ann.clone(), bob.clone()]), Err(Warning::SeveralAuthors));
        assert_eq!(author(&[b"x", b"y"], std::slice::from_ref(&ann)), Err(Warning::SeveralAuthors));
        assert_eq!(author(&one, &[]), Err(Warning::NoAuthor));
        for (name, expected) in [
            ("ceo@b.example", false),
            ("Ann (Ann@A.example)", true),
            ("'x@b.example' via list", false),
            ("Ann @ work", true),
            ("ceo\u{ff20}b\u{3002}example", false),
        ] {
            assert_eq!(author(&one, &[address("ann@a.example", name)]).is_ok(), expected, "{name}");
        }
        for twofold in ["ceo@b.example@a.example", "\"ceo@b.example\"@a.example"] {
            assert_eq!(author(&one, &[address(twofold, "Ann")]), Err(Warning::AuthorNamedAsAnother));
        }
    }
}
