//! How mail programs mark quoted mail and signatures in HTML: by class, id, name and style.

use super::super::clean::tokens::Tag;

/// What an element says of the words in it, or of those below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// A quotation.
    Quote,
    /// A quotation below an attribution; else Gmail's button for setting words apart made it.
    SetApart,
    /// A quotation, and the line that says whose; an answer may stand inside it, below a quotation proper.
    Around,
    /// The line that says whose quotation follows.
    Attribution,
    Signature,
    /// Everything below is quoted, however the elements are nested.
    Cut,
}

/// Classes, ids and names, without the `x_` that Outlook on the web puts before them.
const AROUND: [&str; 22] = [
    "gmail_quote",                             // Gmail, and many that follow it
    "gmail_quote_container",                   // Gmail since 2024
    "OLK_SRC_BODY_SECTION",                    // Outlook for Mac 2011
    "mail-editor-reference-message-container", // Outlook for phones and for Windows, the new one
    "yahoo_quoted",                            // Yahoo, with a number
    "protonmail_quote",                        // Proton Mail
    "tutanota_quote",                          // Tuta
    "zmail_extra",                             // Zoho
    "aolReplacedBody",                         // AOL
    "messageReplySection",                     // Spark
    "cm_replymail_content_wrap",               // CloudMagic, Newton
    "edo-original-message",                    // Edison
    "missive_quote",                           // Missive
    "front-blockquote",                        // Front
    "freshdesk_quote",                         // Freshdesk
    "isReplyContent",                          // NetEase
    "reply139content",                         // 139.com
    "alimail-quote",                           // Alibaba
    "ntes-mailmaster-quote",                   // NetEase Mail Master
    "mail-quote-collapse",                     // Mail.ru
    "origbody",                                // Nine, eM Client
    "quote",                                   // GMX and web.de, as a name
];

const ATTRIBUTIONS: [&str; 6] = [
    "gmail_attr",         // Gmail
    "moz-cite-prefix",    // Thunderbird
    "reply-intro",        // Roundcube
    "yahoo-quoted-begin", // Yahoo for Android
    "airmail_on",         // Airmail
    "cite-prefix",
];

const SIGNATURES: [&str; 19] = [
    "gmail_signature",
    "AppleMailSignature",
    "moz-signature",
    "protonmail_signature_block",
    "ms-outlook-mobile-signature",
    "Signature", // Outlook on the web, as an id
    "messageSignatureSection",
    "bloop_sign",
    "bloop_signature",
    "cm_signature",
    "composer_signature",
    "_rc_sig",
    "tutanota-signature",
    "mailbird_signature",
    "mb_sig",
    "front-signature",
    "missive_signature",
    "yahoo_signature",
    "edo-signature",
];

const CUTS: [&str; 5] = [
    "divRplyFwdMsg", // Outlook on the web, Outlook.com
    "stopSpelling",  // Hotmail
    "zwchr",         // Zimbra, and Comcast and others with it
    "_MailOriginal", // Outlook, as a name
    "oriMsgHtmlSeperator",
];

/// The line that Outlook draws above a quoted header, without blanks and in lower case.
const OUTLOOK_LINES: [&str; 4] = [
    "border-top:solid#b5c4df1.0pt",
    "border-top:solid#e1e1e11.0pt",
    "border-top-color:rgb(229,229,229);border-top-width:1px;border-top-style:solid",
    "padding-top:5px;border-top:1pxsolidrgb(229,229,229)",
];

/// Bytes of a style that are looked at.
const STYLE_BYTES_MAX: usize = 400;

pub(in crate::mail) fn effect(tag: &Tag<'_>) -> Option<Effect> {
    let blockquote = tag.name.eq_ignore_ascii_case("blockquote");
    let div = tag.name.eq_ignore_ascii_case("div");
    let (mut found, mut indented) = (Effect::Quote, false);
    for (name, value) in tag.attributes() {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("id") || is("class") || is("name") || is("data-smartmail") {
            match value.split_ascii_whitespace().find_map(|word| named(word, is("id"), is("name"))) {
                Some(Effect::Around) if blockquote => found = if value.contains("gmail_quote") { Effect::SetApart } else { Effect::Quote },
                Some(effect) => return Some(effect),
                None => {}
            }
        }
        // Of all other elements the style says nothing.
        if (blockquote || div) && is("style") {
            let style = squeezed(&value[..value.floor_char_boundary(STYLE_BYTES_MAX)]);
            let has_border = style.contains("border");
            // The button that indents a paragraph makes a blockquote without a line beside it.
            indented = has_border && (style.contains("border:none") || style.contains("border-left:none") || style.contains("border:0"));
            if div && has_border && OUTLOOK_LINES.iter().any(|line| style.contains(line)) {
                return Some(Effect::Cut);
            }
        }
        if is("type") && blockquote && value.eq_ignore_ascii_case("cite") {
            return Some(Effect::Quote);
        }
    }
    (blockquote && !indented).then_some(found)
}

fn named(word: &str, is_id: bool, is_name: bool) -> Option<Effect> {
    let mut word = word;
    while let Some(without) = word.strip_prefix("x_") {
        word = without;
    }
    let listed = |known: &[&str]| known.iter().any(|known| known.eq_ignore_ascii_case(word));
    // "quote" and "signature" are words that anybody's style sheet may have as a class.
    let common = word.eq_ignore_ascii_case("quote") && !is_name || word.eq_ignore_ascii_case("signature") && !is_id;
    match () {
        () if common => None,
        () if listed(&CUTS) => Some(Effect::Cut),
        () if listed(&ATTRIBUTIONS) => Some(Effect::Attribution),
        () if listed(&SIGNATURES) => Some(Effect::Signature),
        // Yahoo and AOL write codes before and numbers after their names.
        () if listed(&AROUND) || word.contains("yahoo_quoted") || word.ends_with("aolReplacedBody") => Some(Effect::Around),
        () => None,
    }
}

fn squeezed(style: &str) -> String {
    let mut squeezed = String::with_capacity(style.len());
    squeezed.extend(style.chars().filter(|letter| !letter.is_whitespace()).map(|letter| letter.to_ascii_lowercase()));
    squeezed
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::clean::tokens::{Token, Tokens},
        *,
    };

    #[test]
    fn elements_say_what_mail_programs_mean_by_them() {
        for (html, expected) in [
            ("<blockquote type=cite>", Some(Effect::Quote)),
            ("<blockquote class=gmail_quote style='margin:0 0 0 .8ex;border-left:1px #ccc solid'>", Some(Effect::SetApart)),
            ("<blockquote class=protonmail_quote>", Some(Effect::Quote)),
            ("<blockquote style=\"margin: 0 0 0 40px; border: none; padding: 0px;\">", None),
            ("<div class='gmail_quote gmail_quote_container'>", Some(Effect::Around)),
            ("<div class=\"x_x_gmail_quote\">", Some(Effect::Around)),
            ("<div class='ydp1f2yahoo_quoted' id=yahoo_quoted_77>", Some(Effect::Around)),
            ("<div name=quote style='border-left:2px solid #C3D9E5'>", Some(Effect::Around)),
            ("<div class=quote>", None),
            ("<div class=moz-cite-prefix>", Some(Effect::Attribution)),
            ("<div id=Signature>", Some(Effect::Signature)),
            ("<div class=signature>", None),
            ("<hr id=\"zwchr\" data-marker=\"__DIVIDER__\">", Some(Effect::Cut)),
            ("<a name=\"_MailOriginal\">", Some(Effect::Cut)),
            ("<div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0in 0in 0in'>", Some(Effect::Cut)),
            ("<div style='border-top:1px solid #e1e1e1'>", None),
            ("<div>", None),
        ] {
            let Some(Token::Start(tag)) = Tokens::new(html).next() else { panic!("{html}") };
            assert_eq!(effect(&tag), expected, "{html}");
        }
    }
}
