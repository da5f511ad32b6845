//! Forwarded mail: what a forwarder found before it changed the mail, and sealed (RFC 8617). The trusted server checks the seals; whose seals
//! count is for the mailbox to say, because anybody can seal anything.

use std::collections::BTreeMap;

use super::{Headers, results::Results, vouches};

/// Seals that one mail may have (RFC 8617, section 4.2.1).
const SEALS_MAX: u32 = 50;

/// One set of ARC headers.
#[derive(Default)]
struct Seal<'a> {
    /// What the sealer found, without the instance.
    found: Option<&'a str>,
    sealer: Option<String>,
}

/// The trusted server found all seals whole, and the first of those trusted forwarders that sealed last saw the author proven. What an untrusted
/// one sealed after them could be a mail that was changed.
pub(super) fn is_vouched_by_a_sealer(headers: &Headers<'_>, trusted: &Results, domain: &str, sealers: &[String]) -> bool {
    if !trusted.of("arc").any(|arc| arc.result == "pass") {
        return false;
    }
    let Some(seals) = seals(headers) else { return false };
    let is_trusted = |seal: &&Seal<'_>| seal.sealer.as_ref().is_some_and(|sealer| sealers.contains(sealer));
    let first = seals.values().rev().take_while(is_trusted).last();
    let found = first.and_then(|seal| seal.found).and_then(Results::read);
    found.is_some_and(|found| vouches(&found, domain).is_some())
}

/// By instance, 1 and upwards without a gap; `None` if a header is there twice or makes no sense.
fn seals<'a>(headers: &'a Headers<'_>) -> Option<BTreeMap<u32, Seal<'a>>> {
    let mut seals: BTreeMap<u32, Seal<'_>> = BTreeMap::new();
    for (name, value) in headers {
        match *name {
            "arc-seal" => {
                let seal = seals.entry(instance(tag(value, "i")?)?).or_default();
                if seal.sealer.replace(tag(value, "d")?.to_ascii_lowercase()).is_some() {
                    return None;
                }
            }
            "arc-authentication-results" => {
                let (first, found) = value.split_once(';')?;
                let seal = seals.entry(instance(tag(first, "i")?)?).or_default();
                if seal.found.replace(found).is_some() {
                    return None;
                }
            }
            _ => {}
        }
    }
    let whole = seals.values().all(|seal| seal.found.is_some() && seal.sealer.is_some());
    (whole && seals.keys().copied().eq(1..=seals.len() as u32)).then_some(seals)
}

fn instance(text: &str) -> Option<u32> {
    text.parse().ok().filter(|instance| (1..=SEALS_MAX).contains(instance))
}

/// A tag of a list as DKIM has them (RFC 6376, section 3.2).
fn tag<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    list.split(';').filter_map(|tag| tag.split_once('=')).find(|(found, _)| found.trim() == name).map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::header::HeaderLine;

    fn is_proven(trusted: &str, lines: &[(&str, &str)]) -> bool {
        let headers: Vec<HeaderLine<'_>> = lines.iter().map(|(name, value)| (*name, (*value).to_owned().into())).collect();
        is_vouched_by_a_sealer(
            &headers,
            &Results::read(trusted).unwrap(),
            "a.example",
            &["forwarder.example".to_owned(), "second.example".to_owned()],
        )
    }

    fn seal(instance: u32, sealer: &str) -> (&'static str, String) {
        ("arc-seal", format!("i={instance}; a=rsa-sha256; d={sealer}; s=x; cv=pass; b=AAA="))
    }

    #[test]
    fn a_trusted_forwarders_seal_proves_what_it_found() {
        let found = ("arc-authentication-results", "i=1; mx.forwarder.example; dmarc=pass header.from=a.example");
        let (_, trusted) = seal(1, "Forwarder.example");
        let (_, other) = seal(1, "evil.example");
        let (_, later) = seal(2, "evil.example");
        let (_, second) = seal(2, "second.example");
        let found_later = ("arc-authentication-results", "i=2; mx.second.example; arc=pass; dmarc=fail header.from=a.example");
        let pass = "mx.contoso.example; dmarc=fail header.from=a.example; arc=pass (i=1)";
        assert!(is_proven(pass, &[found, ("arc-seal", &trusted)]));
        assert!(is_proven(pass, &[found_later, ("arc-seal", &second), found, ("arc-seal", &trusted)]));
        assert!(!is_proven(pass, &[found, ("arc-seal", &other)]));
        assert!(!is_proven(pass, &[found_later, ("arc-seal", &later), found, ("arc-seal", &trusted)]));
        assert!(!is_proven("mx.contoso.example; arc=fail", &[found, ("arc-seal", &trusted)]));
        assert!(!is_proven(pass, &[found, found, ("arc-seal", &trusted)]));
        assert!(!is_proven(pass, &[found]));
        assert!(!is_proven(pass, &[]));
    }
}
