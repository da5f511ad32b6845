//! The phrases of mail systems about why a delivery failed, in the languages in which they write.

/// Words of a failure that may pass.
pub const TEMPORARY: &[&str] =
    &["temporar", "transient failure", "transient error", "vorübergehend", "tijdelijk", "tymczasow", "временн", "一時的", "暂时", "暫時"];

/// Phrases and the status that they imply (RFC 3463), the telling ones before the vague ones. In lower case, blanks run together.
pub const PHRASES: &[(&str, &str)] = &[
    // A mailbox that is full.
    ("mailbox full", "5.2.2"),
    ("mailbox is full", "5.2.2"),
    ("mail box is full", "5.2.2"),
    ("mailbox size limit", "5.2.2"),
    ("mailbox exceeds", "5.2.2"),
    ("inbox is full", "5.2.2"),
    ("over quota", "5.2.2"),
    ("overquota", "5.2.2"),
    ("over the quota", "5.2.2"),
    ("over the maximum allowed mailbox size", "5.2.2"),
    ("quota exceeded", "5.2.2"),
    ("quota has been exceeded", "5.2.2"),
    ("exceeded storage allocation", "5.2.2"),
    ("exceeded their storage", "5.2.2"),
    ("exceeded his quota", "5.2.2"),
    ("exceeds quota", "5.2.2"),
    ("out of storage space", "5.2.2"),
    ("insufficient disk space", "5.2.2"),
    ("recipient's mailbox exceeded", "5.2.2"),
    ("disk quota", "5.2.2"),
    ("postfach voll", "5.2.2"),
    ("postfach ist voll", "5.2.2"),
    ("postfach des empfängers ist voll", "5.2.2"),
    ("boîte aux lettres est pleine", "5.2.2"),
    ("boite pleine", "5.2.2"),
    ("buzón lleno", "5.2.2"),
    ("buzón de correo está lleno", "5.2.2"),
    ("casella piena", "5.2.2"),
    ("casella di posta piena", "5.2.2"),
    ("caixa de correio cheia", "5.2.2"),
    ("postvak is vol", "5.2.2"),
    ("skrzynka pocztowa jest pełna", "5.2.2"),
    ("почтовый ящик переполнен", "5.2.2"),
    ("ящик переполнен", "5.2.2"),
    ("容量を超え", "5.2.2"),
    ("容量オーバー", "5.2.2"),
    ("邮箱已满", "5.2.2"),
    ("郵箱已滿", "5.2.2"),
    // Nobody has this address.
    ("user unknown", "5.1.1"),
    ("unknown user", "5.1.1"),
    ("recipient unknown", "5.1.1"),
    ("unknown recipient", "5.1.1"),
    ("unknown local", "5.1.1"),
    ("unknown address", "5.1.1"),
    ("no such user", "5.1.1"),
    ("no such recipient", "5.1.1"),
    ("no such mailbox", "5.1.1"),
    ("no such address", "5.1.1"),
    ("no such account", "5.1.1"),
    ("no mailbox here", "5.1.1"),
    ("no mailbox found", "5.1.1"),
    ("mailbox not found", "5.1.1"),
    ("mailbox unavailable", "5.1.1"),
    ("mailbox does not exist", "5.1.1"),
    ("user not found", "5.1.1"),
    ("user doesn't exist", "5.1.1"),
    ("user does not exist", "5.1.1"),
    ("this user doesn't have a", "5.1.1"),
    ("recipient not found", "5.1.1"),
    ("recipient name is not recognized", "5.1.1"),
    ("address not found", "5.1.1"),
    ("address wasn't found", "5.1.1"),
    ("address does not exist", "5.1.1"),
    ("address couldn't be found", "5.1.1"),
    ("address you entered couldn't be found", "5.1.1"),
    ("account that you tried to reach does not exist", "5.1.1"),
    ("account does not exist", "5.1.1"),
    ("invalid recipient", "5.1.1"),
    ("invalid final delivery userid", "5.1.1"),
    ("invalid address", "5.1.1"),
    ("invalid mailbox", "5.1.1"),
    ("not listed in domino directory", "5.1.1"),
    ("not listed in public name", "5.1.1"),
    ("is not a registered", "5.1.1"),
    ("recipnotfound", "5.1.1"),
    ("recipient rejected", "5.1.1"),
    ("addressee unknown", "5.1.1"),
    ("not a known user", "5.1.1"),
    ("not our customer", "5.1.1"),
    ("empfänger unbekannt", "5.1.1"),
    ("benutzer unbekannt", "5.1.1"),
    ("unbekannter benutzer", "5.1.1"),
    ("adresse existiert nicht", "5.1.1"),
    ("nicht gefunden", "5.1.1"),
    ("utilisateur inconnu", "5.1.1"),
    ("adresse d'au moins un destinataire invalide", "5.1.1"),
    ("adresse invalide", "5.1.1"),
    ("destinataire inconnu", "5.1.1"),
    ("usuario desconocido", "5.1.1"),
    ("no se encontró", "5.1.1"),
    ("utente sconosciuto", "5.1.1"),
    ("usuário desconhecido", "5.1.1"),
    ("usuario inexistente", "5.1.1"),
    ("onbekende gebruiker", "5.1.1"),
    ("nieznany użytkownik", "5.1.1"),
    ("пользователь не найден", "5.1.1"),
    ("нет такого пользователя", "5.1.1"),
    ("登録されていません", "5.1.1"),
    ("見つかりません", "5.1.1"),
    ("存在しません", "5.1.1"),
    ("用户不存在", "5.1.1"),
    ("收件人不存在", "5.1.1"),
    ("地址不存在", "5.1.1"),
    ("用戶不存在", "5.1.1"),
    // An account that is closed or not in use.
    ("account has been disabled", "5.2.1"),
    ("account is disabled", "5.2.1"),
    ("account disabled", "5.2.1"),
    ("account inactive", "5.2.1"),
    ("account is inactive", "5.2.1"),
    ("mailbox is disabled", "5.2.1"),
    ("mailbox disabled", "5.2.1"),
    ("mailbox is inactive", "5.2.1"),
    ("user is inactive", "5.2.1"),
    ("account has been suspended", "5.2.1"),
    ("account suspended", "5.2.1"),
    ("compte inactif", "5.2.1"),
    ("has moved", "5.1.6"),
    ("no longer on server", "5.1.6"),
    ("no longer in use", "5.1.6"),
    // No server for the domain.
    ("host unknown", "5.1.2"),
    ("unknown host", "5.1.2"),
    ("unknown domain", "5.1.2"),
    ("domain not found", "5.1.2"),
    ("host not found", "5.1.2"),
    ("name or service not known", "5.1.2"),
    ("domain does not exist", "5.1.2"),
    ("domain name not found", "5.1.2"),
    ("unrouteable mail domain", "5.1.2"),
    ("unrouteable address", "5.1.2"),
    ("couldn't find any host", "5.1.2"),
    ("no mx record found", "5.1.2"),
    ("does not accept mail", "5.1.10"),
    ("doesn't accept mail", "5.1.10"),
    // Size, loops, policy.
    ("message too large", "5.3.4"),
    ("message too big", "5.3.4"),
    ("message size exceeds", "5.3.4"),
    ("exceeds maximum message size", "5.3.4"),
    ("message file too big", "5.3.4"),
    ("size limit exceeded", "5.3.4"),
    ("nachricht zu groß", "5.3.4"),
    ("too many hops", "5.4.6"),
    ("hop count exceeded", "5.4.6"),
    ("mail loop", "5.4.6"),
    ("loops back to myself", "5.4.6"),
    ("mail forwarding loop", "5.4.6"),
    ("relaying denied", "5.7.1"),
    ("relay access denied", "5.7.1"),
    ("relay denied", "5.7.1"),
    ("relay not permitted", "5.7.1"),
    ("not permitted to relay", "5.7.1"),
    ("insecure mail relay", "5.7.1"),
    ("access denied", "5.7.1"),
    ("blacklist", "5.7.1"),
    ("blocked", "5.7.1"),
    ("spam", "5.7.1"),
    ("authentication required", "5.7.1"),
    ("not authorized", "5.7.1"),
    ("permission to post", "5.7.1"),
    ("delivery not authorized", "5.7.1"),
    ("rejected by local scanning", "5.7.1"),
    ("virus", "5.7.1"),
    ("policy", "5.7.1"),
    // Nobody answered. Without a code, a final report means that the time is up.
    ("too old", "5.4.7"),
    ("in the queue too long", "5.4.7"),
    ("retry timeout exceeded", "5.4.7"),
    ("delivery time expired", "5.4.7"),
    ("delivery failed after", "5.4.7"),
    ("timed out", "5.4.1"),
    ("connection refused", "5.4.1"),
    ("connection timeout", "5.4.1"),
    ("no route to host", "5.4.1"),
    ("unable to connect", "5.4.1"),
    ("could not connect", "5.4.1"),
    ("host not reachable", "5.4.1"),
    ("host is not reachable", "5.4.1"),
    ("network is unreachable", "5.4.1"),
    ("zeitüberschreitung", "5.4.1"),
];

/// In lower case, blanks and line ends run together, apostrophes straight.
pub fn normalized(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    if text.is_ascii() {
        normalize_ascii(text, &mut plain);
        return plain;
    }
    for word in text.split_whitespace() {
        if !plain.is_empty() {
            plain.push(' ');
        }
        if word.is_ascii() {
            normalize_ascii(word, &mut plain);
            continue;
        }
        plain.extend(word.chars().flat_map(char::to_lowercase).map(|letter| if matches!(letter, '’' | '‘' | '´' | '`') { '\'' } else { letter }));
    }
    plain
}

/// The same for what has no other letters.
fn normalize_ascii(text: &str, plain: &mut String) {
    let mut blank = false;
    for letter in text.trim().chars() {
        if letter.is_whitespace() {
            blank = true;
            continue;
        }
        if std::mem::take(&mut blank) {
            plain.push(' ');
        }
        plain.push(if letter == '`' { '\'' } else { letter.to_ascii_lowercase() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phrase_is_written_as_texts_are_compared_and_implies_a_code() {
        for (phrase, status) in PHRASES {
            assert_eq!(normalized(phrase), *phrase);
            assert_eq!(super::super::status::enhanced(status).as_deref(), Some(*status), "{phrase}");
        }
    }

    #[test]
    fn texts_are_compared_without_line_ends_case_and_curly_apostrophes() {
        assert_eq!(normalized(" The address\n  wasn’t FOUND "), "the address wasn't found");
    }
}
