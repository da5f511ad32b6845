//! Digits that stand together: groups with little between them, among which a card number may be.

use std::ops::Range;

use super::{
    label::Label,
    letters::Class,
    number::{self, DIGITS, LEFT_OVER},
};

/// Blanks between two groups.
const BLANKS_MAX: u8 = 4;
/// Digits that are kept of one group: one more than a card has.
const GROUP_DIGITS_MAX: usize = *DIGITS.end() + 1;
/// Four-digit groups in a row that are a table rather than a card with something beside it.
const TABLE_GROUPS: usize = 7;
/// Digits of a telephone number with its country (ITU-T E.164).
const PHONE_DIGITS_MAX: usize = 15;
/// Digits of a number that a link dials without `+` and that is no telephone's: with its country hardly one has more than thirteen.
const LINK_DIGITS_MIN: usize = 14;
/// Marks of emphasis at a word. More of the one that underlines are a line to fill in.
pub(super) const EMPHASIS_MAX: usize = 2;
/// Digits that the label of a parcel of the United States has (USPS IMpb).
const PARCEL_DIGITS: [usize; 5] = [20, 22, 26, 30, 34];

/// How cards are grouped: on the card, by people, and by what breaks a number in the middle.
const GROUPINGS: [&[usize]; 10] =
    [&[4, 4, 4, 4], &[4, 4, 4, 4, 3], &[4, 6, 5], &[4, 6, 4], &[4, 4, 4, 1], &[4, 3, 3, 3], &[4, 4, 5], &[4, 4, 4, 3], &[6, 13], &[8, 8]];
/// How the French write the number of a business, which has the same check digit.
const BUSINESS_GROUPING: [usize; 4] = [3, 3, 3, 5];

/// What stands between two groups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Gap {
    blanks: u8,
    /// A tab or a line end.
    wide: bool,
    /// After a line end, what quotes a line may follow.
    in_quote_marks: bool,
    mark: Option<Class>,
    /// Marks of emphasis at the end of a word before it and at the beginning of one after it, as in `*4111* *1111*`.
    closing: usize,
    opening: usize,
    /// The closing ones are those that join the parts of a name in programs.
    underscored: bool,
}

impl Gap {
    pub(super) fn is_nothing(self) -> bool {
        self == Gap::default()
    }

    /// Whether a word goes on across it.
    pub(super) fn joins(self) -> bool {
        self.blanks == 0 && !self.wide
    }

    pub(super) fn is_dash(self) -> bool {
        self.joins() && self.mark == Some(Class::Dash)
    }

    /// Whether it is an underscore, or as many as a name may have.
    pub(super) fn is_underscore(self) -> bool {
        self.joins() && self.underscored && self.closing <= EMPHASIS_MAX
    }

    /// Whether two groups may stand on its sides: emphasis alone does not part them.
    pub(super) fn parts_groups(self) -> bool {
        self.closing + self.opening == 0 || self.has_more_than_emphasis()
    }

    fn has_more_than_emphasis(self) -> bool {
        !self.joins() || self.mark.is_some()
    }

    fn sign(self) -> Option<char> {
        match self.mark {
            _ if self.is_nothing() => None,
            _ if self.wide => Some('\n'),
            Some(Class::Dash) => Some('-'),
            Some(_) => Some('.'),
            None => Some(' '),
        }
    }

    fn is_dot(self) -> bool {
        self.joins() && self.mark == Some(Class::Dot)
    }

    /// Takes in what comes next, if it may stand between the groups of a card.
    pub(super) fn accept(&mut self, letter: char, class: Class) -> bool {
        match class {
            _ if is_emphasis(letter) => return self.accept_emphasis(letter),
            _ if self.opening > 0 => return false,
            Class::Blank if self.in_quote_marks => {}
            Class::Blank if self.blanks < BLANKS_MAX => self.blanks += 1,
            Class::Tab | Class::Break if !self.wide => {
                self.wide = true;
                self.in_quote_marks = class == Class::Break;
            }
            Class::Dash | Class::Dot if self.mark.is_none() => self.mark = Some(class),
            Class::Other if self.in_quote_marks && matches!(letter, '>' | '|') => {}
            _ => return false,
        }
        true
    }

    fn accept_emphasis(&mut self, letter: char) -> bool {
        let is_opening = self.has_more_than_emphasis();
        if !is_opening {
            self.underscored = letter == '_' && (self.underscored || self.closing == 0);
        }
        let marks = if is_opening { &mut self.opening } else { &mut self.closing };
        let fits = *marks <= EMPHASIS_MAX;
        *marks += usize::from(fits);
        fits
    }
}

/// What is written around words that are bold or underlined, in text.
pub(super) fn is_emphasis(letter: char) -> bool {
    matches!(letter, '*' | '_')
}

#[derive(Debug)]
struct Group {
    /// Where its digits begin among those of the run.
    first: usize,
    length: usize,
    /// Before it.
    gap: Gap,
}

/// What is known of the beginning of a run.
#[derive(Debug, Default)]
pub(super) struct Beginning {
    /// As long as it is not, whatever could be a card is taken for one.
    pub(super) is_known: bool,
    /// A letter or a sign stands directly before it.
    pub(super) joined: bool,
    pub(super) plus: bool,
    /// In a web address.
    pub(super) in_address: bool,
    /// It begins with what was left of a card: so many digits are no part of another.
    pub(super) left_over: usize,
    /// What stands before it of an account number: a country's two letters, or more.
    pub(super) account: Option<String>,
    /// What the words before it say.
    pub(super) label: Label,
}

/// The groups so far.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) beginning: Beginning,
    digits: Vec<(u8, Range<usize>)>,
    groups: Vec<Group>,
}

/// A card's groups, by index.
pub(super) type Span = Range<usize>;

impl Run {
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    pub(super) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Whether there are digits enough; what stands around them is costly to look at.
    pub(super) fn may_hold_card(&self) -> bool {
        self.total(&(0..self.groups.len())) >= *DIGITS.start()
    }

    pub(super) fn clear(&mut self) {
        self.digits.clear();
        self.groups.clear();
    }

    pub(super) fn push(&mut self, digit: u8, at: Range<usize>, gap: Gap) {
        if self.groups.is_empty() || !gap.is_nothing() {
            self.groups.push(Group { first: self.digits.len(), length: 0, gap });
        }
        if let Some(group) = self.groups.last_mut() {
            group.length += 1;
            if group.length <= GROUP_DIGITS_MAX {
                self.digits.push((digit, at));
            }
        }
    }

    /// The digits as they follow each other, for who looks back at them, with stars for those of these cards that are cut.
    pub(super) fn letters(&self, cut: &[Span]) -> impl Iterator<Item = char> {
        let stars: Vec<Range<usize>> = cut.iter().map(|card| self.digits_of(card)).map(|digits| digits.start..digits.end - LEFT_OVER).collect();
        let letter = move |(place, digit): (usize, u8)| if stars.iter().any(|cut| cut.contains(&place)) { '*' } else { char::from(b'0' + digit) };
        self.digits.iter().map(|(digit, _)| *digit).enumerate().map(letter)
    }

    /// The groups from this one on, with a letter for what parts them.
    pub(super) fn written(&self, from: usize) -> String {
        let written = |group: &Group| {
            let digits = &self.digits[group.first..];
            let digits = digits.iter().take(group.length).map(|(digit, _)| char::from(b'0' + digit));
            group.gap.sign().into_iter().chain(digits).collect::<String>()
        };
        self.groups[from..].iter().map(written).collect()
    }

    /// Drops groups from the front.
    pub(super) fn drop_front(&mut self, groups: usize) {
        let digits = self.groups.get(groups).map_or(self.digits.len(), |group| group.first);
        self.digits.drain(..digits);
        self.groups.drain(..groups);
        for group in &mut self.groups {
            group.first -= digits;
        }
    }

    /// The digits of a card that are cut: all but the last four.
    pub(super) fn cut_digits(&self, span: &Span) -> impl Iterator<Item = Range<usize>> {
        let digits = &self.digits[self.digits_of(span)];
        digits[..digits.len() - LEFT_OVER].iter().map(|(_, at)| at.clone())
    }

    /// Whether the word in which a card stands goes on to the end of the run and across the gap after it.
    pub(super) fn word_goes_on(&self, span: &Span, after: Gap) -> bool {
        after.joins() && self.groups[span.end..].iter().all(|group| group.gap.joins())
    }

    /// The cards among the groups; with `up_to`, only those that begin before it. `joined_after` says that a letter follows the run directly.
    pub(super) fn cards(&self, joined_after: bool, up_to: Option<usize>) -> Vec<Span> {
        let mut cards = Vec::new();
        let all = self.groups.len();
        if !self.may_hold_card() || self.is_something_else() {
            return cards;
        }
        let mut start = self.after_left_over().max(self.after_account());
        while start < all {
            if up_to.is_none() && self.is_card(&(start..all), start, joined_after) {
                cards.push(start..all);
                break;
            }
            let Some(found) = self.first_grouped(start, up_to.unwrap_or(all), joined_after) else { break };
            // What stands before it is a text of its own.
            if start < found.start && self.is_card(&(start..found.start), start, joined_after) {
                cards.push(start..found.start);
            }
            start = found.end;
            cards.push(found);
        }
        cards
    }

    /// The first groups that are grouped as cards are.
    fn first_grouped(&self, start: usize, end: usize, joined_after: bool) -> Option<Span> {
        let is_card = |span: &Span| self.is_card(span, start, joined_after) && !self.is_in_table(span, start);
        (start..end).find_map(|first| {
            let Group { length, first: digit, .. } = self.groups[first];
            match length {
                // Most numbers are short, and have nothing behind them.
                _ if self.digits.len() - digit < *DIGITS.start() => None,
                4 | 6 | 8 => GROUPINGS.iter().filter(|sizes| self.has_sizes(first, sizes)).map(|sizes| first..first + sizes.len()).find(is_card),
                _ => Some(first..first + 1).filter(is_card),
            }
        })
    }

    fn has_sizes(&self, first: usize, sizes: &[usize]) -> bool {
        let groups = &self.groups[first..];
        sizes.len() <= groups.len() && groups.iter().zip(sizes).all(|(group, size)| group.length == *size)
    }

    fn is_card(&self, span: &Span, start: usize, joined_after: bool) -> bool {
        if !DIGITS.contains(&self.total(span)) {
            return false;
        }
        // Quick looks first: a hostile text is digits alone.
        let mut digits = [0; *DIGITS.end()];
        let found = &self.digits[self.digits_of(span)];
        digits.iter_mut().zip(found).for_each(|(place, (digit, _))| *place = *digit);
        number::is_card(&digits[..found.len()]) && self.is_written_alike(span) && self.stands_alone(span, start, joined_after)
    }

    /// The same sign between all groups, or dashes and blanks on one line, and at most one line end. What is not so only between groups that are a card's.
    fn is_written_alike(&self, span: &Span) -> bool {
        let groups = &self.groups[span.clone()];
        let gaps = || groups.iter().skip(1).map(|group| group.gap);
        let wide = gaps().filter(|gap| gap.wide).count();
        let sizes: Vec<usize> = groups.iter().map(|group| group.length).collect();
        let is_grouped = || GROUPINGS.contains(&sizes.as_slice());
        let alike = self.has_one_mark(span) || wide == 0 && gaps().all(|gap| gap.mark != Some(Class::Dot)) && is_grouped();
        alike && (wide == 0 || wide == 1 && is_grouped()) && sizes != BUSINESS_GROUPING
    }

    fn has_one_mark(&self, span: &Span) -> bool {
        let mut marks = self.groups[span.clone()].iter().skip(1).map(|group| group.gap.mark);
        marks.next().is_none_or(|first| marks.all(|mark| mark == first))
    }

    fn stands_alone(&self, span: &Span, start: usize, joined_after: bool) -> bool {
        let solid = span.len() == 1;
        let in_same_word = self.groups[..=span.start].iter().skip(1).all(|group| group.gap.joins());
        let begins = &self.beginning;
        let before = if span.start == 0 {
            let named_otherwise = match begins.label {
                Label::None => false,
                Label::Other => true,
                Label::Phone => !self.has_sizes(0, GROUPINGS[0]) || span.len() != GROUPINGS[0].len() || !self.has_one_mark(span),
                Label::Link => self.total(span) < LINK_DIGITS_MIN,
                Label::InOne => solid,
            };
            !(begins.joined || begins.plus || named_otherwise)
        } else {
            // `100-4111...` is a number of its own, and `0.4111...` a fraction; after a card that was found there may be anything.
            let gap = self.groups[span.start].gap;
            span.start == start && start > 0 || !(gap.is_dash() || solid && gap.is_dot())
        };
        let after = span.end < self.groups.len() || !joined_after;
        before && after && !(begins.in_address && in_same_word)
    }

    /// One window in a long row of groups of four is chance, unless the row is all cards.
    fn is_in_table(&self, span: &Span, start: usize) -> bool {
        let four = |index: &usize| self.groups[*index].length == 4;
        if !self.beginning.is_known || span.len() < 4 || !span.clone().all(|index| four(&index)) {
            return false;
        }
        let before = (start..span.start).rev().take_while(four).count();
        let after = (span.end..self.groups.len()).take_while(four).count();
        before + span.len() + after >= TABLE_GROUPS && before % 4 != 0
    }

    /// The run as a whole is a telephone number or a parcel's.
    fn is_something_else(&self) -> bool {
        let total = self.total(&(0..self.groups.len()));
        let begins = &self.beginning;
        let parcel = PARCEL_DIGITS.contains(&total) && self.digits[0].0 == 9 && begins.account.is_none();
        parcel || begins.plus && total <= PHONE_DIGITS_MAX
    }

    /// The groups that belong to an account number.
    fn after_account(&self) -> usize {
        let Some(before) = &self.beginning.account else { return 0 };
        let digits: Vec<u8> = self.digits.iter().map(|(digit, _)| *digit).collect();
        let belonging = match number::iban_digits(before, &digits) {
            Some(belonging) => belonging,
            // Letters may follow, and the check cannot be made; but its own two digits stand at the country, as in `FR14 2004`.
            None if before.len() > 2 || self.beginning.joined || self.groups[0].length == 2 => digits.len(),
            None => 0,
        };
        self.groups.iter().position(|group| group.first == belonging).unwrap_or(self.groups.len())
    }

    fn after_left_over(&self) -> usize {
        let mut left = self.beginning.left_over;
        self.groups
            .iter()
            .take_while(|group| {
                let belongs = left > 0;
                left = left.saturating_sub(group.length);
                belongs
            })
            .count()
    }

    fn total(&self, span: &Span) -> usize {
        self.groups[span.clone()].iter().map(|group| group.length).sum()
    }

    /// Groups that are too long keep fewer digits than they have; no card has such a group.
    fn digits_of(&self, span: &Span) -> Range<usize> {
        self.groups[span.start].first..self.groups.get(span.end).map_or(self.digits.len(), |group| group.first)
    }
}
