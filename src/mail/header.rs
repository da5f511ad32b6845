//! What a mail's header says: who wrote it, to whom, when, and which mail it answers.

use std::borrow::Cow;

use mail_parser::{GetHeader, HeaderName, HeaderValue, MessagePart, MimeHeaders};
use time::OffsetDateTime;

use super::{
    Address, attachment,
    parse::{ADDRESS_BYTES_MAX, ADDRESS_NAME_BYTES_MAX, ADDRESSES_MAX, MESSAGE_ID_BYTES_MAX, REFERENCES_MAX},
    wire,
};

/// Every header as a line of text, as it was written, for the rules that only look at words.
pub(super) fn lines(head: &MessagePart<'_>, block: &[u8]) -> Vec<(String, String)> {
    let headers = head.headers.iter();
    headers
        .map(|header| {
            let value = block.get(header.offset_start as usize..header.offset_end as usize).unwrap_or_default();
            (header.name.as_str().to_ascii_lowercase(), one_line(&String::from_utf8_lossy(value)))
        })
        .collect()
}

/// From; where it names nobody, Sender, then Return-Path.
pub(super) fn sender(head: &MessagePart<'_>) -> Option<Address> {
    let named = addresses(head, &HeaderName::From).into_iter().chain(addresses(head, &HeaderName::Sender)).next();
    named.or_else(|| text_of_ids(head, &HeaderName::ReturnPath).first().and_then(|path| address(path, None)))
}

pub(super) fn addresses(head: &MessagePart<'_>, name: &HeaderName<'_>) -> Vec<Address> {
    let headers = head.headers.iter().filter(|header| header.name == *name);
    let listed = headers.filter_map(|header| header.value.as_address()).flat_map(|list| list.iter());
    listed
        .filter_map(|entry| match (entry.address(), entry.name()) {
            (Some(written), name) => address(written, name),
            // `From: user@a.example` without brackets, or a name that is the address.
            (None, Some(name)) => address(name, None),
            (None, None) => None,
        })
        .take(ADDRESSES_MAX)
        .collect()
}

fn address(written: &str, name: Option<&str>) -> Option<Address> {
    let address = wire::unmask(written).trim().trim_matches(['<', '>', '\'', '"']).to_lowercase();
    let (local, domain) = address.rsplit_once('@')?;
    let fits = address.len() <= ADDRESS_BYTES_MAX && !local.is_empty() && !domain.is_empty();
    if !fits || address.chars().any(|letter| letter.is_whitespace() || letter.is_control() || attachment::is_direction_mark(letter)) {
        return None;
    }
    let name = name.map(one_line).map(|name| cut_bytes(&name, ADDRESS_NAME_BYTES_MAX).trim().to_owned());
    let name = name.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case(&address));
    Some(Address { address, name })
}

pub(super) fn message_ids(head: &MessagePart<'_>, name: &HeaderName<'_>) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for written in text_of_ids(head, name) {
        // Where brackets are missing, several stand in one text.
        let words = written.split([' ', '\t', '\r', '\n', ',', '<', '>']).filter(|word| !word.is_empty());
        let bracketed = !written.contains(char::is_whitespace);
        ids.extend(words.filter(|word| word.len() <= MESSAGE_ID_BYTES_MAX && (bracketed || word.contains('@'))).map(str::to_owned));
    }
    if ids.len() > REFERENCES_MAX {
        ids.drain(1..ids.len() - (REFERENCES_MAX - 1));
    }
    ids
}

fn text_of_ids(head: &MessagePart<'_>, name: &HeaderName<'_>) -> Vec<String> {
    let values = head.headers.iter().filter(|header| header.name == *name).map(|header| &header.value);
    values
        .flat_map(|value| match value {
            HeaderValue::Text(id) => vec![wire::unmask(id).into_owned()],
            HeaderValue::TextList(ids) => ids.iter().map(|id| wire::unmask(id).into_owned()).collect(),
            _ => Vec::new(),
        })
        .collect()
}

pub(super) fn text_of<'a>(head: &'a MessagePart<'_>, name: &HeaderName<'_>) -> &'a str {
    head.headers.header_value(name).and_then(|value| value.as_text()).unwrap_or_default()
}

pub(super) fn date(head: &MessagePart<'_>) -> Option<OffsetDateTime> {
    let written = head.headers.header_value(&HeaderName::Date)?.as_datetime()?;
    written.is_valid().then(|| OffsetDateTime::from_unix_timestamp(written.to_timestamp()).ok()).flatten()
}

pub(super) fn media_type(head: &MessagePart<'_>) -> String {
    let Some(declared) = head.content_type() else { return "text/plain".to_owned() };
    let written = format!("{}/{}", declared.ctype(), declared.subtype().unwrap_or("octet-stream")).to_ascii_lowercase();
    let clean: Cow<'_, str> = wire::unmask(&written);
    // A media type is ASCII without blanks (RFC 6838); it goes into headers later.
    let is_token = clean.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"(),:;<=>?@[\\]".contains(&byte)) && clean.matches('/').count() == 1;
    if is_token { clean.into_owned() } else { "application/octet-stream".to_owned() }
}

/// Without line ends and control characters, blanks run together.
pub(super) fn one_line(text: &str) -> String {
    let whole = wire::unmask(text);
    whole.split(|letter: char| letter.is_control() || letter.is_whitespace()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

pub(super) fn cut_chars(text: &str, chars_max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => Cow::Owned(text[..end].to_owned()),
        None => Cow::Borrowed(text),
    }
}

pub(super) fn cut_bytes(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}
