//! A mail's bytes to what it means. Whatever comes in, the answer is a `Mail` or a reason; no input panics, recurses without bound or is read twice over.

use std::borrow::Cow;

use mail_parser::{Encoding, GetHeader, HeaderName, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use super::{
    Attachment, Mail, Unreadable, Warning, attachment, bounce, charset, clean,
    header::{self, addresses, cut_bytes, cut_chars, date, lines, media_type, message_ids, one_line, text_of},
    kind::{self, Seen},
    plain, redact, reply,
    sender::{self, Trust},
    wire,
};

/// Bytes of a mail. Above it the mail is kept and not read. Exchange Online sends up to 35 MB unless told otherwise.
pub const MAIL_BYTES_MAX: usize = 35 * 1024 * 1024;
/// Parts of a mail, with the multiparts that hold them. Above it the mail is kept and not read.
pub const PARTS_MAX: usize = 500;
/// Bytes of the mail's own header. Headers beyond it are not read.
pub const HEADER_BYTES_MAX: usize = 1024 * 1024;
/// Addresses that are read from To and from Cc each. The rest is dropped.
pub const ADDRESSES_MAX: usize = 200;
/// Message-IDs that are kept of References and of In-Reply-To each: the first, which began the thread, and the last ones.
pub const REFERENCES_MAX: usize = 100;
/// Letters of a subject. The rest is dropped. It is the length of the longest line of a mail.
pub const SUBJECT_CHARS_MAX: usize = 998;
/// Bytes of the name beside an address. The rest is dropped.
pub const ADDRESS_NAME_BYTES_MAX: usize = 200;
/// Bytes of an address (RFC 5321, section 4.5.3.1). What is longer is no address.
pub const ADDRESS_BYTES_MAX: usize = 320;
/// Bytes of a Message-ID or Content-ID. What is longer is none.
pub const MESSAGE_ID_BYTES_MAX: usize = 998;
/// Bytes of the text. The rest is dropped; the mail itself has it.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// What the bytes of a mail mean, in a mailbox that trusts so.
pub fn parse(raw: &[u8], trust: &Trust) -> Result<Mail, Unreadable> {
    if raw.trim_ascii().is_empty() {
        return Err(Unreadable::Empty);
    }
    if raw.len() > MAIL_BYTES_MAX {
        return Err(Unreadable::TooLarge { bytes: raw.len(), limit: MAIL_BYTES_MAX });
    }
    let original = wire::repair_line_ends(raw);
    let masked = wire::mask(&original)?;
    // Parts need their MIME headers alone; the mail's own header is read apart, up to a limit.
    let parser = MessageParser::new().with_mime_headers().default_header_ignore();
    let message = parser.parse(masked.as_ref()).ok_or(Unreadable::NoHeaders)?;
    if message.parts.len() > PARTS_MAX {
        return Err(Unreadable::TooManyParts { limit: PARTS_MAX });
    }
    Reader { original: &original, label: header_label(&message), message: &message, trust }.mail()
}

/// The charset that the mail names first: what its 8-bit headers are probably written in.
fn header_label(message: &Message<'_>) -> Option<String> {
    message.parts.iter().find_map(|part| label_of(part).map(str::to_owned))
}

fn label_of<'a>(part: &'a MessagePart<'_>) -> Option<&'a str> {
    part.content_type().and_then(|content_type| content_type.attribute("charset"))
}

struct Reader<'a> {
    /// The mail's bytes, of which the parser saw a masked copy of the same length.
    original: &'a [u8],
    label: Option<String>,
    message: &'a Message<'a>,
    trust: &'a Trust,
}

impl Reader<'_> {
    fn mail(&self) -> Result<Mail, Unreadable> {
        let block = self.header_block();
        let head =
            MessageParser::default().parse_headers(&block).and_then(|message| message.parts.into_iter().next()).ok_or(Unreadable::NoHeaders)?;
        let is_mail = [HeaderName::From, HeaderName::Sender, HeaderName::ReturnPath, HeaderName::Subject, HeaderName::Date];
        if !is_mail.iter().any(|name| head.headers.header_value(name).is_some()) {
            return Err(Unreadable::NoHeaders);
        }
        let (subject, in_subject) = redact::redact_text(&cut_chars(&one_line(text_of(&head, &HeaderName::Subject)), SUBJECT_CHARS_MAX));
        let raw_html = self.html();
        let cleaned = raw_html.as_deref().map(clean::clean);
        let mut warnings = cleaned.as_ref().map(clean_warnings).unwrap_or_default();
        let html = cleaned.map(|cleaned| cleaned.html);
        let whole = self.text(html.as_deref());
        warnings.extend((whole.len() > TEXT_BYTES_MAX).then_some(Warning::TextCut));
        let (text, in_text) = redact::redact_text(cut_bytes(&whole, TEXT_BYTES_MAX));
        let (html, in_html) = html.map(|html| redact::redact_text(&html)).map_or((None, 0), |(html, count)| (Some(html), count));
        let (attachments, in_names) = self.attachments(raw_html.as_deref());
        let from = header::sender(&head);
        let headers = lines(&head, &block);
        let seen = Seen { headers: &headers, subject: &subject, from: from.as_ref(), text: &text, attachments: &attachments };
        let kind = kind::kind(&seen);
        Ok(Mail {
            kind,
            bounce: bounce::read(kind, &seen),
            sender: sender::proof(&headers, from.as_ref(), self.trust),
            reply: reply::new_words(&text, html.as_deref()),
            from,
            reply_to: addresses(&head, &HeaderName::ReplyTo).into_iter().next(),
            to: addresses(&head, &HeaderName::To),
            cc: addresses(&head, &HeaderName::Cc),
            subject,
            message_id: message_ids(&head, &HeaderName::MessageId).into_iter().next(),
            in_reply_to: message_ids(&head, &HeaderName::InReplyTo),
            references: message_ids(&head, &HeaderName::References),
            date: date(&head),
            text,
            html,
            attachments,
            redactions: in_subject + in_text + in_html + in_names,
            warnings,
        })
    }

    /// The mail's own header in UTF-8, in whole lines.
    fn header_block(&self) -> Vec<u8> {
        let end = (self.message.parts[0].offset_body as usize).min(self.message.raw_message.len());
        let block = &self.message.raw_message[..end];
        let block = match block.get(..HEADER_BYTES_MAX) {
            Some(within) => &within[..within.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)],
            None => block,
        };
        let mut block = charset::repair_header(block, self.label.as_deref()).unwrap_or_else(|| block.to_vec());
        // The parser takes a header for finished only at the end of its line.
        block.extend_from_slice(b"\r\n\r\n");
        block
    }

    /// A part with its MIME headers alone, read again in UTF-8 if they were written in raw 8-bit letters.
    fn head<'b>(&self, part: &'b MessagePart<'b>) -> Cow<'b, MessagePart<'b>> {
        let block = self.message.raw_message.get(part.offset_header as usize..part.offset_body as usize).unwrap_or_default();
        let Some(block) = charset::repair_header(block, self.label.as_deref()) else { return Cow::Borrowed(part) };
        let parser = MessageParser::new().with_mime_headers().default_header_ignore();
        let again = parser.parse_headers(&block).and_then(|message| message.parts.into_iter().next().map(MessagePart::into_owned));
        again.map_or(Cow::Borrowed(part), Cow::Owned)
    }

    /// The plain text parts, or the HTML as text where a mail has nothing else to read.
    fn text(&self, cleaned: Option<&str>) -> String {
        let plain: Vec<String> =
            self.bodies(&self.message.text_body).filter(|part| matches!(part.body, PartType::Text(_))).map(|part| self.decoded(part)).collect();
        let text = plain.iter().map(|text| text.trim_end()).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n");
        let text = if text.is_empty() { cleaned.map(plain::text_of).unwrap_or_default() } else { text };
        text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "")
    }

    /// The HTML parts, and plain text between them; nothing if there is only plain text.
    fn html(&self) -> Option<String> {
        let parts: Vec<&MessagePart<'_>> = self.bodies(&self.message.html_body).collect();
        if !parts.iter().any(|part| matches!(part.body, PartType::Html(_))) {
            return None;
        }
        let mut html = String::new();
        for part in parts {
            match part.body {
                PartType::Html(_) => html.push_str(&self.decoded(part)),
                PartType::Text(_) => html.push_str(&format!("<pre>{}</pre>", clean::escape(&self.decoded(part)))),
                _ => {}
            }
        }
        Some(html)
    }

    fn attachments(&self, html: Option<&str>) -> (Vec<Attachment>, usize) {
        let shown = html.unwrap_or_default().to_ascii_lowercase();
        let mut redactions = 0;
        let parts = self.bodies(&self.message.attachments).filter(|part| !matches!(part.body, PartType::Multipart(_)));
        let attachments = parts.enumerate().map(|(index, part)| {
            let attachment = self.attachment(part, index + 1, &shown);
            let (name, count) = redact::redact_text(&attachment.name);
            redactions += count;
            Attachment { name, ..attachment }
        });
        (attachments.collect(), redactions)
    }

    fn attachment(&self, part: &MessagePart<'_>, number: usize, shown: &str) -> Attachment {
        let head = self.head(part);
        let media_type = media_type(&head);
        let bytes = self.bytes(part);
        let declared = head.attachment_name().map(one_line).filter(|name| !name.is_empty());
        let declared = match declared {
            None if matches!(media_type.as_str(), "message/rfc822" | "message/global") => Some(message_name(&bytes)),
            declared => declared,
        };
        let content_id = head
            .content_id()
            .map(|id| wire::unmask(id).trim_matches(['<', '>', ' ']).to_owned())
            .filter(|id| !id.is_empty() && id.len() <= MESSAGE_ID_BYTES_MAX);
        let inline = content_id.as_deref().is_some_and(|id| is_shown(shown, id));
        Attachment { name: attachment::name(declared.as_deref(), &media_type, number), media_type, bytes, inline, content_id }
    }

    fn bodies<'b>(&'b self, ids: &'b [u32]) -> impl Iterator<Item = &'b MessagePart<'b>> {
        ids.iter().filter_map(|id| self.message.parts.get(*id as usize))
    }

    /// The part's bytes as the sender had them: without transfer encoding, in his charset.
    fn bytes(&self, part: &MessagePart<'_>) -> Vec<u8> {
        let encoded = self.original.get(part.offset_body as usize..part.offset_end as usize).unwrap_or_default();
        let decoded = match part.encoding {
            Encoding::None => Some(encoded.to_vec()),
            Encoding::QuotedPrintable => mail_parser::decoders::quoted_printable::quoted_printable_decode(encoded),
            Encoding::Base64 => match &part.body {
                PartType::Binary(bytes) | PartType::InlineBinary(bytes) => Some(bytes.to_vec()),
                _ => mail_parser::decoders::base64::base64_decode(encoded),
            },
        };
        decoded.unwrap_or_else(|| part.contents().to_vec())
    }

    fn decoded(&self, part: &MessagePart<'_>) -> String {
        charset::decode(&self.bytes(part), label_of(part))
    }
}

/// The name of a mail that came inside a mail: its subject.
fn message_name(bytes: &[u8]) -> String {
    let subject = MessageParser::default().parse_headers(bytes).map(|message| one_line(message.subject().unwrap_or_default())).unwrap_or_default();
    let subject = subject.replace(['/', '\\'], "_");
    format!("{}.eml", if subject.is_empty() { "message" } else { &subject })
}

fn clean_warnings(cleaned: &clean::Cleaned) -> Vec<Warning> {
    let images = (cleaned.remote_images > 0).then_some(Warning::RemoteImages { count: cleaned.remote_images });
    images.into_iter().chain(cleaned.as_text.then_some(Warning::HtmlAsText)).collect()
}

/// The HTML, in lower case, loads this part; mail programs write the id plain or percent-encoded.
fn is_shown(html: &str, content_id: &str) -> bool {
    let id = content_id.to_ascii_lowercase();
    html.contains(&format!("cid:{id}")) || html.contains(&format!("cid:{}", id.replace('@', "%40")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::MailKind;

    fn read(raw: &str) -> Mail {
        parse(raw.as_bytes(), &Trust::Nobody).unwrap()
    }

    #[test]
    fn what_is_no_mail_is_refused_by_its_reason() {
        assert_eq!(parse(b" \r\n\n", &Trust::Nobody), Err(Unreadable::Empty));
        assert_eq!(parse(b"no header here\n\nwords", &Trust::Nobody), Err(Unreadable::NoHeaders));
        assert_eq!(parse(b"X-Only: this\n\nwords", &Trust::Nobody), Err(Unreadable::NoHeaders));
        assert_eq!(
            parse(&vec![b'a'; MAIL_BYTES_MAX + 1], &Trust::Nobody),
            Err(Unreadable::TooLarge { bytes: MAIL_BYTES_MAX + 1, limit: MAIL_BYTES_MAX })
        );
        let parts = format!("Subject: x\nContent-Type: multipart/mixed; boundary=a\n\n{}--a--\n", "--a\n\nwords\n".repeat(PARTS_MAX));
        assert_eq!(parse(parts.as_bytes(), &Trust::Nobody), Err(Unreadable::TooManyParts { limit: PARTS_MAX }));
    }

    #[test]
    fn the_sender_is_from_then_sender_then_return_path() {
        let sender = |raw: &str| read(raw).from.map(|from| from.address);
        assert_eq!(sender("From: Ann <ANN@A.example>\nSender: b@a.example\n\n").as_deref(), Some("ann@a.example"));
        assert_eq!(sender("From: nobody\nSender: <b@a.example>\nReturn-Path: <c@a.example>\n\n").as_deref(), Some("b@a.example"));
        assert_eq!(sender("Subject: x\nReturn-Path: <C@a.example>\n\n").as_deref(), Some("c@a.example"));
        assert_eq!(sender("Subject: x\nReturn-Path: <>\n\n"), None);
    }

    #[test]
    fn long_headers_are_cut_at_their_limits() {
        let references: String = (0..150).map(|number| format!("<{number}@a.example>\n ")).collect();
        let to: String = (0..250).map(|number| format!("{number}@a.example,\n ")).collect();
        let (subject, name) = ("s".repeat(2_000), "ü".repeat(150));
        let mail = read(&format!("From: \"{name}\" <a@a.example>\nTo: {to}z@a.example\nSubject: {subject}\nReferences: {references}\n\nwords"));
        assert_eq!(
            (mail.references.len(), mail.references[0].as_str(), mail.references[1].as_str()),
            (REFERENCES_MAX, "0@a.example", "51@a.example")
        );
        assert_eq!(mail.to.len(), ADDRESSES_MAX);
        assert_eq!(mail.subject.len(), SUBJECT_CHARS_MAX);
        assert_eq!(mail.from.unwrap().name.unwrap(), "ü".repeat(ADDRESS_NAME_BYTES_MAX / 2));
        assert_eq!(read(&format!("Subject: x\n\n{}", "ü".repeat(TEXT_BYTES_MAX))).text.len(), TEXT_BYTES_MAX);
    }

    #[test]
    fn message_ids_are_bare_and_found_without_brackets_too() {
        let mail = read(
            "Subject: x\nMessage-ID: <a$1@a.example>\nIn-Reply-To: Your message of Monday <b@a.example>\nReferences: c@a.example d@a.example\n\n",
        );
        assert_eq!(mail.message_id.as_deref(), Some("a$1@a.example"));
        assert_eq!(mail.in_reply_to, ["b@a.example"]);
        assert_eq!(mail.references, ["c@a.example", "d@a.example"]);
        assert!(read("Subject: x\nIn-Reply-To: Your message of Monday\n\n").in_reply_to.is_empty());
    }

    #[test]
    fn carriage_returns_alone_end_lines() {
        let mail = read("From: a@a.example\rSubject: old\rContent-Type: text/plain\r\rone\rtwo");
        assert_eq!((mail.subject.as_str(), mail.text.as_str()), ("old", "one\ntwo"));
    }

    #[test]
    fn a_mail_inside_a_mail_is_an_attachment_however_it_is_encoded_and_never_read() {
        let inner = "From: b@a.example\r\nSubject: Inner / one\r\nContent-Type: message/rfc822\r\n\r\nSubject: innermost\r\n\r\nhidden\r\n";
        let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, inner);
        for (encoding, body) in [("7bit", inner), ("base64", encoded.as_str())] {
            let mail = read(&format!(
                "Subject: x\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nouter\r\n--a\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}\r\n--a--\r\n"
            ));
            assert_eq!(mail.text, "outer", "{encoding}");
            let attachment = &mail.attachments[0];
            assert_eq!((attachment.name.as_str(), attachment.media_type.as_str()), ("Inner _ one.eml", "message/rfc822"), "{encoding}");
            assert_eq!(attachment.bytes, inner.as_bytes(), "{encoding}");
        }
    }

    #[test]
    fn messages_nested_a_hundred_thousand_deep_do_not_exhaust_the_stack() {
        let deep = format!("Subject: x\n{}", "Content-Type: message/rfc822\n\n".repeat(100_000));
        assert_eq!(read(&deep).attachments.len(), 1);
        let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &deep);
        let mail = read(&format!("Subject: x\nContent-Type: message (a) / \"rfc822\nContent-Transfer-Encoding: base64\n\n{encoded}"));
        assert_eq!(mail.attachments[0].bytes, deep.as_bytes());
    }

    #[test]
    fn text_comes_from_html_where_nothing_else_is_there_and_cards_are_cut_everywhere() {
        let mail = read("From: a@a.example\nSubject: card 4111111111111111\nContent-Type: text/html\n\n<p>one<br>4111&nbsp;1111 1111 1111</p>");
        assert_eq!(
            (mail.subject.as_str(), mail.text.as_str(), mail.html.as_deref()),
            ("card •••• 1111", "one\n•••• 1111", Some("<p>one<br>•••• 1111</p>"))
        );
        assert_eq!((mail.redactions, mail.kind), (3, MailKind::Person));
    }

    #[test]
    fn a_word_that_was_masked_for_the_parser_is_whole_again() {
        let mail = read(
            "From: \"a/global\" <a@a.example>\nSubject: see /digest and (x)rfc822\nMessage-ID: <a/digest@a.example>\n\nhttps://a.example/global: /rfc822\n",
        );
        assert_eq!((mail.subject.as_str(), mail.message_id.as_deref()), ("see /digest and (x)rfc822", Some("a/digest@a.example")));
        assert_eq!((mail.text.as_str(), mail.from.unwrap().name.as_deref()), ("https://a.example/global: /rfc822", Some("a/global")));
    }
}
