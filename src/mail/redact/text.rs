//! One text from its first letter to its last: is a look worth it, and if so, what is to be cut.

use super::{
    Reading,
    finder::Finder,
    found::Found,
    letters::{Charset, Letters},
    markup::Markup,
    tally::Tally,
};

/// Whether digits stand in a text that could be a card's. Quick, and never no where there is a card; for bytes whose digits are ASCII's or UTF-8's.
pub(super) fn may_hold_card(bytes: &[u8]) -> bool {
    let mut tally = Tally::default();
    tally.text(bytes);
    tally.may_be_card()
}

/// The same for what is shown of markup, or stands hidden in it.
fn markup_may_hold_card(bytes: &[u8], is_xml: bool) -> bool {
    let mut markup = Markup::<Tally>::new(is_xml);
    let mut letters = Letters::new(bytes, Charset::Bytes);
    loop {
        letters.skip_bytes(markup.pass(letters.rest()));
        let Some((letter, at)) = letters.next() else { break };
        markup.push(letter, at);
    }
    let (mut shown, mut hidden) = markup.finish();
    shown.may_be_card() || hidden.may_be_card()
}

pub(super) fn find(bytes: &[u8], charset: Charset, reading: Reading) -> Found {
    let may_hold = || match reading {
        Reading::Text | Reading::Name => may_hold_card(bytes),
        Reading::Html | Reading::Xml => markup_may_hold_card(bytes, reading == Reading::Xml),
    };
    if charset == Charset::Bytes && !may_hold() {
        return Found::default();
    }
    find_closely(bytes, charset, reading)
}

fn find_closely(bytes: &[u8], charset: Charset, reading: Reading) -> Found {
    let letters = Letters::new(bytes, charset);
    match reading {
        Reading::Html | Reading::Xml => {
            let mut markup = Markup::<Finder>::new(reading == Reading::Xml);
            letters.for_each(|(letter, at)| markup.push(letter, at));
            let (shown, hidden) = markup.finish();
            let (mut found, hidden) = (shown.finish(), hidden.finish());
            found.digits.extend(hidden.digits);
            found.cards += hidden.cards;
            found
        }
        Reading::Text | Reading::Name => {
            let mut finder = if reading == Reading::Name { Finder::of_names() } else { Finder::default() };
            letters.for_each(|(letter, at)| finder.push(letter, at));
            finder.finish()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_quick_look_never_says_no_where_there_is_a_card(
            text in "(4111|1111|111|5|٤|４|[0-9]{1,5}|[ _.\\-\n>|\u{a0}\u{200b}]{0,3}|&#49;|&nbsp;|&amp|<b>|</b>|<!-- > |-->|<td>|<p title=\"|\"|<script>|</script>|<|>|x|:|=|words and words|ж|&uuml;|<img alt='|'|<!-|[*_]|%20|%34|%|tel:|<a href='tel:|mailto:|Order |exp 12/27|GB29 NWBK ){0,40}",
        ) {
            for reading in [Reading::Text, Reading::Name, Reading::Html, Reading::Xml] {
                let closely = find_closely(text.as_bytes(), Charset::Bytes, reading);
                proptest::prop_assert_eq!(find(text.as_bytes(), Charset::Bytes, reading).cards, closely.cards, "{:?}", reading);
            }
        }
    }
}
