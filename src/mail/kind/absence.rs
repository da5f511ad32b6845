//! The words of a note about an absence. People write of absences too, of others' and of files', and what they write must not be taken for a note:
//! only somebody who says of himself that he is away, or will be, leaves one.

use crate::mail::{bounce::normalized, line::lines};

/// What stands for a note wherever it stands: nobody says so of another, of a thing, or of the past.
const NOTES: &[&str] = &[
    "currently out of the office",
    "currently out of office",
    "currently away from",
    "currently on vacation",
    "currently on leave",
    "limited access to email until",
    "limited access to e-mail until",
    "limited access to my email until",
    "limited access to my e-mail until",
    "limited access to email during",
    "limited access to e-mail during",
    "limited access to my email during",
    "limited access to my e-mail during",
    "will have limited access to email",
    "will have limited access to e-mail",
    "will have limited access to my email",
    "will have limited access to my e-mail",
    "will have no access to my email",
    "will have no access to my e-mail",
    "will reply when i return",
    "will respond when i return",
    "im out of the office",
    "i am no longer working for",
    "i am no longer working at",
    "i am no longer working with",
    "i'm no longer working for",
    "i'm no longer working at",
    "i'm no longer working with",
    "i no longer work here",
    "i no longer work for",
    "i no longer work at",
    "i no longer work with",
    "i am no longer with the company",
    "this is an automatic reply",
    "this is an automatic response",
    "this is an automated reply",
    "this is an automated response",
    "this is an auto-reply",
    "dies ist eine automatische antwort",
    "ceci est une réponse automatique",
    "esta es una respuesta automática",
    "esta é uma resposta automática",
    "questa è una risposta automatica",
    "dit is een automatisch antwoord",
    "im urlaub bin ich",
    "abwesend bin ich",
    "en congé jusqu'au",
    "en congés jusqu'au",
    "de retour au bureau le",
    "je serai de retour le",
    "čerpám dovolenou",
    "szabadságon vagyok",
    "я в отпуске",
    "нахожусь в отпуске",
    "буду отсутствовать",
    "izindeyim",
    "外出中",
    "外出しております",
    "休暇を取得しており",
    "のため不在です",
    "休暇をいただ",
    "休暇を頂",
    "休暇中",
    "不在にして",
    "不在となり",
    "我目前不在办公室",
    "我现在不在办公室",
    "我不在办公室",
    "正在休假",
    "我在休假",
    "휴가 중입니다",
    "휴가중입니다",
    "휴가 중이오니",
    "휴가중이오니",
    "부재중입니다",
    "부재중이오니",
];

/// What stands for a note where a sentence or a line begins: elsewhere somebody may say it of another.
const OPENINGS: &[&str] = &[
    "currently away",
    "absent jusqu'au",
    "absente jusqu'au",
    "actuellement en congé",
    "actuellement en congés",
    "actuellement absent",
    "actuellement absente",
    "отсутствую до",
];

/// How somebody begins to say where he is or will be.
const I_AM: &[&str] = &[
    "ich bin",
    "bin ich",
    "bin",
    "ich werde",
    "werde ich",
    "ich befinde mich",
    "befinde ich mich",
    "je suis",
    "je serai",
    "estoy",
    "estaré",
    "me encuentro",
    "estou",
    "estarei",
    "encontro-me",
    "sono",
    "sarò",
    "ik ben",
    "ben ik",
    "ik zal",
    "jag är",
    "är jag",
    "jag kommer att vara",
    "jeg er",
    "er jeg",
    "olen",
    "jestem",
    "będę",
    "przebywam",
    "jsem",
    "budu",
    "я",
];

/// The same in English, where hardly a word stands between the two.
const I_AM_IN_ENGLISH: &[&str] = &["i am", "i'm", "i will be", "i'll be", "i shall be"];

/// Some of them, and what must stand behind the place then: without it he says what he will do.
const WILL_BE: [(&str, &str); 3] = [("ich werde", " sein"), ("werde ich", " sein"), ("ik zal", " zijn")];

/// Other forms of the same, for who writes of himself by his name.
const NAMED: [(&str, &str); 4] = [(" is ", "i am "), (" will be ", "i will be "), (" ist ", "ich bin "), (" est ", "je suis ")];

/// Where he is then.
const AWAY: &[&str] = &[
    "out of the office",
    "out of office",
    AWAY_ALONE,
    "on vacation",
    "on annual leave",
    "on maternity leave",
    "on parental leave",
    "on sick leave",
    "on leave",
    "on holiday",
    "on a business trip",
    "nicht im büro",
    "nicht im hause",
    "außer haus",
    "im urlaub",
    "abwesend",
    "in elternzeit",
    "auf dienstreise",
    "nicht erreichbar",
    "absent",
    "absente",
    "en congé",
    "en congés",
    "en vacances",
    "fuera de la oficina",
    "de vacaciones",
    "ausente",
    "fora do escritório",
    "de férias",
    "fuori ufficio",
    "in ferie",
    "assente",
    "afwezig",
    "met vakantie",
    "op vakantie",
    "niet aanwezig",
    "på semester",
    "på ferie",
    "lomalla",
    "poissa",
    "nieobecny",
    "nieobecna",
    "na urlopie",
    "na dovolené",
    "отсутствую",
];

/// Errors go away too, and hope is far away: only these words may stand before it.
const AWAY_ALONE: &str = "away";
const BEFORE_AWAY_ALONE: [&str; 4] = ["currently", "now", "presently", "also"];

/// Between the two, these say that something else is meant: another, the past, or the contrary. So do English words of what he is doing, but for travels.
const TURNS: &[&str] = &[
    "is",
    "are",
    "was",
    "were",
    "been",
    "has",
    "had",
    "not",
    "no",
    "to",
    "able",
    "unable",
    "that",
    "because",
    "but",
    "when",
    "back",
    "again",
    "ist",
    "sind",
    "war",
    "waren",
    "hat",
    "dass",
    "weil",
    "aber",
    "kein",
    "nicht",
    "mehr",
    "wieder",
    "zurück",
    "telefonisch",
    "est",
    "sont",
    "était",
    "étais",
    "que",
    "plus",
    "es",
    "son",
    "estaba",
    "era",
    "è",
    "che",
    "não",
    "dat",
    "niet",
    "не",
    "был",
    "была",
];
const TRAVELS: [&str; 2] = ["traveling", "travelling"];

/// Between commas these begin what is said by the way.
const ASIDES: [&str; 8] = ["wie ", "aufgrund ", "wegen ", "as ", "due ", "comme ", "como ", "come "];

/// Before the first: it is told of a time that may come, or of another who says so.
const CONDITIONS: &[&str] = &[
    "when",
    "whenever",
    "if",
    "while",
    "says",
    "wenn",
    "falls",
    "sobald",
    "während",
    "quand",
    "lorsque",
    "si",
    "cuando",
    "se",
    "als",
    "когда",
    "если",
];

/// Bytes between the two: days and hours.
const BETWEEN_BYTES_MAX: usize = 80;
const BETWEEN_IN_ENGLISH_BYTES_MAX: usize = 28;

/// Beginnings of lines below which another is quoted.
const QUOTATIONS: [&str; 8] = [">", "-----", "_____", "from:", "von:", "de:", "da:", "van:"];

const SENTENCE_ENDS: [char; 4] = ['.', '!', ';', ':'];

/// What follows the automatic answers that mail programs send: a person who asks about them asks.
const QUESTION_MARKS: [char; 3] = ['?', '？', '؟'];

/// Whether these first words of a mail are a note about the absence of who wrote it, whose name may be known.
pub fn tells_of_absence(opening: &str, name: Option<&str>) -> bool {
    let own = lines(opening).map(normalized).take_while(|line| !QUOTATIONS.iter().any(|mark| line.starts_with(mark)));
    let own: Vec<String> = own.collect();
    let begins_line = |words: &&str| own.iter().any(|line| places(line, words).next() == Some(0));
    let text = in_first_person(own.join(" "), name);
    let opens = |words: &&str| begins_line(words) || places(&text, words).any(|at| text[..at].trim_end().ends_with(SENTENCE_ENDS));
    let is_note = || NOTES.iter().any(|note| text.contains(note)) || OPENINGS.iter().any(opens);
    !text.contains(QUESTION_MARKS) && (is_note() || AWAY.iter().any(|away| is_away(&text, away)))
}

/// Programs write of a person by his name; so does nobody of himself.
fn in_first_person(text: String, name: Option<&str>) -> String {
    let name = name.map(normalized).filter(|name| name.contains(' ')).unwrap_or_default();
    if name.is_empty() || !text.contains(&name) {
        return text;
    }
    NAMED.iter().fold(text, |text, (other, own)| text.replace(&[&name, *other].concat(), own))
}

/// Whether the writer says of himself that he is there.
fn is_away(text: &str, away: &str) -> bool {
    places(text, away).any(|at| {
        let before = &text[text.floor_char_boundary(at.saturating_sub(BETWEEN_BYTES_MAX))..at];
        let before = &before[sentence_start(before)..];
        // The last one counts, and the longest of those that end together.
        let ends = |am: &&str| places(before, am).last().map(|start| (start + am.len(), std::cmp::Reverse(start)));
        let in_english = I_AM_IN_ENGLISH.iter().filter_map(ends).filter(|(end, _)| before.len() - end <= BETWEEN_IN_ENGLISH_BYTES_MAX);
        let said = I_AM.iter().filter_map(ends).chain(in_english).max();
        said.is_some_and(|(end, std::cmp::Reverse(start))| {
            let condition = before[..start].split_whitespace().next_back().unwrap_or_default();
            let between = &before[end..];
            let is_near = away != AWAY_ALONE || between.split_whitespace().all(|word| BEFORE_AWAY_ALONE.contains(&word));
            let after = &text[at + away.len()..];
            let is_whole = WILL_BE.iter().all(|(will, be)| *will != &before[start..end] || after.starts_with(be));
            !CONDITIONS.contains(&condition) && !turns(between) && is_near && is_whole
        })
    })
}

/// Whether what stands between the two says that something else is meant. Behind a comma it goes on with a date, if at all, or something is said by the
/// way up to the next comma.
fn turns(between: &str) -> bool {
    let mut words = between.split(|letter: char| !letter.is_alphanumeric());
    let is_date = |piece: &str| piece.is_empty() || piece.starts_with(|letter: char| letter.is_ascii_digit()) || piece.starts_with("den ");
    let is_aside = |piece: &str| ASIDES.iter().any(|start| piece.starts_with(start));
    let behind = between.split_once(',').map_or("", |(_, behind)| behind);
    let mut pieces = behind.rsplit(',').map(str::trim).enumerate();
    words.any(|word| TURNS.contains(&word) || word.ends_with("ing") && !TRAVELS.contains(&word))
        || !pieces.all(|(to_last, piece)| is_date(piece) || to_last > 0 && is_aside(piece))
}

/// Where whole words stand in a text.
fn places<'a>(text: &'a str, words: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(words).map(|(at, _)| at).filter(move |at| {
        let joins = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
        !joins(text[..*at].chars().next_back()) && !joins(text[at + words.len()..].chars().next())
    })
}

/// Where the last sentence begins. The stop after a number may be that of a day.
fn sentence_start(text: &str) -> usize {
    let mut ends = text.match_indices(SENTENCE_ENDS).filter(|(at, _)| {
        let after_a_number = text[..*at].ends_with(|letter: char| letter.is_ascii_digit());
        !after_a_number && text[at + 1..].starts_with(' ')
    });
    ends.next_back().map_or(0, |(at, _)| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_words_are_written_as_texts_are_compared() {
        for words in [NOTES, OPENINGS, I_AM, I_AM_IN_ENGLISH, AWAY, TURNS, CONDITIONS].into_iter().flatten() {
            assert_eq!(normalized(words), **words);
        }
    }

    #[test]
    fn who_is_away_says_so_of_himself() {
        for text in [
            "I am currently\nout of the office.",
            "Hello, I’m away until 5 May.",
            "Thank you for your mail. I will be on annual leave from 3. to 5. January.",
            "Ich bin vom 3. bis 5. Januar nicht im Büro.",
            "Ich bin ab Montag, den 3. Mai, im Urlaub.",
            "Guten Tag,\nbin bis Montag nicht erreichbar.",
            "Je suis absente jusqu'au 5 mai.",
            "Estaré fuera de la oficina.",
            "Sono in ferie.",
            "只今、外出中です。",
            "I no longer work for Contoso.",
            "This is an automatic reply.",
            "Please note that I am on annual leave.",
            "I will be away from my desk.",
            "I am currently away.",
            "Hello,\ncurrently away until 5 May.",
            "Ich werde ab 03.05.2026 nicht im Büro sein. Ich kehre zurück am 10.05.2026.",
            "Ich werde vom 3. bis 10. Mai abwesend sein.",
            "Ich bin, wie angekündigt, im Urlaub",
            "Ich bin derzeit, aufgrund von Urlaub, nicht im Büro",
            "I am currently traveling and out of the office.",
            "I will be travelling and out of the office until 5 May",
            "I have limited access to email until Monday.",
            "I am no longer working at Contoso.",
            "I no longer work here",
            "Ann Lee is out of the office",
            "Im out of the office",
            "Ik zal afwezig zijn vanaf 3 mei.",
            "Jag kommer att vara på semester till den 5 maj.",
            "Encontro-me de férias",
            "Encontro-me ausente do escritório até 10 de maio",
            "Przebywam na urlopie do 10 maja",
            "Сейчас я отсутствую в офисе",
            "Отсутствую до 10 мая",
            "Čerpám dovolenou",
            "外出しております",
            "休暇を取得しております",
            "出張のため不在です",
            "我目前不在办公室",
            "Absent jusqu'au 10 mai",
            "Bonjour. Actuellement en congés, je vous répondrai le 10 mai",
            "Je serai de retour le 10 mai",
        ] {
            assert!(tells_of_absence(text, Some("Ann Lee")), "{text}");
        }
    }

    #[test]
    fn other_things_that_are_away_are_no_note() {
        for text in [
            "The printer no longer works.",
            "Bob no longer works for us, please close his account.",
            "Der Server ist nicht erreichbar.",
            "Ich bin ratlos, der Server ist nicht erreichbar.",
            "Ich bin wieder da und nicht im Urlaub.",
            "I have limited access to the folder.",
            "le fichier est absent du dossier",
            "I was on vacation until yesterday, sorry.",
            "I am sorry, I was on vacation. I will be back in the office on Monday.",
            "I am not on vacation.",
            "When I am out of the office, the tunnel breaks.",
            "Bob is on leave. I am his deputy.",
            "I got an automatic reply.",
            "担当者が不在のため",
            "How do I say that I am out of the office?",
            "Thanks.\n> I am out of the office.",
            "Thanks.\n\nFrom: Bob\nI am out of the office.",
            "The cabin is away.",
            "I am sending it right away.",
            "I'm so glad the error went away! But now it does not scan.",
            "I am only two days away from my deadline.",
            "I am one click away from losing it all.",
            "I am miles away from the server room.",
            "I am two floors away from it.",
            "I am still far away from a solution.",
            "I am sure it goes away by itself.",
            "I am at home, away from the office network, VPN fails.",
            "I will be right away back.",
            "When I am away, the tunnel breaks.",
            "I am currently traveling and the tunnel breaks.",
            "Since the update I have limited access to email on my telephone.",
            "Bob Lee is out of the office, I write in his place.",
            "Mon collègue est absent jusqu'au 10 mai.",
            "Ich werde das Gerät im Urlaub mitnehmen.",
            "Ik zal kijken of hij afwezig staat.",
            "Ich bin ratlos, wie der Server nicht erreichbar.",
            "Когда я отсутствую, туннель не работает.",
            "担当者が不在です",
            "他不在办公室",
            "I am at my desk and my telephone shows out of office.",
            "Bin gerade im Homeoffice, VPN nicht erreichbar.",
            "Bin ratlos, warum der Server nicht erreichbar ist.",
            "I am trying to set an out of office reply.",
            "Ich bin heute telefonisch nicht erreichbar, bitte schreiben Sie.",
        ] {
            assert!(!tells_of_absence(text, Some("Ann Lee")), "{text}");
        }
    }
}
