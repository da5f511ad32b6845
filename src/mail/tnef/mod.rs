//! winmail.dat opened (MS-OXTNEF): what Outlook makes of a mail for receivers that it takes for Outlooks.
//!
//! A stream of attributes, some of which hold MAPI properties. What is broken is refused as a whole, because the file itself is then kept. Checksums are
//! not looked at: programs exist that write them wrongly.

use super::{
    charset,
    header::media_type,
    limits::{ATTACHMENTS_MAX, MAIL_BYTES_MAX},
    parameters::Parameters,
    sent::Sent,
};

mod properties;
mod rtf;

use properties::{Properties, Value};

/// Attributes of one stream.
const ATTRIBUTES_MAX: usize = 5_000;

/// Mails inside of mails inside of the stream.
const EMBEDDED_DEPTH_MAX: usize = 3;

const SIGNATURE: &[u8] = &[0x78, 0x9f, 0x3e, 0x22];

/// Bytes after the last attribute that are padding and not a broken attribute.
const PADDING_BYTES_MAX: usize = 16;

mod attribute {
    pub const OEM_CODEPAGE: u32 = 0x0006_9007;
    pub const SUBJECT: u32 = 0x0001_8004;
    pub const BODY: u32 = 0x0002_800c;
    pub const MESSAGE_PROPERTIES: u32 = 0x0006_9003;
    /// Begins an attachment.
    pub const ATTACH_RENDER_DATA: u32 = 0x0006_9002;
    pub const ATTACH_TITLE: u32 = 0x0001_8010;
    pub const ATTACH_DATA: u32 = 0x0006_800f;
    pub const ATTACH_PROPERTIES: u32 = 0x0006_9005;
    pub const ATTACH_TRANSPORT_FILE_NAME: u32 = 0x0006_9001;
}

/// What is in the file.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Unpacked {
    pub(super) subject: Option<String>,
    pub(super) text: Option<String>,
    /// As it came: not cleaned.
    pub(super) html: Option<String>,
    pub(super) files: Vec<Sent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    #[error("the file ends before it should, or its lengths are wrong")]
    Broken,
    #[error("the file holds more than it may")]
    TooMuch,
}

pub(super) fn is_tnef(bytes: &[u8]) -> bool {
    bytes.starts_with(SIGNATURE)
}

pub(super) fn read(bytes: &[u8]) -> Result<Unpacked, Error> {
    read_at_depth(bytes, 0)
}

/// Bytes that are read from the front; every read past the end is an error.
#[derive(Clone, Copy)]
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Error::Broken)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16, Error> {
        self.take(2).map(|two| u16::from_le_bytes([two[0], two[1]]))
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.take(4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
    }

    fn length(&mut self) -> Result<usize, Error> {
        let length = usize::try_from(self.u32()?).map_err(|_| Error::Broken)?;
        if length > MAIL_BYTES_MAX { Err(Error::Broken) } else { Ok(length) }
    }
}

#[derive(Default)]
struct Reader<'a> {
    codepage: Option<u32>,
    subject: Option<&'a [u8]>,
    body: Option<&'a [u8]>,
    properties: Properties<'a>,
    files: Vec<File<'a>>,
}

/// An attachment, as its attributes tell.
#[derive(Default)]
struct File<'a> {
    title: Option<&'a [u8]>,
    transport_name: Option<&'a [u8]>,
    data: Option<&'a [u8]>,
    properties: Properties<'a>,
}

fn read_at_depth(bytes: &[u8], depth: usize) -> Result<Unpacked, Error> {
    let mut input = Input(bytes.strip_prefix(SIGNATURE).ok_or(Error::Broken)?);
    input.u16()?;
    let mut reader = Reader::default();
    for count in 0.. {
        let level = input.0.first().copied();
        if !matches!(level, Some(1 | 2)) {
            if count == 0 || input.0.len() > PADDING_BYTES_MAX {
                return Err(Error::Broken);
            }
            break;
        }
        if count == ATTRIBUTES_MAX {
            return Err(Error::TooMuch);
        }
        input.take(1)?;
        let attribute = input.u32()?;
        let length = input.length()?;
        reader.attribute(attribute, input.take(length)?)?;
        // The checksum, of which the last may be cut off.
        input.take(input.0.len().min(2))?;
    }
    reader.unpacked(depth)
}

impl<'a> Reader<'a> {
    fn attribute(&mut self, attribute: u32, data: &'a [u8]) -> Result<(), Error> {
        match attribute {
            attribute::OEM_CODEPAGE => self.codepage = Input(data).u32().ok(),
            attribute::SUBJECT => self.subject = Some(data),
            attribute::BODY => self.body = Some(data),
            attribute::MESSAGE_PROPERTIES => self.properties = Properties::read(data)?,
            attribute::ATTACH_RENDER_DATA => {
                if self.files.len() == ATTACHMENTS_MAX {
                    return Err(Error::TooMuch);
                }
                self.files.push(File::default());
            }
            _ => {
                let Some(file) = self.files.last_mut() else { return Ok(()) };
                match attribute {
                    attribute::ATTACH_TITLE => file.title = Some(data),
                    attribute::ATTACH_TRANSPORT_FILE_NAME => file.transport_name = Some(data),
                    attribute::ATTACH_DATA => file.data = Some(data),
                    attribute::ATTACH_PROPERTIES => file.properties = Properties::read(data)?,
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn unpacked(self, depth: usize) -> Result<Unpacked, Error> {
        let number = |id: u16| self.properties.number(id).filter(|number| *number != 0);
        let label = label_of(self.codepage.or_else(|| number(properties::MESSAGE_CODEPAGE)).unwrap_or(1252));
        let html_label = number(properties::INTERNET_CODEPAGE).map_or_else(|| label.clone(), label_of);
        let old = |bytes: Option<&[u8]>| bytes.map(|bytes| string(&Value::String8(bytes), &label)).filter(|text| !text.is_empty());
        let subject = self.properties.text(properties::SUBJECT, &label).or_else(|| old(self.subject));
        let mut text = self.properties.text(properties::BODY, &label).or_else(|| old(self.body)).filter(|text| !text.trim().is_empty());
        let mut html = self.properties.text(properties::BODY_HTML, &html_label).filter(|html| !html.trim().is_empty());
        if html.is_none()
            && let Some(Value::Binary(compressed)) = self.properties.get(properties::RTF_COMPRESSED)
        {
            match rtf::read(compressed) {
                Some(rtf::Document::Html(found)) => html = Some(found),
                Some(rtf::Document::Text(found)) => text = text.or(Some(found).filter(|found| !found.trim().is_empty())),
                None => {}
            }
        }
        let mut files = Vec::new();
        for file in &self.files {
            file.unpack(&label, depth, &mut files)?;
            if files.len() > ATTACHMENTS_MAX {
                return Err(Error::TooMuch);
            }
        }
        Ok(Unpacked { subject, text, html, files })
    }
}

impl File<'_> {
    fn unpack(&self, label: &str, depth: usize, files: &mut Vec<Sent>) -> Result<(), Error> {
        let text = |id: u16| self.properties.text(id, label).filter(|text| !text.is_empty());
        let old = |bytes: Option<&[u8]>| bytes.map(|bytes| string(&Value::String8(bytes), label)).filter(|text| !text.is_empty());
        let name = text(properties::ATTACH_LONG_FILE_NAME)
            .or_else(|| old(self.transport_name))
            .or_else(|| old(self.title))
            .or_else(|| text(properties::ATTACH_FILE_NAME))
            .or_else(|| text(properties::DISPLAY_NAME));
        if let Some(Value::Object(object)) = self.properties.get(properties::ATTACH_DATA) {
            // An object begins with the identity of its interface.
            let inside = object.get(16..).unwrap_or_default();
            if is_tnef(inside) && depth < EMBEDDED_DEPTH_MAX {
                let embedded = read_at_depth(inside, depth + 1)?;
                files.push(embedded.as_mail(name.as_deref()));
                files.extend(embedded.files);
                return Ok(());
            }
        }
        let bytes = match self.properties.get(properties::ATTACH_DATA) {
            Some(Value::Binary(bytes)) => bytes,
            Some(Value::Object(object)) => self.data.unwrap_or_else(|| object.get(16..).unwrap_or_default()),
            _ => self.data.unwrap_or_default(),
        };
        files.push(Sent {
            name,
            media_type: media_type(Parameters::read(text(properties::ATTACH_MIME_TAG).unwrap_or_default().trim().as_bytes(), None).value),
            bytes: bytes.to_vec(),
            content_id: text(properties::ATTACH_CONTENT_ID).map(|id| id.trim_matches(['<', '>', ' ']).to_owned()),
            content_location: text(properties::ATTACH_CONTENT_LOCATION),
        });
        Ok(())
    }
}

impl Unpacked {
    /// A mail inside the mail, as one that other programs open; the files in it stand beside it.
    fn as_mail(&self, name: Option<&str>) -> Sent {
        let subject = self.subject.as_deref().or(name).unwrap_or("message").split_whitespace().collect::<Vec<_>>().join(" ");
        let (kind, words) = match (&self.html, &self.text) {
            (Some(html), _) => ("html", html.as_str()),
            (None, text) => ("plain", text.as_deref().unwrap_or_default()),
        };
        let mail = format!(
            "Subject: {subject}\r\nMIME-Version: 1.0\r\nContent-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{words}\r\n"
        );
        Sent {
            name: Some(format!("{}.eml", subject.replace(['/', '\\'], "_"))),
            media_type: "message/rfc822".to_owned(),
            bytes: mail.into_bytes(),
            ..Sent::default()
        }
    }
}

/// The letters of a string or of bytes that are one, up to its closing zero.
fn string(value: &Value<'_>, label: &str) -> String {
    match value {
        Value::Unicode(bytes) => {
            let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).take_while(|unit| *unit != 0);
            char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        Value::String8(bytes) | Value::Binary(bytes) => {
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            charset::decode(&bytes[..end], Some(label)).into_owned()
        }
        Value::Object(_) | Value::Number(_) => String::new(),
    }
}

/// The charset that Windows has this number for.
fn label_of(codepage: u32) -> String {
    match codepage {
        65000 => "utf-7".to_owned(),
        65001 | 20127 => "utf-8".to_owned(),
        1200 => "utf-16le".to_owned(),
        10000 => "macintosh".to_owned(),
        20866 => "koi8-r".to_owned(),
        21866 => "koi8-u".to_owned(),
        20932 | 51932 => "euc-jp".to_owned(),
        50220..=50222 => "iso-2022-jp".to_owned(),
        50225 => "iso-2022-kr".to_owned(),
        51949 => "euc-kr".to_owned(),
        52936 => "hz-gb-2312".to_owned(),
        20936 | 54936 => "gb18030".to_owned(),
        28591..=28606 => format!("iso-8859-{}", codepage - 28590),
        _ => format!("cp{codepage}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream of these attributes.
    fn stream(attributes: &[(u8, u32, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = [SIGNATURE, &[1, 0]].concat();
        for (level, id, data) in attributes {
            bytes.push(*level);
            bytes.extend(id.to_le_bytes());
            bytes.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
            bytes.extend(data);
            bytes.extend(data.iter().fold(0_u16, |sum, byte| sum.wrapping_add(u16::from(*byte))).to_le_bytes());
        }
        bytes
    }

    /// A list of properties of variable length.
    fn properties(list: &[(u16, u16, &[u8])]) -> Vec<u8> {
        let mut bytes = u32::try_from(list.len()).unwrap().to_le_bytes().to_vec();
        for (kind, id, data) in list {
            bytes.extend(kind.to_le_bytes());
            bytes.extend(id.to_le_bytes());
            bytes.extend([1, 0, 0, 0]);
            bytes.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
            bytes.extend(*data);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
    }

    fn with_a_file() -> Vec<u8> {
        let named = properties(&[
            (0x1f, properties::ATTACH_LONG_FILE_NAME, &utf16("Grüße und mehr.txt")),
            (0x1e, properties::ATTACH_MIME_TAG, b"Text/Plain\0"),
            (0x1e, properties::ATTACH_CONTENT_ID, b"<one@a.example>\0"),
        ]);
        stream(&[
            (1, attribute::OEM_CODEPAGE, 1252_u32.to_le_bytes().repeat(2)),
            (1, attribute::MESSAGE_PROPERTIES, properties(&[(0x1e, properties::BODY, b"Sch\xf6ne words\0")])),
            (2, attribute::ATTACH_RENDER_DATA, vec![0; 14]),
            (2, attribute::ATTACH_TITLE, b"GRE~1.TXT\0".to_vec()),
            (2, attribute::ATTACH_DATA, b"content".to_vec()),
            (2, attribute::ATTACH_PROPERTIES, named),
            (2, attribute::ATTACH_RENDER_DATA, vec![0; 14]),
            (2, attribute::ATTACH_TITLE, b"short.bin\0".to_vec()),
            (2, attribute::ATTACH_DATA, b"more".to_vec()),
        ])
    }

    #[test]
    fn files_and_words_are_unpacked() {
        let unpacked = read(&with_a_file()).unwrap();
        assert_eq!(unpacked.text.as_deref(), Some("Schöne words"));
        let [first, second] = &unpacked.files[..] else { panic!("{:?}", unpacked.files) };
        assert_eq!((first.name.as_deref(), first.media_type.as_str()), (Some("Grüße und mehr.txt"), "text/plain"));
        assert_eq!((first.bytes.as_slice(), first.content_id.as_deref()), (b"content".as_slice(), Some("one@a.example")));
        assert_eq!((second.name.as_deref(), second.bytes.as_slice()), (Some("short.bin"), b"more".as_slice()));
    }

    #[test]
    fn the_type_of_a_file_is_a_media_type_or_unknown() {
        for (tag, expected) in [
            ("Text/Plain", "text/plain"),
            ("text/plain; x=\r\nX-Evil: 1", "text/plain"),
            ("text/plain\r\nX-Evil: 1", "text/plain"),
            ("text/pl\0ain", "text/pl"),
            ("text/a\"b", "application/octet-stream"),
            ("ä/b c", "application/octet-stream"),
            ("", "application/octet-stream"),
        ] {
            let bytes = stream(&[
                (2, attribute::ATTACH_RENDER_DATA, vec![0; 14]),
                (2, attribute::ATTACH_PROPERTIES, properties(&[(0x1f, properties::ATTACH_MIME_TAG, &utf16(tag))])),
            ]);
            assert_eq!(read(&bytes).unwrap().files[0].media_type, expected, "{tag:?}");
        }
    }

    #[test]
    fn a_mail_inside_is_a_mail_and_its_files_stand_beside_it() {
        let object = [vec![0; 16], with_a_file()].concat();
        let bytes = stream(&[
            (2, attribute::ATTACH_RENDER_DATA, vec![0; 14]),
            (2, attribute::ATTACH_TITLE, b"Inner one\0".to_vec()),
            (2, attribute::ATTACH_PROPERTIES, properties(&[(0x0d, properties::ATTACH_DATA, &object)])),
        ]);
        let files = read(&bytes).unwrap().files;
        assert_eq!(files.iter().map(|file| file.name.as_deref().unwrap()).collect::<Vec<_>>(), ["Inner one.eml", "Grüße und mehr.txt", "short.bin"]);
        assert!(String::from_utf8_lossy(&files[0].bytes).ends_with("\r\n\r\nSchöne words\r\n"));
    }

    #[test]
    fn html_and_rtf_are_words_too() {
        let html = properties(&[(0x102, properties::BODY_HTML, b"<p>one")]);
        assert_eq!(read(&stream(&[(1, attribute::MESSAGE_PROPERTIES, html)])).unwrap().html.as_deref(), Some("<p>one"));
        let rtf = compressed_rtf::compress_rtf(r"{\rtf1\ansi from rtf}").unwrap();
        let rtf = properties(&[(0x102, properties::RTF_COMPRESSED, &rtf)]);
        assert_eq!(read(&stream(&[(1, attribute::MESSAGE_PROPERTIES, rtf)])).unwrap().text.as_deref(), Some("from rtf"));
    }

    #[test]
    fn a_broken_stream_is_refused_wherever_it_is_cut() {
        let whole = with_a_file();
        for end in 0..whole.len() {
            // Cut between two attributes it is whole.
            if let Ok(unpacked) = read(&whole[..end]) {
                assert!(unpacked.files.len() <= 2);
            }
        }
        assert_eq!(read(&whole[..whole.len() - 4]), Err(Error::Broken));
        assert_eq!(read(b"x"), Err(Error::Broken));
        for at in 0..whole.len() {
            let mut broken = whole.clone();
            broken[at] ^= 0xff;
            let _ = read(&broken);
        }
    }

    #[test]
    fn too_much_of_anything_is_refused() {
        let many = vec![(1, attribute::SUBJECT, Vec::new()); ATTRIBUTES_MAX + 1];
        assert_eq!(read(&stream(&many)), Err(Error::TooMuch));
        let files = vec![(2, attribute::ATTACH_RENDER_DATA, Vec::new()); ATTACHMENTS_MAX + 1];
        assert_eq!(read(&stream(&files)), Err(Error::TooMuch));
        let claims = stream(&[(1, attribute::MESSAGE_PROPERTIES, u32::MAX.to_le_bytes().to_vec())]);
        assert_eq!(read(&claims), Err(Error::TooMuch));
        let mut deep = with_a_file();
        for _ in 0..EMBEDDED_DEPTH_MAX + 2 {
            let object = [vec![0; 16], deep].concat();
            deep = stream(&[
                (2, attribute::ATTACH_RENDER_DATA, Vec::new()),
                (2, attribute::ATTACH_PROPERTIES, properties(&[(0x0d, properties::ATTACH_DATA, &object)])),
            ]);
        }
        // What lies deeper is a file as it came.
        assert_eq!(read(&deep).unwrap().files.len(), EMBEDDED_DEPTH_MAX + 1);
    }
}
