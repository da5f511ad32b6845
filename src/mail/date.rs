//! When a mail was written, as standards of four decades have it written.

use mail_parser::DateTime;
use time::OffsetDateTime;

/// A zone without a meaning of its own, or none (RFC 5322, section 4.3).
const ZONE_UNKNOWN: &str = "-0000";

/// A date of RFC 5322, also an obsolete one: without seconds or zone, or as C's `asctime` writes it.
pub(super) fn read(written: &str) -> Option<OffsetDateTime> {
    // What the parser reads by itself stays as it is, but for what it takes for something else: the year of asctime, a zone in the place of the seconds.
    let standard = in_standard_order(written);
    let by_itself = DateTime::parse_rfc822(written).filter(|_| !standard.as_ref().is_some_and(|standard| standard.is_misread));
    let mut date = by_itself.or_else(|| DateTime::parse_rfc822(&standard?.text))?;
    // A leap second has no place of its own in Unix time.
    if date.second == 60 {
        date.second = 59;
    }
    date.is_valid().then(|| OffsetDateTime::from_unix_timestamp(date.to_timestamp()).ok()).flatten()
}

struct Standard {
    text: String,
    /// The parser would read what was written otherwise.
    is_misread: bool,
}

/// What the parser does without is put in, and the year after the month.
fn in_standard_order(written: &str) -> Option<Standard> {
    let words: Vec<&str> = written.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let at = words.iter().position(|word| word.contains(':'))?;
    let is_year = |word: &&&str| word.len() == 4 && is_number(word);
    let (day, month, year, is_asctime) = match words[..at] {
        [.., day, month, year] if is_number(day) && is_number(year) => (day, month, year, false),
        [.., month, day] if is_number(day) => (day, month, *words[at + 1..].iter().find(is_year)?, true),
        _ => return None,
    };
    // A zone may be glued to the time.
    let clock = words[at].find(|letter: char| !letter.is_ascii_digit() && letter != ':').unwrap_or(words[at].len());
    let (time, glued) = words[at].split_at(clock);
    let after = words[at + 1..].iter().find(|word| !is_asctime || !is_year(word)).copied();
    let is_zone = |zone: &&str| zone.starts_with(|first: char| first.is_ascii_alphanumeric() || matches!(first, '+' | '-'));
    let zone = Some(glued).filter(|glued| !glued.is_empty()).or(after).filter(is_zone).unwrap_or(ZONE_UNKNOWN);
    let seconds = if time.matches(':').count() == 1 { ":00" } else { "" };
    let is_misread = is_asctime || !seconds.is_empty() || !glued.is_empty();
    Some(Standard { text: format!("{day} {month} {year} {time}{seconds} {zone}"), is_misread })
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_date_is_read_in_the_standards_of_four_decades() {
        for (written, expected) in [
            ("Fri, 27 Nov 2026 10:00:00 +0100", datetime!(2026-11-27 9:00 UTC)),
            ("Fri, 27 Nov 2026 10:00:00 +0100 (CET)", datetime!(2026-11-27 9:00 UTC)),
            ("Fri,27 Nov 2026 10:00:00 GMT", datetime!(2026-11-27 10:00 UTC)),
            ("27 Nov 26 10:00 EST", datetime!(2026-11-27 15:00 UTC)),
            ("27 Nov 26 10:00 PDT", datetime!(2026-11-27 17:00 UTC)),
            ("27 Nov 2026 10:00 K", datetime!(2026-11-27 10:00 UTC)),
            ("27 Nov 99 10:00 UT", datetime!(1999-11-27 10:00 UTC)),
            ("Fri, 27 Nov 2026 10:00:00", datetime!(2026-11-27 10:00 UTC)),
            ("Fri, 27 Nov 2026 10:00", datetime!(2026-11-27 10:00 UTC)),
            ("Fri, 27 Nov 2026 10:00:00+0100", datetime!(2026-11-27 9:00 UTC)),
            ("Fri, 27 Nov 2026 10:00+0100", datetime!(2026-11-27 9:00 UTC)),
            ("Fri, 27 Nov 2026 10:00:00EST", datetime!(2026-11-27 15:00 UTC)),
            ("Fri, 27 Nov 2026 10:00:00EST (Eastern)", datetime!(2026-11-27 15:00 UTC)),
            ("Fri, 27 Nov 2026 10:00 EST (Eastern)", datetime!(2026-11-27 15:00 UTC)),
            ("Fri, 27 Nov 2026 10:00:00 (local time)", datetime!(2026-11-27 10:00 UTC)),
            ("Fri Nov 27 10:00:00 2026", datetime!(2026-11-27 10:00 UTC)),
            ("Tue Nov  3 10:00:00 EST 2026", datetime!(2026-11-03 15:00 UTC)),
            ("Fri Nov 27 10:00:00 2026 -0500", datetime!(2026-11-27 15:00 UTC)),
            ("Thu, 31 Dec 2026 23:59:60 +0000", datetime!(2026-12-31 23:59:59 UTC)),
        ] {
            assert_eq!(read(written), Some(expected), "{written}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for written in
            ["", "today", "10:00", "Fri Nov 27 10:00:00", "Fri, 27 Nov 2026 10:00:61 +0000", "27 Nov 2026 25:00 +0000", "99 Nov 2026 10:00 +0000"]
        {
            assert_eq!(read(written), None, "{written}");
        }
    }
}
