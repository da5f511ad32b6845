//! Finds card numbers in a text that comes letter by letter, in bounded memory and a bounded time for each letter.

use std::{mem, ops::Range};

use super::{
    context::{Behind, ends_word, is_joining},
    doubt::Doubt,
    found::Found,
    label::Label,
    letters::{Class, class},
    link::{Escapes, Links},
    run::{Beginning, Gap, Run, Span},
};

/// Groups of digits that are looked at together; of a longer list the first are settled.
const GROUPS_MAX: usize = 64;
/// Groups of a long list that are looked at again with what follows: more than a card has.
const GROUPS_KEPT: usize = 8;
/// Letters of a word after a card in which an `@` makes it an identifier.
const WORD_LETTERS_MAX: usize = 2_048;

/// What is printed on a card beside its number, and written directly after it.
const WORDS_AFTER: [&str; 8] = ["exp", "expiry", "expires", "expiration", "valid", "cvv", "cvc", "cvn"];

/// Takes in a text and collects what is to be cut.
#[derive(Debug, Default)]
pub(super) struct Finder {
    links: Links,
    escapes: Escapes,
    behind: Behind,
    run: Run,
    gap: Gap,
    /// What has been seen of the gap, to be remembered when the run is over.
    gap_letters: Vec<char>,
    /// Cards in a word that goes on: dropped if it turns out to be an address.
    pending: Found,
    word_letters: usize,
    /// Cards with a word directly after them, and that word so far.
    held: Found,
    card_word: String,
    /// A card that is called something else, until more is known.
    doubt: Doubt,
    found: Found,
    /// In names of files `_` stands for a blank.
    is_name: bool,
}

impl Finder {
    pub(super) fn of_names() -> Self {
        Finder { is_name: true, ..Finder::default() }
    }

    pub(super) fn push(&mut self, letter: char, at: Range<usize>) {
        let is_escape = self.links.contain(letter) && letter == '%';
        if is_escape || !self.escapes.is_idle() {
            self.escapes.push(letter, at).into_iter().for_each(|(letter, at)| self.take(letter, at));
        } else {
            self.take(letter, at);
        }
    }

    fn take(&mut self, letter: char, at: Range<usize>) {
        let letter = if self.is_name && letter == '_' { ' ' } else { letter };
        let class = class(letter);
        match class {
            Class::Nothing => {}
            Class::Digit(digit) => self.push_digit(digit, at),
            _ => {
                self.watch_card_word(Some(letter));
                self.watch_word(letter);
                if self.run.is_empty() || !self.gap.accept(letter, class) {
                    self.end_run(Some(letter));
                    self.pass(letter);
                } else {
                    self.gap_letters.push(letter);
                }
            }
        }
    }

    /// A word ends here, though no letter says so.
    pub(super) fn end_word(&mut self) {
        self.commit();
    }

    /// Nothing goes on from here.
    pub(super) fn end_text(&mut self) {
        self.escapes.finish().into_iter().for_each(|(letter, at)| self.take(letter, at));
        self.end_run(None);
        self.settle_doubt();
        self.commit();
        self.behind.forget();
        self.links.forget();
    }

    pub(super) fn finish(mut self) -> Found {
        self.end_text();
        self.found
    }

    fn push_digit(&mut self, digit: u8, at: Range<usize>) {
        self.watch_card_word(None);
        if !self.gap.parts_groups() {
            self.end_run(Some(char::from(b'0' + digit)));
        }
        let gap = mem::take(&mut self.gap);
        self.gap_letters.clear();
        self.run.push(digit, at, gap);
        if self.run.groups() > GROUPS_MAX {
            self.settle_front();
        }
    }

    fn end_run(&mut self, next: Option<char>) {
        if self.run.is_empty() {
            return;
        }
        let gap = mem::take(&mut self.gap);
        // Hardly any run gets past the first look, and only then is what stands before it worth the second.
        self.run.beginning = Beginning::default();
        let mut cut = Vec::new();
        if self.run.may_hold_card() {
            self.settle_doubt();
        } else if !self.doubt.is_settled() {
            let written = self.run.written(0);
            written.chars().for_each(|letter| self.watch_doubt(letter));
        }
        if self.run.may_hold_card() && !self.run.cards(false, None).is_empty() {
            self.run.beginning = self.behind.beginning(next.filter(|_| gap.is_nothing()));
            cut = self.cut_run(next, gap);
        }
        // As they are when they are read again.
        self.run.letters(&cut).for_each(|letter| self.behind.push(letter));
        for letter in mem::take(&mut self.gap_letters) {
            self.pass(letter);
        }
        self.run.clear();
    }

    /// Leaves a letter behind that is part of no run.
    fn pass(&mut self, letter: char) {
        self.behind.push(letter);
        self.watch_doubt(letter);
    }

    fn watch_doubt(&mut self, letter: char) {
        if self.doubt.push(letter) {
            self.settle_doubt();
        }
    }

    fn settle_doubt(&mut self) {
        self.found.take(&mut mem::take(&mut self.doubt).settle());
    }

    /// Cuts the cards of a run that ends before this letter, and says which they are.
    fn cut_run(&mut self, next: Option<char>, gap: Gap) -> Vec<Span> {
        let joined_after = match next {
            Some(letter) if gap.is_nothing() => letter == '@' || is_joining(letter),
            Some(letter) if gap.is_dash() => letter.is_ascii_alphabetic(),
            Some(letter) if gap.is_underscore() => is_joining(letter),
            _ => false,
        };
        let cut = self.run.cards(joined_after, None);
        for card in &cut {
            let goes_on = self.run.word_goes_on(card, gap) && next.is_some_and(|letter| !ends_word(letter));
            let found = if goes_on { &mut self.pending } else { &mut self.found };
            found.add(self.run.cut_digits(card));
        }
        if next == Some('@') {
            self.pending = Found::default();
        }
        let begins_word = |letter: &char| WORDS_AFTER.iter().any(|word| word.starts_with(letter.to_ascii_lowercase()));
        if let Some(letter) = next.filter(|letter| joined_after && begins_word(letter)) {
            let is_held = |card: &Span| cut.last().is_none_or(|last| last.end <= card.start);
            self.run.cards(false, None).iter().filter(|card| is_held(card)).for_each(|card| self.held.add(self.run.cut_digits(card)));
            self.watch_card_word(Some(letter));
        }
        self.doubt_label(joined_after, &cut);
        cut
    }

    /// Remembers a card that the words before it call something else.
    fn doubt_label(&mut self, joined_after: bool, cut: &[Span]) {
        let label = mem::take(&mut self.run.beginning.label);
        if label == Label::None {
            return;
        }
        let cards = self.run.cards(joined_after, None);
        let is_doubtful = |card: &&Span| card.start == 0 && cut.first().is_none_or(|first| card.end <= first.start);
        if let Some(card) = cards.first().filter(is_doubtful) {
            let mut number = Found::default();
            number.add(self.run.cut_digits(card));
            self.doubt = Doubt::new(number, label, &self.run.written(card.end));
        }
    }

    /// Of a long list, cuts what begins in its front and goes on with the rest.
    fn settle_front(&mut self) {
        let front = GROUPS_MAX - GROUPS_KEPT;
        self.settle_doubt();
        self.run.beginning = Beginning::default();
        if !self.run.cards(false, Some(front)).is_empty() {
            self.run.beginning = self.behind.beginning(None);
        }
        let mut dropped = front;
        for card in self.run.cards(false, Some(front)) {
            self.found.add(self.run.cut_digits(&card));
            dropped = dropped.max(card.end);
        }
        self.run.drop_front(dropped);
        self.behind.forget();
        self.behind.push(' ');
    }

    fn watch_word(&mut self, letter: char) {
        if self.pending.cards == 0 {
            return;
        }
        self.word_letters += 1;
        if letter == '@' {
            self.pending = Found::default();
            self.word_letters = 0;
        } else if ends_word(letter) || self.word_letters > WORD_LETTERS_MAX {
            self.commit();
        }
    }

    /// Takes in what follows a card directly: another word than what is printed beside a card's number makes it an identifier.
    fn watch_card_word(&mut self, letter: Option<char>) {
        if self.held.cards == 0 {
            return;
        }
        if let Some(letter) = letter.filter(|letter| letter.is_alphabetic()) {
            self.card_word.extend(letter.to_lowercase());
            if WORDS_AFTER.iter().any(|word| word.starts_with(&self.card_word)) {
                return;
            }
        } else if WORDS_AFTER.contains(&self.card_word.as_str()) {
            self.pending.take(&mut self.held);
        }
        self.held = Found::default();
        self.card_word.clear();
    }

    fn commit(&mut self) {
        self.watch_card_word(None);
        self.word_letters = 0;
        self.found.take(&mut self.pending);
    }
}

/// Who takes in the letters of a text: the finder, or who looks first whether it is needed.
pub(super) trait Sink: Default {
    fn push(&mut self, letter: char, at: Range<usize>);
    /// A word ends here, though no letter says so.
    fn end_word(&mut self);
    /// Nothing goes on from here.
    fn end_text(&mut self);
}

impl Sink for Finder {
    fn push(&mut self, letter: char, at: Range<usize>) {
        self.push(letter, at);
    }

    fn end_word(&mut self) {
        self.end_word();
    }

    fn end_text(&mut self) {
        self.end_text();
    }
}
