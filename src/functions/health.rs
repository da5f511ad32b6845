//! `GET /api/health`: the process answers.

use bytes::Bytes;

use super::{App, HttpAnswer, HttpRequest, Problem};

pub async fn health(_app: &App, _request: HttpRequest) -> Result<HttpAnswer, Problem> {
    let body = format!("{{\"status\":\"ok\",\"version\":\"{}\"}}", env!("CARGO_PKG_VERSION"));
    Ok(HttpAnswer { status: 200, headers: vec![("content-type", "application/json".to_owned())], body: Bytes::from(body) })
}
