//! What we send, as a mail: one text part and files beside it, encoded as RFC 5322, 2045 and 2047 want it. The same draft gives the same bytes.

use mail_builder::{
    MessageBuilder,
    headers::{address::Address as BuilderAddress, content_type::ContentType, date::Date, message_id::MessageId, text::Text},
    mime::MimePart,
};
use time::OffsetDateTime;

use super::{Address, address, line::one_line};

/// Message-IDs in a References header: the first, which began the thread, and the last ones. Longer headers are refused by some mail systems.
pub const REFERENCES_MAX: usize = 20;

/// Letters of a subject; the rest is dropped.
pub const SUBJECT_CHARS_MAX: usize = 998;

/// Letters of a boundary that come from the Message-ID, within the 70 of RFC 2046, section 5.1.1.
const BOUNDARY_CHARS_MAX: usize = 60;
/// What a file is called whose type is none that may stand here.
const ANY_TYPE: &str = "application/octet-stream";

/// A mail to be sent. Nothing in it can become a header of its own: control characters are replaced by blanks.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub from: Address,
    pub to: Vec<Address>,
    pub cc: Vec<Address>,
    /// Where answers go, if not to `from`.
    pub reply_to: Option<Address>,
    pub subject: String,
    pub text: String,
    pub attachments: Vec<Enclosure>,
    /// Without angle brackets, like the ids below.
    pub message_id: String,
    pub in_reply_to: Option<String>,
    /// Oldest first.
    pub references: Vec<String>,
    pub date: OffsetDateTime,
    /// Further headers, such as `Auto-Submitted`.
    pub headers: Vec<(&'static str, String)>,
}

/// A file that a mail brings.
#[derive(Debug, Clone, PartialEq)]
pub struct Enclosure {
    pub name: String,
    pub media_type: String,
    pub bytes: Vec<u8>,
}

/// For recipients of any server: all of it is ASCII. Who has an address with letters beyond that, which no header may hold that is sent without SMTPUTF8
/// (RFC 6532, section 4), is named without it, as RFC 6857 (section 3.1.7) has it.
pub fn compose(draft: &Draft) -> Vec<u8> {
    written_with(draft, |address| if address.address.is_ascii() { mailbox(address) } else { without_address(address) })
}

/// With every address as it is. Sent to, or from, an address with letters beyond ASCII, for which SMTPUTF8 is asked for.
pub fn compose_beyond_ascii(draft: &Draft) -> Vec<u8> {
    written_with(draft, mailbox)
}

fn written_with(draft: &Draft, mailbox: impl Fn(&Address) -> BuilderAddress<'static>) -> Vec<u8> {
    let mut message = MessageBuilder::new()
        .from(mailbox(&draft.from))
        .to(BuilderAddress::new_list(draft.to.iter().map(&mailbox).collect()))
        .subject(one_line(&draft.subject).chars().take(SUBJECT_CHARS_MAX).collect::<String>())
        .date(Date::new(draft.date.unix_timestamp()))
        .message_id(id(&draft.message_id));
    if !draft.cc.is_empty() {
        message = message.cc(BuilderAddress::new_list(draft.cc.iter().map(&mailbox).collect()));
    }
    if let Some(reply_to) = &draft.reply_to {
        message = message.reply_to(mailbox(reply_to));
    }
    if let Some(in_reply_to) = draft.in_reply_to.as_deref().map(id).filter(|id| !id.is_empty()) {
        message = message.in_reply_to(in_reply_to);
    }
    let references = references(&draft.references);
    if !references.is_empty() {
        message = message.references(MessageId::new_list(references.into_iter()));
    }
    for (name, value) in &draft.headers {
        message = message.header(*name, Text::new(one_line(value).into_owned()));
    }
    let mut bytes = Vec::new();
    with_body(message, draft).serialize(&mut bytes);
    bytes
}

fn with_body<'a>(message: MessageBuilder<'a>, draft: &'a Draft) -> MessageBuilder<'a> {
    let text = plain(&draft.text);
    if draft.attachments.is_empty() {
        return message.text_body(text);
    }
    let text = MimePart::new("text/plain", text);
    let files = draft.attachments.iter().map(|file| {
        let name = one_line(&file.name);
        MimePart::new(media_type(&file.media_type), file.bytes.as_slice()).attachment(name)
    });
    let kind = ContentType::new("multipart/mixed").attribute("boundary", boundary(&draft.message_id));
    message.body(MimePart::new(kind, std::iter::once(text).chain(files).collect::<Vec<_>>()))
}

/// Made from the Message-ID, whose signature nobody can know who writes what stands between two boundaries. What is quoted-printable never holds `=_`
/// (RFC 2045, section 6.7).
fn boundary(message_id: &str) -> String {
    let local = message_id.split('@').next().unwrap_or_default();
    let letters: Vec<char> = local.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("=_{}", letters[letters.len().saturating_sub(BOUNDARY_CHARS_MAX)..].iter().collect::<String>())
}

/// The type as it may stand in a header. A message or a multipart may not be encoded as a file is (RFC 2046, section 5.2.1).
fn media_type(named: &str) -> &str {
    let is_token = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte));
    match named.split_once('/') {
        Some(("message" | "multipart", _)) => ANY_TYPE,
        Some((kind, subtype)) if is_token(kind) && is_token(subtype) => named,
        _ => ANY_TYPE,
    }
}

fn mailbox(address: &Address) -> BuilderAddress<'static> {
    BuilderAddress::new_address(name_of(address), written(&address.address))
}

/// A group of nobody, which bears the name or else the address: it can be read, and nobody answers to it by accident.
fn without_address(address: &Address) -> BuilderAddress<'static> {
    BuilderAddress::new_group(Some(name_of(address).unwrap_or_else(|| written(&address.address))), Vec::new())
}

fn name_of(address: &Address) -> Option<String> {
    address.name.as_deref().map(|name| one_line(name).into_owned()).filter(|name| !name.is_empty())
}

/// An address stays as it is, also one with a quoted local part, which would be somebody else's without its marks (RFC 5322, section 3.4.1). Of what is
/// none, what could end it is left out.
fn written(written: &str) -> String {
    let is_bare = |letter: &char| !letter.is_control() && !letter.is_whitespace() && !"<>,;\"()".contains(*letter);
    address::sound(written).unwrap_or_else(|| written.chars().filter(is_bare).collect())
}

fn references(all: &[String]) -> Vec<String> {
    let mut references: Vec<String> = all.iter().map(|reference| id(reference)).filter(|id| !id.is_empty()).collect();
    if references.len() > REFERENCES_MAX {
        references.drain(1..references.len() - (REFERENCES_MAX - 1));
    }
    references
}

/// A Message-ID holds neither blanks nor brackets; what a stranger's mail named as one may, and then little or nothing is left of it.
fn id(bare: &str) -> String {
    bare.chars().filter(|letter| letter.is_ascii_graphic() && !matches!(letter, '<' | '>')).collect()
}

/// With the line ends of a mail, and without the control characters that no text of one may have (RFC 2045, section 2.7).
fn plain(text: &str) -> String {
    let mut lines = text.replace("\r\n", "\n").replace('\r', "\n");
    lines.retain(|letter| !letter.is_control() || matches!(letter, '\n' | '\t'));
    lines.replace('\n', "\r\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;
    use crate::mail::{MailKind, parse::parse, sender::Trust};

    fn draft() -> Draft {
        Draft {
            from: Address { address: "help@contoso.example".to_owned(), name: Some("Contoso Helpdesk".to_owned()) },
            to: vec![Address { address: "zoe@northwind.example".to_owned(), name: Some("Zoë, \"Z\" Müller".to_owned()) }],
            cc: vec![Address { address: "bob@northwind.example".to_owned(), name: None }],
            reply_to: Some(Address { address: "help+mark@contoso.example".to_owned(), name: None }),
            attachments: Vec::new(),
            subject: "Re: Drucker – 印刷できません".to_owned(),
            text: "Grüße\n\n> zitiert\n. a dot\nFrom here\n".to_owned(),
            message_id: "01jd7.abc@contoso.example".to_owned(),
            in_reply_to: Some("first@northwind.example".to_owned()),
            references: vec!["first@northwind.example".to_owned(), "second@northwind.example".to_owned()],
            date: datetime!(2026-01-02 03:04:05 UTC),
            headers: vec![("Auto-Submitted", "auto-replied".to_owned())],
        }
    }

    #[test]
    fn what_is_composed_is_read_back() {
        let draft = draft();
        let bytes = compose(&draft);
        let mail = parse(&bytes, &Trust::Nobody).unwrap();
        assert_eq!(mail.from, Some(draft.from.clone()));
        assert_eq!((&mail.to, &mail.cc, &mail.reply_to), (&draft.to, &draft.cc, &draft.reply_to));
        assert_eq!(mail.subject, draft.subject);
        assert_eq!(mail.text.trim_end(), draft.text.trim_end());
        assert_eq!(mail.message_id.as_deref(), Some(draft.message_id.as_str()));
        assert_eq!(mail.in_reply_to, [draft.in_reply_to.clone().unwrap()]);
        assert_eq!(mail.references, draft.references);
        assert_eq!(mail.date, Some(draft.date));
        assert_eq!(mail.kind, MailKind::AutoReply);
        assert_eq!(bytes, compose(&draft), "the same draft gives the same bytes");
        assert!(bytes.is_ascii() && !String::from_utf8(bytes).unwrap().replace("\r\n", "").contains(['\r', '\n']));
    }

    #[test]
    fn a_long_thread_names_its_beginning_and_its_end() {
        let references = (0..50).map(|number| format!("{number}@a.example")).collect();
        let mail = parse(&compose(&Draft { references, ..draft() }), &Trust::Nobody).unwrap();
        assert_eq!(mail.references.len(), REFERENCES_MAX);
        assert_eq!(
            (mail.references[0].as_str(), mail.references[1].as_str(), mail.references[19].as_str()),
            ("0@a.example", "31@a.example", "49@a.example")
        );
    }

    #[test]
    fn an_id_of_which_nothing_is_left_is_not_named() {
        let references = ["<>", "a@a.example", "ü"].map(str::to_owned).to_vec();
        let header = String::from_utf8(compose(&Draft { in_reply_to: Some(" < >".to_owned()), references, ..draft() })).unwrap();
        assert!(!header.contains("In-Reply-To") && header.contains("\r\nReferences: <a@a.example>\r\n"), "{header}");
        let header = String::from_utf8(compose(&Draft { references: vec!["ü".to_owned()], ..draft() })).unwrap();
        assert!(!header.contains("References"), "{header}");
    }

    #[test]
    fn no_control_character_of_a_text_leaves() {
        for attachments in [Vec::new(), vec![Enclosure { name: "a".to_owned(), media_type: "a/b".to_owned(), bytes: b"a".to_vec() }]] {
            let text = "a\0b\x07c\td\x1b[1m\x7f\r\ne\rf\n\u{85}g".to_owned();
            let bytes = compose(&Draft { text, attachments, ..draft() });
            assert!(bytes.iter().all(|byte| !byte.is_ascii_control() || matches!(byte, b'\t' | b'\r' | b'\n')));
            assert_eq!(parse(&bytes, &Trust::Nobody).unwrap().text.trim_end(), "abc\td[1m\ne\nf\ng");
        }
    }

    #[test]
    fn files_are_read_back_as_they_were() {
        let file = |name: &str, media_type: &str, bytes: &[u8]| Enclosure {
            name: name.to_owned(),
            media_type: media_type.to_owned(),
            bytes: bytes.to_vec(),
        };
        let files = [
            file("Grüße, 日本.txt", "text/plain", b"--=_01jd7abc\r\na\nb\rc\r\n.\r\n\xff"),
            file("plan.pdf", "application/pdf", b"%PDF-1.4 \0\x01"),
            file("mail.eml", "message/rfc822", b"From: a@a.example\r\n\r\nWords."),
            file("odd.bin", "no type\r\nX-Evil: 1", b""),
        ];
        let draft = Draft { attachments: files.to_vec(), message_id: "01jd7.abc@contoso.example".to_owned(), ..draft() };
        let bytes = compose(&draft);
        assert_eq!(bytes, compose(&draft), "the same draft gives the same bytes");
        assert!(bytes.is_ascii());
        let header_of_text = "\r\nContent-Type: text/plain; charset=\"utf-8\"\r\n";
        assert!(bytes.windows(header_of_text.len()).any(|window| window == header_of_text.as_bytes()), "{}", String::from_utf8_lossy(&bytes));
        let mail = parse(&bytes, &Trust::Nobody).unwrap();
        assert_eq!(mail.text.trim_end(), draft.text.trim_end());
        let read: Vec<(&str, &[u8])> = mail.attachments.iter().map(|read| (read.name.as_str(), read.bytes.as_slice())).collect();
        assert_eq!(read, files.iter().map(|file| (file.name.as_str(), file.bytes.as_slice())).collect::<Vec<_>>());
        assert!(!String::from_utf8(bytes).unwrap().contains("X-Evil"));
    }

    #[test]
    fn a_quoted_local_part_is_nobody_elses_address() {
        for written in [r#""ann smith"@a.example"#, r#""a\"b\\c"@a.example"#, r#""<a>, b"@a.example"#] {
            let to = vec![Address { address: written.to_owned(), name: None }];
            let bytes = compose(&Draft { to: to.clone(), ..draft() });
            let header = String::from_utf8(bytes.clone()).unwrap();
            assert!(header.contains(&format!("\r\nTo: <{written}>\r\n")), "{header}");
            assert_eq!(parse(&bytes, &Trust::Nobody).unwrap().to, to);
        }
    }

    #[test]
    fn an_address_beyond_ascii_stands_in_no_header_that_is_sent_without_smtputf8() {
        let party = |address: &str, name: Option<&str>| Address { address: address.to_owned(), name: name.map(str::to_owned) };
        let cc = vec![party("zoë@n.example", Some("Zoë")), party("bob@n.example", None), party("jürgen@n.example", None)];
        for draft in [Draft { cc: cc.clone(), ..draft() }, Draft { to: vec![cc[0].clone()], cc: cc.clone(), ..draft() }] {
            let ascii = compose(&draft);
            assert!(ascii.is_ascii());
            let header = String::from_utf8(ascii.clone()).unwrap().replace("\r\n ", " ");
            assert!(header.contains("\r\nCc: =?utf-8?B?Wm/Dqw==?=:;, <bob@n.example>, =?utf-8?Q?j=C3=BCrgen=40n=2Eexample?=:;\r\n"), "{header}");
            assert_eq!(parse(&ascii, &Trust::Nobody).unwrap().cc, [cc[1].clone()]);
            assert_eq!(parse(&compose_beyond_ascii(&draft), &Trust::Nobody).unwrap().cc, cc);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_in_a_draft_becomes_a_header(evil in "[a-z<>,@\\PC]{0,8}(\r\n|\n|\r|\u{85}|\u{2028}|\0)X-Evil: 1[\\PC\r\n]{0,12}") {
            let address = Address { address: format!("a@b.example{evil}"), name: Some(evil.clone()) };
            let quoted = Address { address: format!("\"a{evil}\"@b.example"), name: None };
            let draft = Draft {
                from: address.clone(), to: vec![address.clone(), quoted], cc: vec![address.clone()], reply_to: Some(address), subject: evil.clone(), text: "words".to_owned(), message_id: evil.clone(),
                attachments: vec![Enclosure { name: evil.clone(), media_type: evil.clone(), bytes: b"bytes".to_vec() }],
                in_reply_to: Some(evil.clone()), references: vec![evil.clone()], headers: vec![("X-Own", evil)], ..draft()
            };
            for bytes in [compose(&draft), compose_beyond_ascii(&draft)] {
            let parsed = mail_parser::MessageParser::default().parse_headers(&bytes).unwrap();
            let names: Vec<&str> = parsed.headers().iter().map(|header| header.name()).collect();
            let expected = ["From", "To", "Cc", "Reply-To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "X-Own", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"];
            prop_assert!(names.iter().all(|name| expected.contains(name)), "{:?}", names);
            // Nor one of a part.
            let lines: Vec<&[u8]> = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).collect();
            prop_assert!(!lines.iter().any(|line| line.starts_with(b"X-Evil")));
            }
        }
    }
}
