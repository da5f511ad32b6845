//! Mails that are made to take long, each by one means, of about the wanted size.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::mails;

type Make = fn(usize) -> Vec<u8>;

/// What a mail is made of, and the maker.
pub const ALL: [(&str, Make); 33] = [
    ("multiparts inside each other", |bytes| {
        let deep: String = (0..150).map(|level| format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n")).collect();
        mail(&format!("{deep}\r\n{}", fill("words and words\r\n", bytes)))
    }),
    ("messages inside each other", |bytes| mail(&fill("Content-Type: message/rfc822\r\n\r\n", bytes))),
    ("many parts", |bytes| mail(&format!("Content-Type: multipart/mixed; boundary=a\r\n\r\n{}", parts(400, bytes)))),
    ("too many parts", |bytes| mail(&format!("Content-Type: multipart/mixed; boundary=a\r\n\r\n{}", fill("--a\r\n\r\nx\r\n", bytes)))),
    ("boundaries that begin alike", |bytes| {
        let boundary = "a".repeat(60);
        mail(&format!("Content-Type: multipart/mixed; boundary={boundary}b\r\n\r\n{}", fill(&format!("--{boundary}\r\n"), bytes)))
    }),
    ("many addresses", |bytes| mail(&format!("To: {}z@a.example\r\n\r\nx", fill("\"a, b\" <a@a.example>,\r\n ", bytes)))),
    ("open comments in addresses", |bytes| mail(&format!("To: {}\r\n\r\nx", fill("(a <", bytes)))),
    ("one huge header", |bytes| mail(&format!("X-Long: {}\r\n\r\nx", fill("word ", bytes)))),
    ("many headers", |bytes| mail(&format!("{}\r\nx", fill("X-A: b\r\n", bytes)))),
    ("many Received headers", |bytes| {
        mail(&format!("{}\r\nx", fill("Received: from a.example by b.example with SMTP id c; Mon, 23 Nov 2026 09:00:00 +0000\r\n", bytes)))
    }),
    ("many Authentication-Results", |bytes| {
        mail(&format!("{}\r\nx", fill("Authentication-Results: mx.a.example; dkim=pass header.d=a.example\r\n", bytes)))
    }),
    ("many references", |bytes| mail(&format!("References: {}\r\n\r\nx", fill("<a.b.c@a.example>\r\n ", bytes)))),
    ("many encoded words", |bytes| mail(&format!("Subject: {}\r\n\r\nx", fill("=?utf-8?q?=C3=A9?=\r\n ", bytes)))),
    ("encoded words that do not end", |bytes| mail(&format!("Subject: {}\r\n\r\nx", fill("=?utf-8?q?a", bytes)))),
    ("encoded words in no charset", |bytes| mail(&format!("Subject: {}\r\n\r\nx", fill("=?-?b?!", bytes)))),
    ("parameters in continuations", |bytes| {
        let parameters: String = (0..bytes / 20).map(|number| format!(";\r\n filename*{number}=ab")).collect();
        mail(&format!("Content-Disposition: attachment{parameters}\r\n\r\nx"))
    }),
    ("base64 with junk in it", |bytes| {
        mail(&format!("Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n{}", fill("QUJD*!\r\n=\r\n", bytes)))
    }),
    ("quoted-printable escapes", |bytes| mail(&format!("Content-Transfer-Encoding: quoted-printable\r\n\r\n{}", fill("=C3=A9=\r\n=4", bytes)))),
    ("digits, as of cards", |bytes| mail(&format!("\r\n{}", fill("4111 1111 1111 1112 ", bytes)))),
    ("digits without an end", |bytes| mail(&format!("\r\n{}", fill("41", bytes)))),
    ("digits inside one word", |bytes| mail(&format!("\r\n{}", fill("x4111-1111-1111-1111", bytes)))),
    ("lines that could begin a quote", |bytes| {
        mail(&format!("\r\n{}", fill("On Mon, Ann wrote\r\nFrom: x\r\nOn Tue, 3 Mar 2026 at 9:00, Bob <b@a.example>\r\n", bytes)))
    }),
    ("quote marks", |bytes| mail(&format!("\r\n{}", fill("> > > >\r\n>\r\na\r\n", bytes)))),
    ("text as of a bounce", |bytes| {
        let text = "<a@a.example>: host mx.a.example said: 550 5.1.1 unknown\r\nMessage-ID: <x@a.example>\r\nFinal-Recipient: rfc822; a@a.example\r\nAction: failed\r\n\r\n";
        mail(&format!("From: MAILER-DAEMON@a.example\r\nReturn-Path: <>\r\n\r\n{}", fill(text, bytes)))
    }),
    ("a report of many recipients", |bytes| {
        let status = fill("Final-Recipient: rfc822; a@a.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n", bytes);
        mail(&format!(
            "Content-Type: multipart/report; report-type=delivery-status; boundary=a\r\n\r\n--a\r\n\r\nx\r\n--a\r\nContent-Type: message/delivery-status\r\n\r\n{status}--a--\r\n"
        ))
    }),
    ("HTML: formatting that is never closed", |bytes| html(&fill("<p><b><i><font color=red>x</p>", bytes))),
    ("HTML: formatting in the wrong order", |bytes| html(&fill("<b><p></b>", bytes))),
    ("HTML: elements inside each other", |bytes| html(&fill("<div><span>", bytes))),
    ("HTML: attributes", |bytes| html(&format!("<p {}>x", fill("a='b' ", bytes)))),
    ("HTML: styles", |bytes| html(&fill("<p style=\"color:rgb(1,2,3);margin:0 auto;font-family:'A',b;x:y\">", bytes))),
    ("HTML: entities", |bytes| html(&fill("&notit;&nbsp;&#x41;&unheard", bytes))),
    ("HTML: words between table rows", |bytes| html(&fill("<table>x<tr>y", bytes))),
    ("winmail.dat of many attributes", |bytes| {
        let mut tnef = vec![0x78, 0x9f, 0x3e, 0x22, 1, 0];
        while tnef.len() < bytes * 70 / 100 {
            // An attachment's rendering data, empty: each begins another one.
            tnef.extend([2, 0x02, 0x90, 0x06, 0, 0, 0, 0, 0, 0, 0]);
        }
        mail(&format!("Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n{}", STANDARD.encode(tnef)))
    }),
];

/// Text and HTML as mail programs write them, of this size.
pub fn ordinary(bytes: usize) -> Vec<u8> {
    mails::alternative_mail(bytes, 1)
}

fn mail(rest: &str) -> Vec<u8> {
    format!("From: Ann <ann@customer.example>\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\nMIME-Version: 1.0\r\n{rest}").into_bytes()
}

fn html(body: &str) -> Vec<u8> {
    mail(&format!("Subject: x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{body}"))
}

fn fill(piece: &str, bytes: usize) -> String {
    piece.repeat(bytes / piece.len())
}

fn parts(count: usize, bytes: usize) -> String {
    let each = fill("words and words\r\n", bytes / count);
    (0..count)
        .map(|number| format!("--a\r\nContent-Type: text/plain; name=\"{number}.txt\"\r\nContent-Disposition: attachment\r\n\r\n{each}\r\n"))
        .collect()
}
