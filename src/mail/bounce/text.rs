//! Recipients in what mail systems write for people: at the beginning of a line, behind a label, else in prose, and last in the header of the mail that
//! they quote.

use super::{RECIPIENTS_MAX, address};

/// Lines of a report that are read.
const LINES_MAX: usize = 2_000;

/// Labels before addresses to which nothing was sent, in lower case.
const OTHER_LABELS: [&str; 28] = [
    "from",
    "sender",
    "reply-to",
    "mail from",
    "by",
    "cc",
    "contact",
    "administrator",
    "support",
    "message-id",
    "message id",
    "return-path",
    "references",
    "in-reply-to",
    "subject",
    "x-postfix-sender",
    "errors-to",
    "delivered-to",
    "envelope-from",
    "email from",
    "von",
    "absender",
    "de",
    "expéditeur",
    "remitente",
    "mittente",
    "отправитель",
    "送信者",
];

/// Labels, in lower case, before those to whom the reported mail is addressed. They say of nobody that it did not reach him: reports show the header of
/// the mail without a word that announces it.
const ADDRESSEE_LABELS: [&str; 15] =
    ["to", "an", "à", "a", "para", "til", "till", "aan", "do", "komu", "кому", "宛先", "收件人", "收件者", "받는 사람"];

/// The same of those who are in copy.
const COPY_LABELS: [&str; 8] = ["cc", "bcc", "kopie", "kopia", "copie", "copia", "копия", "抄送"];

/// Local parts of addresses that a report names for help.
const HELPERS: [&str; 9] = ["postmaster", "mailer-daemon", "mail-daemon", "abuse", "support", "helpdesk", "hostmaster", "administrator", "noc"];

/// An address that a report names as one it could not deliver to, and what is said of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Mention<'a> {
    pub address: String,
    pub place: Place,
    /// From its line to the line of the next mention, with the line before it.
    pub about: &'a str,
}

/// What stands before an address in its line, the most telling first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Nothing, a bullet, a reply code, or a label.
    Listed,
    Prose,
    /// The label of the mail's addressees.
    Addressee,
}

/// Which header of the mail a line shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Addressees,
    Copies,
}

/// The recipients that the text names best. Addresses in `others` are ours or the mail system's own and count only where no other is named.
pub fn mentions<'a>(text: &'a str, others: &[String]) -> Vec<Mention<'a>> {
    let mut found: Vec<(Place, String, usize)> = Vec::new();
    let mut start = 0;
    let mut goes_on = None;
    for line in text.split_inclusive('\n').take(LINES_MAX) {
        let shown = shown(line).or(goes_on.filter(|_| line.starts_with([' ', '\t', '>', '|'])));
        for mention in address::all(line) {
            let place = match shown {
                Some(Shown::Addressees) => Some(Place::Addressee),
                Some(Shown::Copies) => None,
                None => place(&line[..mention.start]),
            };
            if let Some(place) = place {
                found.push((place, mention.address, start));
            }
        }
        // Many addressees are shown on several lines.
        goes_on = shown.filter(|_| line.trim_end().ends_with([',', ';']));
        start += line.len();
    }
    let is_other = |address: &String| others.contains(address) || HELPERS.contains(&address.split('@').next().unwrap_or_default());
    let best = |wanted: bool| found.iter().filter(|(_, address, _)| is_other(address) != wanted).map(|(place, ..)| *place).min();
    let (place, wanted) = match (best(true), best(false)) {
        (Some(place), _) => (place, true),
        (None, Some(place)) => (place, false),
        (None, None) => return Vec::new(),
    };
    let mut chosen: Vec<(String, usize)> = Vec::new();
    for (at, address, start) in found {
        if at == place && is_other(&address) != wanted && chosen.len() < RECIPIENTS_MAX && !chosen.iter().any(|(known, _)| *known == address) {
            chosen.push((address, start));
        }
    }
    with_what_is_said(text, chosen, place)
}

fn with_what_is_said(text: &str, chosen: Vec<(String, usize)>, place: Place) -> Vec<Mention<'_>> {
    let starts: Vec<usize> = chosen.iter().map(|(_, start)| *start).collect();
    let said = chosen.into_iter().enumerate().map(|(index, (address, start))| {
        let end = starts[index + 1..].iter().copied().find(|next| *next > start).unwrap_or(text.len());
        Mention { address, place, about: &text[start..end] }
    });
    said.collect()
}

fn shown(line: &str) -> Option<Shown> {
    let (label, _) = without_bullet(line).split_once([':', '：'])?;
    let label = label.trim().to_lowercase();
    if ADDRESSEE_LABELS.contains(&label.as_str()) {
        return Some(Shown::Addressees);
    }
    COPY_LABELS.contains(&label.as_str()).then_some(Shown::Copies)
}

fn place(before: &str) -> Option<Place> {
    let unlisted = without_bullet(before.trim());
    if unlisted.is_empty() {
        return Some(Place::Listed);
    }
    let behind_type = unlisted.strip_suffix("SMTP:").or_else(|| unlisted.strip_suffix("smtp:")).unwrap_or(unlisted);
    let label = behind_type.trim_end_matches(['[', '(', '<', '"', '\'', ' ']).strip_suffix([':', '：', '=']);
    let Some(label) = label else {
        // The address that we wrote to, behind the one to which an alias led.
        return Some(if unlisted.ends_with("generated from") { Place::Listed } else { Place::Prose });
    };
    let label = label.trim().to_lowercase();
    if OTHER_LABELS.iter().any(|other| label == *other || label.strip_suffix(other).is_some_and(|start| start.ends_with([' ', '/', '.', '<', '>']))) {
        return None;
    }
    Some(Place::Listed)
}

fn without_bullet(line: &str) -> &str {
    line.trim_start_matches(|letter: char| {
        letter.is_whitespace() || letter.is_ascii_digit() || "*-•·>|<:.#=~+".contains(letter) || matches!(letter, '\u{a0}' | '»' | '→')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        mentions(text, &["us@o.example".to_owned()]).into_iter().map(|mention| mention.address).collect()
    }

    #[test]
    fn recipients_stand_at_the_beginning_of_lines_or_behind_labels() {
        for text in [
            "Hello us@o.example, for help write to postmaster@h.example\n<b@a.example>:\nno such user, said x@y.example\n",
            "To: us@o.example\nFrom: us@o.example\n   b@a.example on Monday\n",
            "Unknown user: b@a.example\nOriginal message of c@a.example\n",
            ">>> MAIL FROM:<other@o.example>\n>>> RCPT TO:<b@a.example>\n<<< 550 no\n",
            "550 <b@a.example>... User unknown\n",
            "   * b@a.example\n",
            "Recipient: [SMTP:b@a.example]\n",
            "This failed (generated from b@a.example) as x@y.example is full\n",
            "We could not deliver your message to b@a.example. Sorry.\n",
            "Please ask support@h.example why 'b@a.example' is full\n",
        ] {
            assert_eq!(read(text), ["b@a.example"], "{text}");
        }
    }

    #[test]
    fn whom_the_shown_header_of_the_mail_is_addressed_to_counts_last() {
        for text in [
            "Your message could not be delivered to b@a.example because the mailbox is full.\n\nTo: c@a.example\nSubject: x\n",
            "Your message\n\n  To: c@a.example\n  Cc: d@a.example, b@a.example\n  Subject: x\n\ndid not reach the following recipient(s):\n\nb@a.example on Monday\n",
            "To: Cy <c@a.example>, Dora <d@a.example>;\n    e@a.example\nCc: f@a.example,\n\tg@a.example\nIt did not reach b@a.example.\n",
            "> An: c@a.example\n> Kopie: d@a.example\nUnbekannt: b@a.example\n",
        ] {
            assert_eq!(read(text), ["b@a.example"], "{text}");
        }
        let alone = mentions("The mailbox is full.\n\nTo: c@a.example\nFrom: us@o.example\n", &[]);
        assert_eq!(alone.iter().map(|mention| (mention.address.as_str(), mention.place)).collect::<Vec<_>>(), [("c@a.example", Place::Addressee)]);
    }

    #[test]
    fn our_own_address_counts_where_no_other_is_named() {
        assert_eq!(read("<us@o.example>: mailbox full\n"), ["us@o.example"]);
        assert!(read("Message-ID: <1@a.example>\n").is_empty());
    }

    #[test]
    fn what_is_said_of_a_recipient_ends_where_the_next_begins() {
        let text = "<b@a.example>:\n550 no\n<c@a.example>:\n450 later\n";
        let about: Vec<&str> = mentions(text, &[]).iter().map(|mention| mention.about).collect();
        assert_eq!(about, ["<b@a.example>:\n550 no\n", "<c@a.example>:\n450 later\n"]);
    }
}
