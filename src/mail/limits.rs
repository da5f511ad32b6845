//! How much of a mail is read. What is over a limit of its shape is kept and not read; words that are merely long are cut, and a [`Warning`](super::Warning) says so.

/// Bytes of a mail. Above it the mail is kept and not read. Exchange Online sends up to 35 MB unless told otherwise.
pub const MAIL_BYTES_MAX: usize = 35 * 1024 * 1024;
/// Parts of a mail, with the multiparts that hold them. Above it the mail is kept and not read.
pub const PARTS_MAX: usize = 500;
/// Multiparts around a part. Real mails stay under ten. Above it the mail is kept and not read.
pub const DEPTH_MAX: usize = 30;
/// Bytes of the headers of the mail and of its parts together. Above it the mail is kept and not read.
pub const HEADER_BYTES_MAX: usize = 1024 * 1024;
/// Fields of one header. Above it the mail is kept and not read.
pub const HEADER_FIELDS_MAX: usize = 5_000;
/// Addresses in To and Cc together. Above it the mail is kept and not read.
pub const ADDRESSES_MAX: usize = 2_000;
/// Attachments, with those in a winmail.dat. Above it the mail is kept and not read.
pub const ATTACHMENTS_MAX: usize = 500;
/// Bytes of all attachments after decoding and unpacking. Above it the mail is kept and not read.
pub const EXPANDED_BYTES_MAX: usize = 2 * MAIL_BYTES_MAX;
/// Message-IDs that are kept of References and of In-Reply-To each: the first, which began the thread, and the last ones.
pub const REFERENCES_MAX: usize = 100;
/// Letters of a subject; the rest is cut. It is the length of the longest line of a mail.
pub const SUBJECT_CHARS_MAX: usize = 998;
/// Bytes of the name beside an address; the rest is cut.
pub const ADDRESS_NAME_BYTES_MAX: usize = 200;
/// Bytes of an address: 64, `@` and 255 (RFC 5321, sections 4.5.3.1.1 and 4.5.3.1.2). What is longer is no address.
pub const ADDRESS_BYTES_MAX: usize = 320;
/// Bytes of a Message-ID or Content-ID. What is longer is none.
pub const MESSAGE_ID_BYTES_MAX: usize = 998;
/// Bytes of the text; the rest is cut. The mail itself has it.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of HTML whose text alone is shown. The rest is dropped; the mail itself has it.
pub const STRIPPED_BYTES_MAX: usize = 4 * 1024 * 1024;
