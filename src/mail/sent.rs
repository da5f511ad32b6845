//! A file before anything is made of it: from a part, from inside a text, from winmail.dat.

/// A file as the sender sent it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sent {
    pub(super) name: Option<String>,
    pub(super) media_type: String,
    pub(super) bytes: Vec<u8>,
    pub(super) content_id: Option<String>,
    pub(super) content_location: Option<String>,
}
