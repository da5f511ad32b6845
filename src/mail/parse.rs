//! A mail's bytes to what it means. Whatever comes in, the answer is a `Mail` or a reason; no input panics, recurses without bound or is read twice over.

use super::{
    Address, Attachment, LOOP_HEADER, Mail, MailKind, Unreadable, Warning, attachment, bounce, clean,
    header::Header,
    kind,
    limits::{ADDRESS_NAME_BYTES_MAX, ADDRESSES_MAX, ATTACHMENTS_MAX, MESSAGE_ID_BYTES_MAX, SUBJECT_CHARS_MAX, TEXT_BYTES_MAX},
    line::{cut_bytes, cut_chars, own_line, without_overrides},
    mime,
    part::{Bodies, Part, with_parts},
    plain::{self, Page},
    redact, reply,
    seen::Seen,
    sender::{self, Trust},
    sent::Sent,
    tnef, transfer,
};

/// How often a mail is read and cut until no card number is left: nearly always once.
const CUTS_MAX: usize = 4;

/// A mail to be kept.
pub struct Kept {
    /// Its bytes without card numbers, if there were any. Of an unreadable mail they are not looked for.
    pub cut: Option<Vec<u8>>,
    /// What the cut bytes mean.
    pub mail: Result<Mail, Unreadable>,
}

/// What the bytes of a mail mean, in a mailbox that trusts so. Card numbers are cut before anything is made of them.
pub fn parse(raw: &[u8], trust: &Trust) -> Result<Mail, Unreadable> {
    cut_and_parse(raw, trust).mail
}

/// The same, with the bytes that may be kept.
pub fn cut_and_parse(raw: &[u8], trust: &Trust) -> Kept {
    let (mut kept, mut redactions): (Option<Vec<u8>>, usize) = (None, 0);
    // A number that is cut may be what held the parts of a broken mail together: read again, there may be more to cut.
    for _ in 0..CUTS_MAX {
        let bytes = kept.as_deref().unwrap_or(raw);
        let read = with_parts(bytes, |read, parts| match redact::redact_parts(read, parts) {
            Some((cut, count)) => Err((redact::carry_back(bytes, read, &cut), count)),
            None => Ok(mail(parts, trust)),
        });
        match read {
            Err(why) => return Kept { cut: kept, mail: Err(why) },
            Ok(Ok(mail)) => return Kept { cut: kept, mail: mail.map(|mail| Mail { redactions: mail.redactions + redactions, ..mail }) },
            Ok(Err((cut, count))) => (kept, redactions) = (Some(cut), redactions + count),
        }
    }
    let mail = with_parts(kept.as_deref().unwrap_or(raw), |_, parts| mail(parts, trust)).and_then(|mail| mail);
    Kept { cut: kept, mail: mail.map(|mail| Mail { redactions: mail.redactions + redactions, ..mail }) }
}

fn mail(parts: &[Part<'_>], trust: &Trust) -> Result<Mail, Unreadable> {
    let header = &parts[0].header;
    let mut warnings = warnings_of(parts);
    let bodies = Bodies::of(parts);
    let calendar = bodies.calendar(parts).map(Part::bytes);
    let Content { text, is_written, html, raw_html, page, sent } = content(parts, &bodies, &mut warnings);
    let (attachments, in_names) = attachment::all(sent, raw_html.as_deref())?;
    let authors = header.addresses("from");
    let People { from, original, mut answers_to, to, cc } = people(header, &authors, &mut warnings)?;
    let whole_subject = own_line(without_overrides(header.text("subject")));
    let (subject, in_subject) = redact::redact_text(&cut_chars(&whole_subject, SUBJECT_CHARS_MAX));
    let (in_reply_to, replies_cut) = header.message_ids("in-reply-to");
    let (references, references_cut) = header.message_ids("references");
    warn(&mut warnings, Warning::SubjectCut, whole_subject.chars().nth(SUBJECT_CHARS_MAX).is_some());
    warn(&mut warnings, Warning::ReferencesCut, replies_cut || references_cut);
    warn(&mut warnings, Warning::TextCut, text.len() > TEXT_BYTES_MAX);
    let (text, in_text) = redact::redact_own_text(cut(text, TEXT_BYTES_MAX));
    let (html, in_html) = html.map(redact::redact_own_html).map_or((None, 0), |(html, count)| (Some(html), count));
    let lines = header.lines();
    let author = sender::author(&header.values("from").collect::<Vec<_>>(), &authors);
    // Where nobody's word counts, nobody's is read.
    let trusted = if *trust == Trust::Nobody { Vec::new() } else { header.lines_beyond_doubt() };
    warnings.extend(author.err());
    let seen =
        Seen { headers: &lines, subject: &subject, from: from.as_ref(), text: &text, attachments: &attachments, calendar: calendar.as_deref() };
    let kind = kind::kind(&seen);
    let is_persons = kind == MailKind::Person;
    // A list's own letters come in the name of who writes them.
    let is_posted = kind == MailKind::Bulk && from.as_ref().is_some_and(|from| sender::is_a_group(&lines, from));
    let written_by = sender::written_by(&lines, from.as_ref(), &original, &answers_to).filter(|_| is_persons || is_posted);
    let no_automatic_answer = kind::takes_no_automatic_answer(&lines, from.as_ref());
    let reading = match kind {
        MailKind::Person | MailKind::AutoReply | MailKind::Calendar => {
            let answers = !(in_reply_to.is_empty() && references.is_empty());
            let page = page.or_else(|| raw_html.as_deref().and_then(|html| page_of(html, is_written)));
            reply::read(&reply::Shown { subject: &subject, answers, text: is_written.then_some(&text), page: page.as_ref() })
        }
        // Machines quote nobody: what looks like a quotation in their mails is what they have to say.
        _ => reply::Reading { words: text.clone(), forwarded_from: None },
    };
    // Often they are the whole text, in which there was nothing to cut.
    let is_redacted = in_text == 0 && reading.words == text;
    let words = cut(reading.words, TEXT_BYTES_MAX);
    let attached = || attachments.iter().find_map(forwarded_sender).filter(|_| is_persons && reply::may_forward(&subject));
    Ok(Mail {
        kind,
        bounce: bounce::read(kind, &seen),
        sender: sender::proof(&trusted, author.ok(), trust),
        // The page was read before card numbers were cut.
        reply: if is_redacted { words } else { redact::redact_own_text(words).0 },
        forwarded_from: reading.forwarded_from.or_else(attached),
        from,
        written_by,
        reply_to: (!answers_to.is_empty()).then(|| answers_to.swap_remove(0)),
        to,
        cc,
        subject,
        message_id: header.message_ids("message-id").0.into_iter().next(),
        in_reply_to,
        references,
        loop_mark: Some(header.text(LOOP_HEADER)).filter(|mark| !mark.is_empty() && mark.len() <= MESSAGE_ID_BYTES_MAX),
        no_automatic_answer,
        date: header.date(),
        text,
        html,
        attachments,
        redactions: in_subject + in_text + in_html + in_names,
        warnings,
    })
}

/// The HTML as lines, as far as they count: beside plain text only its marks do.
fn page_of(html: &str, is_written: bool) -> Option<Page> {
    (!is_written || plain::is_marked(html)).then(|| plain::page(html))
}

struct People {
    from: Option<Address>,
    /// Whom a group names in whose name it does not send.
    original: Vec<Address>,
    answers_to: Vec<Address>,
    to: Vec<Address>,
    cc: Vec<Address>,
}

fn people(header: &Header<'_>, authors: &[Address], warnings: &mut Vec<Warning>) -> Result<People, Unreadable> {
    let (mut to, mut cc) = (header.addresses("to"), header.addresses("cc"));
    if to.len() + cc.len() > ADDRESSES_MAX {
        return Err(Unreadable::TooManyAddresses { limit: ADDRESSES_MAX });
    }
    let from = authors.first().cloned();
    let (mut from, mut original, mut answers_to) =
        (from.or_else(|| header.sender()), header.addresses("x-original-from"), header.addresses("reply-to"));
    let names = from.iter_mut().chain(&mut original).chain(&mut answers_to).chain(&mut to).chain(&mut cc).filter_map(|address| address.name.as_mut());
    let mut any_cut = false;
    for name in names.filter(|name| name.len() > ADDRESS_NAME_BYTES_MAX) {
        *name = cut_bytes(name, ADDRESS_NAME_BYTES_MAX).trim_end().to_owned();
        any_cut = true;
    }
    warn(warnings, Warning::NameCut, any_cut);
    Ok(People { from, original, answers_to, to, cc })
}

/// The words of a mail and what came with them.
struct Content {
    text: String,
    /// There was plain text; else it is that of the HTML.
    is_written: bool,
    /// Cleaned.
    html: Option<String>,
    raw_html: Option<String>,
    /// The HTML as lines, if they were asked for: where the text is made of it, or so short that it could be.
    page: Option<Page>,
    sent: Vec<Sent>,
}

fn content(parts: &[Part<'_>], bodies: &Bodies, warnings: &mut Vec<Warning>) -> Content {
    let mut sent = Vec::new();
    let mut raw_html = html(parts, bodies);
    let mut written = text(parts, bodies, &mut sent);
    for part in bodies.attachments.iter().map(|number| &parts[*number]) {
        // The other half of a file from an old Macintosh (RFC 1740): its icon and window.
        if part.media_type == "application/applefile" && part.parent.is_some_and(|parent| parts[parent].media_type == "multipart/appledouble") {
            continue;
        }
        let file = part.sent();
        if !tnef::is_tnef(&file.bytes) {
            sent.push(file);
            continue;
        }
        match tnef::read(&file.bytes) {
            Ok(unpacked) => {
                if written.is_none() && raw_html.is_none() {
                    raw_html = unpacked.html;
                    written = unpacked.text;
                }
                sent.extend(unpacked.files);
            }
            Err(_) => {
                warn(warnings, Warning::WinmailNotRead, true);
                sent.push(file);
            }
        }
    }
    // Pictures become files as far as the others leave room: they must not make the mail unreadable.
    let mut pasted = Vec::new();
    let pictures_max = ATTACHMENTS_MAX.saturating_sub(sent.len());
    let raw_html = raw_html.map(|html| attachment::lift_pictures(html, &mut pasted, pictures_max));
    let html = raw_html.as_deref().map(|html| cleaned(html, warnings));
    sent.extend(pasted);
    let is_short = written.as_ref().is_none_or(|text| text.len() <= plain::STUB_BYTES_MAX);
    let page = raw_html.as_deref().filter(|_| is_short).map(plain::page);
    let written = written.filter(|text| !page.as_ref().is_some_and(|page| plain::is_stub(text, page)));
    let is_written = written.is_some();
    let text = written.unwrap_or_else(|| page.as_ref().map(Page::text).unwrap_or_default());
    let has_line =
        |start: &str| memchr::memmem::find(text.as_bytes(), start.as_bytes()).is_some() && text.lines().any(|line| line.starts_with(start));
    warn(warnings, Warning::Encrypted, has_line("-----BEGIN PGP MESSAGE-----"));
    warn(warnings, Warning::SignatureNotChecked, has_line("-----BEGIN PGP SIGNED MESSAGE-----"));
    let text = if memchr::memchr(b'\0', text.as_bytes()).is_some() { text.replace('\0', "") } else { text };
    Content { text, is_written, html, raw_html, page, sent }
}

fn cleaned(html: &str, warnings: &mut Vec<Warning>) -> String {
    let cleaned = clean::clean(html);
    warn(warnings, Warning::RemoteImages { count: cleaned.remote_images }, cleaned.remote_images > 0);
    warn(warnings, Warning::HtmlAsText, cleaned.as_text);
    cleaned.html
}

/// The plain text parts, and HTML between them as text; nothing if there is only HTML. Files that are written into the text are taken out of it.
fn text(parts: &[Part<'_>], bodies: &Bodies, sent: &mut Vec<Sent>) -> Option<String> {
    let is_html = |number: &usize| parts[*number].media_type == "text/html";
    let mut texts = Vec::new();
    let mut has_plain = false;
    for number in &bodies.text {
        if is_html(number) {
            texts.push(None);
        } else {
            let part = &parts[*number];
            let is_enriched = matches!(part.media_type.as_str(), "text/enriched" | "text/richtext");
            let words = if is_enriched { plain::enriched(&part.text()) } else { part.text() };
            let text = transfer::without_uuencoded(words, sent);
            has_plain |= !text.trim().is_empty();
            texts.push(Some(text));
        }
    }
    if !has_plain {
        return None;
    }
    let texts = texts.into_iter().zip(&bodies.text).map(|(text, number)| text.unwrap_or_else(|| plain::page(&parts[*number].text()).text()));
    let texts = texts.map(|mut text| {
        text.truncate(text.trim_end().len());
        text
    });
    texts.filter(|text| !text.is_empty()).reduce(|before, text| before + "\n\n" + &text)
}

/// The HTML parts, and plain text between them; nothing if there is only plain text.
fn html(parts: &[Part<'_>], bodies: &Bodies) -> Option<String> {
    let shown = || bodies.html.iter().map(|number| &parts[*number]);
    if !shown().any(|part| part.media_type == "text/html") {
        return None;
    }
    let pieces = shown().map(|part| match part.media_type.as_str() {
        "text/html" => part.text(),
        _ => format!("<pre>{}</pre>", clean::escape(&part.text())),
    });
    Some(pieces.collect())
}

/// What the types of the parts tell.
fn warnings_of(parts: &[Part<'_>]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for part in parts {
        let found = match part.media_type.as_str() {
            "multipart/encrypted" | "application/pgp-encrypted" => Warning::Encrypted,
            "multipart/signed" | "application/pgp-signature" | "application/pkcs7-signature" | "application/x-pkcs7-signature" => {
                Warning::SignatureNotChecked
            }
            "application/pkcs7-mime" | "application/x-pkcs7-mime" => {
                let kind = part.header.parameters("content-type").and_then(|parameters| parameters.get("smime-type"));
                match kind {
                    Some(kind) if kind.eq_ignore_ascii_case("signed-data") => Warning::SignatureNotChecked,
                    _ => Warning::Encrypted,
                }
            }
            "message/partial" => Warning::Partial,
            "message/external-body" => Warning::ExternalBody,
            _ => continue,
        };
        warn(&mut warnings, found, true);
    }
    warnings
}

/// The sender of a mail that is attached.
fn forwarded_sender(attachment: &Attachment) -> Option<Address> {
    if !matches!(attachment.media_type.as_str(), "message/rfc822" | "message/global") {
        return None;
    }
    mime::header(&attachment.bytes)?.sender()
}

/// At most so many bytes of a text.
fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
        text.shrink_to_fit();
    }
    text
}

fn warn(warnings: &mut Vec<Warning>, warning: Warning, holds: bool) {
    if holds && !warnings.contains(&warning) {
        warnings.push(warning);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{
        MailKind,
        limits::{MAIL_BYTES_MAX, PARTS_MAX, REFERENCES_MAX},
    };

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
    fn words_that_are_too_long_are_cut_with_a_warning() {
        let references: String = (0..150).map(|number| format!("<{number}@a.example>\n ")).collect();
        let (subject, name) = ("s".repeat(2_000), "ü".repeat(150));
        let mail = read(&format!("From: \"{name}\" <a@a.example>\nSubject: {subject}\nReferences: {references}\n\nwords"));
        assert_eq!(
            (mail.references.len(), mail.references[0].as_str(), mail.references[1].as_str()),
            (REFERENCES_MAX, "0@a.example", "51@a.example")
        );
        assert_eq!(mail.warnings, [Warning::NameCut, Warning::SubjectCut, Warning::ReferencesCut]);
        assert_eq!(mail.subject.len(), SUBJECT_CHARS_MAX);
        assert_eq!(mail.from.unwrap().name.unwrap(), "ü".repeat(ADDRESS_NAME_BYTES_MAX / 2));
        let long = read(&format!("From: a@a.example\n\n{}", "ü".repeat(TEXT_BYTES_MAX)));
        assert_eq!((long.text.len(), long.warnings), (TEXT_BYTES_MAX, vec![Warning::TextCut]));
    }

    #[test]
    fn more_recipients_than_the_limit_are_refused() {
        let to: String = (0..ADDRESSES_MAX).map(|number| format!("{number}@a.example,\n ")).collect();
        assert_eq!(read(&format!("Subject: x\nTo: {to}\n\n")).to.len(), ADDRESSES_MAX);
        let over = format!("Subject: x\nTo: {to}\nCc: z@a.example\n\n");
        assert_eq!(parse(over.as_bytes(), &Trust::Nobody), Err(Unreadable::TooManyAddresses { limit: ADDRESSES_MAX }));
    }

    #[test]
    fn pasted_pictures_take_what_room_other_files_leave() {
        let words = "begin 644 a.txt\n#86)C\n`\nend\n";
        let images: String = (0..ATTACHMENTS_MAX).map(|number| format!("<img src='data:image/png;base64,{number:04}'>")).collect();
        let mail = read(&format!(
            "Subject: x\nContent-Type: multipart/alternative; boundary=a\n\n--a\n\nwords\n{words}\n--a\nContent-Type: text/html\n\n<p>words{images}\n--a--\n"
        ));
        assert_eq!((mail.attachments.len(), mail.attachments[0].name.as_str()), (ATTACHMENTS_MAX, "a.txt"));
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
            ("card ************1111", "one\n**** **** **** 1111", Some("<p>one<br>****&nbsp;**** **** 1111</p>"))
        );
        assert_eq!((mail.redactions, mail.kind), (2, MailKind::Person));
    }

    #[test]
    fn a_word_that_was_masked_for_the_parser_is_whole_again() {
        let mail = read(
            "From: \"a/global\" <a@a.example>\nSubject: see /digest and (x)rfc822\nMessage-ID: <a/digest@a.example>\n\nhttps://a.example/global: /rfc822\n",
        );
        assert_eq!((mail.subject.as_str(), mail.message_id.as_deref()), ("see /digest and (x)rfc822", Some("a/digest@a.example")));
        assert_eq!((mail.text.as_str(), mail.from.unwrap().name.as_deref()), ("https://a.example/global: /rfc822", Some("a/global")));
    }

    #[test]
    fn a_number_that_held_the_parts_together_hides_no_other() {
        let raw =
            b"Message-ID: <a@a.example>\r\nContent-Type: multipart/mixed; boundary=\"400000000000000\"\"\r=== image/png\r\n--4000000000000002\r\n\
            Content-Disposition: attachment; file?=name*0=\"scan 4111 1111 \"; filename*1=\"1111 1111.png\"\r";
        let kept = cut_and_parse(raw, &Trust::Nobody);
        let cut = kept.cut.unwrap();
        assert!(!cut.windows(9).any(|bytes| bytes == b"4111 1111"), "{}", String::from_utf8_lossy(&cut));
        assert_eq!(cut_and_parse(&cut, &Trust::Nobody).cut, None);
    }
}
