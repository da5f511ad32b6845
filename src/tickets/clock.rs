//! How long a requester waits, and how long a ticket takes: in the desk's own hours, stopped while the ticket is pending or solved.
//!
//! What has run before a stop is kept in seconds, so that hours which are changed later do not change it. What is still running is measured by the hours that
//! are set when it stops or is looked at.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Status;
use crate::tenants::Settings;

/// The clocks of a ticket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clocks {
    /// Runs until it is solved.
    #[serde(default)]
    resolution: Stopwatch,
    /// Runs while the requester waits for an answer; there is none while he does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply: Option<Stopwatch>,
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    first_replied_at: Option<OffsetDateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_reply_seconds: Option<u64>,
    /// Of the newest answer after the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_reply_seconds: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Stopwatch {
    /// Since when it runs; it stands without.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    since: Option<OffsetDateTime>,
    /// What ran before.
    #[serde(default)]
    seconds: u64,
}

/// The times of a ticket, in seconds of the desk's hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Times {
    #[serde(with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>")]
    pub first_replied_at: Option<OffsetDateTime>,
    pub first_reply_seconds: Option<u64>,
    /// Of the newest answer to a later question.
    pub next_reply_seconds: Option<u64>,
    /// How long the requester has been waiting for an answer, if he is.
    pub waiting_seconds: Option<u64>,
    /// How long it has taken, or took until it was solved.
    pub open_seconds: u64,
    /// The same, once it is solved.
    pub resolution_seconds: Option<u64>,
}

impl Clocks {
    /// Those of a ticket whose requester begins to wait.
    pub(super) fn started(now: OffsetDateTime) -> Clocks {
        let running = Stopwatch { since: Some(now), seconds: 0 };
        Clocks { resolution: running, reply: Some(running), ..Clocks::default() }
    }

    /// The requester, or somebody for him, said something.
    pub(super) fn asked(&mut self, now: OffsetDateTime) {
        self.reply = self.reply.or(Some(Stopwatch { since: Some(now), seconds: 0 }));
    }

    /// Whoever waits in another ticket, which this one of that status takes in, waits here from now on, and there no more. Where somebody waits here too,
    /// the one who waited longer counts.
    pub(super) fn take_over(&mut self, other: &mut Clocks, status: Status, now: OffsetDateTime, settings: &Settings) {
        let waits = [other.reply.take(), self.reply];
        self.reply = waits.into_iter().flatten().max_by_key(|reply| reply.at(now, settings));
        self.turned(status, now, settings);
    }

    /// The desk answered, for all to see.
    pub(super) fn answered(&mut self, now: OffsetDateTime, settings: &Settings) {
        let Some(waited) = self.reply.take().map(|reply| reply.at(now, settings)) else { return };
        if self.first_replied_at.is_none() {
            (self.first_replied_at, self.first_reply_seconds) = (Some(now), Some(waited));
        } else {
            self.next_reply_seconds = Some(waited);
        }
    }

    /// The ticket has this status from now on.
    pub(super) fn turned(&mut self, status: Status, now: OffsetDateTime, settings: &Settings) {
        let runs = status.is_open();
        for clock in [Some(&mut self.resolution), self.reply.as_mut()].into_iter().flatten() {
            if runs {
                clock.since = clock.since.or(Some(now));
            } else {
                *clock = Stopwatch { since: None, seconds: clock.at(now, settings) };
            }
        }
    }

    /// What they show.
    pub fn times(&self, status: Status, now: OffsetDateTime, settings: &Settings) -> Times {
        let open_seconds = self.resolution.at(now, settings);
        Times {
            first_replied_at: self.first_replied_at,
            first_reply_seconds: self.first_reply_seconds,
            next_reply_seconds: self.next_reply_seconds,
            waiting_seconds: self.reply.map(|reply| reply.at(now, settings)),
            open_seconds,
            resolution_seconds: (status == Status::Solved).then_some(open_seconds),
        }
    }
}

impl Stopwatch {
    fn at(&self, now: OffsetDateTime, settings: &Settings) -> u64 {
        self.seconds + self.since.map_or(0, |since| settings.desk_seconds(since, now))
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;

    const START: OffsetDateTime = datetime!(2026-11-23 09:00 UTC);

    fn at(minutes: i64) -> OffsetDateTime {
        START + Duration::minutes(minutes)
    }

    #[test]
    fn the_clocks_stop_while_a_ticket_is_pending_and_when_it_is_solved() {
        let always = Settings::default();
        let mut clocks = Clocks::started(START);
        clocks.turned(Status::Pending, at(10), &always);
        clocks.turned(Status::InProgress, at(40), &always);
        assert_eq!(clocks.times(Status::InProgress, at(45), &always).waiting_seconds, Some(15 * 60));
        clocks.answered(at(50), &always);
        // A second answer to nothing counts nothing.
        clocks.answered(at(55), &always);
        clocks.asked(at(60));
        clocks.asked(at(65));
        clocks.answered(at(70), &always);
        clocks.turned(Status::Solved, at(80), &always);
        let times = clocks.times(Status::Solved, at(500), &always);
        assert_eq!((times.first_replied_at, times.first_reply_seconds), (Some(at(50)), Some(20 * 60)));
        assert_eq!((times.next_reply_seconds, times.waiting_seconds), (Some(10 * 60), None));
        assert_eq!((times.open_seconds, times.resolution_seconds), (50 * 60, Some(50 * 60)));
        // Opened again it goes on.
        clocks.turned(Status::InProgress, at(500), &always);
        let times = clocks.times(Status::InProgress, at(510), &always);
        assert_eq!((times.open_seconds, times.resolution_seconds), (60 * 60, None));
    }

    #[test]
    fn a_night_costs_a_desk_nothing() {
        let hours = serde_json::from_value(serde_json::json!({ "time_zone": "UTC", "monday": ["09:00-17:00"], "tuesday": ["09:00-17:00"] })).unwrap();
        let settings = Settings { business_hours: Some(hours), ..Settings::default() };
        let mut clocks = Clocks::started(datetime!(2026-11-23 16:30 UTC));
        clocks.answered(datetime!(2026-11-24 09:30 UTC), &settings);
        assert_eq!(clocks.times(Status::New, datetime!(2026-11-24 10:00 UTC), &settings).first_reply_seconds, Some(60 * 60));
    }
}
