//! Time, asked for in one place so that tests can move it.

use time::{OffsetDateTime, UtcOffset, macros::format_description};

/// The wall clock, in UTC.
pub trait Clock: Send + Sync {
    fn now(&self) -> OffsetDateTime;
}

/// An instant as RFC 3339 in UTC with milliseconds, always 24 characters, so that it sorts as text.
pub fn timestamp(at: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    // A year beyond 9999 cannot be formatted; no clock of ours reaches it.
    at.to_offset(UtcOffset::UTC).format(format).unwrap_or_else(|_| "9999-12-31T23:59:59.999Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn timestamps_sort_as_their_instants() {
        let early = timestamp(datetime!(2026-11-23 04:11:02.1 +01:00));
        let late = timestamp(datetime!(2026-11-23 03:11:02.2 UTC));
        assert_eq!(early, "2026-11-23T03:11:02.100Z");
        assert!(early < late);
    }
}
