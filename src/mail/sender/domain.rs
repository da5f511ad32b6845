//! Domains of senders, and when two of them are one organization's.

use std::borrow::Cow;

use crate::mail::address::domain_in_ascii;

/// Labels that registries put below a country's domain: nobody owns `co.uk`.
const SHARED_LABELS: [&str; 20] =
    ["ac", "co", "com", "ed", "edu", "go", "gob", "gouv", "gov", "gv", "in", "mil", "ne", "net", "nom", "or", "org", "plc", "sch", "web"];

/// The domain of an address, or of a bare domain, without the dot of the root.
pub(super) fn of_address(address: &str) -> &str {
    address.rsplit_once('@').map_or(address, |(_, domain)| domain).trim_matches(['<', '>', ' ']).trim_end_matches('.')
}

/// The same of what a server's results name, which may be in letters of any script (RFC 8616).
pub(super) fn of_results(address: &str) -> Cow<'_, str> {
    let domain = of_address(address);
    domain_in_ascii(domain).map_or(Cow::Borrowed(domain), Cow::Owned)
}

/// Relaxed alignment (RFC 7489, section 3.1.1), more narrowly: the same domain, or one below the other. Siblings are not aligned, because only
/// the list of public suffixes could tell whether what they share belongs to anybody; whoever needs them has DMARC.
pub(super) fn is_aligned(one: &str, other: &str) -> bool {
    let below = |lower: &str, upper: &str| lower.strip_suffix(upper).is_some_and(|rest| rest.ends_with('.')) && is_owned(upper);
    is_owned(one) && (one == other || below(one, other) || below(other, one))
}

/// At least two labels, and no registry's own.
fn is_owned(domain: &str) -> bool {
    let labels: Vec<&str> = domain.rsplitn(3, '.').collect();
    match labels.as_slice() {
        [country, shared] => !(country.is_empty() || shared.is_empty() || country.len() == 2 && SHARED_LABELS.contains(shared)),
        [_, _, rest] => !rest.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_aligned_with_itself_and_with_those_below_it() {
        for (one, other, expected) in [
            ("a.example", "a.example", true),
            ("mail.a.example", "a.example", true),
            ("a.example", "x.mail.a.example", true),
            ("a.co.uk", "mail.a.co.uk", true),
            ("mail.a.example", "news.a.example", false),
            ("nota.example", "a.example", false),
            ("example", "a.example", false),
            ("co.uk", "a.co.uk", false),
            ("a.co.uk", "co.uk", false),
            ("co.uk", "co.uk", false),
            ("", "", false),
            (".example", "a.example", false),
        ] {
            assert_eq!(is_aligned(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn the_domain_of_an_address_has_no_brackets_and_no_root_dot() {
        for address in ["ann@a.example", "<x@y@a.example>", "@a.example", "a.example."] {
            assert_eq!(of_address(address), "a.example");
        }
    }
}
