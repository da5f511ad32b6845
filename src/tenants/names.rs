//! The names that a tenant is described by: parsed once, at the border.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Error;
use crate::mail::address;

/// Bytes of a mailbox's address: the 256 of a path (RFC 5321 section 4.5.3.1.3) without its brackets, so that mail can come to it.
pub(super) const ADDRESS_BYTES_MAX: usize = 254;
/// Azure's regions in the European Union, by their names in the API: data is hosted nowhere else.
pub const REGIONS: [&str; 13] = [
    "austriaeast",
    "belgiumcentral",
    "denmarkeast",
    "francecentral",
    "francesouth",
    "germanynorth",
    "germanywestcentral",
    "italynorth",
    "northeurope",
    "polandcentral",
    "spaincentral",
    "swedencentral",
    "westeurope",
];

/// Whether a tenant is served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "TenantState")]
pub enum State {
    #[default]
    Active,
    /// Its callers are refused, its mail is held.
    Suspended,
    /// The same, while a backup is brought back.
    Restoring,
}

/// Where a tenant's data is hosted: a region of Azure in the European Union.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", inline, extend("enum" = REGIONS))]
pub struct Region(String);

/// A directory of Entra ID: a UUID in lower case, as it stands in a token's `tid`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", inline)]
pub struct DirectoryId(String);

/// The address of a help desk, lower-case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", inline)]
pub struct Mailbox(String);

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Active => "active",
            State::Suspended => "suspended",
            State::Restoring => "restoring",
        }
    }
}

impl FromStr for State {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [State::Active, State::Suspended, State::Restoring].into_iter().find(|state| state.name() == text).ok_or(Error::NotAState)
    }
}

impl Region {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Region {
    fn default() -> Self {
        Region("westeurope".to_owned())
    }
}

impl FromStr for Region {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if REGIONS.contains(&text) { Ok(Region(text.to_owned())) } else { Err(Error::NotARegion) }
    }
}

impl TryFrom<String> for Region {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Region> for String {
    fn from(region: Region) -> String {
        region.0
    }
}

impl DirectoryId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DirectoryId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
        let groups: Vec<&str> = text.split('-').collect();
        let is_hexadecimal = text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
        let shape = is_hexadecimal && groups.iter().map(|group| group.len()).eq(GROUPS);
        if shape { Ok(DirectoryId(text.to_ascii_lowercase())) } else { Err(Error::NotADirectory) }
    }
}

impl TryFrom<String> for DirectoryId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<DirectoryId> for String {
    fn from(id: DirectoryId) -> String {
        id.0
    }
}

impl Mailbox {
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = address::given(text).ok_or(Error::NotAMailbox)?;
        let well = text.len() <= ADDRESS_BYTES_MAX
            // It names a folder too.
            && !text.contains(['/', '"', '['])
            // A dot begins no local part (RFC 5321, section 4.1.2), and the name of a folder that nobody looks into.
            && text.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !local.starts_with('.') && domain.contains('.') && !domain.contains('@'));
        if well { Ok(Mailbox(text)) } else { Err(Error::NotAMailbox) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether an address in lower case is this mailbox's: its own, or one with a plus and a mark behind its local part (RFC 5233).
    pub fn is_the_one_of(&self, address: &str) -> bool {
        self.0 == without_mark(address)
    }

    /// The part before the @.
    pub fn local(&self) -> &str {
        self.0.rsplit_once('@').map_or(&self.0, |(local, _)| local)
    }

    /// The part after the @.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

/// `help@contoso.example` of `help+mark@contoso.example`.
pub fn without_mark(address: &str) -> String {
    let plain = address.rsplit_once('@').and_then(|(local, domain)| Some((local.split_once('+')?.0, domain)));
    plain.map_or_else(|| address.to_owned(), |(local, domain)| format!("{local}@{domain}"))
}

impl TryFrom<String> for Mailbox {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Mailbox::parse(&text)
    }
}

impl From<Mailbox> for String {
    fn from(mailbox: Mailbox) -> String {
        mailbox.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_directories_and_states_are_what_they_are_called() {
        assert!("swedencentral".parse::<Region>().is_ok() && Region::default().as_str().parse::<Region>().is_ok());
        for wrong in ["eastus", "West Europe", ""] {
            assert!(wrong.parse::<Region>().is_err(), "{wrong}");
        }
        let directory: DirectoryId = "0F1E2D3C-4b5a-6978-8796-a5b4c3d2e1f0".parse().unwrap();
        assert_eq!(directory.as_str(), "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0");
        for wrong in ["contoso", "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1fg", "----"] {
            assert!(wrong.parse::<DirectoryId>().is_err(), "{wrong}");
        }
        assert_eq!("restoring".parse::<State>().unwrap(), State::Restoring);
        assert!("gone".parse::<State>().is_err());
    }

    #[test]
    fn a_mailbox_is_one_plain_address_in_lower_case() {
        assert_eq!(Mailbox::parse(" Help@Contoso.Example ").unwrap().as_str(), "help@contoso.example");
        assert_eq!(Mailbox::parse("hjälp@contoso.example").unwrap().domain(), "contoso.example");
        for wrong in [
            "",
            "help",
            ".help@contoso.example",
            "@contoso.example",
            "help@",
            "a@b@c.example",
            "../x@y.example",
            "a b@c.example",
            &format!("{}@c.example", "a".repeat(250)),
        ] {
            assert!(Mailbox::parse(wrong).is_err(), "{wrong}");
        }
    }
}
