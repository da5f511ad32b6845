//! The fields that a tenant adds to tickets: his rules, and the values that they allow.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Error, Ticket};
use crate::{
    mail::{line, redact::redact_text},
    tenants::{self, FieldKind, FieldRule},
};

/// Characters of a text.
pub const TEXT_CHARACTERS_MAX: usize = 1_000;
/// Fields of a ticket that hold something: twice as many as a desk has, because those stay whose rules are gone.
const HELD_MAX: usize = 60;

/// A value: a number, or a text, which may be a date or a choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FieldValue {
    Number(#[schemars(with = "f64")] serde_json::Number),
    Text(String),
}

/// Values by the names of their fields; `None` takes one away.
pub type FieldChanges = BTreeMap<String, Option<FieldValue>>;

/// Sets what the rules allow. A field whose rule is gone stays until it is taken away, and cannot be set.
pub(super) fn set(ticket: &mut Ticket, changes: &FieldChanges, rules: &[FieldRule]) -> Result<(), Error> {
    let before = ticket.fields.len();
    for (name, value) in changes {
        let rule = rules.iter().find(|rule| rule.name == *name);
        match (value, rule) {
            (None, _) => {
                ticket.fields.remove(name);
            }
            (Some(value), Some(rule)) => {
                let value = allowed(value, rule).ok_or_else(|| Error::BadField(words(rule)))?;
                ticket.fields.insert(name.clone(), value);
            }
            (Some(_), None) => return Err(Error::BadField("the settings of the desk name no such field".to_owned())),
        }
    }
    if ticket.fields.len() > HELD_MAX.max(before) {
        let detail = format!(
            "a ticket has at most {HELD_MAX} fields that hold something: take away, with null, those that the settings of the desk no longer name"
        );
        return Err(Error::BadField(detail));
    }
    Ok(())
}

fn allowed(value: &FieldValue, rule: &FieldRule) -> Option<FieldValue> {
    let fits = match (rule.kind, value) {
        (FieldKind::Number, FieldValue::Number(_)) => true,
        (FieldKind::Text, FieldValue::Text(text)) => {
            let text = line::text(text).unwrap_or_default();
            return (text.chars().count() <= TEXT_CHARACTERS_MAX).then(|| FieldValue::Text(redact_text(&text).0));
        }
        (FieldKind::Date, FieldValue::Text(text)) => tenants::date(text).is_some(),
        (FieldKind::Choice, FieldValue::Text(text)) => rule.choices.contains(text),
        _ => false,
    };
    let is_card_number = match value {
        FieldValue::Number(number) => redact_text(&number.to_string()).1 > 0,
        FieldValue::Text(text) => redact_text(text).1 > 0,
    };
    // It cannot be cut and still be what the rule allows.
    (fits && !is_card_number).then(|| value.clone())
}

/// What the rule asks for. The name is the tenant's own word, not a person's.
fn words(rule: &FieldRule) -> String {
    let what = match rule.kind {
        FieldKind::Text => format!("a text of at most {TEXT_CHARACTERS_MAX} characters"),
        FieldKind::Number => "a number, and none of a card".to_owned(),
        FieldKind::Date => "a date like 2026-12-25".to_owned(),
        FieldKind::Choice => format!("one of {}", rule.choices.join(", ")),
    };
    format!("`{}` is {what}", rule.name)
}
