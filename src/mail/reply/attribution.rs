//! The line over a quotation that says who wrote it and when, in one language or another: "On DATE, NAME wrote:".

use std::{borrow::Cow, collections::HashMap, sync::LazyLock};

use super::phrases::{BEFORE_DATE, NAME_FOLLOWS, WROTE};
use crate::mail::phrase_set::PhraseSet;

/// Bytes of an attribution. What is longer is prose.
pub const BYTES_MAX: usize = 400;

/// Lines over which mail programs break one.
pub const LINES_MAX: usize = 4;

/// Words among which a date begins that stands first: "On Tuesday, the 5th".
const WORDS_BEFORE_DATE: usize = 4;

/// Words of a name.
const NAME_WORDS_MAX: usize = 8;

/// How sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// Prose does not look like this.
    Certain,
    /// It is one if a quotation follows.
    IfQuoted,
}

/// What joins the text of an attribution's lines says, or nothing if it is none.
pub fn attribution(text: &str) -> Option<Certainty> {
    if text.len() > BYTES_MAX {
        return None;
    }
    let trimmed = plain(text);
    let dashed = text.trim_end().ends_with("--");
    let lower = trimmed.trim_matches(['-', '*', '_', '=', ' ']).to_lowercase();
    let words = lower.trim_end_matches([':', '：', '.', ' ']);
    let introduces = dashed || lower.ends_with([':', '：']);
    let address = has_address(&lower);
    match verb(words) {
        // French and Chinese mail programs forget the colon at times.
        Some((before, verb, after))
            if introduces || (after.is_empty() && verb != "wrote" && is_dated(before)) || (before.is_empty() && is_dated(after)) =>
        {
            // People say much that is no mail.
            let certain =
                verb != "said" && (introduces || !before.is_empty()) && (is_dated(words) || address) && is_about_writing(before, verb, after);
            Some(if certain { Certainty::Certain } else { Certainty::IfQuoted })
        }
        Some(_) => None,
        // Lists and logs have such lines too; a mail program puts the address between angles, behind a name, and a colon behind it.
        None if address && is_dated(&lower) && begins_with_date(&lower) && ends_with_address(words) => {
            let certain = introduces && words.ends_with(['>', ')', ']']) && may_name(&trimmed);
            Some(if certain { Certainty::Certain } else { Certainty::IfQuoted })
        }
        None => None,
    }
}

/// Whether an attribution of several lines may begin with this one.
pub fn may_begin(line: &str) -> bool {
    let lower = plain(line).to_lowercase();
    begins_with_date(&lower) || lower.contains('@') || lower.contains('<') || verb(&lower).is_some()
}

/// Whether the line begins in the words of an attribution, so that it belongs to no sentence before it.
pub fn surely_begins(line: &str) -> bool {
    let lower = plain(line).to_lowercase();
    let first = lower.split([' ', ',', '\u{a0}']).next().unwrap_or_default();
    let starts = BEFORE_DATE.contains(&first) || first.starts_with(|letter: char| letter.is_numeric()) || first.ends_with('.');
    starts && begins_with_date(&lower)
}

/// Whether a sentence ends with the line.
pub fn ends_a_sentence(line: &str) -> bool {
    let line = line.trim_end();
    let last = line.rsplit(' ').next().unwrap_or_default();
    line.ends_with(['!', '?']) || (line.ends_with('.') && last.chars().filter(|letter| letter.is_alphabetic()).count() > 4)
}

/// Without marks of emphasis and direction around it.
pub fn plain(text: &str) -> Cow<'_, str> {
    const AROUND: [char; 4] = [' ', '*', '_', '|'];
    // Most lines are ASCII, and have no tabs.
    if text.bytes().fold(true, |ascii, byte| ascii & (b' '..=b'~').contains(&byte)) {
        return Cow::Borrowed(text.trim_matches(AROUND));
    }
    let letters = text.trim().chars().filter(|letter| !is_direction(*letter)).map(|letter| if letter.is_whitespace() { ' ' } else { letter });
    Cow::Owned(letters.collect::<String>().trim_matches(AROUND).to_owned())
}

fn is_direction(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// At least two numbers, one of them a year, a time of day or a date in figures.
pub fn is_dated(text: &str) -> bool {
    let mut numbers = 0;
    let mut telling = false;
    let mut rest = text;
    while let Some(at) = rest.find(char::is_numeric) {
        rest = &rest[at..];
        let end = rest.find(|letter: char| !letter.is_numeric()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let digits = number.chars().count();
        rest = after;
        if digits > 4 {
            continue;
        }
        numbers += 1;
        let mut following = after.chars();
        let separator = following.next();
        let joined =
            matches!(separator, Some(':' | '/' | '.' | '-' | 'h' | '年' | '년' | '時' | '点')) && following.next().is_some_and(char::is_numeric);
        telling |= joined || (digits == 4 && (number.starts_with("19") || number.starts_with("20") || !number.is_ascii()));
        telling |= matches!(separator, Some('年' | '년'));
    }
    numbers >= 2 && telling
}

pub fn has_address(text: &str) -> bool {
    text.match_indices('@').any(|(at, _)| {
        text[..at].ends_with(|letter: char| letter.is_alphanumeric() || "._-+'=".contains(letter))
            && text[at + 1..].starts_with(|letter: char| letter.is_alphanumeric() || letter == '[')
    })
}

fn begins_with_date(lower: &str) -> bool {
    let words = lower.split(' ').filter(|word| !word.is_empty()).take(WORDS_BEFORE_DATE);
    let mut before_figures = words.take_while(|word| !word.contains('@') && !word.contains('<'));
    before_figures.any(|word| word.trim_start_matches(['(', '"']).starts_with(char::is_numeric) || word.contains('年'))
}

/// Whether what stands between the date and the angles of the address may be a name: nothing, or not in small letters alone.
fn may_name(text: &str) -> bool {
    let before = text.rfind(['<', '(', '[']).map_or(text, |open| &text[..open]);
    let between = before.rsplit(char::is_numeric).next().unwrap_or_default();
    let mut letters = between.chars().filter(|letter| letter.is_alphabetic()).peekable();
    letters.peek().is_none() || letters.any(|letter| !letter.is_lowercase())
}

fn ends_with_address(words: &str) -> bool {
    let last = words.trim_end_matches(['>', ')', ']', ',', ' ', '-']).rsplit([' ', '<', '(', '[', ':']).next().unwrap_or_default();
    has_address(last)
}

/// The verb of writing, and what stands around it. Of several the longest counts, so that its last letters do not pass for a name.
fn verb(lower: &str) -> Option<(&str, &'static str, &str)> {
    // Most lines have none.
    if !VERBS.all.is_in(lower) {
        return None;
    }
    let mut found: Option<(usize, &'static str)> = None;
    let mut consider = |at: usize, verb: &'static str| {
        if found.is_none_or(|(_, known)| verb.len() > known.len()) {
            found = Some((at, verb));
        }
    };
    let mut before = ' ';
    for (at, letter) in lower.char_indices() {
        if letter >= UNPARTED_FROM {
            VERBS.unparted.iter().filter(|verb| lower[at..].starts_with(**verb)).for_each(|verb| consider(at, verb));
        } else if letter.is_alphabetic() && !before.is_alphabetic() {
            let rest = &lower[at..];
            let verbs = VERBS.parted.get(first_word(rest)).into_iter().flatten();
            let ends = |verb: &str| !rest[verb.len()..].starts_with(char::is_alphabetic);
            verbs.filter(|verb| rest.starts_with(**verb) && ends(verb)).for_each(|verb| consider(at, verb));
        }
        before = letter;
    }
    let (at, verb) = found?;
    Some((&lower[..at], verb, lower[at + verb.len()..].trim_matches([' ', '(', ')', '/', ',', ':', '-', '>', '"'])))
}

/// From this letter on are the scripts that do not part their words by blanks.
const UNPARTED_FROM: char = '\u{e00}';

/// The verbs by their first word.
struct Verbs {
    all: PhraseSet,
    parted: HashMap<&'static str, Vec<&'static str>>,
    unparted: Vec<&'static str>,
}

static VERBS: LazyLock<Verbs> = LazyLock::new(|| {
    let (unparted, parted): (Vec<&str>, Vec<&str>) = WROTE.iter().partition(|verb| verb.starts_with(|letter| letter >= UNPARTED_FROM));
    let mut by_word: HashMap<&str, Vec<&str>> = HashMap::new();
    for verb in parted {
        by_word.entry(first_word(verb)).or_default().push(verb);
    }
    Verbs { all: PhraseSet::of(WROTE.iter().copied()), parted: by_word, unparted }
});

fn first_word(text: &str) -> &str {
    &text[..text.find(|letter: char| !letter.is_alphabetic()).unwrap_or(text.len())]
}

/// Prose has more to say after the verb: "On 5 May 2026 at 10:30 the machine wrote the following:".
fn is_about_writing(before: &str, verb: &str, after: &str) -> bool {
    let short = after.chars().filter(|letter| letter.is_alphabetic()).count() <= 3;
    let names = after.split(' ').count() <= NAME_WORDS_MAX && !after.starts_with("the ") && !after.contains(" the ");
    let name_may_follow =
        NAME_FOLLOWS.contains(&verb) || (verb == "wrote" && before.starts_with("on ") && before.split(' ').count() <= WORDS_BEFORE_DATE + 3);
    short || is_dated(after) || has_address(after) || (name_may_follow && names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributions_of_many_languages_are_certain() {
        for line in [
            "On Tue, Jan 6, 2026 at 10:00 AM, Ann Lee <ann@a.example> wrote:",
            "On Thursday, January 8, 2026, ann via Help wrote:",
            "On 01/08/2026 10:00 AM, wrote Ann Lee:",
            "---- On Tue, 06 Jan 2026 10:00:00 +0100 Ann <ann@a.example> wrote ----",
            "At 1/6/2026 08:32 PM, you wrote:",
            "*On 6 Jan 2026, at 10:00, Ann wrote:*",
            "Am 06.01.2026 um 10:00 schrieb Ann Lee:",
            "Ann Lee <ann@a.example> schrieb am Di., 6. Jan. 2026 um 10:00 Uhr:",
            "Am Di., 6. Jan. 2026 um 10:00 Uhr hat Ann Lee geschrieben:",
            "Le mar. 6 janv. 2026 à 10:00, Ann Lee <ann@a.example> a écrit :",
            "Le 6 janv. 2026 à 10:00, Ann Lee a écrit",
            "El mar, 6 ene 2026 a las 10:00, Ann (<ann@a.example>) escribió:",
            "Il giorno mar 6 gen 2026 alle ore 10:00 Ann <ann@a.example> ha scritto:",
            "Em ter., 6 de jan. de 2026 às 10:00, Ann <ann@a.example> escreveu:",
            "Op di 6 jan 2026 om 10:00 schreef Ann <ann@a.example>:",
            "Op 6 jan. 2026 om 10:00 heeft Ann <ann@a.example> het volgende geschreven:",
            "Den tis 6 jan. 2026 kl 10:00 skrev Ann <ann@a.example>:",
            "tir. 6. jan. 2026 kl. 10.00 skrev Ann <ann@a.example>:",
            "ti 6. tammik. 2026 klo 10.00 Ann (ann@a.example) kirjoitti:",
            "wt., 6 sty 2026 o 10:00 Ann <ann@a.example> napisał(a):",
            "Dnia 6 stycznia 2026 10:00 Ann <ann@a.example> napisał(a):",
            "út 6. 1. 2026 v 10:00 odesílatel Ann <ann@a.example> napsal:",
            "ut 6. 1. 2026 o 10:00 Ann <ann@a.example> napísal(a):",
            "Ann <ann@a.example> ezt írta (időpont: 2026. jan. 6., K, 10:00):",
            "În mar., 6 ian. 2026 la 10:00, Ann <ann@a.example> a scris:",
            "вт, 6 янв. 2026 г. в 10:00, Ann <ann@a.example>:",
            "Вторник, 6 января 2026, 10:00 +03:00 от Ann <ann@a.example>:",
            "06.01.2026, 10:00, \"Ann\" <ann@a.example>:",
            "6 января 2026 г. 10:00 пользователь Ann <ann@a.example> написал:",
            "вт, 6 січ. 2026 р. о 10:00 Ann <ann@a.example> пише:",
            "На вт, 6.01.2026 г. в 10:00 Ann <ann@a.example> написа:",
            "Στις Τρί, 6 Ιαν 2026 στις 10:00 π.μ., ο χρήστης Ann <ann@a.example> έγραψε:",
            "Ann <ann@a.example>, 6 Oca 2026 Sal, 10:00 tarihinde şunu yazdı:",
            "\u{202b}בתאריך יום ג׳, 6 בינו׳ 2026 ב-10:00 מאת \u{202a}Ann\u{202c} <\u{202a}ann@a.example\u{202c}>:\u{202c}",
            "في الثلاثاء، ٦ يناير ٢٠٢٦ في ١٠:٠٠ ص تمت كتابة ما يلي بواسطة Ann <ann@a.example> كتب:",
            "2026年1月6日(火) 10:00 Ann <ann@a.example>:",
            "在 2026年1月6日，上午10:00，Ann <ann@a.example> 写道：",
            "Ann <ann@a.example> 於 2026年1月6日 週二 上午10:00寫道：",
            "2026년 1월 6일 (화) 오전 10:00, Ann <ann@a.example>님이 작성:",
            "Vào Th 3, 6 thg 1, 2026 vào lúc 10:00 Ann <ann@a.example> đã viết:",
            "Pada tanggal Sel, 6 Jan 2026 pukul 10.00 Ann <ann@a.example> menulis:",
            "El dt., 6 de gen. 2026 a les 10:00, Ann <ann@a.example> va escriure:",
            "Kuupäev T, 6. jaanuar 2026 kell 10:00 kirjutas Ann <ann@a.example>:",
            "uto, 6. sij 2026. u 10:00 Ann <ann@a.example> napisao je:",
            "уто, 6. јан 2026. у 10:00 Ann <ann@a.example> је написао/ла:",
            "V V tor., 6. jan. 2026 ob 10:00 je oseba Ann <ann@a.example> napisala:",
            "Quoting Ann Lee <ann@a.example>:",
            "Zitat von Ann Lee <ann@a.example>:",
            "Citeren Ann Lee <ann@a.example>:",
            "Op Di. 06 Jan. 2026 om 10:00 het Ann Lee <ann@a.example> geskryf:",
            "Sent from Samsung MobileAnn <ann@a.example> wrote:",
        ] {
            assert_eq!(attribution(line), Some(Certainty::Certain), "{line}");
        }
    }

    #[test]
    fn prose_is_no_attribution_and_a_bare_name_only_over_a_quotation() {
        for line in [
            "Hello wrote:",
            "Quoting Ann Lee (2026-01-06 10:00:00)",
            "ann via Help wrote:",
            "As you wrote:",
            "2026/1/6 Ann <ann@a.example>",
            "2026-01-06 10:00:02 rejected <bob@a.example>",
            "2026-01-06 10:00:02 rejected <bob@a.example>:",
            "By 6 January 10:00 send it to ann@a.example:",
            "In 2026, Ann wrote:",
            "On 5 May 2026 at 10:30 the machine wrote the following:",
        ] {
            assert_eq!(attribution(line), Some(Certainty::IfQuoted), "{line}");
        }
        for line in [
            "On 5 May 2026 at 10:30 I wrote to you.",
            "The meeting is on 2026/01/06 at 10:00:",
            "Please answer to ann@a.example:",
            "Order 2026/1/6 was sent to Ann",
            "",
        ] {
            assert_eq!(attribution(line), None, "{line}");
        }
    }
}
