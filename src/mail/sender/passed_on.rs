//! Who wrote a mail whose From names only who passed it on: a website's form, or a group that may not send as its members (DMARC, RFC 7489 section 10.5).

use crate::mail::{Address, header::Headers};

/// Local parts of accounts behind which nobody reads.
pub const UNREAD_ACCOUNTS: [&str; 15] = [
    "noreply",
    "no-reply",
    "no_reply",
    "no.reply",
    "donotreply",
    "do-not-reply",
    "do_not_reply",
    "nicht-antworten",
    "ne-pas-repondre",
    "noresponder",
    "notification",
    "notifications",
    "nagios",
    "icinga",
    "zabbix",
];

/// The headers by which a group or a mailing list is known.
const LIST_HEADERS: [&str; 4] = ["list-id", "list-post", "x-google-group-id", "x-beenthere"];

/// How groups name the one who wrote, in their own address's name: `Bob via Support`.
const VIA: [&str; 10] =
    [" via ", " über ", " par l'intermédiaire de ", " através de ", " a través de ", " tramite ", " przez ", " через ", " 経由", " 通过 "];

/// The one who wrote, if From does not name him. Nothing proves him: anybody can write it.
pub fn written_by(headers: &Headers<'_>, from: Option<&Address>, original: &[Address], reply_to: &[Address]) -> Option<Address> {
    let from = from?;
    let local = from.address.split('@').next().unwrap_or_default();
    let is_form = UNREAD_ACCOUNTS.contains(&local);
    let is_group = is_a_group(headers, from);
    let candidates = original.iter().filter(|_| is_group).chain(reply_to);
    candidates.into_iter().find(|address| (is_form || is_group) && address.address != from.address).cloned()
}

/// Whether a mail comes from the address of the group or list that passes it on, and not from one of its members.
pub fn is_a_group(headers: &Headers<'_>, from: &Address) -> bool {
    let named = || from.name.as_deref().is_some_and(|name| VIA.iter().any(|via| name.to_lowercase().contains(via)));
    let posts =
        || headers.iter().any(|(name, value)| *name == "list-post" && value.to_ascii_lowercase().contains(&format!("mailto:{}", from.address)));
    headers.iter().any(|(name, _)| LIST_HEADERS.contains(name)) && (named() || posts())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::header::Line;

    fn address(text: &str, name: &str) -> Address {
        Address { address: text.to_owned(), name: (!name.is_empty()).then(|| name.to_owned()) }
    }

    fn found(headers: &[(&str, &str)], from: (&str, &str), original: &[&str], reply_to: &[&str]) -> Option<String> {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, Line::from((*value).to_owned()))).collect();
        let all = |some: &[&str]| some.iter().map(|text| address(text, "")).collect::<Vec<_>>();
        written_by(&headers, Some(&address(from.0, from.1)), &all(original), &all(reply_to)).map(|address| address.address)
    }

    #[test]
    fn a_form_and_a_group_pass_on_what_another_wrote() {
        let group = [("x-google-group-id", "123")];
        let list = [("list-id", "<users.lists.example>"), ("list-post", "<mailto:users@lists.example>")];
        let (bob, users) = ("bob@a.example", "users@lists.example");
        assert_eq!(found(&[], ("noreply@a.example", "Form"), &[], &[bob]).as_deref(), Some(bob));
        assert_eq!(found(&group, ("help@a.example", "'Bob' via Support"), &[bob], &["other@a.example"]).as_deref(), Some(bob));
        assert_eq!(found(&group, ("help@a.example", "Bob über Support"), &[], &[bob]).as_deref(), Some(bob));
        assert_eq!(found(&list, (users, ""), &[], &[users, bob]).as_deref(), Some(bob));
    }

    #[test]
    fn whoever_writes_in_his_own_name_is_the_one() {
        let list = [("list-id", "<x>"), ("list-post", "<mailto:users@lists.example>")];
        assert_eq!(found(&[], ("ann@a.example", ""), &[], &["bob@a.example"]), None);
        assert_eq!(found(&[], ("ann@a.example", "Ann via Desk"), &["bob@a.example"], &["bob@a.example"]), None);
        assert_eq!(found(&list, ("ann@a.example", "Ann"), &["bob@a.example"], &["users@lists.example"]), None);
        assert_eq!(found(&[], ("noreply@a.example", ""), &["bob@a.example"], &["noreply@a.example"]), None);
    }
}
