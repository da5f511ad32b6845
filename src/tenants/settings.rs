//! What a tenant's admin sets.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    BusinessHours,
    templates::{self, Language, Template},
};
use crate::mail::{
    line::{is_one_line, shows},
    redact::redact_text,
};

/// Bytes of all settings as JSON, wherever they come from.
pub const SETTINGS_BYTES_MAX: usize = 256 * 1024;
/// Days after which an answer to a solved ticket opens a new one, if nobody says otherwise.
const REOPEN_DAYS: u16 = 14;
/// Mails of one sender, to one mailbox, and of one sender in one conversation that are taken in an hour, if nobody says otherwise.
const MAILS_A_SENDER: u32 = 200;
const MAILS_A_MAILBOX: u32 = 5_000;
const MAILS_A_CONVERSATION: u32 = 30;

/// Fields of a tenant, characters of the name of one and of a choice, and choices of one.
const FIELDS_MAX: usize = 30;
const FIELD_NAME_CHARACTERS_MAX: usize = 100;
const CHOICES_MAX: usize = 50;
/// The most of each: so many documents are counted for a mail, of a mailbox one in 256.
const REOPEN_DAYS_MAX: u32 = 3_650;
const MAILS_MAX: u32 = 10_000;
const MAILS_A_MAILBOX_MAX: u32 = 160_000;
/// The mails of a mailbox are estimated from a part of them, and few of a few say nothing.
const MAILS_A_MAILBOX_LEAST: u32 = 64;
/// With one, nobody could answer in a ticket that he opened.
const MAILS_A_CONVERSATION_LEAST: u32 = 2;

/// How a tenant's desk works. What is left out is as by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether a proven sender who opens a ticket is told its number.
    pub acknowledge: bool,
    /// What the desk writes in where nobody writes himself.
    pub language: Language,
    /// What its mails say, where not what they say by default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<Template>,
    /// Whether answers are asked for at an address that names the ticket, which its mailboxes must take: `help+TOKEN@...`.
    pub plus_addresses: bool,
    /// An answer to a ticket that was solved more days ago opens a new one that is linked with it.
    #[schemars(range(max = REOPEN_DAYS_MAX))]
    pub reopen_days: u16,
    /// Fields that its tickets have besides.
    #[schemars(length(max = FIELDS_MAX))]
    pub fields: Vec<FieldRule>,
    /// When the desk works, which is what reply and resolution times count; without it they count always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_hours: Option<BusinessHours>,
    /// Mails of one sender to one mailbox in an hour; more are held.
    #[schemars(range(min = 1, max = MAILS_MAX))]
    pub mails_a_sender: u32,
    /// Mails to one mailbox in an hour, estimated from a part of them; more are held.
    #[schemars(range(min = MAILS_A_MAILBOX_LEAST, max = MAILS_A_MAILBOX_MAX))]
    pub mails_a_mailbox: u32,
    /// Mails of one sender in one ticket in an hour; more are held, as the loop of two machines that they seem to be.
    #[schemars(range(min = MAILS_A_CONVERSATION_LEAST, max = MAILS_MAX))]
    pub mails_a_conversation: u32,
}

/// A field that a tenant adds to his tickets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldRule {
    pub name: String,
    pub kind: FieldKind,
    /// Of a choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    Text,
    Number,
    /// `2026-12-25`
    Date,
    /// One of the rule's choices.
    Choice,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            acknowledge: true,
            language: Language::default(),
            templates: Vec::new(),
            plus_addresses: false,
            reopen_days: REOPEN_DAYS,
            fields: Vec::new(),
            business_hours: None,
            mails_a_sender: MAILS_A_SENDER,
            mails_a_mailbox: MAILS_A_MAILBOX,
            mails_a_conversation: MAILS_A_CONVERSATION,
        }
    }
}

impl Settings {
    /// The time of the desk between two instants, in whole seconds.
    pub fn desk_seconds(&self, from: OffsetDateTime, to: OffsetDateTime) -> u64 {
        let time = self.business_hours.as_ref().map_or_else(|| to - from, |hours| hours.between(from, to));
        u64::try_from(time.whole_seconds()).unwrap_or(0)
    }

    /// Why they cannot be kept, if they cannot.
    pub(super) fn check(&self) -> Result<(), String> {
        let Settings { reopen_days, mails_a_sender, mails_a_mailbox, mails_a_conversation, .. } = self;
        let within = |name: &str, value: u32, least: u32, most: u32| {
            if (least..=most).contains(&value) { Ok(()) } else { Err(format!("`{name}` is a number from {least} to {most}")) }
        };
        check_fields(&self.fields)?;
        templates::check(&self.templates)?;
        self.business_hours.as_ref().map_or(Ok(()), BusinessHours::check)?;
        within("reopen_days", u32::from(*reopen_days), 0, REOPEN_DAYS_MAX)?;
        within("mails_a_sender", *mails_a_sender, 1, MAILS_MAX)?;
        within("mails_a_mailbox", *mails_a_mailbox, MAILS_A_MAILBOX_LEAST, MAILS_A_MAILBOX_MAX)?;
        within("mails_a_conversation", *mails_a_conversation, MAILS_A_CONVERSATION_LEAST, MAILS_MAX)
    }
}

fn check_fields(fields: &[FieldRule]) -> Result<(), String> {
    let is_a_name = |name: &str| (1..=FIELD_NAME_CHARACTERS_MAX).contains(&name.chars().count()) && is_one_line(name) && shows(name);
    let names: BTreeSet<&str> = fields.iter().map(|rule| rule.name.as_str()).collect();
    if fields.len() > FIELDS_MAX || names.len() < fields.len() || !names.iter().all(|name| is_a_name(name)) {
        return Err(format!(
            "`fields` are at most {FIELDS_MAX}, each with a name of its own of 1 to {FIELD_NAME_CHARACTERS_MAX} characters on one line"
        ));
    }
    for rule in fields {
        let choices = if rule.kind == FieldKind::Choice { 1..=CHOICES_MAX } else { 0..=0 };
        let distinct: BTreeSet<&String> = rule.choices.iter().collect();
        // No ticket could have one with a card number.
        let is_a_choice = |choice: &str| is_a_name(choice) && redact_text(choice).1 == 0;
        if !choices.contains(&rule.choices.len()) || distinct.len() < rule.choices.len() || !rule.choices.iter().all(|choice| is_a_choice(choice)) {
            return Err(format!(
                "a field of kind choice has 1 to {CHOICES_MAX} choices, each once, of 1 to {FIELD_NAME_CHARACTERS_MAX} characters on one line, others have none"
            ));
        }
    }
    Ok(())
}
