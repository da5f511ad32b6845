//! Plain text that merely says that there is HTML.

use std::collections::HashSet;

use super::Page;

/// Bytes of a text that may be a stub.
pub const STUB_BYTES_MAX: usize = 400;

/// Of so many words of a stub, one may be in the page too.
const SHARED_RATIO: usize = 5;

/// How many times as many words a page has whose stub does not speak of HTML.
const MORE_RATIO: usize = 3;

/// Whether a text that stands beside the page as its other rendering renders nothing of it.
pub fn is_stub(text: &str, page: &Page) -> bool {
    if text.len() > STUB_BYTES_MAX {
        return false;
    }
    let page = page.text();
    let (beside, shown) = (words(text), words(&page));
    let shared = beside.intersection(&shown).count();
    let speaks_of_html = beside.contains("html");
    !shown.is_empty() && shared * SHARED_RATIO <= beside.len() && (speaks_of_html || shown.len() >= beside.len() * MORE_RATIO)
}

fn words(text: &str) -> HashSet<String> {
    text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::page, *};

    #[test]
    fn a_stub_shares_no_words_with_the_page() {
        let page = page("<p>Dear support,</p><p>my printer is dead, and nobody here knows how to wake it. Please help. Ann");
        for stub in ["This e-mail requires an HTML capable e-mail client.", "HTML only", "Open elsewhere!"] {
            assert!(is_stub(stub, &page), "{stub}");
        }
        for words in
            ["Dear support, my printer is dead", "Mon imprimante ne marche plus, et personne ici ne sait la réveiller", &"html words ".repeat(40)]
        {
            assert!(!is_stub(words, &page), "{words}");
        }
        assert!(!is_stub("HTML only", &Page::default()));
    }
}
