//! What was found in a text.

use std::{mem, ops::Range};

/// What of a text is to be cut.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Places of the digits.
    pub(super) digits: Vec<Range<usize>>,
    pub(super) cards: usize,
}

impl Found {
    pub(super) fn add(&mut self, digits: impl Iterator<Item = Range<usize>>) {
        self.digits.extend(digits);
        self.cards += 1;
    }

    pub(super) fn take(&mut self, other: &mut Found) {
        let other = mem::take(other);
        self.digits.extend(other.digits);
        self.cards += other.cards;
    }
}
