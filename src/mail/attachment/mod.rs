//! What came with a mail: named safely, typed by content, and held where opening it could harm.

use std::{borrow::Cow, collections::HashSet};

use percent_encoding::percent_decode_str;

use super::{
    Attachment, Unreadable,
    limits::{ATTACHMENTS_MAX, EXPANDED_BYTES_MAX},
    redact,
    sent::Sent,
};

mod content;
mod danger;
mod held;
mod name;
mod ole;
mod pasted;
mod zip;

pub use held::Held;
pub(super) use pasted::lift_pictures;

/// All that came with one mail, and how many card numbers were cut out of the names. `shown` is the HTML that may show some of it.
pub(super) fn all(sent: Vec<Sent>, shown: Option<&str>) -> Result<(Vec<Attachment>, usize), Unreadable> {
    if sent.len() > ATTACHMENTS_MAX {
        return Err(Unreadable::TooManyAttachments { limit: ATTACHMENTS_MAX });
    }
    if sent.iter().map(|file| file.bytes.len()).sum::<usize>() > EXPANDED_BYTES_MAX {
        return Err(Unreadable::TooMuchInside { limit: EXPANDED_BYTES_MAX });
    }
    // Hardly any mail has parts that its HTML could show.
    let could_show = sent.iter().any(|file| file.content_id.is_some() || file.content_location.is_some());
    let references = References::in_html(shown.filter(|_| could_show).unwrap_or_default());
    let mut taken = HashSet::new();
    let mut redactions = 0;
    let attachments = sent.into_iter().enumerate().map(|(index, file)| {
        let declared_name = file.name.as_deref().unwrap_or_default();
        let detected = content::media_type(&file.bytes, &file.media_type);
        let media_type = detected.map_or(file.media_type.as_str(), |(media_type, _)| media_type);
        let safe = name::name(file.name.as_deref(), media_type, detected.map(|(_, extension)| extension), index + 1);
        let held = danger::held(declared_name, &safe, &file.bytes);
        let (redacted, count) = redact::redact_name(&safe);
        redactions += count;
        // No file system that Windows knows takes a star.
        let redacted = redacted.replace('*', "_");
        Attachment {
            name: name::distinct(redacted, &mut taken),
            media_type: media_type.to_owned(),
            declared_type: detected.filter(|(media_type, _)| *media_type != file.media_type).map(|_| file.media_type.clone()),
            inline: references.show(file.content_id.as_deref(), file.content_location.as_deref()),
            content_id: file.content_id,
            held,
            bytes: file.bytes,
        }
    });
    let attachments = attachments.collect();
    Ok((attachments, redactions))
}

/// A file that somebody sends by another way than in a mail: named, typed and held by the same rules. There is one unless it is larger than a mail may
/// be when it is unpacked.
pub fn one(name: Option<&str>, media_type: &str, bytes: Vec<u8>) -> Option<Attachment> {
    let sent = Sent { name: name.map(str::to_owned), media_type: media_type.to_owned(), bytes, ..Sent::default() };
    all(vec![sent], None).ok()?.0.pop()
}

/// What an HTML part shows of other parts, each address in one spelling.
struct References<'a>(HashSet<Cow<'a, str>>);

impl<'a> References<'a> {
    fn in_html(html: &'a str) -> Self {
        let mut found = HashSet::new();
        let parts = |letter: char| matches!(letter, '"' | '\'' | '=' | '(' | ')' | '>' | '<');
        for piece in html.split(parts).map(str::trim).filter(|piece| piece.len() <= super::limits::MESSAGE_ID_BYTES_MAX) {
            let is_content_id = piece.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("cid:"));
            // A location is written as it is; only what could be one is kept.
            if is_content_id || piece.contains(['.', '/']) {
                found.insert(spelling(piece));
            }
        }
        References(found)
    }

    fn show(&self, content_id: Option<&str>, content_location: Option<&str>) -> bool {
        content_id.is_some_and(|id| self.0.contains(spelling(&format!("cid:{id}")).as_ref()))
            || content_location.is_some_and(|location| self.0.contains(spelling(location).as_ref()))
    }
}

/// One spelling of an address: without percent signs and references of HTML, in lower case.
fn spelling(address: &str) -> Cow<'_, str> {
    let address = address.trim();
    if address.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase() && !matches!(byte, b'&' | b'%')) {
        return Cow::Borrowed(address);
    }
    let unescaped = address.replace("&amp;", "&").replace("&#64;", "@");
    Cow::Owned(percent_decode_str(&unescaped).decode_utf8_lossy().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(name: &str, content_id: &str) -> Sent {
        Sent { name: Some(name.to_owned()), media_type: "image/png".to_owned(), content_id: Some(content_id.to_owned()), ..Sent::default() }
    }

    #[test]
    fn an_image_is_inline_however_its_id_is_written() {
        for html in [
            "<img src=\"cid:a$1@x.example\">",
            "<IMG SRC='CID:A$1@X.example'>",
            "<img src=cid:a$1@x.example>",
            "<img src=\"cid:a%241%40x.example\">",
            "<img src=\"cid:a$1&#64;x.example\">",
            "<td style=\"background:url(cid:a$1@x.example)\">",
        ] {
            assert!(all(vec![sent("a.png", "a$1@x.example")], Some(html)).unwrap().0[0].inline, "{html}");
        }
        assert!(!all(vec![sent("a.png", "a$1@x.example")], Some("<img src=\"cid:a$12@x.example\">")).unwrap().0[0].inline);
        let located = Sent { content_location: Some("images/a.png".to_owned()), ..sent("a.png", "x") };
        assert!(all(vec![located], Some("<img src=\"images/a.png\">")).unwrap().0[0].inline);
    }

    #[test]
    fn too_many_attachments_and_too_many_bytes_are_refused() {
        let many = vec![Sent::default(); ATTACHMENTS_MAX + 1];
        assert_eq!(all(many, None), Err(Unreadable::TooManyAttachments { limit: ATTACHMENTS_MAX }));
        let large = Sent { bytes: vec![0; EXPANDED_BYTES_MAX + 1], ..Sent::default() };
        assert_eq!(all(vec![large], None), Err(Unreadable::TooMuchInside { limit: EXPANDED_BYTES_MAX }));
    }
}
