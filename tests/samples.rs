//! What the parser makes of each sample mail, and that nothing made from them breaks it.

use helpdesk::{
    cli::sample,
    mail::{Mail, MailKind, Unreadable, parse::parse, redact::redact_raw, sender::Trust},
};
use proptest::prelude::*;

/// What is expected of one sample. Words are looked for, everything else is compared.
struct Expected {
    file: &'static str,
    kind: MailKind,
    from: &'static str,
    name: Option<&'static str>,
    subject: &'static str,
    message_id: &'static str,
    in_reply_to: &'static [&'static str],
    references: &'static [&'static str],
    text: &'static [&'static str],
    /// Empty if the mail has no HTML.
    html: &'static [&'static str],
    attachments: &'static [ExpectedAttachment],
    redactions: usize,
}

/// Name, media type, bytes at the beginning, number of bytes, inline.
type ExpectedAttachment = (&'static str, &'static str, &'static [u8], usize, bool);

const FIRST: &str = "5f1c2a70.8b3d@adventure-works.example";
const SECOND: &str = "7de0c4.11a9@adventure-works.example";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

const NOTHING: Expected = Expected {
    file: "",
    kind: MailKind::Person,
    from: "",
    name: None,
    subject: "",
    message_id: "",
    in_reply_to: &[],
    references: &[],
    text: &[],
    html: &[],
    attachments: &[],
    redactions: 0,
};

const EXPECTED: &[Expected] = &[
    Expected {
        file: "01-first-mail.eml",
        from: "mira.patel@adventure-works.example",
        name: Some("Mira Patel"),
        subject: "Badge reader at the north entrance is offline",
        message_id: FIRST,
        text: &["Serial number: NR-2207.", "Facility Management · Adventure Works"],
        ..NOTHING
    },
    Expected {
        file: "02-reply-in-thread.eml",
        from: "mira.patel@adventure-works.example",
        name: Some("Mira Patel"),
        subject: "Re: Badge reader at the north entrance is offline",
        message_id: SECOND,
        in_reply_to: &[FIRST],
        references: &[FIRST],
        text: &["probably the power supply", "> Hello,"],
        ..NOTHING
    },
    Expected {
        file: "03-third-in-thread.eml",
        from: "jonas.weber@adventure-works.example",
        name: Some("Weber, Jonas"),
        subject: "AW: Badge reader at the north entrance is offline",
        message_id: "c90b12ef$2@adventure-works.example",
        in_reply_to: &[SECOND],
        references: &[FIRST, SECOND],
        text: &["technician. Please call the reception (extension 21) and ask for me – the key"],
        ..NOTHING
    },
    Expected {
        file: "04-outlook-html-inline-image.eml",
        from: "lucia.romero@northwind.example",
        name: Some("Lucía Romero"),
        subject: "Invoices are printed without the logo",
        message_id: "AM0PR05MB4217F3E1@AM0PR05MB4217.eurprd05.prod.northwind.example",
        text: &["our invoices from December", "Lucía Romero"],
        html: &[
            "<b>December</b>",
            "src=\"cid:image001.png@01DC8301.4A7B2C10\"",
            "title=\"not loaded: https://track.northwind.example/open.gif?id=77\"",
            "href=\"https://www.northwind.example/\" rel=\"noopener noreferrer nofollow\"",
        ],
        attachments: &[("image001.png", "image/png", PNG, 73, true)],
        ..NOTHING
    },
    Expected {
        file: "05-pdf-and-png-attached.eml",
        from: "d.kaya@woodgrove.example",
        name: Some("Deniz Kaya"),
        subject: "Order 20417: wrong chairs delivered",
        message_id: "20260113102027.3A1F0C2@smtp.woodgrove.example",
        text: &["we ordered twelve oak chairs"],
        attachments: &[("Order 20417.pdf", "application/pdf", b"%PDF-1.4\n", 594, false), ("Stuhl rötlich.png", "image/png", PNG, 74, false)],
        ..NOTHING
    },
    Expected {
        file: "06-japanese-iso-2022-jp.eml",
        from: "hanako.sato@treyresearch.example",
        name: Some("佐藤 花子"),
        subject: "経費システムにログインできません",
        message_id: "20260114010544.0D7A.HANAKO.SATO@treyresearch.example",
        text: &["月末の締め切りが近いため、至急ご確認をお願いいたします。"],
        ..NOTHING
    },
    Expected {
        file: "07-cyrillic-windows-1251.eml",
        from: "i.volkova@litware.example",
        name: Some("Ирина Волкова"),
        subject: "Не работает сканер штрихкодов",
        message_id: "000a01dc852c$6b1e$@litware.example",
        text: &["На складе № 3 не работает сканер"],
        ..NOTHING
    },
    Expected {
        file: "08-latin-1-without-label.eml",
        from: "juergen.gross@tailspin.example",
        name: Some("Jürgen Groß"),
        subject: "Störung an der Kühlanlage im Gebäude Süd",
        message_id: "4967.0114@scanner.tailspin.example",
        text: &["seit heute früh \"Überdruck\"", "27 °C"],
        ..NOTHING
    },
    Expected {
        file: "09-winmail-dat.eml",
        from: "ana.trujillo@woodgrove.example",
        name: Some("Ana Trujillo"),
        subject: "Vacation plan",
        message_id: "00d701dc85f4$f0a3$d1ea@woodgrove.example",
        text: &["Please import the attached plan"],
        attachments: &[("plan.txt", "application/octet-stream", b"", 26, false)],
        ..NOTHING
    },
    Expected {
        file: "10-calendar-reply.eml",
        kind: MailKind::Calendar,
        from: "mira.patel@adventure-works.example",
        name: Some("Mira Patel"),
        subject: "Accepted: Repair of the badge reader",
        message_id: "b7713d02.4e1a@adventure-works.example",
        text: &["has accepted this invitation"],
        attachments: &[("attachment-1.ics", "text/calendar", b"BEGIN:VCALENDAR\r\n", 408, false)],
        ..NOTHING
    },
    Expected {
        file: "11-out-of-office.eml",
        kind: MailKind::AutoReply,
        from: "jonas.weber@adventure-works.example",
        name: Some("Jonas Weber"),
        subject: "Automatic reply: Badge reader at the north entrance is offline",
        message_id: "oof-91c2@adventure-works.example",
        in_reply_to: &[SECOND],
        text: &["until Monday, 26 January"],
        ..NOTHING
    },
    Expected {
        file: "12-bounce.eml",
        kind: MailKind::Bounce,
        from: "mailer-daemon@mx.northwind.example",
        name: Some("Mail Delivery System"),
        subject: "Undelivered Mail Returned to Sender",
        message_id: "20260116101231.7C1D22A0F5@mx.northwind.example",
        text: &["550 5.1.1 User unknown"],
        attachments: &[
            ("attachment-1.txt", "message/delivery-status", b"Reporting-MTA: dns; mx.northwind.example\r\n", 357, false),
            ("Re_ Invoices are printed without the logo.eml", "message/rfc822", b"From: Fabrikam Support <support@fabrikam.example>\r\n", 331, false),
        ],
        ..NOTHING
    },
    Expected {
        file: "13-card-number.eml",
        from: "sam.okafor@proseware.example",
        name: Some("Sam Okafor"),
        subject: "Charged twice on ****-****-****-1111",
        message_id: "CAFp1x.8821@proseware.example",
        text: &["my card **** **** **** 1111 (valid until 08/28)", "1000200030004000", "orders/4111111111111111 shows"],
        redactions: 2,
        ..NOTHING
    },
    Expected {
        file: "14-newsletter.eml",
        kind: MailKind::Bulk,
        from: "news@news.wingtip.example",
        name: Some("Wingtip Toys"),
        subject: "🎁 Winter sale: up to 50 % off",
        message_id: "camp-81723.1@news.wingtip.example",
        text: &["Up to 50 % off", "Wooden trains, kites and puzzles, until Sunday only."],
        html: &["alt=\"Winter sale\"", "title=\"not loaded: https://cdn.wingtip.example/hero.jpg\"", "<h1>Up to 50 % off</h1>"],
        ..NOTHING
    },
    Expected {
        file: "16-script-in-html.eml",
        from: "team@lucerne.example",
        name: Some("Account Team"),
        subject: "Please confirm your account",
        message_id: "x1.x2.x3@lucerne.example",
        text: &["Your account will be closed. Please confirm:", "Thank you."],
        html: &["<b>closed</b>", "<div>Thank you.</div>"],
        ..NOTHING
    },
    Expected {
        file: "17-same-message-id-contoso.eml",
        from: "priya.nair@adatum.example",
        name: Some("Priya Nair"),
        subject: "Questionnaire for our suppliers",
        message_id: "shared-4d21@adatum.example",
        text: &["whether your delivery address has"],
        ..NOTHING
    },
    Expected {
        file: "18-same-message-id-fabrikam.eml",
        from: "priya.nair@adatum.example",
        name: Some("Priya Nair"),
        subject: "Questionnaire for our suppliers",
        message_id: "shared-4d21@adatum.example",
        text: &["whether your delivery address has"],
        ..NOTHING
    },
    Expected {
        file: "19-unknown-mailbox.eml",
        from: "sam.okafor@proseware.example",
        name: Some("Sam Okafor"),
        subject: "Is anybody there?",
        message_id: "CAFp1x.9034@proseware.example",
        text: &["I wrote on Saturday"],
        ..NOTHING
    },
    Expected {
        file: "20-forwarded-as-attachment.eml",
        from: "reception@fabrikam.example",
        name: Some("Reception"),
        subject: "Fwd: Elevator stuck on floor 4",
        message_id: "fwd-20@fabrikam.example",
        text: &["Can you take it from here?"],
        attachments: &[("Elevator stuck on floor 4.eml", "message/rfc822", b"From: Omar Haddad <omar@consolidated.example>\r\n", 308, false)],
        ..NOTHING
    },
];

/// The one sample that is no mail.
const GARBAGE: &str = "15-garbage.eml";

#[test]
fn each_sample_mail_is_read_as_its_table_row_says() {
    let mut faults = Vec::new();
    for expected in EXPECTED {
        let sample = sample::ALL.iter().find(|sample| sample.file == expected.file);
        match sample.map(|sample| parse(sample.raw, &Trust::Nobody)) {
            Some(Ok(mail)) => faults.extend(differences(expected, &mail)),
            Some(Err(unreadable)) => faults.push(format!("{}: {unreadable}", expected.file)),
            None => faults.push(format!("{}: not in sample::ALL", expected.file)),
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_sample_has_a_row_and_garbage_is_no_mail() {
    for sample in sample::ALL {
        let rows = EXPECTED.iter().filter(|expected| expected.file == sample.file).count();
        assert_eq!(rows, usize::from(sample.file != GARBAGE), "rows for {}", sample.file);
    }
    let garbage = sample::ALL.iter().find(|sample| sample.file == GARBAGE).unwrap();
    assert_eq!(parse(garbage.raw, &Trust::Nobody), Err(Unreadable::NoHeaders));
}

#[test]
fn the_raw_bytes_of_a_mail_lose_the_same_card_numbers() {
    for sample in sample::ALL {
        let redacted = redact_raw(sample.raw);
        assert_eq!(redacted.is_some(), sample.file == "13-card-number.eml", "{}", sample.file);
        if let Some(redacted) = redacted {
            let again = parse(&redacted, &Trust::Nobody).unwrap();
            assert_eq!((again.redactions, redacted.len()), (0, sample.raw.len()), "{}", sample.file);
            assert!(again.subject.ends_with("****-****-****-1111") && again.text.contains("my card **** **** **** 1111 (valid"), "{}", sample.file);
        }
    }
}

fn differences(expected: &Expected, mail: &Mail) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |what: &str, found: String, wanted: String| {
        if found != wanted {
            faults.push(format!("{}: {what} is {found}, not {wanted}", expected.file));
        }
    };
    let from = mail.from.as_ref();
    check("kind", format!("{:?}", mail.kind), format!("{:?}", expected.kind));
    check("from", format!("{:?}", from.map(|from| from.address.as_str())), format!("{:?}", Some(expected.from)));
    check("name", format!("{:?}", from.and_then(|from| from.name.as_deref())), format!("{:?}", expected.name));
    check("subject", mail.subject.clone(), expected.subject.to_owned());
    check("message id", format!("{:?}", mail.message_id.as_deref()), format!("{:?}", Some(expected.message_id)));
    check("in reply to", format!("{:?}", mail.in_reply_to), format!("{:?}", expected.in_reply_to));
    check("references", format!("{:?}", mail.references), format!("{:?}", expected.references));
    check("redactions", mail.redactions.to_string(), expected.redactions.to_string());
    check("date is there", mail.date.is_some().to_string(), "true".to_owned());
    let names: Vec<_> =
        mail.attachments.iter().map(|found| (found.name.as_str(), found.media_type.as_str(), found.bytes.len(), found.inline)).collect();
    let wanted: Vec<_> = expected.attachments.iter().map(|(name, media_type, _, bytes, inline)| (*name, *media_type, *bytes, *inline)).collect();
    check("attachments", format!("{names:?}"), format!("{wanted:?}"));
    for (found, (name, _, start, _, _)) in mail.attachments.iter().zip(expected.attachments) {
        check(&format!("beginning of {name}"), found.bytes.starts_with(start).to_string(), "true".to_owned());
    }
    check("html is there", mail.html.is_some().to_string(), (!expected.html.is_empty()).to_string());
    let html = mail.html.as_deref().unwrap_or_default();
    for words in expected.text {
        check(&format!("{words:?} in text {:?}", mail.text), mail.text.contains(words).to_string(), "true".to_owned());
    }
    for words in expected.html {
        check(&format!("{words:?} in html {html:?}"), html.contains(words).to_string(), "true".to_owned());
    }
    for active in ["<script", "javascript:", " on", "<form", "<input", "<iframe", "<svg", "src=\"http", "url(", "<meta"] {
        let allowed = active == " on" && ["load", "error", "click", "mouse"].iter().all(|event| !html.contains(&format!(" on{event}")));
        check(&format!("{active:?} in html {html:?}"), (!allowed && html.contains(active)).to_string(), "false".to_owned());
    }
    for style in html.split(" style=\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default()) {
        check(&format!("{style:?} neither loads nor overlays"), is_harmless_style(style).to_string(), "true".to_owned());
    }
    faults
}

/// Neither loads nor runs nor lies over something else. What may stay is tested where it is decided.
fn is_harmless_style(style: &str) -> bool {
    // Words alone mean nothing: a mutation may make one out of an address.
    let refused = [
        "url(",
        "expression(",
        "@",
        "\\",
        "/*",
        "<",
        "script:",
        "behavior:",
        "binding:",
        "position:",
        "z-index:",
        "transform:",
        "opacity:",
        ":-",
        " -",
    ];
    let style = style.to_ascii_lowercase();
    !refused.iter().any(|word| style.contains(word))
}

/// A change to a mail's bytes: cut out, repeat, overwrite.
#[derive(Debug, Clone)]
enum Mutation {
    Cut(usize, usize),
    Repeat(usize, usize),
    Insert(usize, Vec<u8>),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let words = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..12),
        prop::sample::select(vec![
            "\r\n\r\n",
            "\r",
            "\n",
            "--",
            "=?utf-8?B?",
            "?=",
            "<",
            ">",
            "(",
            "\"",
            ";",
            "=",
            "*0*=",
            "Content-Type: multipart/digest; boundary=a\r\n\r\n--a\r\n",
            "Content-Type: message/rfc822\r\n\r\n",
            "Content-Transfer-Encoding: base64\r\n",
            "charset=utf-16",
            "<b><table><a>",
            "4111 1111 1111 1111",
            "\u{202e}"
        ])
        .prop_map(|words| words.as_bytes().to_vec()),
    ];
    prop_oneof![
        (any::<usize>(), 0_usize..300).prop_map(|(at, bytes)| Mutation::Cut(at, bytes)),
        (any::<usize>(), 0_usize..300).prop_map(|(at, bytes)| Mutation::Repeat(at, bytes)),
        (any::<usize>(), words).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
    ]
}

fn mutate(mut raw: Vec<u8>, mutations: Vec<Mutation>) -> Vec<u8> {
    for mutation in mutations {
        let length = raw.len();
        let range = |at: usize, bytes: usize| at % (length + 1)..(at % (length + 1)).saturating_add(bytes).min(length);
        match mutation {
            Mutation::Cut(at, bytes) => drop(raw.drain(range(at, bytes))),
            Mutation::Repeat(at, bytes) => raw.extend_from_within(range(at, bytes)),
            Mutation::Insert(at, bytes) => drop(raw.splice(range(at, 0), bytes)),
        }
    }
    raw
}

/// What holds for every mail, whoever made it.
fn assert_sound(mail: &Mail) {
    use helpdesk::mail::limits;
    assert!(!mail.subject.contains(['\r', '\n']) && mail.subject.chars().count() <= limits::SUBJECT_CHARS_MAX + 64);
    assert!(mail.references.len() <= limits::REFERENCES_MAX && mail.in_reply_to.len() <= limits::REFERENCES_MAX);
    assert!(mail.to.len() <= limits::ADDRESSES_MAX && mail.cc.len() <= limits::ADDRESSES_MAX);
    for address in mail.from.iter().chain(&mail.written_by).chain(&mail.reply_to).chain(&mail.to).chain(&mail.cc) {
        let (local, domain) = address.address.rsplit_once('@').unwrap();
        // Blanks stand in quotation marks alone (RFC 5321, section 4.1.2).
        let is_quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
        assert!(!domain.contains(char::is_whitespace) && !address.address.contains(char::is_control), "{address:?}");
        assert!(is_quoted || !local.contains(char::is_whitespace), "{address:?}");
    }
    for attachment in &mail.attachments {
        assert!(!attachment.name.is_empty() && !attachment.name.contains(['/', '\\', '\r', '\n', '\0', '\u{202e}']));
        assert!(attachment.media_type.is_ascii() && !attachment.media_type.contains(' '));
    }
    // In cleaned HTML a `<` always begins a tag, and attributes are double-quoted; the same words may stand in a text or a value.
    for tag in mail.html.iter().flat_map(|html| html.split('<').skip(1)).map(|tag| tag.split('>').next().unwrap_or_default()) {
        let pieces: Vec<&str> = tag.split('"').collect();
        for name_and_value in pieces.chunks(2) {
            let (name, value) = (name_and_value[0].trim_start(), name_and_value.get(1).unwrap_or(&""));
            assert!(!name.starts_with("script") && !name.starts_with("on"), "{tag}");
            assert!(!name.ends_with("style=") || is_harmless_style(value), "{tag}");
            assert!(!name.ends_with("src=") || value.starts_with("cid:"), "{tag}");
        }
    }
}

/// A cut moves nothing.
fn assert_cut_once(raw: &[u8]) {
    if let Some(cut) = redact_raw(raw) {
        assert_eq!(cut.len(), raw.len());
        let changed = raw.iter().zip(&cut).filter(|(before, after)| before != after).count();
        assert!(changed > 0);
    }
}

#[test]
fn an_author_whose_local_part_is_quoted_is_sound() {
    let mail = parse(b"From: \"Ana Trujillo\"@fabrikam.example\r\n\r\nHello\r\n", &Trust::Nobody).unwrap();
    assert_eq!(mail.from.as_ref().unwrap().address, "\"ana trujillo\"@fabrikam.example");
    assert_sound(&mail);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_of_a_sample_mail_breaks_the_parser(index in 0..sample::ALL.len(), mutations in proptest::collection::vec(mutation(), 1..12)) {
        let raw = mutate(sample::ALL[index].raw.to_vec(), mutations);
        if let Ok(mail) = parse(&raw, &Trust::Nobody) {
            assert_sound(&mail);
        }
        assert_cut_once(&raw);
    }

    #[test]
    fn no_random_bytes_break_the_parser(raw in proptest::collection::vec(any::<u8>(), 0..600), header in any::<bool>()) {
        let raw = if header { [b"Subject: x\r\nContent-Type: text/html\r\n\r\n".as_slice(), &raw].concat() } else { raw };
        if let Ok(mail) = parse(&raw, &Trust::Nobody) {
            assert_sound(&mail);
        }
        assert_cut_once(&raw);
    }
}
