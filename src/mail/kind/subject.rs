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
    "autoreply:",
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

/// The subject of an automatic answer.
pub fn is_absence(subject: &str) -> bool {
    let subject = normalized(subject);
    let subject = subject.trim_start_matches(['[', '(', '*', '<', ' ']);
    ABSENCE_SUBJECTS.iter().any(|start| subject.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_is_written_as_texts_are_compared() {
        for start in ABSENCE_SUBJECTS.iter().chain(FORWARD_PREFIXES) {
            assert_eq!(normalized(start), *start);
        }
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
