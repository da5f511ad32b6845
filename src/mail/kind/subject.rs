//! How the subjects of automatic answers, and of people's answers and forwarded mails, begin, in the languages of mail programs.

use crate::mail::{bounce::normalized, phrase_set::begins_with_any};

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
    "abwesend",
    "nicht im büro",
    "urlaub",
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
    "automatiskt svar",
    "autosvar",
    "frånvaro",
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
    "автом",
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

/// Words of a note about an absence, with which people begin such notes.
const ABSENCE_WORDS: &[&str] = &[
    "out of the office",
    "out of office",
    "away from my desk",
    "i am away",
    "i'm away",
    "currently away",
    "on vacation",
    "on annual leave",
    "on maternity leave",
    "on parental leave",
    "on leave",
    "on holiday",
    "on a business trip",
    "limited access to",
    "no access to my e",
    "upon my return",
    "i will return",
    "i'll be back",
    "i will be back",
    "will reply when i return",
    "no longer with the company",
    "no longer works",
    "no longer work",
    "automatic reply",
    "automated response",
    "automatic response",
    "auto-reply",
    "nicht im büro",
    "nicht im hause",
    "außer haus",
    "im urlaub",
    "abwesend",
    "in elternzeit",
    "nicht erreichbar",
    "automatische antwort",
    "absent",
    "en congé",
    "en vacances",
    "de retour le",
    "réponse automatique",
    "fuera de la oficina",
    "de vacaciones",
    "ausente",
    "respuesta automática",
    "fora do escritório",
    "de férias",
    "resposta automática",
    "fuori ufficio",
    "in ferie",
    "assente",
    "risposta automatica",
    "afwezig",
    "met vakantie",
    "op vakantie",
    "niet aanwezig",
    "på semester",
    "på ferie",
    "lomalla",
    "poissa",
    "nieobecn",
    "na urlopie",
    "dovolen",
    "szabadság",
    "в отпуске",
    "отсутству",
    "izinde",
    "不在",
    "休暇",
    "休假",
    "外出",
    "부재",
    "휴가",
];

/// What follows the automatic answers that mail programs send: a person who asks about them asks.
const QUESTION_MARKS: [char; 3] = ['?', '？', '؟'];

/// The first words of a note about an absence. They tell which machine speaks and never make a machine of a person.
pub fn tells_of_absence(opening: &str) -> bool {
    let opening = normalized(opening);
    !opening.contains(QUESTION_MARKS) && ABSENCE_WORDS.iter().any(|word| opening.contains(word))
}

/// The subject as mail programs make it of the subject that they answer: `Automatic reply: Printer`.
pub fn is_made_by_a_responder(subject: &str) -> bool {
    let subject = normalized(subject);
    if !subject.contains([':', '：']) {
        return false;
    }
    let begins = |start: &&&str| subject.strip_prefix(start.trim_end_matches(':')).is_some_and(|rest| rest.trim_start().starts_with([':', '：']));
    ABSENCE_SUBJECTS.iter().find(begins).is_some_and(|start| RESPONDER_WORDS.iter().any(|word| start.contains(word)))
}

/// The subject of an automatic answer.
pub fn is_absence(subject: &str) -> bool {
    let subject = normalized(subject);
    let subject = subject.trim_start_matches(['[', '(', '*', '<', ' ']);
    begins_with_any(subject, ABSENCE_SUBJECTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_is_written_as_texts_are_compared() {
        for start in ABSENCE_SUBJECTS.iter().chain(FORWARD_PREFIXES).chain(ABSENCE_WORDS).chain(&RESPONDER_WORDS) {
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
        ] {
            assert!(is_made_by_a_responder(subject), "{subject}");
        }
        for subject in ["Automatic reply does not work", "Out of office: x", "Autobus: x", "Re: Automatic reply: x"] {
            assert!(!is_made_by_a_responder(subject), "{subject}");
        }
        assert!(tells_of_absence("I am currently\nout of the office."));
        assert!(!tells_of_absence("How do I say that I am out of the office?"));
    }

    #[test]
    fn absence_is_told_by_the_beginning_of_the_subject() {
        for subject in ["Automatic reply: Printer", "[Auto-Reply] Printer", "Réponse automatique : x", "自動応答: x", "OUT  OF Office"] {
            assert!(is_absence(subject), "{subject}");
        }
        for subject in ["Printer out of office", "Re: Automatic reply: x", "Autobus", ""] {
            assert!(!is_absence(subject), "{subject}");
        }
    }
}
