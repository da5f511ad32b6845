//! Many phrases looked for in one pass over a text.

use aho_corasick::AhoCorasick;

/// A list of phrases, of which the first is the most telling. What is built of it takes up to some hundred KB; it is built when it is first needed.
pub(super) struct PhraseSet {
    phrases: Vec<&'static str>,
    /// Nothing if there are too many phrases for one.
    automaton: Option<AhoCorasick>,
}

impl PhraseSet {
    pub(super) fn of(phrases: impl IntoIterator<Item = &'static str>) -> Self {
        let phrases: Vec<_> = phrases.into_iter().collect();
        PhraseSet { automaton: AhoCorasick::new(&phrases).ok(), phrases }
    }

    /// Whether any of them is in the text.
    pub(super) fn is_in(&self, text: &str) -> bool {
        match &self.automaton {
            Some(automaton) => automaton.is_match(text),
            None => self.phrases.iter().any(|phrase| text.contains(phrase)),
        }
    }

    /// The first of the list that is in the text, by its place in the list.
    pub(super) fn first_in(&self, text: &str) -> Option<usize> {
        match &self.automaton {
            Some(automaton) => automaton.find_overlapping_iter(text).map(|found| found.pattern().as_usize()).min(),
            None => self.phrases.iter().position(|phrase| text.contains(phrase)),
        }
    }
}

/// Whether the text begins with one of these. Most of them already differ in their first byte.
pub(super) fn begins_with_any(text: &str, starts: &[&str]) -> bool {
    let first = text.as_bytes().first();
    starts.iter().any(|start| start.as_bytes().first() == first && text.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_list_counts_wherever_it_stands() {
        let set = PhraseSet::of(["user unknown", "unknown", "full"]);
        assert_eq!(set.first_in("full, unknown, and user unknown"), Some(0));
        assert_eq!((set.first_in("an unknown address"), set.first_in("words")), (Some(1), None));
        assert!(set.is_in("is full") && !set.is_in("words"));
    }
}
