//! How the subjects of automatic answers, and of people's answers and forwarded mails, begin, in the languages of mail programs.

use crate::mail::bounce::normalized;

/// Beginnings, in lower case. They tell which machine speaks and never make a machine of a person.
const ABSENCE_SUBJECTS: &[&str] = &[
    "automatic reply",
    "automatic response",
    "automated reply",
    "automated response",
    "auto reply",
    "auto-reply",
    "autoreply",
    "auto response",
    "auto-response",
    "autoresponse",
    "autorespons",
    "autoresponder",
    "auto:",
    "out of office",
    "out-of-office",
    "out of the office",
    "ooo:",
    "oof:",
    "away from",
    "away until",
    "i am away",
    "i'm away",
    "on vacation",
    "vacation",
    "on leave",
    "on holiday",
    "holiday notice",
    "maternity leave",
    "automatische antwort",
    "automatische rückantwort",
    "automatische beantwortung",
    "abwesenheit",
    "abwesenheitsnotiz",
    "abwesenheitsmeldung",
    "abwesenheitsbenachrichtigung",
    "abwesenheitsnachricht",
    "abwesenheitshinweis",
    "abwesenheitsmail",
    "abwesend",
    "nicht im büro",
    "urlaub",
    "urlaubsmeldung",
    "urlaubsbenachrichtigung",
    "außer haus",
    "réponse automatique",
    "reponse automatique",
    "absence du bureau",
    "absent du bureau",
    "absence",
    "en congés",
    "message d'absence",
    "respuesta automática",
    "respuesta automatica",
    "fuera de la oficina",
    "fuera de oficina",
    "ausencia",
    "ausente",
    "resposta automática",
    "resposta automatica",
    "fora do escritório",
    "ausência",
    "risposta automatica",
    "fuori sede",
    "fuori ufficio",
    "assente",
    "automatisch antwoord",
    "automatische antwoord",
    "afwezig",
    "afwezigheid",
    "afwezigheidsmelding",
    "afwezigheidsbericht",
    "automatiskt svar",
    "autosvar",
    "frånvaro",
    "frånvaromeddelande",
    "automatisk svar",
    "fraværsmelding",
    "fravær",
    "ikke på kontoret",
    "automaattinen vastaus",
    "poissaolo",
    "poissa",
    "automatyczna odpowiedź",
    "odpowiedź automatyczna",
    "autoodpowiedź",
    "nieobecność",
    "poza biurem",
    "automatická odpověď",
    "automatická odpoveď",
    "mimo kancelář",
    "nepřítomnost",
    "automatikus válasz",
    "házon kívül",
    "răspuns automat",
    "raspuns automat",
    "автоответ",
    "автоматический ответ",
    "автоматична відповідь",
    "нет на работе",
    "отсутствие",
    "отсутствую",
    "автоматичен отговор",
    "αυτόματη απάντηση",
    "εκτός γραφείου",
    "otomatik yanıt",
    "ofis dışında",
    "automatski odgovor",
    "samodejni odgovor",
    "automaatvastus",
    "automātiska atbilde",
    "automatinis atsakymas",
    "תשובה אוטומטית",
    "מענה אוטומטי",
    "رد تلقائي",
    "پاسخ خودکار",
    "स्वचालित उत्तर",
    "ตอบกลับอัตโนมัติ",
    "trả lời tự động",
    "balasan otomatis",
    "自動応答",
    "自動返信",
    "自动答复",
    "自动回复",
    "自動回覆",
    "自動回复",
    "不在通知",
    "不在の",
    "자동 회신",
    "자동 응답",
    "부재중",
    "out of office autoreply",
    "out of office auto-reply",
    "out of office auto reply",
    "out of office reply",
    "out of office response",
    "vacation reply",
    "vacation response",
    "vacation autoreply",
    "automatic email reply",
    "auto answer",
    "automatische antwoordmail",
    "abwesenheitsassistent",
    "resposta automàtica",
    "erantzun automatikoa",
    "автоматический ответ на",
    "аутоматски одговор",
    "balasan automatik",
    "jawaban otomatis",
    "sjálfvirkt svar",
    "awtomatikong tugon",
    "automatiese antwoord",
    "ateb awtomatig",
    "përgjigje automatike",
    "avtomatik cavab",
    "自动应答",
    "自動返答",
    "自動回應",
];

/// From the Thai letters on, most scripts put no blank between words.
const FIRST_WITHOUT_BLANKS: char = '\u{e00}';

/// Words by which the programs name themselves in [`ABSENCE_SUBJECTS`]; the others people write as well.
const RESPONDER_WORDS: [&str; 27] = [
    "reply",
    "response",
    "otomatis",
    "аутомат",
    "sjálfvirkt",
    "avtomatik",
    "awtomati",
    "auto",
    "réponse",
    "respuesta",
    "resposta",
    "risposta",
    "авто",
    "αυτόματη",
    "otomatik",
    "samodejni",
    "אוטומטי",
    "رد تلقائي",
    "پاسخ",
    "स्वचालित",
    "อัตโนมัติ",
    "trả lời",
    "自動",
    "自动",
    "자동",
    "răspuns",
    "raspuns",
];

/// Those of them that are also what a mail of a person may be about: `Urlaub: wrong days`.
const TOPICS: [&str; 12] = [
    "vacation",
    "on vacation",
    "urlaub",
    "abwesenheit",
    "absence",
    "ausencia",
    "ausência",
    "afwezigheid",
    "frånvaro",
    "fravær",
    "poissaolo",
    "отсутствие",
];

/// Words for the last or first day of an absence, and what may stand between them and it.
const UNTIL: [&str; 15] = ["until", "till", "bis", "vom", "von", "ab", "from", "jusqu'au", "hasta", "desde", "fino", "dal", "até", "tot", "do"];
const ARTICLES: [&str; 6] = ["zum", "den", "el", "al", "the", "le"];

/// Beginnings of subjects by which mail programs mark answers and forwarded mails, without the colon.
const FORWARD_PREFIXES: &[&str] = &[
    "fw",
    "fwd",
    "re",
    "aw",
    "wg",
    "sv",
    "vs",
    "vb",
    "tr",
    "rv",
    "rif",
    "r",
    "i",
    "enc",
    "res",
    "antw",
    "doorst",
    "odp",
    "pd",
    "vá",
    "továbbítás",
    "ynt",
    "ilt",
    "απ",
    "πρθ",
    "пересл",
    "отв",
    "转发",
    "回复",
    "答复",
    "轉寄",
    "回覆",
    "転送",
    "返信",
    "전달",
    "회신",
];

/// The subject of an answer or a forwarded mail: somebody passes on what another wrote.
pub fn is_answer_or_forwarded(subject: &str) -> bool {
    let subject = normalized(subject);
    FORWARD_PREFIXES.iter().any(|prefix| subject.strip_prefix(prefix).is_some_and(|rest| rest.starts_with([':', '：', '['])))
}

/// The subject as mail programs make it of the subject that they answer: `Automatic reply: Printer`.
pub fn is_made_by_a_responder(subject: &str) -> bool {
    before_a_colon(subject).is_some_and(is_of_a_responder)
}

/// The same with words that people write as well, but seldom before a colon: `Out of Office: Printer`.
pub fn is_made_of_a_subject(subject: &str) -> bool {
    before_a_colon(subject).is_some_and(|start| !TOPICS.contains(&start))
}

/// The beginning that a colon follows.
fn before_a_colon(subject: &str) -> Option<&'static str> {
    let subject = normalized(subject);
    if !subject.contains([':', '：']) {
        return None;
    }
    let begins = |start: &&&str| subject.strip_prefix(start.trim_end_matches(':')).is_some_and(|rest| rest.trim_start().starts_with([':', '：']));
    ABSENCE_SUBJECTS.iter().find(begins).copied()
}

/// The subject of an automatic answer: in the words of a program, or with nothing but a mark, a day or an hour after words that people write as well
/// (`Vacation`, but no `Vacation calendar`).
pub fn is_absence(subject: &str) -> bool {
    let says_no_more = |rest: &str| !rest.trim_start().starts_with(char::is_alphabetic) || is_until_a_day(rest);
    absence(&normalized(subject)).any(|(start, rest)| is_of_a_responder(start) || says_no_more(rest))
}

fn is_until_a_day(rest: &str) -> bool {
    let mut words = rest.split_whitespace();
    let day = words.next().filter(|word| UNTIL.contains(word)).and_then(|_| words.find(|word| !ARTICLES.contains(word)));
    day.is_some_and(|day| day.starts_with(|letter: char| letter.is_ascii_digit()))
}

/// Whether a subject begins as that of an automatic answer does, whatever follows.
pub fn begins_as_an_absence(subject: &str) -> bool {
    absence(&normalized(subject)).next().is_some()
}

/// The beginnings that a subject has, each with what follows it.
fn absence(subject: &str) -> impl Iterator<Item = (&'static str, &str)> {
    let subject = subject.trim_start_matches(['[', '(', '*', '<', ' ']);
    ABSENCE_SUBJECTS.iter().filter_map(move |start| {
        let rest = subject.strip_prefix(start)?;
        // What is written without blanks between the words has words that end anywhere.
        let goes_on = |letter: char| letter.is_alphabetic() && letter < FIRST_WITHOUT_BLANKS;
        (!(start.ends_with(goes_on) && rest.starts_with(goes_on))).then_some((*start, rest))
    })
}

fn is_of_a_responder(start: &str) -> bool {
    RESPONDER_WORDS.iter().any(|word| start.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_is_written_as_texts_are_compared() {
        for start in ABSENCE_SUBJECTS.iter().chain(FORWARD_PREFIXES).chain(&RESPONDER_WORDS).chain(&TOPICS) {
            assert_eq!(normalized(start), *start);
        }
    }

    #[test]
    fn responders_put_their_words_and_a_colon_before_the_subject() {
        for subject in [
            "Automatic reply: x",
            "Auto: x",
            "自動応答：x",
            "Réponse automatique : x",
            "Out of Office AutoReply: x",
            "Vacation reply: Re: x",
            "Resposta automàtica: x",
            "Автоответ: x",
        ] {
            assert!(is_made_by_a_responder(subject), "{subject}");
        }
        for subject in ["Automatic reply does not work", "Out of office: x", "Autobus: x", "Re: Automatic reply: x"] {
            assert!(!is_made_by_a_responder(subject), "{subject}");
        }
        for subject in ["Out of Office: x", "Abwesenheitsnotiz: x", "Absence du bureau : x", "Fuera de la oficina: x", "不在通知: x"] {
            assert!(is_made_of_a_subject(subject) && !is_made_by_a_responder(subject), "{subject}");
        }
        for subject in ["Out of office tips: x", "Urlaub: falsche Tage", "Absence: the module is broken"] {
            assert!(!is_made_of_a_subject(subject), "{subject}");
        }
    }

    #[test]
    fn absence_is_told_by_the_beginning_of_the_subject() {
        for subject in ["Automatic reply: Printer", "[Auto-Reply] Printer", "Réponse automatique : x", "自動応答: x", "OUT  OF Office"] {
            assert!(is_absence(subject), "{subject}");
        }
        for subject in ["Vacation", "Urlaub 3.-5. Mai", "Absence: x", "Out of office - Ann", "自動返信です"] {
            assert!(is_absence(subject), "{subject}");
        }
        for subject in ["Urlaub bis 10. Mai", "Out of office until 5 May", "Abwesend bis zum 10.5.", "Urlaubsbenachrichtigung", "Abwesenheitsmail"] {
            assert!(is_absence(subject), "{subject}");
        }
        for subject in ["Printer out of office", "Re: Automatic reply: x", "Autobus", "Urlaubsantrag im Portal", ""] {
            assert!(!is_absence(subject) && !begins_as_an_absence(subject), "{subject}");
        }
        for subject in ["Vacation request", "Absence module is broken", "Out of office from Friday"] {
            assert!(!is_absence(subject) && begins_as_an_absence(subject), "{subject}");
        }
    }
}
