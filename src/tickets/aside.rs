//! Work on a mail's bytes, which may take long, away from the threads that serve requests.

use std::time::Duration;

use bytes::Bytes;
use tracing::Span;

use crate::{mail::redact::redact_raw, ports::Fault};

/// How long a mail is read before it is given up. The slowest that is known takes a tenth of it; the thread ends by the limits of reading.
pub(super) const READ_TIME_MAX: Duration = Duration::from_secs(30);

/// The outcome of work on a thread of its own, or `None` if that takes too long. A panic is a fault.
pub(super) async fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Result<Option<T>, Fault> {
    let span = Span::current();
    match tokio::time::timeout(limit, tokio::task::spawn_blocking(move || span.in_scope(work))).await {
        Ok(done) => done.map(Some).map_err(|_| Fault::Unavailable("reading a mail panicked".to_owned())),
        Err(_) => Ok(None),
    }
}

/// A mail as it may be kept, and whether a card number was cut from it.
pub(super) struct Cut {
    pub bytes: Bytes,
    pub altered: bool,
}

/// Looks through a mail for card numbers; none where that takes too long or panics.
pub(super) async fn cut(came: &Bytes) -> Option<Cut> {
    let bytes = came.clone();
    let cut = within(READ_TIME_MAX, move || redact_raw(&bytes)).await.ok()??;
    Some(cut.map_or_else(|| Cut { bytes: came.clone(), altered: false }, |cut| Cut { bytes: cut.into(), altered: true }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_mail_that_takes_too_long_is_given_up() {
        assert_eq!(within(Duration::from_secs(60), || 1).await, Ok(Some(1)));
        let (finish, wait) = std::sync::mpsc::channel::<()>();
        assert_eq!(within(Duration::from_millis(1), move || wait.recv().is_ok()).await, Ok(None));
        drop(finish);
    }
}
