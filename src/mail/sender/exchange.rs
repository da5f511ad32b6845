//! What Exchange Online says of a sender. It writes an Authentication-Results header without an authserv-id, with a verdict of its own (`compauth`),
//! and on mail of its own organization `X-MS-Exchange-Organization-AuthAs: Internal`.
//!
//! Both are believed only above the first server that is not Exchange Online's own: every mail from outside comes through a front door
//! (`*.mail.protection.outlook.com`), and what stands below its Received header came with the mail. Exchange Online removes headers
//! `X-MS-Exchange-Organization-*` from what comes in; this does not rely on it.

use super::{Headers, written_by_servers};

/// Ends of the names of Exchange Online's servers: worldwide, for the government of the United States, in China.
const SERVERS: [&str; 4] = [".outlook.com", ".office365.com", ".office365.us", ".partner.outlook.cn"];
/// In the name of a server that takes mail from outside.
const FRONT_DOORS: [&str; 2] = [".mail.protection.", ".mail.eo."];
/// Letters of a Received header in which its two servers stand.
const RECEIVED_BYTES_MAX: usize = 2_000;

/// By what Exchange Online proves the domain of From.
pub(super) fn vouches(headers: &Headers<'_>, domain: &str) -> Option<&'static str> {
    let (own, is_from_outside) = own(headers);
    let results = written_by_servers(own).find(|results| is_from_outside && results.server.is_none());
    let composite = results.as_ref().and_then(|results| results.of("compauth").next());
    // Reasons 1xx: a method passed. Others tell of exceptions: a history of good mail, a rule that lets pass.
    let passed = composite.is_some_and(|composite| {
        composite.result == "pass" && composite.property("reason").is_some_and(|reason| reason.len() == 3 && reason.starts_with('1'))
    });
    if passed && results.is_some_and(|results| super::vouches(&results, domain).is_some_and(|by| by != "spf")) {
        return Some("compauth");
    }
    is_internal(own).then_some("internal")
}

/// What Exchange Online wrote, or may have: everything above the first Received header of a way from outside. And whether there is one.
fn own<'a, 'b>(headers: &'a Headers<'b>) -> (&'a Headers<'b>, bool) {
    let outside = headers.iter().position(|(name, value)| *name == "received" && !is_own_way(value));
    (&headers[..outside.unwrap_or(headers.len())], outside.is_some())
}

/// From one of its servers to another, and not through the front door, where the name of the other is the other's word.
fn is_own_way(received: &str) -> bool {
    let Some((from, by)) = ends(received) else { return false };
    let is_own = |server: &str| SERVERS.iter().any(|end| server.ends_with(end));
    is_own(&from) && is_own(&by) && !FRONT_DOORS.iter().any(|door| by.contains(door))
}

/// The servers of a Received header (RFC 5321, section 4.4), in lower case.
fn ends(received: &str) -> Option<(String, String)> {
    let received = &received[..received.floor_char_boundary(RECEIVED_BYTES_MAX)];
    let mut depth = 0_usize;
    let outside = received.chars().map(|letter| {
        depth += usize::from(letter == '(');
        let shown = if depth == 0 { letter } else { ' ' };
        depth = depth.saturating_sub(usize::from(letter == ')'));
        shown
    });
    let plain: String = outside.collect::<String>().to_ascii_lowercase();
    let mut words = plain.split_whitespace();
    let from = words.next().filter(|word| *word == "from").and(words.next())?.to_owned();
    let by = words.next().filter(|word| *word == "by").and(words.next())?.to_owned();
    // A client's name for itself that looks like the rest of the header.
    (!words.any(|word| word == "by")).then_some((from, by))
}

/// Sent by an account of the same organization, and never outside. The header stands among the sender's, so that only the way tells who wrote it.
fn is_internal(own: &Headers<'_>) -> bool {
    let mut said = own.iter().filter(|(name, _)| *name == "x-ms-exchange-organization-authas").map(|(_, value)| value.trim());
    let internal = said.next().is_some_and(|value| value.eq_ignore_ascii_case("internal")) && said.next().is_none();
    internal && own.iter().any(|(name, _)| *name == "received")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::header::HeaderLine;

    const INSIDE: (&str, &str) =
        ("received", "from AM0PR01.eurprd04.prod.outlook.com (2603:10a6::1) by DB7PR02.eurprd04.prod.outlook.com with Microsoft SMTP Server id 15");
    const DOOR: (&str, &str) =
        ("received", "from AM0PR01.prod.outlook.com (192.0.2.1) by AM3PEPF01.mail.protection.outlook.com (10.0.0.1) with Microsoft SMTP Server");
    const PASSED: (&str, &str) = (
        "authentication-results",
        "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=a.example; dkim=pass (signature was verified) header.d=a.example;dmarc=pass action=none header.from=a.example;compauth=pass reason=100",
    );
    const INTERNAL: (&str, &str) = ("x-ms-exchange-organization-authas", "Internal");
    const FROM: (&str, &str) = ("from", "ann@a.example");

    fn by(lines: &[(&str, &str)]) -> Option<&'static str> {
        let headers: Vec<HeaderLine<'_>> = lines.iter().map(|(name, value)| (*name, (*value).to_owned().into())).collect();
        vouches(&headers, "a.example")
    }

    #[test]
    fn compauth_proves_with_an_aligned_method_and_a_reason_of_passing() {
        assert_eq!(by(&[INSIDE, PASSED, DOOR, FROM]), Some("compauth"));
        for (results, expected) in [
            ("dkim=pass header.d=a.example;dmarc=bestguesspass action=none header.from=a.example;compauth=pass reason=109", Some("compauth")),
            ("dkim=pass header.d=a.example;dmarc=pass header.from=a.example;compauth=pass reason=703", None),
            ("dkim=pass header.d=a.example;dmarc=pass header.from=a.example;compauth=softpass reason=202", None),
            ("dkim=pass header.d=a.example;dmarc=pass header.from=a.example;compauth=none reason=405", None),
            ("dkim=none;spf=pass smtp.mailfrom=a.example;compauth=pass reason=102", None),
            ("dkim=pass header.d=b.example;dmarc=none header.from=a.example;compauth=pass reason=103", None),
            ("dkim=pass header.d=a.example;dmarc=pass header.from=a.example", None),
            ("mx.b.example; dmarc=pass header.from=a.example;compauth=pass reason=100", None),
        ] {
            assert_eq!(by(&[INSIDE, ("authentication-results", results), DOOR, FROM]), expected, "{results}");
        }
    }

    #[test]
    fn what_stands_below_the_front_door_is_the_senders_word() {
        assert_eq!(by(&[INSIDE, DOOR, PASSED, FROM]), None);
        assert_eq!(by(&[INSIDE, DOOR, INSIDE, FROM, INTERNAL]), None);
        assert_eq!(by(&[PASSED, FROM]), None);
        assert_eq!(by(&[INSIDE, PASSED, FROM]), None);
        assert_eq!(by(&[("received", "from x.outlook.com by y.outlook.com by z.mail.protection.outlook.com"), FROM, INTERNAL]), None);
        assert_eq!(by(&[("received", "from x.b.example by mx.b.example with ESMTP"), PASSED, FROM]), None);
        assert_eq!(by(&[("received", "from x.b.example (y by z.outlook.com) by z.outlook.com with ESMTP"), FROM, INTERNAL]), None);
    }

    #[test]
    fn mail_of_the_own_organization_is_proven_by_its_way_alone() {
        assert_eq!(by(&[INSIDE, INSIDE, FROM, INTERNAL]), Some("internal"));
        assert_eq!(by(&[INSIDE, FROM, ("x-ms-exchange-organization-authas", "Anonymous")]), None);
        assert_eq!(by(&[INSIDE, FROM, INTERNAL, INTERNAL]), None);
        assert_eq!(by(&[FROM, INTERNAL]), None);
    }
}
