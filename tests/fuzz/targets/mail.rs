//! What must be true of every mail that can be read, whatever was in it.

use helpdesk::mail::{
    Address, Attachment, Mail, clean,
    limits::{ADDRESS_BYTES_MAX, ADDRESSES_MAX, EXPANDED_BYTES_MAX, REFERENCES_MAX, TEXT_BYTES_MAX},
    parse::cut_and_parse,
    sender::Trust,
};

const TRUSTS: [&str; 4] = ["nobody", "exchange_online", "rfc8601 mx.contoso.example", "rfc8601 mx.contoso.example arc forwarder.example"];

/// Bytes of a name of an attachment.
const NAME_BYTES_MAX: usize = 200;
/// Bytes that a byte of mail may become: an escaped letter in text and in HTML, and the elements that are supplied around it.
const GROWTH_MAX: usize = 64;

pub fn check(raw: &[u8]) {
    // One a mail, so that mails and not trusts are what the time is spent on.
    let words = TRUSTS[raw.len() % TRUSTS.len()];
    let trust: Trust = words.parse().expect("it is a trust");
    let kept = cut_and_parse(raw, &trust);
    if let Some(cut) = &kept.cut {
        assert!(cut_and_parse(cut, &trust).cut.is_none(), "a card number is left in what was cut");
    }
    if let Ok(mail) = kept.mail {
        is_sound(&mail, raw.len());
    }
}

fn is_sound(mail: &Mail, raw_bytes: usize) {
    if let Some(html) = &mail.html {
        assert_eq!(&clean::clean(html).html, html, "the HTML changes when it is cleaned again");
    }
    assert!(mail.to.len() + mail.cc.len() <= ADDRESSES_MAX && mail.references.len() <= REFERENCES_MAX);
    mail.from.iter().chain(&mail.written_by).chain(&mail.reply_to).chain(&mail.to).chain(&mail.cc).for_each(address_is_sound);
    mail.attachments.iter().for_each(name_is_safe);
    assert!(!mail.subject.contains(char::is_control), "{:?}", mail.subject);
    assert!(mail.text.len() <= TEXT_BYTES_MAX + TEXT_BYTES_MAX / 2, "the text is not cut");
    if mail.html.is_none() {
        let lost = mail.reply.split_whitespace().find(|word| !mail.text.contains(word));
        assert_eq!(lost, None, "the reply has a word that the text has not");
    }
    let kept = mail.text.len() + mail.reply.len() + mail.html.as_ref().map_or(0, String::len);
    let attached: usize = mail.attachments.iter().map(|attachment| attachment.bytes.len()).sum();
    assert!(kept + attached <= GROWTH_MAX * raw_bytes + EXPANDED_BYTES_MAX, "{raw_bytes} bytes became {}", kept + attached);
}

fn address_is_sound(address: &Address) {
    let is_plain = |text: &str| !text.contains(char::is_control);
    assert!(is_plain(&address.address) && address.address.len() <= ADDRESS_BYTES_MAX && !address.address.is_empty(), "{address:?}");
    assert!(address.name.as_deref().is_none_or(is_plain), "{address:?}");
}

fn name_is_safe(attachment: &Attachment) {
    let name = &attachment.name;
    assert!(!name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.starts_with('.'), "{name:?}");
    assert!(!name.contains(|letter: char| letter.is_control() || r#"/\<>:"|?*"#.contains(letter)), "{name:?}");
}
