//! A mail as those look at it who tell what it is.

use super::{Address, Attachment, header::Headers};

/// What is looked at to tell who speaks, and what a report reports.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub headers: &'a Headers<'a>,
    pub subject: &'a str,
    pub from: Option<&'a Address>,
    pub text: &'a str,
    /// Mails inside the mail are among them, unread.
    pub attachments: &'a [Attachment],
    /// The calendar that speaks for the mail, if one does.
    pub calendar: Option<&'a [u8]>,
}
