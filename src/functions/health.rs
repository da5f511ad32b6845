//! `GET /api/health`: the process answers.

use schemars::JsonSchema;
use serde::Serialize;

use super::{App, HttpAnswer, HttpRequest, Problem, answer::json};

#[derive(Serialize, JsonSchema)]
pub struct Healthy {
    status: &'static str,
    version: &'static str,
}

pub async fn health(_app: &App, _request: HttpRequest) -> Result<HttpAnswer, Problem> {
    Ok(json(200, &Healthy { status: "ok", version: env!("CARGO_PKG_VERSION") }))
}
