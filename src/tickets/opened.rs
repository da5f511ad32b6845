//! Documents of a list, of which one that does not open keeps no other from being read.

use super::Error;
use crate::keys;

/// How many opened, and why one did not.
#[derive(Default)]
pub(super) struct Opened {
    opened: usize,
    closed: Vec<Error>,
}

impl Opened {
    /// What a document holds; none, and an error in the log, if it does not open.
    pub(super) fn one<T>(&mut self, document: Result<T, Error>) -> Result<Option<T>, Error> {
        match document {
            Ok(document) => {
                self.opened += 1;
                Ok(Some(document))
            }
            Err(error @ Error::Keys(keys::Error::DoesNotOpen { .. } | keys::Error::UnknownShape { .. })) => {
                tracing::error!(%error, "a document was left out of a list");
                self.closed.push(error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Fails if of several none opened on the first page: then it is the key, and the list is not empty. One alone says nothing of the key.
    pub(super) fn check(self, is_first_page: bool) -> Result<(), Error> {
        let is_the_key = is_first_page && self.opened == 0 && self.closed.len() > 1;
        self.closed.into_iter().next().filter(|_| is_the_key).map_or(Ok(()), Err)
    }
}
