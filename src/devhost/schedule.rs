//! NCRONTAB schedules: `{second} {minute} {hour} {day} {month} {day of week}` in UTC; with five fields the second is 0.
//!
//! Each field is `*` or a list of values, ranges `a-b` and steps `*/n`, `a-b/n`, `a/n`. Unlike in cron, day AND day of week must both match.

use time::{Date, Duration, OffsetDateTime, Time, UtcOffset};

/// How far ahead an occurrence is sought. The 29th of February on a given day of the week can be 40 years away.
const DAYS_AHEAD_MAX: usize = 41 * 366;
/// Occurrences that are compared to see how often a schedule fires.
const OCCURRENCES_COMPARED: usize = 5;
/// Schedules that fire more often are not monitored.
const MONITORED_FROM: Duration = Duration::minutes(1);

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Why a text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotASchedule {
    #[error("a schedule has five or six fields, not {0}")]
    Fields(usize),
    #[error("the field {field} of a schedule does not understand {text:?}")]
    Field { field: &'static str, text: String },
    #[error("the schedule never comes due")]
    Never,
}

/// A schedule; each field a set of bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    days_of_week: u64,
}

impl Schedule {
    pub fn parse(text: &str) -> Result<Self, NotASchedule> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let (second, rest) = match fields.as_slice() {
            rest if rest.len() == 5 => ("0", rest),
            [second, rest @ ..] if rest.len() == 5 => (*second, rest),
            other => return Err(NotASchedule::Fields(other.len())),
        };
        let schedule = Schedule {
            seconds: bits("second", second, 0, 59, &[])?,
            minutes: bits("minute", rest[0], 0, 59, &[])?,
            hours: bits("hour", rest[1], 0, 23, &[])?,
            days: bits("day", rest[2], 1, 31, &[])?,
            months: bits("month", rest[3], 1, 12, MONTHS)?,
            days_of_week: bits("day of week", rest[4], 0, 6, DAYS)?,
        };
        // Any instant will do: what comes once comes again within the days looked at.
        schedule.next_after(OffsetDateTime::UNIX_EPOCH).ok_or(NotASchedule::Never)?;
        Ok(schedule)
    }

    /// The first occurrence after `after`; `None` only at the end of the calendar.
    pub fn next_after(&self, after: OffsetDateTime) -> Option<OffsetDateTime> {
        let from = after.to_offset(UtcOffset::UTC).replace_nanosecond(0).ok()?.checked_add(Duration::SECOND)?;
        let mut day = from.date();
        let mut earliest = from.time();
        for _ in 0..DAYS_AHEAD_MAX {
            if self.includes(day)
                && let Some(time) = self.first_from(earliest)
            {
                return Some(OffsetDateTime::new_utc(day, time));
            }
            day = day.next_day()?;
            earliest = Time::MIDNIGHT;
        }
        None
    }

    /// Whether it fires more than once a minute somewhere near `now`.
    pub fn fires_within_a_minute(&self, now: OffsetDateTime) -> bool {
        let mut at = now;
        let mut previous = None;
        for _ in 0..OCCURRENCES_COMPARED {
            let Some(next) = self.next_after(at) else { return false };
            if previous.is_some_and(|previous| next - previous < MONITORED_FROM) {
                return true;
            }
            (previous, at) = (Some(next), next);
        }
        false
    }

    fn includes(&self, day: Date) -> bool {
        has(self.days, day.day()) && has(self.months, u8::from(day.month())) && has(self.days_of_week, day.weekday().number_days_from_sunday())
    }

    fn first_from(&self, earliest: Time) -> Option<Time> {
        for hour in (earliest.hour()..24).filter(|hour| has(self.hours, *hour)) {
            let first_minute = if hour == earliest.hour() { earliest.minute() } else { 0 };
            for minute in (first_minute..60).filter(|minute| has(self.minutes, *minute)) {
                let same_minute = hour == earliest.hour() && minute == earliest.minute();
                let first_second = if same_minute { earliest.second() } else { 0 };
                if let Some(second) = (first_second..60).find(|second| has(self.seconds, *second)) {
                    return Time::from_hms(hour, minute, second).ok();
                }
            }
        }
        None
    }
}

fn has(bits: u64, value: u8) -> bool {
    bits & (1 << value) != 0
}

fn bits(field: &'static str, text: &str, min: u8, max: u8, names: &[&str]) -> Result<u64, NotASchedule> {
    let mut bits = 0;
    for part in text.split(',') {
        bits |= part_bits(part, min, max, names).ok_or_else(|| NotASchedule::Field { field, text: part.to_owned() })?;
    }
    Ok(bits)
}

fn part_bits(part: &str, min: u8, max: u8, names: &[&str]) -> Option<u64> {
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u8>().ok()).flatten();
    let value = |text: &str| {
        let lower = text.to_ascii_lowercase();
        let name = names.iter().position(|name| *name == lower).and_then(|place| u8::try_from(place).ok());
        name.map(|place| place + min).or_else(|| number(text)).filter(|value| (min..=max).contains(value))
    };
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(number(step).filter(|step| *step > 0)?)),
        None => (part, None),
    };
    let (first, last) = match range.split_once('-') {
        Some((first, last)) => (value(first)?, value(last)?),
        None if range == "*" => (min, max),
        // A step makes of a single value a range to the end.
        None => (value(range)?, if step.is_some() { max } else { value(range)? }),
    };
    if first > last {
        return None;
    }
    Some((first..=last).step_by(usize::from(step.unwrap_or(1))).fold(0, |bits, value| bits | 1 << value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn next(schedule: &str, after: OffsetDateTime) -> OffsetDateTime {
        Schedule::parse(schedule).unwrap().next_after(after).unwrap()
    }

    #[test]
    fn the_next_occurrence_is_after_now() {
        let monday = datetime!(2026-11-23 04:11:02.5 UTC);
        for (schedule, expected) in [
            ("* * * * * *", datetime!(2026-11-23 04:11:03 UTC)),
            ("*/5 * * * * *", datetime!(2026-11-23 04:11:05 UTC)),
            ("0 */5 * * * *", datetime!(2026-11-23 04:15:00 UTC)),
            ("*/5 * * * *", datetime!(2026-11-23 04:15:00 UTC)),
            ("0 30 1 * * *", datetime!(2026-11-24 01:30:00 UTC)),
            ("2 11 4 * * *", datetime!(2026-11-24 04:11:02 UTC)),
            ("3 11 4 * * *", datetime!(2026-11-23 04:11:03 UTC)),
            ("0 0 9-17/4 * * MON-fri", datetime!(2026-11-23 09:00:00 UTC)),
            ("0 0 0 1,15 jan,JUL *", datetime!(2027-01-01 00:00:00 UTC)),
            ("0 0 0 * * 0", datetime!(2026-11-29 00:00:00 UTC)),
            ("0 50/3 4 * * *", datetime!(2026-11-23 04:50:00 UTC)),
            ("0 0 0 29 2 *", datetime!(2028-02-29 00:00:00 UTC)),
            ("0 0 0 31 * *", datetime!(2026-12-31 00:00:00 UTC)),
            // Both the day and the day of the week: the next 13th that is a Friday.
            ("0 0 0 13 * fri", datetime!(2027-08-13 00:00:00 UTC)),
            ("59 59 23 31 12 *", datetime!(2026-12-31 23:59:59 UTC)),
        ] {
            assert_eq!(next(schedule, monday), expected, "{schedule}");
        }
        assert_eq!(next("0 0 5 * * *", datetime!(2026-11-23 05:30:00 +02:00)), datetime!(2026-11-23 05:00:00 UTC));
        assert_eq!(next("0 0 0 29 2 sun", datetime!(2093-01-01 0:00 UTC)), datetime!(2128-02-29 00:00:00 UTC));
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for wrong in [
            "",
            "* * * *",
            "* * * * * * *",
            "60 * * * * *",
            "* * 24 * * *",
            "* * * 0 * *",
            "* * * * 13 *",
            "* * * * * 7",
            "5-1 * * * * *",
            "*/0 * * * * *",
            "+5 * * * * *",
            "1,,2 * * * * *",
            "* * * * jan-xyz *",
            "* * * L * *",
            "0 0 0 ? * mon",
            "0 0 0 30 2 *",
            "00:05:00",
        ] {
            assert!(Schedule::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn more_than_once_a_minute_is_seen() {
        let now = datetime!(2026-11-23 04:11:02 UTC);
        let often = |schedule: &str| Schedule::parse(schedule).unwrap().fires_within_a_minute(now);
        assert!(often("*/30 * * * * *"));
        assert!(often("0,1 0 * * * *"));
        assert!(!often("0 * * * * *"));
        assert!(!often("0 30 1 * * *"));
    }
}
