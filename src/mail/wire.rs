//! A mail's bytes as the readers want them: from the first header on, each line ended by LF or CRLF. Most mails are so already and are not copied.

use std::borrow::Cow;

use super::line::line_end;

/// Bytes that are searched for the kind of line ends: a header is rarely longer.
const LOOKED_AT_BYTES_MAX: usize = 64 * 1024;

/// Lines of other programs before the header: an mbox's `From `, blank lines.
const LEADING_LINES_MAX: usize = 20;

/// The mail from its first header on. Lone CRs, doubled CRs and LF-CR become line ends where the header uses them; ordinary bodies are left as they came.
pub(super) fn repair(raw: &[u8]) -> Cow<'_, [u8]> {
    let mail = without_leading_lines(raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw));
    if has_odd_line_ends(mail) { Cow::Owned(with_line_feeds(mail)) } else { Cow::Borrowed(mail) }
}

fn without_leading_lines(mut mail: &[u8]) -> &[u8] {
    for _ in 0..LEADING_LINES_MAX {
        let end = memchr::memchr2(b'\n', b'\r', mail).map_or(mail.len(), |at| at + 1);
        let line = &mail[..end];
        let is_envelope = [b"From ".as_slice(), b">From "].iter().any(|start| line.starts_with(start));
        if end == mail.len() || !(is_envelope || line.trim_ascii().is_empty()) {
            break;
        }
        mail = &mail[end..];
    }
    mail
}

/// Whether a CR in the header stands without the LF that belongs to it.
fn has_odd_line_ends(mail: &[u8]) -> bool {
    let looked_at = &mail[..mail.len().min(LOOKED_AT_BYTES_MAX)];
    let mut at = 0;
    while at < looked_at.len() {
        let end = line_end(looked_at, at);
        let line = &looked_at[at..end];
        if memchr::memchr(b'\r', line).and_then(|at| line.get(at + 1)).is_some_and(|next| *next != b'\n') {
            return true;
        }
        if line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
            return false;
        }
        at = end;
    }
    false
}

fn with_line_feeds(mail: &[u8]) -> Vec<u8> {
    let first = mail.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(0);
    let reversed = mail[first..].starts_with(b"\n\r") && mail.get(first + 2) != Some(&b'\n');
    let mut repaired = Vec::with_capacity(mail.len());
    let mut at = 0;
    while at < mail.len() {
        match mail[at] {
            b'\n' if reversed && mail.get(at + 1) == Some(&b'\r') => {
                repaired.push(b'\n');
                at += 2;
            }
            b'\r' => {
                // A run of CRs before an LF is one line end; without the LF each CR is one.
                let run = mail[at..].iter().take_while(|byte| **byte == b'\r').count();
                if mail.get(at + run) == Some(&b'\n') {
                    repaired.push(b'\n');
                    at += run + 1;
                } else {
                    repaired.resize(repaired.len() + run, b'\n');
                    at += run;
                }
            }
            byte => {
                repaired.push(byte);
                at += 1;
            }
        }
    }
    repaired
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_line_ends_become_line_feeds_only_where_the_header_has_them() {
        for (raw, expected) in [
            ("From: a\rSubject: b\r\rtext", "From: a\nSubject: b\n\ntext"),
            ("From: a\r\r\nSubject: b\r\r\n\r\r\ntext", "From: a\nSubject: b\n\ntext"),
            ("From: a\n\rSubject: b\n\r\n\rtext", "From: a\nSubject: b\n\ntext"),
            ("From: a\r\n\r\nbinary \r stays", "From: a\r\n\r\nbinary \r stays"),
            ("From: a\n\r\nbinary \r stays", "From: a\n\r\nbinary \r stays"),
        ] {
            assert_eq!(repair(raw.as_bytes()).as_ref(), expected.as_bytes(), "{raw:?}");
        }
    }

    #[test]
    fn what_stands_before_the_header_is_left_out() {
        for before in ["\u{feff}", "\r\n\n \n", "From ann@a.example Mon Nov 23 10:00:00 2026\n", ">From ann@a.example\r\n", "\u{feff}\n"] {
            assert_eq!(repair(format!("{before}From: a\n\nb").as_bytes()).as_ref(), b"From: a\n\nb", "{before:?}");
        }
    }
}
