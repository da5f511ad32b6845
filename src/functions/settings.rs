//! How the caller's own desk works, for its admin.

use super::{
    App, HttpAnswer, HttpRequest, Problem,
    answer::{body, json, quoted, versions},
};
use crate::{
    access::Caller,
    tenants::{self, Change, SETTINGS_BYTES_MAX, Settings},
};

pub async fn get(app: &App, caller: Caller, _request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let (tenant, etag) = tenants::get(app.ports.documents.as_ref(), &app.keyring, &caller.tenant).await?.ok_or(tenants::Error::NotFound)?;
    let mut answer = json(200, &tenant.settings);
    answer.headers.push(("etag", quoted(&etag)));
    Ok(answer)
}

/// All of them: what is left out becomes as by default.
pub async fn put(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let settings: Settings =
        body(&request, SETTINGS_BYTES_MAX, r#"all settings as `GET` shows them, {"acknowledge": true, "reopen_days": 14, ...}"#)?;
    let change = Change { settings: Some(settings), ..Change::default() };
    let (tenant, etag) = tenants::change(&app.ports, &app.keyring, &caller.subject, &caller.tenant, &versions(&request), &change).await?;
    let mut answer = json(200, &tenant.settings);
    answer.headers.push(("etag", quoted(&etag)));
    Ok(answer)
}
