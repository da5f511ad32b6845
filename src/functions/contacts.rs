//! Who asks for help. An address never stands in a URL: whoever looks for one asks by POST.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    App, HttpAnswer, HttpRequest, Problem,
    answer::{At, body, json},
};
use crate::{
    access::{Caller, Role},
    tickets::{self, contacts},
};

const BODY_BYTES_MAX: usize = 1024;

/// A caller with the address that he is linked with, if he asks for help.
pub async fn known(app: &App, caller: Caller) -> Result<Caller, tickets::Error> {
    if caller.role != Role::Requester {
        return Ok(caller);
    }
    let address = contacts::address_of(&app.desk, &caller.tenant, &caller.subject, caller.address.as_deref()).await?;
    Ok(Caller { address, ..caller })
}

pub async fn search(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let Search { address } = body(&request, BODY_BYTES_MAX, r#"{"address": "ann@northwind.example"}"#)?;
    let found = contacts::find(&app.desk, &caller.tenant, &tickets::as_kept(&address)).await?.ok_or(tickets::Error::NotFound)?;
    let body = ContactBody { address: &found.address, name: found.name.as_deref(), has_logged_in: found.subject.is_some(), since: found.since };
    Ok(json(200, &body))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    address: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Contact")]
pub struct ContactBody<'a> {
    address: &'a str,
    name: Option<&'a str>,
    /// Whether somebody of the desk's directory is this contact.
    has_logged_in: bool,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "At")]
    since: OffsetDateTime,
}
