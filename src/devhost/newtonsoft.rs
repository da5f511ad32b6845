//! JSON as Newtonsoft.Json 13 writes and reads it, as far as the wire shows it: its escapes, its dates, its numbers, its depth.
//!
//! Not imitated: what it takes for JSON and RFC 8259 does not (comments, single quotes, trailing commas). Such a text is read as no JSON at all.

use std::{collections::HashMap, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use time::{Date, Duration, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

/// Objects and arrays inside each other, the outermost counted.
const DEPTH_MAX: usize = 64;
/// Digits of a second's fraction: .NET counts in units of 100 ns.
const FRACTION_DIGITS: usize = 7;

/// The members of a JSON object in their order; a repeated name keeps its first place and its last value.
pub struct Members<'a>(pub Vec<(String, &'a RawValue)>);

/// A scalar or object of a message as the host reads it.
#[derive(Debug, PartialEq)]
pub enum Member {
    /// Null and arrays, which are not merged.
    Ignored,
    /// What .NET's invariant culture prints for the value.
    Text(String),
    /// An object, written anew.
    Object(String),
}

/// A text as a JSON string. Beyond what JSON asks for, Newtonsoft escapes the three line ends of Unicode.
pub fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    if !json.contains(['\u{85}', '\u{2028}', '\u{2029}']) {
        return json;
    }
    json.replace('\u{85}', "\\u0085").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// A message with each escaped lone surrogate replaced, as Newtonsoft's reader does; `None` if it is nested too deep for it.
pub fn mended(json: &str) -> Option<String> {
    let bytes = json.as_bytes();
    let (mut mended, mut copied, mut at, mut inside, mut depth) = (String::with_capacity(json.len()), 0, 0, false, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => inside = !inside,
            b'{' | b'[' if !inside => depth += 1,
            b'}' | b']' if !inside => depth = depth.saturating_sub(1),
            b'\\' if inside => match (code_unit(bytes, at), code_unit(bytes, at + 6)) {
                (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => at += 11,
                (Some(0xD800..=0xDFFF), _) => {
                    mended.push_str(&json[copied..at]);
                    mended.push_str("\\ufffd");
                    at += 5;
                    copied = at + 1;
                }
                _ => at += 1,
            },
            _ => {}
        }
        if depth > DEPTH_MAX {
            return None;
        }
        at += 1;
    }
    mended.push_str(&json[copied..]);
    Some(mended)
}

/// The UTF-16 unit of an escape `\uXXXX` that begins here.
fn code_unit(bytes: &[u8], at: usize) -> Option<u16> {
    let escape = bytes.get(at..at + 6)?;
    let digits = escape.strip_prefix(b"\\u")?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// A member's value as it goes into the host's metadata.
pub fn member(raw: &RawValue) -> Option<Member> {
    let json = raw.get();
    Some(match json.as_bytes().first()? {
        b'n' | b'[' => Member::Ignored,
        b'{' => Member::Object(rewritten(raw)?),
        b't' => Member::Text("True".to_owned()),
        b'f' => Member::Text("False".to_owned()),
        b'"' => {
            let text: String = serde_json::from_str(json).ok()?;
            Member::Text(date(&text).map_or(text, |date| date.invariant()))
        }
        _ => Member::Text(number(json)?),
    })
}

/// A value parsed and written again. The depth is bounded by [`mended`].
pub fn rewritten(raw: &RawValue) -> Option<String> {
    let json = raw.get();
    Some(match json.as_bytes().first()? {
        b'{' => {
            let Members(members) = serde_json::from_str(json).ok()?;
            let parts: Option<Vec<String>> =
                members.into_iter().map(|(name, value)| Some(format!("{}:{}", quoted(&name), rewritten(value)?))).collect();
            format!("{{{}}}", parts?.join(","))
        }
        b'[' => {
            let values: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            let parts: Option<Vec<String>> = values.into_iter().map(rewritten).collect();
            format!("[{}]", parts?.join(","))
        }
        b'"' => {
            let text: String = serde_json::from_str(json).ok()?;
            quoted(&date(&text).map_or(text, |date| date.iso()))
        }
        b'-' | b'0'..=b'9' => {
            let text = number(json)?;
            if !json.contains(['.', 'e', 'E']) || text.contains(['.', 'E']) { text } else { format!("{text}.0") }
        }
        _ => json.to_owned(),
    })
}

/// A number as .NET prints it: whole ones as they are, others as the shortest text of a double.
fn number(json: &str) -> Option<String> {
    if !json.contains(['.', 'e', 'E']) {
        return Some(if json == "-0" { "0".to_owned() } else { json.to_owned() });
    }
    let value: f64 = json.parse().ok()?;
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    if (-4..15).contains(&exponent) {
        return Some(value.to_string());
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    Some(format!("{mantissa}E{sign}{:02}", exponent.unsigned_abs()))
}

/// A text that Newtonsoft takes for a date.
pub struct DateText {
    /// In UTC if the text named an offset: the host runs in UTC.
    at: PrimitiveDateTime,
    zone: &'static str,
}

/// Newtonsoft takes each string of the shape `2026-11-23T04:11:02` with an optional fraction and offset for a date.
pub fn date(text: &str) -> Option<DateText> {
    let bytes = text.as_bytes();
    if !text.is_ascii() || !(19..=40).contains(&bytes.len()) || [bytes[4], bytes[7], bytes[10], bytes[13], bytes[16]] != *b"--T::" {
        return None;
    }
    let number = |from: usize, to: usize| -> Option<u16> {
        let digits = text.get(from..to)?;
        if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok() } else { None }
    };
    let small = |from: usize| number(from, from + 2).and_then(|value| u8::try_from(value).ok());
    let day = Date::from_calendar_date(i32::from(number(0, 4)?), Month::try_from(small(5)?).ok()?, small(8)?).ok()?;
    let mut rest = &text[19..];
    let mut nanoseconds = 0;
    if let Some(after) = rest.strip_prefix('.') {
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return None;
        }
        let kept: String = after[..digits.min(FRACTION_DIGITS)].to_owned();
        nanoseconds = format!("{kept:0<9}").parse().ok()?;
        rest = &after[digits..];
    }
    let at = PrimitiveDateTime::new(day, Time::from_hms_nano(small(11)?, small(14)?, small(17)?, nanoseconds).ok()?);
    match rest {
        "" => Some(DateText { at, zone: "" }),
        "Z" => Some(DateText { at, zone: "Z" }),
        _ => {
            let ahead = if rest.starts_with('+') { 1 } else { -1 };
            let digits: String = rest.strip_prefix(['+', '-'])?.replacen(':', "", 1);
            let (hours, minutes) = match digits.len() {
                2 => (digits.parse::<u8>().ok()?, 0),
                4 => (digits[..2].parse::<u8>().ok()?, digits[2..].parse::<u8>().ok()?),
                _ => return None,
            };
            let offset = Duration::minutes(ahead * (i64::from(hours) * 60 + i64::from(minutes)));
            Some(DateText { at: at.checked_sub(offset)?, zone: "+00:00" })
        }
    }
}

impl DateText {
    /// As a double-quoted value of metadata: without fraction and zone.
    fn invariant(&self) -> String {
        let (day, time) = (self.at.date(), self.at.time());
        let (month, second) = (u8::from(day.month()), time.second());
        format!("{month:02}/{:02}/{:04} {:02}:{:02}:{second:02}", day.day(), day.year(), time.hour(), time.minute())
    }

    fn iso(&self) -> String {
        format!("{}{}", iso(self.at), self.zone)
    }

    /// .NET's round-trip format, which keeps the zeros of the fraction.
    pub fn round_trip(&self) -> String {
        format!("{}.{:07}{}", whole_seconds(self.at), self.at.nanosecond() / 100, self.zone)
    }
}

/// An instant with what there is of its fraction and a zone of the caller's choice.
pub fn instant(at: OffsetDateTime, zone: &str) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    format!("{}{zone}", iso(PrimitiveDateTime::new(at.date(), at.time())))
}

/// An instant as the host's queue metadata has it: whole seconds in UTC.
pub fn instant_in_seconds(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    format!("{}+00:00", whole_seconds(PrimitiveDateTime::new(at.date(), at.time())))
}

fn iso(at: PrimitiveDateTime) -> String {
    let ticks = format!("{:07}", at.nanosecond() / 100);
    let fraction = ticks.trim_end_matches('0');
    if fraction.is_empty() { whole_seconds(at) } else { format!("{}.{fraction}", whole_seconds(at)) }
}

fn whole_seconds(at: PrimitiveDateTime) -> String {
    let (month, day) = (u8::from(at.month()), at.day());
    format!("{:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", at.year(), at.hour(), at.minute(), at.second())
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members: Vec<(String, &RawValue)> = Vec::new();
                let mut places = HashMap::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    match places.get(&name) {
                        Some(&place) => members[place] = (name, value),
                        None => {
                            places.insert(name.clone(), members.len());
                            members.push((name, value));
                        }
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Member> {
        member(serde_json::from_str(&mended(json)?).ok()?)
    }

    fn text(json: &str) -> String {
        match read(json) {
            Some(Member::Text(text)) => text,
            other => panic!("{json} is {other:?}"),
        }
    }

    #[test]
    fn numbers_are_printed_as_dotnet_prints_them() {
        for (json, expected) in [
            ("7", "7"),
            ("-0", "0"),
            ("12345678901234567890", "12345678901234567890"),
            ("1.50", "1.5"),
            ("1e2", "100"),
            ("1e15", "1E+15"),
            ("123456789012345680000.0", "1.2345678901234568E+20"),
            ("0.00001", "1E-05"),
            ("0.0001", "0.0001"),
        ] {
            assert_eq!(text(json), expected, "{json}");
        }
    }

    #[test]
    fn strings_that_look_like_dates_are_printed_anew() {
        assert_eq!(text("\"2026-11-23T04:11:02\""), "11/23/2026 04:11:02");
        assert_eq!(text("\"2026-11-23T04:11:02+02:00\""), "11/23/2026 02:11:02");
        assert_eq!(text("\"2026-11-23T04:11:02-0130\""), "11/23/2026 05:41:02");
        assert_eq!(text("\"2026-11-23\""), "2026-11-23");
        assert_eq!(text("\"2026-13-23T04:11:02Z\""), "2026-13-23T04:11:02Z");
        assert_eq!(text("\"2026-11-23T04:11:02 and more\""), "2026-11-23T04:11:02 and more");
    }

    #[test]
    fn objects_are_written_anew() {
        let object = r#"{"b":1,"a":[1.0,null,true,"2026-11-23T04:11:02.120Z"],"b":{"k":"\u2028"}}"#;
        let expected = r#"{"b":{"k":"\u2028"},"a":[1.0,null,true,"2026-11-23T04:11:02.12Z"]}"#;
        assert_eq!(read(object), Some(Member::Object(expected.to_owned())));
    }

    #[test]
    fn only_lone_surrogates_are_replaced() {
        assert_eq!(text(r#""\ud83d\udce8 \ud83d \udce8 \\ud83d""#), "📨 \u{fffd} \u{fffd} \\ud83d");
    }

    #[test]
    fn what_is_nested_deeper_than_sixty_four_is_not_read() {
        assert!(mended(&format!("{}{}", "[".repeat(64), "]".repeat(64))).is_some());
        assert!(mended(&format!("{}{}", "[".repeat(65), "]".repeat(65))).is_none());
        assert!(mended(&format!("\"{}\"", "[".repeat(65))).is_some());
    }
}
