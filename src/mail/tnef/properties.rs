//! MAPI properties as they stand in a winmail.dat (MS-OXTNEF, section 2.1.3.4).

use super::{Error, Input, string};

/// Properties of one list, and values of one property.
const PROPERTIES_MAX: u32 = 5_000;
const VALUES_MAX: u32 = 20_000;

/// Identities from here on are followed by a name.
const NAMED_FROM: u16 = 0x8000;

pub(super) const SUBJECT: u16 = 0x0037;
pub(super) const BODY: u16 = 0x1000;
pub(super) const RTF_COMPRESSED: u16 = 0x1009;
pub(super) const BODY_HTML: u16 = 0x1013;
pub(super) const DISPLAY_NAME: u16 = 0x3001;
pub(super) const ATTACH_DATA: u16 = 0x3701;
pub(super) const ATTACH_FILE_NAME: u16 = 0x3704;
pub(super) const ATTACH_LONG_FILE_NAME: u16 = 0x3707;
pub(super) const ATTACH_MIME_TAG: u16 = 0x370e;
pub(super) const ATTACH_CONTENT_ID: u16 = 0x3712;
pub(super) const ATTACH_CONTENT_LOCATION: u16 = 0x3713;
pub(super) const INTERNET_CODEPAGE: u16 = 0x3fde;
pub(super) const MESSAGE_CODEPAGE: u16 = 0x3ffd;

/// The identities that are kept; all others are passed over.
const KEPT: [u16; 13] = [
    SUBJECT,
    BODY,
    RTF_COMPRESSED,
    BODY_HTML,
    DISPLAY_NAME,
    ATTACH_DATA,
    ATTACH_FILE_NAME,
    ATTACH_LONG_FILE_NAME,
    ATTACH_MIME_TAG,
    ATTACH_CONTENT_ID,
    ATTACH_CONTENT_LOCATION,
    INTERNET_CODEPAGE,
    MESSAGE_CODEPAGE,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u32),
    /// In the codepage of the mail.
    String8(&'a [u8]),
    /// UTF-16.
    Unicode(&'a [u8]),
    Binary(&'a [u8]),
    Object(&'a [u8]),
}

/// The first value of each property that matters.
#[derive(Default)]
pub(super) struct Properties<'a>(Vec<(u16, Value<'a>)>);

impl<'a> Properties<'a> {
    pub(super) fn read(data: &'a [u8]) -> Result<Self, Error> {
        let mut input = Input(data);
        let count = input.u32()?;
        if count > PROPERTIES_MAX {
            return Err(Error::TooMuch);
        }
        let mut properties = Vec::new();
        for _ in 0..count {
            let kind = input.u16()?;
            let id = input.u16()?;
            if id >= NAMED_FROM {
                pass_name(&mut input)?;
            }
            let value = value(&mut input, kind)?;
            properties.extend(value.filter(|_| KEPT.contains(&id)).map(|value| (id, value)));
        }
        Ok(Properties(properties))
    }

    pub(super) fn get(&self, id: u16) -> Option<Value<'a>> {
        self.0.iter().find(|(found, _)| *found == id).map(|(_, value)| *value)
    }

    pub(super) fn number(&self, id: u16) -> Option<u32> {
        match self.get(id) {
            Some(Value::Number(number)) => Some(number),
            _ => None,
        }
    }

    /// The text of a property, whose bytes are in the charset `label` unless they are Unicode.
    pub(super) fn text(&self, id: u16, label: &str) -> Option<String> {
        self.get(id).map(|value| string(&value, label)).filter(|text| !text.is_empty())
    }
}

/// The identity of a set, and a number or a text in it.
fn pass_name(input: &mut Input<'_>) -> Result<(), Error> {
    input.take(16)?;
    match input.u32()? {
        0 => input.take(4).map(|_| ()),
        _ => {
            let length = input.length()?;
            input.take(length.next_multiple_of(4)).map(|_| ())
        }
    }
}

/// The first value, after which all are passed.
fn value<'a>(input: &mut Input<'a>, kind: u16) -> Result<Option<Value<'a>>, Error> {
    const MANY: u16 = 0x1000;
    let single = kind & !MANY;
    let is_sized = matches!(single, 0x0d | 0x1e | 0x1f | 0x102);
    let count = if is_sized || kind & MANY != 0 { input.u32()? } else { 1 };
    if count > VALUES_MAX {
        return Err(Error::TooMuch);
    }
    let mut first = None;
    for _ in 0..count {
        let value = match single {
            // Short numbers and truth values take four bytes too.
            0x02 | 0x03 | 0x04 | 0x0a | 0x0b => Some(Value::Number(input.u32()?)),
            0x05 | 0x06 | 0x07 | 0x14 | 0x40 => input.take(8).map(|_| None)?,
            0x48 => input.take(16).map(|_| None)?,
            0x01 => None,
            _ if is_sized => {
                let length = input.length()?;
                let data = input.take(length)?;
                // Padded; the padding of the last one is often left out.
                input.take((length.next_multiple_of(4) - length).min(input.0.len()))?;
                Some(match single {
                    0x1e => Value::String8(data),
                    0x1f => Value::Unicode(data),
                    0x0d => Value::Object(data),
                    _ => Value::Binary(data),
                })
            }
            _ => return Err(Error::Broken),
        };
        first = first.or(value);
    }
    Ok(first)
}
