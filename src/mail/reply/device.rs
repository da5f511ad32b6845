//! The line that a telephone or a mail program adds by itself below a mail: "Sent from my iPhone".

use std::{borrow::Cow, sync::LazyLock};

use super::phrases::phrases;
use crate::mail::phrase_set::PhraseSet;

/// Bytes of such a line, without a web address. What is longer is prose.
const BYTES_MAX: usize = 110;

/// Words of such a line.
const WORDS_MAX: usize = 14;

/// Words of a line that names no make of a device.
const SHORT_WORDS_MAX: usize = 5;

/// Words of a line that offers a program.
const OFFER_WORDS_MAX: usize = 6;

/// Words of a line that begins with the name of its sender.
const NAMED_WORDS_MAX: usize = 4;

/// Whether the line is one and says nothing else.
pub fn is_device(text: &str) -> bool {
    if is_prose(text) {
        return false;
    }
    let shown = without_address(text);
    if shown.is_empty() || shown.len() > BYTES_MAX || shown.ends_with(['?', '？']) {
        return false;
    }
    // Most lines of prose have more words than one of these.
    if shown.split_ascii_whitespace().nth(WORDS_MAX).is_some() {
        return false;
    }
    let lower = shown.to_lowercase();
    if !TELLING.is_in(&lower) {
        return false;
    }
    let words: Vec<&str> =
        lower.split(|letter: char| letter.is_whitespace() || matches!(letter, ',' | '.' | ':' | '!')).filter(|word| !word.is_empty()).collect();
    if words.len() > WORDS_MAX || words.iter().any(|word| PROSE.contains(word)) {
        return false;
    }
    // Behind it stands an excuse, or a sentence begins that somebody wrote.
    let (head, tail) = lower.split_once(", ").or_else(|| lower.split_once(". ")).unwrap_or((&lower, ""));
    if TAGLINES.iter().any(|start| lower.starts_with(start)) {
        return true;
    }
    if !tail.is_empty() && !EXCUSES.iter().any(|word| tail.contains(word)) {
        return false;
    }
    // BlackBerry and others put the name first: "Ann from mobile".
    if head.ends_with(FROM_MOBILE) && words.len() <= NAMED_WORDS_MAX {
        return true;
    }
    let is_short = head.split_whitespace().count() <= SHORT_WORDS_MAX;
    // "Outlook für iOS" begins a sentence as well; then another verb is its last word.
    let gets = !lower.starts_with("outlook ") || words.last().is_some_and(|last| GET.contains(last));
    let offers = words.len() <= OFFER_WORDS_MAX && gets && GET_OUTLOOK.iter().any(|start| lower.starts_with(start));
    let offers = offers && (lower.contains("ios") || lower.contains("android"));
    offers || {
        let behind = SENT_FROM.iter().filter_map(|start| lower.strip_prefix(start));
        let bare = || BARE.iter().filter_map(|start| lower.strip_prefix(start)).filter(|rest| rest.split(' ').count() <= BARE_WORDS_MAX);
        let before = FROM_SENT.iter().filter_map(|end| lower.strip_suffix(end));
        let is_named = |object: &str| is_program(object) || (is_short && is_model(object, &shown)) || names_device(object, is_short);
        behind.into_iter().any(is_named) || bare().chain(before).any(|object| names_device(object, is_short))
    }
}

fn is_program(object: &str) -> bool {
    let object = object.trim();
    PROGRAMS.iter().any(|name| {
        let rest = object.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || [" for ", " on ", " -"].iter().any(|next| rest.starts_with(next)))
    })
}

/// "my TI-85": names and models are written with capitals or figures.
fn is_model(object: &str, shown: &str) -> bool {
    let Some(model) = object.trim().strip_prefix("my ") else { return false };
    let written = shown.get(shown.len().saturating_sub(model.len())..).unwrap_or_default();
    written.chars().any(|letter| letter.is_uppercase() || letter.is_ascii_digit())
}

fn names_device(object: &str, is_short: bool) -> bool {
    let generic = || object.split([' ', ',']).any(|word| GENERIC.contains(&word));
    DEVICES.iter().any(|device| holds(object, device)) || (is_short && generic())
}

/// The word, where a word begins with it; scripts other than the Latin, Greek and Cyrillic ones put particles before it.
fn holds(text: &str, word: &str) -> bool {
    let begins = |at: usize| text[..at].chars().next_back().is_none_or(|before| !before.is_alphabetic() || before >= '\u{590}');
    text.match_indices(word).any(|(at, _)| begins(at))
}

/// A quick look: whether the line has too many words before anything that is not shown.
fn is_prose(text: &str) -> bool {
    let words = text.split_ascii_whitespace().take_while(|word| !word.contains(['[', '(', '<']) && !word.contains("http"));
    words.filter(|word| word.bytes().any(|byte| byte.is_ascii_alphanumeric())).nth(WORDS_MAX).is_some()
}

/// Without marks around it, and of a link only its text.
fn without_address(text: &str) -> Cow<'_, str> {
    let is_mark = |letter: char| {
        letter.is_whitespace()
            || "*_-–—~()[]{}<>|.!\"'“”:;".contains(letter)
            || matches!(letter, '\u{2600}'..='\u{27bf}' | '\u{fe0f}' | '\u{1f000}'..='\u{1faff}')
    };
    let text = text.trim_matches(is_mark);
    // Nearly all lines have neither brackets nor addresses.
    if text.is_ascii() && !text.contains(['[', '(', '<']) && !text.contains("http") {
        return Cow::Borrowed(text);
    }
    // `[text](address)`, `text<address>`, `text (address)`, `textaddress`
    let text = without(text, "](", ')');
    let text = without(&text, "<", '>');
    let end = ["http://", "https://", "("].iter().filter_map(|start| text.find(start)).min().unwrap_or(text.len());
    let shown = text[..end].chars().filter(|letter| !matches!(letter, '[' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'));
    Cow::Owned(shown.collect::<String>().trim_end_matches(is_mark).to_owned())
}

/// Without the first stretch between the two.
fn without<'a>(text: &'a str, opens: &str, closes: char) -> Cow<'a, str> {
    let parted = text.split_once(opens).and_then(|(before, rest)| Some((before, rest.split_once(closes)?.1)));
    parted.map_or(Cow::Borrowed(text), |(before, behind)| Cow::Owned(format!("{before}{behind}")))
}

/// All of which such a line has at least one.
static TELLING: LazyLock<PhraseSet> = LazyLock::new(|| {
    let lists = [&SENT_FROM, &FROM_SENT, &GET_OUTLOOK, &TAGLINES];
    PhraseSet::of(lists.into_iter().flat_map(|list| list.iter().copied()).chain(BARE).chain([FROM_MOBILE]))
});

/// Words of sentences, and those that say when or whence a person sent something.
static PROSE: LazyLock<Vec<&str>> = LazyLock::new(|| {
    phrases(
        "
        yesterday | today | tonight | ago | monday | tuesday | wednesday | thursday | friday | saturday | sunday | office | account | warehouse |
        gestern | heute | montag | dienstag | mittwoch | donnerstag | freitag | hier | ayer | hoy | ieri | oggi | ontem | hoje | вчера | сегодня |
        it | is | but | not | does | ist | nicht | aber | pas | mais | pero | не | но",
    )
});

/// Beginnings of the line.
static SENT_FROM: LazyLock<Vec<&str>> = LazyLock::new(|| {
    phrases(
        "
        sent from | sent via | sent with | sent using | sent by | sent through | sent thru | sent on | sent while | typed on | typed with |
        typed from | written on | composed on | dictated on | gesendet von | gesendet vom | gesendet mit | gesendet über |
        gesendet aus | gesendet via | verschickt von | diese nachricht wurde von | diese mail wurde von | diese e-mail wurde von |
        envoyé de | envoyé du | envoyé depuis | envoyé à partir | envoyé par | envoyé avec | envoyé via | enviado desde | enviado con |
        enviado de | enviado do | enviado a partir | enviado via | enviado pelo | enviada do | enviado através | inviato da | inviato con |
        inviato dal | inviato tramite | verzonden vanaf | verzonden vanuit | verzonden met | verstuurd vanaf | verstuurd vanuit |
        verstuurd met | verzonden via | sendt fra | sendt med | sendt via | skickat från | skickat med | skickat via | skickades från |
        lähetetty | wysłane z | wysłano z | wysłane za | wysłane przez | odesláno z | odesláno ze | odoslané z |
        odoslané zo | elküldve | küldve | trimis de pe | trimis din | отправлено с | отправлено из | отправлено от | отправлено через |
        послано с | надіслано з | надіслано зі | відправлено з | изпратено от | послато са | στάλθηκε από | εστάλη από | αποστολή από |
        נשלח מ | أرسلت من | أُرسلت من | تم الإرسال من | ارسال شده از | فرستاده شده از | 发自 | 發自 | 傳送自 | 寄自 | 来自 | 來自 | 从我的 | 由我的 |
        được gửi từ | đã gửi từ | gửi từ | dikirim dari | dihantar dari | enviat des | saadetud | poslano s | poslano iz | poslato sa |
        nosūtīts no | siųsta iš | išsiųsta iš | sent úr | ส่งจาก",
    )
});

/// The same without the verb.
const BARE: [&str; 5] = ["from my ", "från min ", "fra min ", "von meinem ", "de mon "];

/// How some of them name their sender.
const FROM_MOBILE: &str = " from mobile";

/// Words behind them.
const BARE_WORDS_MAX: usize = 3;

/// Words of what people have such a line say about their writing.
const EXCUSES: [&str; 22] = [
    "excus",
    "brevity",
    "typo",
    "sorry",
    "pardon",
    "forgive",
    "apolog",
    "powered",
    "autocorrect",
    "entschuldig",
    "kürze",
    "tippfehler",
    "disculp",
    "brevedad",
    "desculp",
    "perdon",
    "scus",
    "краткост",
    "excuseer",
    "beknopt",
    "ursäkta",
    "wybacz",
];

/// Ends of the same line, in languages that put the verb last.
static FROM_SENT: LazyLock<Vec<&str>> = LazyLock::new(|| {
    phrases(
        "
        gesendet | geschickt | verschickt | verfasst | geschrieben | gönderildi | から送信 | より送信 | から送信されました | 에서 보냄 | 에서 발송 | 傳送 |
        发送 | 發送 | küldve | küldték",
    )
});

/// The last word of such a line that begins with the name of the program.
const GET: [&str; 8] = ["herunterladen", "beziehen", "holen", "ophalen", "downloaden", "ios", "android", "を入手"];

/// "Get Outlook for", of the line that says so of iOS or Android.
static GET_OUTLOOK: LazyLock<Vec<&str>> = LazyLock::new(|| {
    phrases(
        "
        get outlook | holen sie sich outlook | outlook für | laden sie outlook | télécharger outlook | téléchargez outlook | obtenez outlook |
        obtenir outlook | obtener outlook | obtenga outlook | obter o outlook | obtenha o outlook | baixar o outlook | scarica outlook |
        ottieni outlook | outlook voor | download outlook | hent outlook | få outlook | hämta outlook | skaffa outlook | hanki outlook |
        pobierz outlook | pobierz program outlook | získat outlook | stáhnout outlook | získajte outlook | az outlook | obțineți outlook |
        скачать outlook | загрузить outlook | завантажити outlook | λήψη του outlook | outlook'u edinin | outlook'u | קבל את outlook |
        احصل على outlook | 下载 outlook | 获取 outlook | 获取适用于 | 下载适用于 | 取得適用於 | ios 版 outlook | android 版 outlook | получить outlook | pobierz aplikację outlook | 取得 outlook | outlook を入手 | tải outlook | dapatkan outlook",
    )
});

/// What makers of mail programs say of them.
static TAGLINES: LazyLock<Vec<&str>> =
    LazyLock::new(|| phrases("yahoo mail: search, organize, conquer | secured with tuta | secure email from proton"));

/// Beginnings of the names of what such a line says the mail was sent from.
static DEVICES: LazyLock<Vec<&str>> = LazyLock::new(|| {
    phrases(
        "
        iphon | ipad | ipod | android | blackberry | galaxy | samsung | huawei | xiaomi | redmi | oneplus | oppo | vivo | nokia | lumia | htc |
        sony | xperia | motorola | pixel | realme | windows | outlook | mail app | app mail | mail.com | yahoo | gmail | proton |
        tutanota | tuta | aol | gmx | web.de | my phone | my mobile | my cell | my tablet | my mac | my laptop | my desktop | my computer |
        a phone | a mobile | an iphone | mobile device | mobile phone | mobile mail | handheld | smartphone | smart phone |
        mobilgerät | mobiltelefon | handy | tablet | meinem mobil | unterwegs | teléfono | telefone | telemóvel | celular | móvil | dispositivo móvil |
        téléphone | mon mobile | appareil mobile | portable | telefono | cellulare | mio mobile | telefoon | mijn mobiel | gsm | min mobil |
        min telefon | puhelim | telefon | mobilu | mobilního | komórk | mobilom | telefonum | cep telefon | cihaz | телефон | смартфон |
        мобильн | мобільн | гаджет | κινητό | טלפון | נייד | גלקסי | אייפון | هاتف | جوال | آيفون | گوشی | موبایل | スマートフォン | スマホ | 携帯 |
        手机 | 手機 | 移动设备 | 휴대폰 | 휴대전화 | 핸드폰 | 스마트폰 | 아이폰 | 갤럭시 | điện thoại | ponsel | telepon | โทรศัพท์ | मोबाइल | mailbird |
        superhuman | k-9 | bluemail | blue mail | fairphone | icloud | verizon | t-mobile | libero | laposte | zimbra | macbook | mail.ru | почты |
        яндекс | myphone | thunderbird | airmail | mailspring | typemail | polymail | unibox | mixmax | mailtrack | postbox | zoho mail | earthlink",
    )
});

/// Mail programs whose names are words: they must be all that is named.
static PROGRAMS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    phrases(
        "
        mailbox | nine | boxer | front | shift | spark | canary | hey | spike | newton | newton mail | missive | edison | edison mail | aqua mail |
        inky | sparrow | surface | mailo | fastmail | hiri | twobird | shortwave | streak | the road | the go | the move",
    )
});

/// Words for a device without a name.
static GENERIC: LazyLock<Vec<&str>> =
    LazyLock::new(|| phrases("mobile | mobil | phone | cell | cellphone | tablet | handheld | smartphone | handset | device"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telephones_name_themselves_in_many_languages() {
        for line in [
            "Sent from my iPhone",
            "Sent from Outlook Mobile<https://a.example>",
            "Get Outlook for iOS<https://a.example>",
            "Von meinem iPhone gesendet",
            "Gesendet mit der Web.de Mail App",
            "Envoyé de mon iPhone",
            "Enviado desde mi iPad",
            "Enviado do meu iPhone",
            "Inviato da iPhone",
            "Verstuurd vanaf mijn iPhone",
            "Skickat från min iPhone",
            "Sendt fra min iPhone",
            "Lähetetty iPhonesta",
            "Wysłane z iPhone'a",
            "Odesláno z iPhone",
            "Отправлено с iPhone",
            "Надіслано з iPhone",
            "Στάλθηκε από το iPhone μου",
            "iPhone'umdan gönderildi",
            "iPhoneから送信",
            "发自我的 iPhone",
            "從我的 iPhone 傳送",
            "나의 iPhone에서 보냄",
            "נשלח מה-iPhone שלי",
            "Sent via mobile",
            "Sent with Airmail",
            "Sent from Nine",
            "Sent from my TI-85",
            "Outlook für iOS herunterladen",
            "iOS 版 Outlook を入手",
            "Ann from mobile",
            "Sent from [Mail](https://a.example/x) for Windows 10",
            "Get Outlook for iOShttps://a.example/x",
            "(sent from a phone)",
            "<<sent by galaxy>>",
            "From my iPhone",
            "📱 Sent from my phone, please excuse typos.",
            "Get [Outlook for Android](https://a.example/x)",
            "Von meinem Mobilgerät gesendet",
            "Mobil gesendet",
            "Envoyé de mon appareil Android avec K-9 Mail. Veuillez excuser ma brièveté.",
            "Enviado desde mi móvil",
            "Wysłane z telefonu",
            "Telefonumdan gönderildi",
            "携帯から送信",
            "来自我的华为手机",
            "내 휴대폰에서 보냄",
            "أرسلت من هاتفي",
        ] {
            assert!(is_device(line), "{line}");
        }
        for line in [
            "Sent from my office yesterday",
            "Sent by mail on Monday",
            "Download Outlook again?",
            "Get Outlook for Android does not install, why?",
            "Outlook für Android geht nicht",
            "Sent from my phone it looks broken but on the desktop it is fine",
            "Sent with love",
            "Sent via DHL",
            "Mail gesendet",
            "From my Samsung the page does not open",
            "Gesendet mit Outlook, kommt nicht an",
            "My iPhone is broken",
            "I sent from the iPhone",
            "",
            "내일 전화",
        ] {
            assert!(!is_device(line), "{line}");
        }
    }
}
