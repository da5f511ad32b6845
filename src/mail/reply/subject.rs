//! Whether a mail answers or passes on, by the prefix of its subject; and the person that a forwarded header names.

use super::{
    super::{
        Address, address,
        limits::ADDRESS_NAME_BYTES_MAX,
        line::{cut_bytes, one_line},
    },
    lines::Line,
    phrases::{FORWARD_PREFIXES, REPLY_PREFIXES},
};

/// Bytes of a prefix.
const PREFIX_BYTES_MAX: usize = 40;

/// Tags in brackets that gateways and lists put before a subject.
const TAGS_MAX: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Forward,
    Reply,
    /// "VS": passed on in Danish and Norwegian, answered in Finnish.
    NordicForward,
    Unsaid,
}

impl Way {
    pub fn of(subject: &str) -> Way {
        let mut subject = subject.trim();
        for _ in 0..TAGS_MAX {
            let Some((_, after)) = subject.strip_prefix('[').and_then(|tag| tag.split_once(']')) else { break };
            subject = after.trim_start();
        }
        let near = &subject[..subject.floor_char_boundary(PREFIX_BYTES_MAX)];
        let Some(colon) = near.find([':', '：']) else { return Way::Unsaid };
        // Some count their answers: "Re[2]:", "AW (3):".
        let prefix = near[..colon].trim_end_matches(|letter: char| letter.is_ascii_digit() || matches!(letter, '[' | ']' | '(' | ')' | '^' | ' '));
        let prefix = prefix.to_lowercase();
        match prefix.as_str() {
            "vs" => Way::NordicForward,
            prefix if REPLY_PREFIXES.contains(&prefix) => Way::Reply,
            prefix if FORWARD_PREFIXES.contains(&prefix) => Way::Forward,
            _ => Way::Unsaid,
        }
    }

    /// Settled by the language of the header below.
    pub fn for_lines(self, lines: &[Line<'_>]) -> Way {
        let is_from = |line: &Line<'_>| line.text.trim_start_matches([' ', '*', '>']).starts_with("Fra:");
        match self {
            Way::NordicForward if lines.iter().any(is_from) => Way::Forward,
            Way::NordicForward => Way::Reply,
            way => way,
        }
    }
}

/// `Ann <ann@a.example>`, `Ann [mailto:ann@a.example]`, `ann@a.example (Ann)`, or the address alone.
pub fn named_address(written: &str) -> Option<Address> {
    let at = written.find('@')?;
    let parts = |letter: char| letter.is_whitespace() || "<>()[]\"',;:*|".contains(letter);
    let start = written[..at].rfind(parts).map_or(0, |before| before + written[before..].chars().next().map_or(1, char::len_utf8));
    let end = written[at..].find(parts).map_or(written.len(), |after| at + after);
    let before = written[..start].trim_end_matches("mailto:").trim_end_matches(['<', '[', '(', ' ']);
    let after = written[end..].trim_start_matches(['>', ' ']).strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(name, _)| name);
    let name = before.trim_matches(|letter: char| letter.is_whitespace() || "\"'*<[".contains(letter));
    let name = if name.is_empty() { after } else { Some(name) };
    let address = address::address(&written[start..end])?;
    let name = name.map(one_line).map(|name| cut_bytes(&name, ADDRESS_NAME_BYTES_MAX).trim_end().to_owned());
    let name = name.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case(&address));
    Some(Address { address, name })
}

#[cfg(test)]
mod tests {
    use super::{super::lines::of_text, *};

    #[test]
    fn a_subject_says_whether_a_mail_answers_or_passes_on() {
        for (subject, expected) in [
            ("Fwd: x", Way::Forward),
            ("FW: Re: x", Way::Forward),
            ("[EXTERN] WG: x", Way::Forward),
            ("TR : x", Way::Forward),
            ("转发：x", Way::Forward),
            ("Re: Fwd: x", Way::Reply),
            ("AW[2]: x", Way::Reply),
            ("SV: x", Way::Reply),
            ("x: y", Way::Unsaid),
            ("x", Way::Unsaid),
        ] {
            assert_eq!(Way::of(subject), expected, "{subject}");
        }
        assert_eq!(Way::of("VS: x").for_lines(&of_text("Fra: Ann")), Way::Forward);
        assert_eq!(Way::of("VS: x").for_lines(&of_text("Lähettäjä: Ann")), Way::Reply);
    }

    #[test]
    fn the_person_of_a_header_is_found_however_it_is_written() {
        let ann = |name: Option<&str>| Some(Address { address: "ann@a.example".to_owned(), name: name.map(str::to_owned) });
        for written in [
            "Ann Lee <ann@a.example>",
            "\"Ann Lee\" <Ann@A.example>",
            "Ann Lee [mailto:ann@a.example]",
            "Ann Lee <ann@a.example<mailto:ann@a.example>>",
            "ann@a.example (Ann Lee)",
            "*Ann Lee* <ann@a.example>",
        ] {
            assert_eq!(named_address(written), ann(Some("Ann Lee")), "{written}");
        }
        assert_eq!(named_address("ann@a.example"), ann(None));
        assert_eq!(named_address("<mailto:ann@a.example>"), ann(None));
        assert_eq!(named_address("Ann Lee"), None);
        assert_eq!(named_address("@"), None);
    }
}
