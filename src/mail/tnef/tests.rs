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
