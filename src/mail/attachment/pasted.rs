//! Pictures that are written into the HTML (`<img src="data:image/png;base64,...">`): made files as others are, which the HTML shows by their ids.

use std::{borrow::Cow, collections::HashMap};

use mail_parser::decoders::base64::base64_decode;
use percent_encoding::percent_decode_str;

use crate::mail::{
    clean::tokens::{Token, Tokens},
    plain::is_raw_text,
    sent::Sent,
};

/// How such an address begins.
const DATA_IMAGE: &str = "data:image/";

/// The HTML with ids in place of such pictures, which are added to `pasted` until there are `most`.
pub(in crate::mail) fn lift_pictures(html: String, pasted: &mut Vec<Sent>, most: usize) -> String {
    if memchr::memmem::find(html.as_bytes(), DATA_IMAGE.as_bytes()).is_none() {
        return html;
    }
    let mut lifted = String::new();
    // The id of each picture by its address: one that stands there twice is one file.
    let mut ids: HashMap<&str, String> = HashMap::new();
    let mut from = 0;
    let mut tokens = Tokens::new(&html);
    while let Some(token) = tokens.next() {
        let Token::Start(tag) = token else { continue };
        if is_raw_text(&tag) {
            tokens.raw_text(tag.name);
            continue;
        }
        let source = tag.attributes().find(|(name, _)| name.eq_ignore_ascii_case("src")).filter(|_| tag.name.eq_ignore_ascii_case("img"));
        let Some((_, address)) = source.filter(|(_, address)| address.starts_with(DATA_IMAGE)) else { continue };
        if !ids.contains_key(address)
            && let Some(picture) = picture(address)
        {
            if pasted.len() >= most {
                break;
            }
            let id = format!("pasted-{}@pictures.invalid", pasted.len() + 1);
            pasted.push(Sent { content_id: Some(id.clone()), ..picture });
            ids.insert(address, id);
        }
        let Some(id) = ids.get(address) else { continue };
        // The address is a piece of the HTML.
        let at = address.as_ptr() as usize - html.as_ptr() as usize;
        lifted.push_str(&html[from..at]);
        lifted.push_str("cid:");
        lifted.push_str(id);
        from = at + address.len();
    }
    lifted.push_str(&html[from..]);
    lifted
}

/// What an address holds; nothing if it is not in base64.
fn picture(address: &str) -> Option<Sent> {
    let (head, data) = address.strip_prefix("data:")?.split_once(',')?;
    let (media_type, parameters) = head.split_once(';')?;
    parameters.rsplit(';').next().filter(|last| last.trim().eq_ignore_ascii_case("base64"))?;
    let bytes = base64_decode(&Cow::from(percent_decode_str(data))).filter(|bytes| !bytes.is_empty())?;
    Some(Sent { media_type: media_type.trim().to_ascii_lowercase(), bytes, ..Sent::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_in_the_html_becomes_a_file_that_the_html_shows() {
        let html = "<p>a<img alt='' src=\"data:image/png;base64,d29y\nZHM=\"><IMG SRC=data:image/png;base64,eA%3D%3D><img src='data:image/png;base64,eA%3D%3D'>b";
        let mut pasted = Vec::new();
        let lifted = lift_pictures(html.to_owned(), &mut pasted, 5);
        assert_eq!(
            lifted,
            "<p>a<img alt='' src=\"cid:pasted-1@pictures.invalid\"><IMG SRC=cid:pasted-2@pictures.invalid><img src='cid:pasted-2@pictures.invalid'>b"
        );
        let found: Vec<_> = pasted.iter().map(|file| (file.media_type.as_str(), file.bytes.as_slice())).collect();
        assert_eq!(found, [("image/png", b"words".as_slice()), ("image/png", b"x")]);
    }

    #[test]
    fn what_is_no_picture_or_too_much_stays() {
        for html in [
            "<p>src=\"data:image/png;base64,eA==\"",
            "<img src='data:image/svg+xml,%3Csvg'>",
            "<img src='data:image/png;base64,'>",
            "<script><img src='data:image/png;base64,eA=='></script>",
        ] {
            let mut pasted = Vec::new();
            assert_eq!((lift_pictures(html.to_owned(), &mut pasted, 5), pasted.len()), (html.to_owned(), 0), "{html}");
        }
        let html = "<img src='data:image/png;base64,eA=='>";
        assert_eq!(lift_pictures(html.to_owned(), &mut Vec::new(), 0), html);
    }
}
