//! The new words of a mail, apart from what it quotes and from its signature; and who first wrote what it passes on.
//!
//! When in doubt a line stays: a quotation too much is a nuisance, a sentence too little is a loss.

pub mod html;
mod fate;
mod lines;
mod introduction;
mod block;
mod attribution;
mod signature;
mod device;
mod subject;
mod phrases;

use fate::{Fate, Found, introductions, quotations, uncover_answers};
use introduction::is_rule;
use lines::{Line, Mark};
use subject::Way;

use super::{Address, plain::Page};

/// What a mail program shows of a mail.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    pub subject: &'a str,
    /// Its header names a mail that it answers.
    pub answers: bool,
    /// The plain text, if the mail has one.
    pub text: Option<&'a str>,
    /// The HTML, if the mail has one.
    pub page: Option<&'a Page>,
}

/// What was read of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The sender's own words, and what he forwards below them. If he has none, all that he sent.
    pub words: String,
    /// Who wrote the mail that is forwarded in this one, says its header. Anybody can write such a header: it proves nothing.
    pub forwarded_from: Option<Address>,
}

/// Whether a subject says that its mail answers another, in any of many languages.
pub fn is_an_answer(subject: &str) -> bool {
    Way::of(subject) == Way::Reply
}

pub fn read(shown: &Shown<'_>) -> Reading {
    let way = match Way::of(shown.subject) {
        // What answers nothing has no old words: the mail in it is news.
        Way::Unsaid if !shown.answers => Way::Forward,
        way => way,
    };
    let text = shown.text.map(|text| part(lines::of_text(text), way, false));
    let Some(page) = shown.page else { return text.map(|parted| parted.reading(shown.text.unwrap_or_default())).unwrap_or_default() };
    // Markup is the surer sign, and its lines are not broken at a column; but only where it says something.
    match text {
        Some(parted) if !lines::is_marked(page) => parted.reading(shown.text.unwrap_or_default()),
        text => {
            let from_page = part(lines::of_page(page), way, true);
            match text {
                Some(parted) if from_page.kept.is_empty() && !parted.kept.is_empty() => parted.reading(shown.text.unwrap_or_default()),
                _ => from_page.reading(&page.text()),
            }
        }
    }
}

/// Whether an attached mail is passed on by this one: a mail that answers passes on nothing.
pub fn may_forward(subject: &str) -> bool {
    Way::of(subject) != Way::Reply
}

/// A mail taken apart.
struct Parted<'a> {
    /// The lines of the reply; none if the sender has no words of his own.
    kept: Vec<&'a str>,
    forwarded_from: Option<String>,
}

impl Parted<'_> {
    fn reading(self, whole: &str) -> Reading {
        let words = if self.kept.is_empty() { whole.to_owned() } else { self.kept.join("\n") };
        Reading { words, forwarded_from: self.forwarded_from.as_deref().and_then(subject::named_address) }
    }
}

fn part(mut lines: Vec<Line<'_>>, way: Way, is_page: bool) -> Parted<'_> {
    let way = way.for_lines(&lines);
    uncover_answers(&mut lines);
    let mut fates = vec![Fate::Kept; lines.len()];
    let found = introductions(&mut lines, &mut fates, way);
    let Found { end, forward, from, .. } = found;
    if forward.is_none() {
        quotations(&lines[..end], &mut fates, way, is_page);
    }
    let mut kept: Vec<Line<'_>> = (0..end).filter(|at| fates[*at] == Fate::Kept && lines[*at].mark != Mark::Cut).map(|at| lines[at]).collect();
    if forward.is_none() {
        without_signature(&mut kept);
    }
    let has_words = kept.iter().any(|line| line.mark.is_own() && !is_rule(line.text));
    // Where nothing stands above a header, the mail is passed on, be its subject what it may; only an answer names nobody.
    let passes_on = forward.is_some() || (!has_words && found.header_first);
    let forwarded_from = from.filter(|_| passes_on && way != Way::Reply);
    if !has_words && forward.is_none() {
        return Parted { kept: Vec::new(), forwarded_from };
    }
    Parted { kept: tidy(&kept, is_page), forwarded_from }
}

/// Signatures go, as long as words are left.
fn without_signature(kept: &mut Vec<Line<'_>>) {
    let apart = set_apart(kept);
    let is_kept = |at: &usize| kept[*at].mark != Mark::Signature && !apart[*at];
    let mut without: Vec<Line<'_>> = (0..kept.len()).filter(is_kept).map(|at| kept[at]).collect();
    without.truncate(signature::above_signature(&without));
    if without.iter().any(|line| line.mark.is_own() && !is_rule(line.text)) {
        *kept = without;
    }
}

/// Which lines a device added: the first or last ones of those between two blank ones. No other line is worth the closer look.
fn set_apart(kept: &[Line<'_>]) -> Vec<bool> {
    let is_device = |line: &&Line<'_>| line.mark == Mark::Words && device::is_device(line.text);
    let mut apart = Vec::with_capacity(kept.len());
    for (at, lines) in kept.split(|line| line.mark == Mark::Blank).enumerate() {
        // The blank line before these.
        apart.extend((at > 0).then_some(false));
        let above = lines.iter().take_while(is_device).count();
        // The line behind them is none.
        let below = lines.iter().skip(above + 1).rev().take_while(is_device).count();
        apart.extend((0..lines.len()).map(|line| line < above || line >= lines.len() - below));
    }
    apart
}

/// Without empty and drawn lines at the ends; of HTML, with one empty line in a row.
fn tidy<'a>(kept: &[Line<'a>], is_page: bool) -> Vec<&'a str> {
    let start = kept.iter().position(|line| line.mark != Mark::Blank).unwrap_or(kept.len());
    let end = kept.iter().rposition(|line| line.mark != Mark::Blank && !(line.mark == Mark::Words && is_rule(line.text))).map_or(start, |at| at + 1);
    let kept = kept.get(start..end).unwrap_or_default();
    let doubled = |at: usize| is_page && at > 0 && kept[at].mark == Mark::Blank && kept[at - 1].mark == Mark::Blank;
    (0..kept.len()).filter(|at| !doubled(*at)).map(|at| kept[at].text).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::plain::page, *};

    fn reply(text: &str) -> String {
        read(&Shown { subject: "Re: x", answers: true, text: Some(text), page: None }).words
    }

    fn of_html(html: &str) -> String {
        read(&Shown { subject: "Re: x", answers: true, text: None, page: Some(&page(html)) }).words
    }

    fn forwarded(subject: &str, text: &str) -> (String, Option<String>) {
        let reading = read(&Shown { subject, answers: true, text: Some(text), page: None });
        (reading.words, reading.forwarded_from.map(|from| from.address))
    }

    /// Headers of quoted mail as programs in many languages write them.
    const HEADERS: [&str; 20] = [
        "发件人：Ann Lee<ann@a.example>\n日　期：2026年01月06日 10:00:00\n收件人：<bob@a.example>\n主　题：求助",
        "제목 : 도움\n날짜 : Tue, 6 Jan 2026 10:00:00 +0900\n보낸이 : Ann <ann@a.example>\n받는이 : <bob@a.example>",
        "No: Ann Lee <ann@a.example>\nNosūtīts: otrdiena, 2026. gada 6. janvāris 10:00\nKam: Bob\nTēma: Palīdzība",
        "From: Ann Lee <ann@a.example>\nSent: Tuesday, 6 January 2026 10:00\nTo: Bob\nSubject: Help",
        "*From:* Ann Lee [mailto:\nann@a.example]\n*Sent:* Tuesday, January 6, 2026 10:00 AM\n*To:* Bob\n*Subject:* Help",
        "Date: Tue, 6 Jan 2026 10:00:00 +0100\nSubject: Help\nFrom: ann@a.example\nTo: bob@a.example",
        "Von: Ann Lee <ann@a.example>\nGesendet: Dienstag, 6. Januar 2026 10:00\nAn: Bob\nBetreff: Hilfe",
        "De : Ann Lee\nEnvoyé : mardi 6 janvier 2026 10:00\nÀ : Bob\nObjet : Aide",
        "De: Ann Lee\nEnviado el: martes, 6 de enero de 2026 10:00\nPara: Bob\nAsunto: Ayuda",
        "De: Ann Lee\nEnviada em: terça-feira, 6 de janeiro de 2026 10:00\nPara: Bob\nAssunto: Ajuda",
        "Da: Ann Lee\nInviato: martedì 6 gennaio 2026 10:00\nA: Bob\nOggetto: Aiuto",
        "Van: Ann Lee\nVerzonden: dinsdag 6 januari 2026 10:00\nAan: Bob\nOnderwerp: Hulp",
        "Fra: Ann Lee\nSendt: tirsdag 6. januar 2026 10.00\nTil: Bob\nEmne: Hjelp",
        "Från: Ann Lee\nSkickat: den 6 januari 2026 10:00\nTill: Bob\nÄmne: Hjälp",
        "Lähettäjä: Ann Lee\nLähetetty: tiistai 6. tammikuuta 2026 10.00\nVastaanottaja: Bob\nAihe: Apua",
        "Od: Ann Lee\nWysłano: wtorek, 6 stycznia 2026 10:00\nDo: Bob\nTemat: Pomoc",
        "От: Ann Lee\nОтправлено: вторник, 6 января 2026 г. 10:00\nКому: Bob\nТема: Помощь",
        "差出人: Ann Lee\n送信日時: 2026年1月6日 10:00\n宛先: Bob\n件名: 相談",
        "发件人: Ann Lee\n发送时间: 2026年1月6日 10:00\n收件人: Bob\n主题: 求助",
        "Gönderen: Ann Lee\nGönderildi: 6 Ocak 2026 Salı 10:00\nKime: Bob\nKonu: Yardım",
    ];

    #[test]
    fn a_quoted_header_ends_the_words_in_any_language() {
        for header in HEADERS {
            for line in ["", "________________________________\n", "-----Original Message-----\n", "  Original Message  \n"] {
                assert_eq!(reply(&format!("It works.\n\n{line}{header}\n\nOld words.")), "It works.", "{line}{header}");
            }
        }
    }

    #[test]
    fn names_of_the_original_message_end_the_words() {
        for name in
            ["Original Message", "Ursprüngliche Nachricht", "Message d'origine", "Mensaje original", "Исходное сообщение", "原始邮件", "원본 메시지"]
        {
            assert_eq!(reply(&format!("It works.\n\n-----{name}-----\nOld words.")), "It works.");
            assert_eq!(reply(&format!("It works.\n\n-------- {name} --------\n\nOld words.")), "It works.");
        }
    }

    #[test]
    fn quotations_go_with_their_attribution_and_words_around_them_stay() {
        let quoted = "On Tue, Jan 6, 2026 at 10:00 AM, Ann\n<ann@a.example> wrote:\n\n> Old words.\n>\n> > Older words.\n";
        assert_eq!(reply(&format!("Above.\n\n{quoted}")), "Above.");
        assert_eq!(reply(&format!("{quoted}\nBelow.")), "Below.");
        assert_eq!(reply(&format!("Above.\n\n{quoted}\nBelow.")), "Above.\n\nBelow.");
        assert_eq!(reply("Above. On Tue, Jan 6, 2026 at 10:00 AM, Ann wrote:\n> Old words."), "Above.");
        assert_eq!(reply("Above.\n\nAnn wrote:\n\n> Old words."), "Above.");
        assert_eq!(reply("Above.\nSee you on Monday.\nOn Tue, Jan 6, 2026, at 10:00, Ann wrote:\n> Old words."), "Above.\nSee you on Monday.");
    }

    #[test]
    fn attributions_may_break_within_an_address_and_groupwise_has_its_own() {
        for line in [
            "Am 06.01.2026 10:00 schrieb \"Ann Lee\" <ann@a.example\n>:",
            "On Tue, Jan 6, 2026 at 10:00 AM, Ann Lee <ann@a.example\n> wrote:",
            ">>> Ann Lee <ann@a.example> 1/6/2026 10:00 AM >>>",
            ">>> On 1/6/2026 at 10:00 AM, in message\n<1@a.example>, Ann Lee <ann@a.example> wrote:",
            "‐‐‐‐‐‐‐ Original Message ‐‐‐‐‐‐‐\nOn Tuesday, January 6, 2026 10:00 AM, Ann <ann@a.example> wrote:",
        ] {
            assert_eq!(reply(&format!("Words.\n\n{line}\n\n> Old words.")), "Words.", "{line}");
            assert_eq!(reply(&format!("Words.\n\n{line}\nOld words.")), "Words.", "{line}");
        }
        assert_eq!(reply("Words.\n\nAnn said:\n> Old words."), "Words.");
        assert_eq!(reply("On 5 May 2026 at 10:30 the printer said:\n\nE17"), "On 5 May 2026 at 10:30 the printer said:\n\nE17");
        assert_eq!(reply("Type\n>>> print(1)\n1"), "Type\n>>> print(1)\n1");
    }

    #[test]
    fn lines_of_several_devices_go_together() {
        assert_eq!(reply("Words.\n\nSent via mobile\n\n(sent from a phone)\nSent from my TI-85"), "Words.");
    }

    #[test]
    fn answers_between_quoted_lines_keep_what_they_answer() {
        let mail = "Hello,\n\nAm 06.01.2026 um 10:00 schrieb Ann:\n> One?\nYes.\n> Two?\n\nNo.\n> Bye.\n> Ann";
        assert_eq!(reply(mail), "Hello,\n\n> One?\nYes.\n> Two?\n\nNo.");
        let html = "<div class=moz-cite-prefix>Am 06.01.26 um 10:00 schrieb Ann:</div><blockquote type=cite>One?</blockquote><p>Yes.</p><blockquote type=cite>Two?</blockquote><p>No.</p>";
        assert_eq!(of_html(html), "> One?\n\nYes.\n\n> Two?\n\nNo.");
        assert_eq!(reply("> One?\n> Two?\n\nYes."), "> One?\n> Two?\n\nYes.");
    }

    #[test]
    fn what_only_looks_like_a_quotation_stays() {
        for mail in [
            "Hello wrote:\n\nnothing is quoted here.",
            "On 5 May 2026 at 10:30 the machine wrote the following:\n\nE17",
            "I type\n> npm start",
            "Look\n>>> >>> https://a.example <<<\nhere",
            "From: my side all is done.\nDate: not known yet.\n\nThanks",
            "From: Berlin\nTo: Paris\nDate: 5 May 2026\n\nPlease book.",
            "One.\n\n---------\n\nTwo, which is longer than a name.",
            "Please write below.\n\n----- Write Below -----\n\nI have.",
            "```\n> a\n-- \nFrom: a\n```",
            "I tried to reply above this line, in vain.",
            "We sent it from my iPhone yesterday.",
            "  indented\n\n\n    - item",
        ] {
            assert_eq!(reply(mail), mail);
        }
    }

    #[test]
    fn signatures_go_and_a_mail_that_is_nothing_else_stays() {
        assert_eq!(reply("Words.\n\n-- \nAnn Lee\nLee Ltd"), "Words.");
        assert_eq!(reply("Words.\n\nSent from my iPhone\n\nOn 6 Jan 2026, at 10:00, Ann wrote:\n\n> Old"), "Words.");
        assert_eq!(reply("-- \nAnn Lee"), "-- \nAnn Lee");
        assert_eq!(reply("Sent from my iPhone"), "Sent from my iPhone");
        assert_eq!(reply("> all\n> quoted"), "> all\n> quoted");
    }

    #[test]
    fn lines_to_reply_above_end_the_words() {
        for line in [
            "##- Please type your reply above this line -##",
            "-- Bitte antworten Sie oberhalb dieser Zeile --",
            "=== この行より上に返信を書いてください ===",
        ] {
            assert_eq!(reply(&format!("Words.\n\n{line}\n\nOld words.")), "Words.", "{line}");
        }
    }

    #[test]
    fn forwarded_mail_stays_and_names_its_sender() {
        let header = "From: Ann Lee <ann@a.example>\nSent: Tuesday, 6 January 2026 10:00\nTo: Bob\nSubject: Help";
        let mail = format!("Please see below.\n\n{header}\n\nHelp me.");
        let ann = Some("ann@a.example".to_owned());
        assert_eq!(forwarded("FW: Help", &mail), (mail.clone(), ann.clone()));
        assert_eq!(forwarded("Re: Help", &mail), ("Please see below.".to_owned(), None));
        assert_eq!(forwarded("Help", &mail), ("Please see below.".to_owned(), None));
        let news = read(&Shown { subject: "Help", answers: false, text: Some(&mail), page: None });
        assert_eq!((news.words, news.forwarded_from.map(|from| from.address)), (mail.clone(), ann.clone()));
        let alone = format!("{header}\n\nHelp me.");
        assert_eq!(forwarded("Help", &alone), (alone.clone(), ann.clone()));
        assert_eq!(forwarded("Re: Help", &alone), (alone.clone(), None));
        let apple = "See this.\n\nBegin forwarded message:\n\n> From: Ann Lee <ann@a.example>\n> Subject: Help\n>\n> Help me.";
        assert_eq!(forwarded("Fwd: Help", apple), (apple.to_owned(), ann.clone()));
        let gmail = "---------- Forwarded message ---------\nVon: Ann <ann@a.example>\nDate: Di., 6. Jan. 2026\n\nHelp me.\n\n-- \nAnn";
        assert_eq!(forwarded("Help", gmail), (gmail.to_owned(), ann));
        // A mail that was passed on before the one that is answered is old.
        let old = format!("Done.\n\nOn 6 Jan 2026, at 10:00, Bob <bob@a.example> wrote:\n\n> {}", gmail.replace('\n', "\n> "));
        assert_eq!(forwarded("Help", &old), ("Done.".to_owned(), None));
    }

    #[test]
    fn a_forward_in_a_marked_quotation_stays_and_only_an_answer_loses_it() {
        let header =
            "<b>From:</b> Ann &lt;ann@a.example&gt;<br><b>Sent:</b> Tuesday, 6 January 2026 10:00<br><b>To:</b> Bob<br><b>Subject:</b> Help<br>";
        let mail = format!("<div>{header}</div><div><br></div><div>Help me.</div>");
        let outlook = "<div class=mail-editor-reference-message-container>";
        for below in [
            format!("<div name=quote style='border-left:2px solid #C3D9E5'>{mail}</div>"),
            format!("{outlook}<div style='border-top:1pt solid rgb(181,196,223)'>{mail}</div></div>"),
            format!("{outlook}<div style='border-width:1pt medium medium;border-color:rgb(181, 196, 223)'>{mail}</div></div>"),
            format!("<span id=OLK_SRC_BODY_SECTION><div style='BORDER-TOP:#b5c4df 1pt solid'>{mail}</div></span>"),
            format!("<div id=ydp1aolReplacedBody>-----Original Message-----<br>{mail}</div>"),
            format!("<div id=origbody>________________________________<br><br>{mail}</div>"),
            format!("<div class=tutanota_quote>{mail}</div>"),
            format!("<blockquote type=cite>-----Original Message-----<br><br>{mail}</blockquote>"),
            format!("<blockquote type=cite>{mail}</blockquote>"),
        ] {
            let page = page(&format!("<div>Please help.</div>{below}"));
            let read = |subject: &str, answers: bool| {
                let reading = read(&Shown { subject, answers, text: None, page: Some(&page) });
                (reading.words, reading.forwarded_from.map(|from| from.address))
            };
            for passed_on in [read("Fwd: Help", true), read("Help", false)] {
                assert!(passed_on.0.starts_with("Please help.\n") && passed_on.0.ends_with("Help me."), "{below}: {}", passed_on.0);
                assert!(passed_on.0.contains("Ann <ann@a.example>"), "{below}: {}", passed_on.0);
                assert_eq!(passed_on.1.as_deref(), Some("ann@a.example"), "{below}");
            }
            assert_eq!(read("Re: Help", true), ("Please help.".to_owned(), None), "{below}");
        }
    }

    #[test]
    fn a_forward_between_marks_of_plain_text_stays_and_its_header_ends_at_a_marked_blank_line() {
        let news = |text: &str| read(&Shown { subject: "Help", answers: false, text: Some(text), page: None });
        for header in HEADERS {
            let mail = format!("See below.\n\n{header}\n\nHelp me.\nHelp me soon.").replace('\n', "\n> ").replacen("> ", "", 1);
            assert_eq!(forwarded("WG: Help", &mail).0, mail);
            assert_eq!(news(&mail).words, mail);
            let below_a_mark = mail.replacen("> ", ">\n> ", 1);
            assert_eq!(forwarded("WG: Help", &below_a_mark).0, below_a_mark);
            assert_eq!(forwarded("Re: Help", &mail), ("See below.".to_owned(), None));
            let answered = format!("{mail}\n\nDone.");
            assert_eq!(forwarded("Re: Help", &answered), (answered.clone(), None));
        }
        let none = "See below.\n\n> From: ann@a.example\n>\n> The trip is changed.\n> Date: 5 May 2026\n> Subject: Paris";
        assert_eq!((news(none).words.as_str(), news(none).forwarded_from), (none, None));
    }

    #[test]
    fn answers_within_what_surrounds_a_quotation_are_told_by_its_marks() {
        let attribution = "<div>On Tue, Jan 6, 2026 at 10:00 AM Ann &lt;ann@a.example&gt; wrote:</div>";
        let inside = format!("{attribution}<div><br></div><div>&gt; One?</div><div>Yes.</div><div>&gt; Two?</div><div>No.</div>");
        let around = |words: &str| format!("<div class=mail-editor-reference-message-container>{words}</div>");
        let answers = "> One?\nYes.\n> Two?\nNo.";
        let inside = around(&inside);
        assert_eq!(of_html(&format!("<div>Hi Bob,</div>{inside}")), format!("Hi Bob,\n{answers}"));
        assert_eq!(of_html(&format!("{inside}<div>Regards, Ann</div>")), format!("{answers}\nRegards, Ann"));
        assert_eq!(of_html(&format!("<div>Hi Bob,</div>{inside}<div>Regards, Ann</div>")), format!("Hi Bob,\n{answers}\nRegards, Ann"));
        // Below words that nothing marks, marks are those of an older mail.
        for older in ["<div>Old.</div><div>&gt; Older.</div><div>Old too.</div>", "<div>Bob wrote:</div><div>&gt; Older.</div><div>Old.</div>"] {
            assert_eq!(of_html(&format!("<div>It works.</div>{}", around(&format!("{attribution}{older}")))), "It works.", "{older}");
        }
        // The cost: of an old mail that begins with a mark itself the lines without are shown.
        let answered = around(&format!("{attribution}<div>&gt; Older.</div><div>Old.</div>"));
        assert_eq!(of_html(&format!("<div>It works.</div>{answered}")), "It works.\nOld.");
        let quoted = around(&format!("{attribution}<blockquote>Old.</blockquote>"));
        assert_eq!(of_html(&format!("<div>It works.</div>{quoted}")), "It works.");
    }

    #[test]
    fn quotations_of_html_are_told_by_its_markup() {
        let header =
            "<b>From:</b> Ann &lt;ann@a.example&gt;<br><b>Sent:</b> Tuesday, 6 January 2026 10:00<br><b>To:</b> Bob<br><b>Subject:</b> Help<br>";
        let attribution = "On Tue, Jan 6, 2026 at 10:00 AM Ann &lt;ann@a.example&gt; wrote:";
        for below in [
            format!(
                "<div class=\"gmail_quote\"><div class=gmail_attr>{attribution}<br></div><blockquote class=\"gmail_quote\">Old.</blockquote></div>"
            ),
            format!("<div class=\"gmail_quote\">{attribution}<div>Old.</div></div>"),
            format!("<div>{attribution}</div><blockquote class=gmail_quote>Old.</blockquote>"),
            format!("<hr tabindex=-1><div id=divRplyFwdMsg>{header}</div><div>Old.</div>"),
            "<div id=x_divRplyFwdMsg><b>Unheard:</b> Ann</div><div>Old.</div>".to_owned(),
            format!("<div style='border:none;border-top:solid #B5C4DF 1.0pt'><p class=MsoNormal>{header}</p></div><p>Old.</p>"),
            format!("<br><blockquote type=\"cite\">{attribution}<br>Old.</blockquote>"),
            format!("<div class=moz-cite-prefix>{attribution}</div><blockquote type=cite>Old.</blockquote><div class=moz-signature>-- <br>Ann</div>"),
            format!("<div id=yahoo_quoted_1 class=yahoo_quoted>{attribution}<div>Old.</div></div>"),
            format!("<hr id=zwchr>{header}Old."),
            format!("<div name=quote>{header}Old.</div>"),
            format!("<div class=protonmail_quote>{attribution}<blockquote>Old.</blockquote></div>"),
            "-----Original Message-----<br>From: Ann<br>Old.".to_owned(),
            "<blockquote>Old.</blockquote>".to_owned(),
        ] {
            assert_eq!(of_html(&format!("<div>It works.</div>{below}")), "It works.", "{below}");
        }
    }

    #[test]
    fn what_a_sender_sets_apart_in_html_stays() {
        for (html, expected) in [
            ("One<blockquote style='margin:0 0 0 40px;border:none'>Two</blockquote>", "One\nTwo"),
            ("One<blockquote class=gmail_quote>Two</blockquote>", "One\n\n> Two"),
            ("<p>One</p><hr><p>Two, which is a sentence.</p>", "One\n\nTwo, which is a sentence."),
            ("<p>See:</p><blockquote>Two words.</blockquote><p>Is that right?</p>", "See:\n\n> Two words.\n\nIs that right?"),
        ] {
            assert_eq!(of_html(html), expected);
        }
    }

    #[test]
    fn of_text_and_html_the_one_that_tells_more_is_read() {
        let both = |text: &str, html: &str| read(&Shown { subject: "Re: x", answers: true, text: Some(text), page: Some(&page(html)) }).words;
        assert_eq!(both("a\nb", "<p>a b</p>"), "a\nb");
        assert_eq!(both("a\nb\n\nold", "<p>a b</p><blockquote type=cite>old</blockquote>"), "a b");
        assert_eq!(both("a\n> old", "<blockquote type=cite>old</blockquote>"), "a\n> old");
    }

    proptest! {
        #[test]
        fn a_reply_is_made_of_lines_of_the_text_in_their_order(text in any_mail()) {
            let reply = reply(&text);
            let mut lines = text.lines();
            for kept in reply.lines() {
                // The last words before an attribution may be the beginning of its line.
                prop_assert!(lines.any(|line| line.starts_with(kept.trim_end())), "{kept:?} of {text:?}");
            }
        }

        #[test]
        fn words_that_are_neither_quoted_nor_signature_are_never_lost(before in "[a-z]{3,9} [a-z]{3,9}\\.", rest in any_mail()) {
            let reply = reply(&format!("{before}\n\n{rest}"));
            prop_assert!(reply.starts_with(&before), "{reply:?}");
        }

        #[test]
        fn html_of_any_kind_is_read(pieces in prop::collection::vec(prop::sample::select(TAGS.to_vec()), 0..40)) {
            let html = pieces.concat();
            let words: String = page(&html).text();
            prop_assert!(of_html(&html).is_empty() == words.is_empty());
        }
    }

    const TAGS: [&str; 16] = [
        "<div>",
        "</div>",
        "word ",
        "<blockquote type=cite>",
        "</blockquote>",
        "<p>",
        "<br>",
        "<div class=gmail_quote>",
        "<div class=gmail_attr>",
        "<hr id=zwchr>",
        "From: a ",
        "<pre>\n",
        "</pre>",
        "<table><tr><td>",
        "</table>",
        "-- <br>",
    ];

    fn any_mail() -> impl Strategy<Value = String> {
        let line = prop::sample::select(vec![
            "",
            "words of mine",
            "> quoted",
            ">> older",
            "-- ",
            "----------",
            "On Tue, Jan 6, 2026 at 10:00 AM, Ann <ann@a.example> wrote:",
            "From: Ann <ann@a.example>",
            "Sent: 6 January 2026",
            "To: Bob",
            "Subject: Help",
            "Sent from my iPhone",
            "```",
            "Ann wrote:",
            "-----Original Message-----",
            "---------- Forwarded message ----------",
            "##- Please type your reply above this line -##",
            "<https://a.example>",
        ]);
        prop::collection::vec(line, 0..24).prop_map(|lines| lines.join("\n"))
    }
}
