//! The log in Log Analytics, where the Functions host brings what the handler prints, as traces of Application Insights.

use std::{ops::Range, sync::Arc};

use async_trait::async_trait;
use azure_core::http::{Context, Method, Pipeline, Request, Url, policies::auth::BearerTokenAuthorizationPolicy};
use serde::Deserialize;
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::services::{NotConfigured, Services, transfer};
use crate::ports::{Fault, LOG_LINES_MAX, LogLine, Logs, timestamp};

const SERVICE: &str = "Log Analytics";
/// Of Azure's public cloud, whose resources are in the region that they were made in.
const ENDPOINT: &str = "https://api.loganalytics.azure.com/v1/workspaces";
const SCOPE: &str = "https://api.loganalytics.io/.default";

/// The log in one workspace.
pub struct LogAnalytics {
    pipeline: Pipeline,
    query: Url,
}

impl LogAnalytics {
    /// `workspace` is its customer id, a UUID. Connects to nothing yet.
    pub fn new(workspace: &str, services: &Services) -> Result<LogAnalytics, NotConfigured> {
        let is_id = workspace.len() == 36 && workspace.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        let query = Url::parse(&format!("{ENDPOINT}/{workspace}/query")).ok().filter(|_| is_id).ok_or(NotConfigured::Client(SERVICE))?;
        let token = Arc::new(BearerTokenAuthorizationPolicy::new(services.credential.clone(), [SCOPE]));
        let (name, version) = (option_env!("CARGO_PKG_NAME"), option_env!("CARGO_PKG_VERSION"));
        Ok(LogAnalytics { pipeline: Pipeline::new(name, version, services.options(), Vec::new(), vec![token], None), query })
    }
}

#[async_trait]
impl Logs for LogAnalytics {
    async fn slice(&self, span: Range<OffsetDateTime>, limit: usize) -> Result<Vec<LogLine>, Fault> {
        // Nothing of a caller's stands in the question but two instants and a number.
        let question = format!(
            "AppTraces | where TimeGenerated >= datetime({}) and TimeGenerated < datetime({}) | where Message startswith '{{\"timestamp\"' | order by TimeGenerated asc | take {} | project TimeGenerated, Message",
            timestamp(span.start),
            timestamp(span.end),
            limit.min(LOG_LINES_MAX),
        );
        let mut request = Request::new(self.query.clone(), Method::Post);
        request.insert_header("content-type", "application/json");
        request.set_body(json!({ "query": question }).to_string());
        let answer = transfer(SERVICE, self.pipeline.send(&Context::new(), &mut request, None)).await.map_err(|failed| failed.fault)?;
        let Ok(answer) = serde_json::from_slice::<Answer>(answer.body().as_ref()) else { return Err(unreadable()) };
        if answer.error.is_some() {
            return Err(Fault::Unavailable(format!("{SERVICE} answered in part")));
        }
        let rows = answer.tables.into_iter().next().ok_or_else(unreadable)?.rows;
        let line = |(at, text): (String, String)| Ok(LogLine { at: OffsetDateTime::parse(&at, &Rfc3339).map_err(|_| unreadable())?, text });
        rows.into_iter().map(line).collect()
    }
}

#[derive(Deserialize)]
struct Answer {
    tables: Vec<Table>,
    /// There when some of the rows could not be had.
    error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Table {
    /// The time and the line, as they were asked for.
    rows: Vec<(String, String)>,
}

fn unreadable() -> Fault {
    Fault::Unavailable(format!("{SERVICE} gave an answer that cannot be read"))
}
