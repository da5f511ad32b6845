//! Files for comments: `UploadFile` takes one, `SweepUploads` removes what no comment took.

use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use serde::Serialize;

use super::{App, HttpAnswer, HttpRequest, Problem, Tick, Verdict, answer::json, every_tenant::of_each_tenant, problem};
use crate::{
    access::Caller,
    ids::RecordId,
    tenants::Tenant,
    tickets::{
        self, Held,
        uploads::{self, NewUpload},
    },
};

/// Names the file: percent-encoded UTF-8, because headers are ASCII, and a name in a URL would be logged on its way.
const NAME_HEADER: &str = "helpdesk-file-name";
/// Bytes of that header. A name is cut to what file systems take.
const NAME_HEADER_BYTES_MAX: usize = 3_000;
/// What a file is without a content type.
const ANY_TYPE: &str = "application/octet-stream";
/// Bytes of a content type; what is longer is none.
const TYPE_BYTES_MAX: usize = 200;

/// The bytes of one file, with its content type.
pub async fn upload(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let wrong_name = || Problem::new(400, "bad-file-name", "The file's name is wrong", "Send it percent-encoded in `Helpdesk-File-Name`, in UTF-8.");
    let name = request.headers.get(NAME_HEADER).map(|name| {
        let short = Some(name).filter(|name| name.len() <= NAME_HEADER_BYTES_MAX);
        short.and_then(|name| percent_decode_str(name).decode_utf8().ok()).ok_or_else(wrong_name)
    });
    let name = name.transpose()?;
    let declared = request.headers.get("content-type").and_then(|value| value.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
    let is_a_type = declared.len() <= TYPE_BYTES_MAX && declared.contains('/');
    let media_type = if is_a_type { declared.as_str() } else { ANY_TYPE };
    let new = NewUpload { name: name.as_deref(), media_type, bytes: request.body, subject: &caller.subject };
    let kept = uploads::upload(&app.desk, &caller.tenant, new).await?;
    Ok(json(201, &UploadBody { upload: kept.id, name: &kept.name, media_type: &kept.media_type, bytes: kept.bytes, held: kept.held }))
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Upload")]
pub struct UploadBody<'a> {
    /// For the `attachments` of a comment, within a day.
    upload: RecordId,
    name: &'a str,
    media_type: &'a str,
    bytes: u64,
    /// Why it will not be handed out and not be sent; absent if it will.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<Held>,
}

pub async fn sweep(app: &App, _tick: Tick) -> Verdict {
    match of_each_tenant(app, |app, tenant| Box::pin(swept(app, tenant))).await {
        Ok(removed) => Verdict::Done(format!("{removed} files that no comment took are removed")),
        Err(error) => problem::retry(&error),
    }
}

async fn swept(app: &App, tenant: Tenant) -> Result<usize, tickets::Error> {
    uploads::sweep(&app.desk, &tenant.id).await
}
