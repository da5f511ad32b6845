//! When a desk works: spans of the days of a week in a time zone, but for holidays.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::{Date, Duration, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset, Weekday};

/// Spans of one day, and holidays in all.
const SPANS_MAX: usize = 4;
const HOLIDAYS_MAX: usize = 200;
/// Days that are counted one by one; a longer time counts no more.
const DAYS_MAX: u32 = 3_660;
const MINUTES_A_DAY: u16 = 24 * 60;

/// The hours in which a desk works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BusinessHours {
    /// A name of the IANA time zone database, `Europe/Berlin`.
    pub time_zone: String,
    /// What is left out is free.
    #[serde(default)]
    pub monday: Vec<Span>,
    #[serde(default)]
    pub tuesday: Vec<Span>,
    #[serde(default)]
    pub wednesday: Vec<Span>,
    #[serde(default)]
    pub thursday: Vec<Span>,
    #[serde(default)]
    pub friday: Vec<Span>,
    #[serde(default)]
    pub saturday: Vec<Span>,
    #[serde(default)]
    pub sunday: Vec<Span>,
    /// Free days, `2026-12-25`.
    #[serde(default)]
    pub holidays: Vec<String>,
}

/// A part of a day, `09:00-17:30`; the end of the day is `24:00`. In minutes after midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", inline)]
pub struct Span {
    from: u16,
    to: u16,
}

/// Which end of a span.
#[derive(Clone, Copy)]
enum Side {
    Begin,
    End,
}

impl BusinessHours {
    /// Why they cannot be kept, if they cannot.
    pub(super) fn check(&self) -> Result<(), String> {
        if tzdb_data::find_tz(self.time_zone.as_bytes()).is_none() {
            return Err("`business_hours.time_zone` is a name of the IANA time zone database, like `Europe/Berlin`".to_owned());
        }
        for day in self.week() {
            if day.len() > SPANS_MAX || !day.is_sorted_by(|one, next| one.to <= next.from) {
                return Err(format!("a day of `business_hours` has at most {SPANS_MAX} spans, one after the other"));
            }
        }
        if self.week().iter().all(|day| day.is_empty()) {
            return Err("`business_hours` name no span of any day: leave them out if the desk always works".to_owned());
        }
        if self.holidays.len() > HOLIDAYS_MAX || self.holidays.iter().any(|day| date(day).is_none()) {
            return Err(format!("`business_hours.holidays` are at most {HOLIDAYS_MAX} dates like `2026-12-25`"));
        }
        Ok(())
    }

    /// The business time between two instants. Where the clocks skip an hour it is not there; where they repeat one, a span around it has it twice, and
    /// one that begins or ends within it has it once.
    pub fn between(&self, from: OffsetDateTime, to: OffsetDateTime) -> Duration {
        let holidays: Vec<Date> = self.holidays.iter().filter_map(|day| date(day)).collect();
        let (mut day, last) = (self.local(from).date(), self.local(to).date());
        let mut sum = Duration::ZERO;
        for _ in 0..DAYS_MAX {
            if day > last {
                break;
            }
            if !holidays.contains(&day) {
                for span in self.of(day.weekday()) {
                    let (begin, end) = (self.instant(day, span.from, Side::Begin), self.instant(day, span.to, Side::End));
                    sum += (end.min(to) - begin.max(from)).max(Duration::ZERO);
                }
            }
            match day.next_day() {
                Some(next) => day = next,
                None => break,
            }
        }
        sum
    }

    fn week(&self) -> [&[Span]; 7] {
        [&self.monday, &self.tuesday, &self.wednesday, &self.thursday, &self.friday, &self.saturday, &self.sunday]
    }

    fn of(&self, day: Weekday) -> &[Span] {
        self.week()[usize::from(day.number_days_from_monday())]
    }

    fn local(&self, at: OffsetDateTime) -> OffsetDateTime {
        at.to_offset(self.offset(at))
    }

    /// The instant of a minute of a local day. If the clocks repeat it, a span begins at the later one and ends at the earlier; if they skip it, it is
    /// the instant at which they are changed.
    fn instant(&self, day: Date, minute: u16, side: Side) -> OffsetDateTime {
        let local = PrimitiveDateTime::new(day, Time::MIDNIGHT) + Duration::minutes(minute.into());
        let near = local.assume_utc();
        // No zone changes its clocks twice in two days.
        let before = local.assume_offset(self.offset(near - Duration::DAY));
        let after = local.assume_offset(self.offset(near + Duration::DAY));
        let is_read_so = |at: OffsetDateTime| self.offset(at) == at.offset();
        match (is_read_so(before), is_read_so(after), side) {
            (true, true, Side::Begin) => before.max(after),
            (true, true, Side::End) => before.min(after),
            (true, false, _) => before,
            (false, true, _) => after,
            (false, false, _) => self.change_between(after, before),
        }
    }

    /// The instant at which the clocks are changed, from one that is before it to one that is not.
    fn change_between(&self, mut before: OffsetDateTime, mut after: OffsetDateTime) -> OffsetDateTime {
        let old = self.offset(before);
        while after - before > Duration::SECOND {
            let middle = before + Duration::seconds((after - before).whole_seconds() / 2);
            if self.offset(middle) == old {
                before = middle;
            } else {
                after = middle;
            }
        }
        after
    }

    fn offset(&self, at: OffsetDateTime) -> UtcOffset {
        let zone = tzdb_data::find_tz(self.time_zone.as_bytes());
        let kind = zone.and_then(|zone| zone.find_local_time_type(at.unix_timestamp()).ok());
        kind.and_then(|kind| UtcOffset::from_whole_seconds(kind.ut_offset()).ok()).unwrap_or(UtcOffset::UTC)
    }
}

/// A date like 2026-12-25.
pub fn date(text: &str) -> Option<Date> {
    Date::parse(text, time::macros::format_description!("[year]-[month]-[day]")).ok().filter(|_| text.len() == "2026-12-25".len())
}

impl TryFrom<String> for Span {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let minutes = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            let digits = |text: &str| (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse::<u16>().ok()).flatten();
            let (hour, minute) = (digits(hour)?, digits(minute)?);
            (minute < 60 && hour * 60 + minute <= MINUTES_A_DAY).then_some(hour * 60 + minute)
        };
        let parts = text.split_once('-').and_then(|(from, to)| Some((minutes(from)?, minutes(to)?)));
        parts.filter(|(from, to)| from < to).map(|(from, to)| Span { from, to }).ok_or("a span of a day is written like `09:00-17:30`")
    }
}

impl From<Span> for String {
    fn from(Span { from, to }: Span) -> String {
        format!("{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    fn hours(zone: &str) -> BusinessHours {
        serde_json::from_value(serde_json::json!({
            "time_zone": zone,
            "monday": ["09:00-12:00", "13:00-17:00"], "tuesday": ["09:00-17:00"], "wednesday": ["09:00-17:00"], "thursday": ["09:00-17:00"],
            "friday": ["09:00-15:00"], "sunday": ["00:00-24:00"],
            "holidays": ["2026-12-25"],
        }))
        .unwrap()
    }

    #[test]
    fn only_the_hours_of_the_desk_count() {
        let berlin = hours("Europe/Berlin");
        berlin.check().unwrap();
        let counted = |from, to| berlin.between(from, to).whole_minutes();
        // Monday, 23 November 2026; Berlin is an hour ahead.
        assert_eq!(counted(datetime!(2026-11-23 07:00 UTC), datetime!(2026-11-23 09:30 UTC)), 90);
        assert_eq!(counted(datetime!(2026-11-23 10:30 UTC), datetime!(2026-11-23 12:30 UTC)), 60, "noon is free");
        assert_eq!(counted(datetime!(2026-11-23 15:00 UTC), datetime!(2026-11-24 09:00 UTC)), 60 + 60);
        assert_eq!(counted(datetime!(2026-11-27 13:00 UTC), datetime!(2026-11-28 22:00 UTC)), 60, "Saturday is free");
        assert_eq!(counted(datetime!(2026-12-24 15:00 UTC), datetime!(2026-12-26 12:00 UTC)), 60, "Christmas too");
        assert_eq!(counted(datetime!(2026-11-23 09:00 UTC), datetime!(2026-11-23 08:00 UTC)), 0, "backwards");
        // In summer two hours ahead: 9 o'clock is 7 in UTC.
        assert_eq!(counted(datetime!(2026-07-06 06:00 UTC), datetime!(2026-07-06 08:00 UTC)), 60);
        // On the Sundays when the clocks change the day has 23 hours, and 25.
        assert_eq!(counted(datetime!(2026-03-28 22:00 UTC), datetime!(2026-03-29 23:00 UTC)), 23 * 60);
        assert_eq!(counted(datetime!(2026-10-24 21:00 UTC), datetime!(2026-10-26 00:00 UTC)), 25 * 60);
        assert_eq!(hours("Asia/Kolkata").between(datetime!(2026-11-23 03:30 UTC), datetime!(2026-11-23 06:30 UTC)).whole_minutes(), 180);
    }

    #[test]
    fn a_span_at_a_change_of_the_clocks_is_as_long_as_it_is() {
        let sunday =
            |zone: &str, span: &str| -> BusinessHours { serde_json::from_value(serde_json::json!({ "time_zone": zone, "sunday": [span] })).unwrap() };
        let counted = |hours: &BusinessHours, from| hours.between(from, from + Duration::DAY).whole_minutes();
        // 2 o'clock is not there: 3 to 10.
        assert_eq!(counted(&sunday("America/New_York", "02:00-10:00"), datetime!(2027-03-14 04:00 UTC)), 7 * 60);
        assert_eq!(counted(&sunday("America/New_York", "01:30-02:30"), datetime!(2027-03-14 04:00 UTC)), 30);
        // 2 to 3 is there twice.
        assert_eq!(counted(&sunday("Europe/Berlin", "01:00-02:00"), datetime!(2026-10-24 22:00 UTC)), 60);
        assert_eq!(counted(&sunday("Europe/Berlin", "01:00-04:00"), datetime!(2026-10-24 22:00 UTC)), 4 * 60);
        assert_eq!(counted(&sunday("Europe/Berlin", "02:30-04:00"), datetime!(2026-10-24 22:00 UTC)), 90);
        // A day without a midnight.
        assert_eq!(counted(&sunday("America/Santiago", "00:00-24:00"), datetime!(2026-09-06 03:00 UTC)), 23 * 60);
    }

    #[test]
    fn hours_that_mean_nothing_are_refused() {
        let with = |change: fn(&mut BusinessHours)| {
            let mut hours = hours("Europe/Berlin");
            change(&mut hours);
            hours.check()
        };
        assert!(with(|hours| hours.time_zone = "Mars/Olympus".to_owned()).is_err());
        assert!(with(|hours| hours.monday.reverse()).is_err());
        assert!(with(|hours| hours.holidays = vec!["25.12.2026".to_owned()]).is_err());
        assert!(with(|hours| hours.holidays = vec!["2026-12-25".to_owned(); HOLIDAYS_MAX + 1]).is_err());
        assert!(
            BusinessHours { monday: vec![], tuesday: vec![], wednesday: vec![], thursday: vec![], friday: vec![], sunday: vec![], ..hours("UTC") }
                .check()
                .is_err()
        );
        for wrong in ["9:00-17:00", "09:00", "17:00-09:00", "09:00-09:00", "09:60-10:00", "09:00-24:01", "09:00-+5:00"] {
            assert!(Span::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
        assert_eq!(String::from(Span::try_from("00:05-24:00".to_owned()).unwrap()), "00:05-24:00");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn business_time_adds_up_and_is_never_more_than_time(from in 0_i64..40_000_000, first in 0_i64..4_000_000, second in 0_i64..4_000_000) {
            let berlin = hours("Europe/Berlin");
            let at = |seconds| datetime!(2026-01-01 0:00 UTC) + Duration::seconds(seconds);
            let (one, two) = (berlin.between(at(from), at(from + first)), berlin.between(at(from + first), at(from + first + second)));
            prop_assert_eq!(one + two, berlin.between(at(from), at(from + first + second)));
            prop_assert!(one <= Duration::seconds(first) && two <= Duration::seconds(second));
        }
    }
}
