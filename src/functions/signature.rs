//! What an agent writes below his own answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    App, HttpAnswer, HttpRequest, Problem,
    answer::{body, json},
};
use crate::{
    access::Caller,
    tickets::signatures::{self, Signature},
};

/// Bytes of a signature's JSON.
const BODY_BYTES_MAX: usize = 32 * 1024;

pub async fn get(app: &App, caller: Caller, _request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let signature = signatures::signature(&app.desk, &caller.tenant, &caller.subject).await?;
    Ok(json(200, &SignatureBody::from(signature)))
}

pub async fn put(app: &App, caller: Caller, request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let SignatureBody { text, name } = body(&request, BODY_BYTES_MAX, r#"{"text": "Jo Doe\nContoso Helpdesk", "name": "Jo Doe"}"#)?;
    let kept = signatures::sign(&app.desk, &caller.tenant, &caller.subject, &Signature { text, name }).await?;
    Ok(json(200, &SignatureBody::from(kept)))
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Signature")]
#[serde(deny_unknown_fields)]
pub struct SignatureBody {
    text: String,
    /// What letters call the agent; without it, by the desk's name.
    #[serde(default)]
    name: Option<String>,
}

impl From<Signature> for SignatureBody {
    fn from(Signature { text, name }: Signature) -> Self {
        SignatureBody { text, name }
    }
}
