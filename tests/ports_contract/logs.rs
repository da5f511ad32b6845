//! What `Logs` promises, on the files of `helpdesk dev` and on a stand-in of Log Analytics.

use std::fs;
#[cfg(feature = "azure")]
use std::sync::Arc;

use helpdesk::{
    adapters::embedded::LogFiles,
    ports::{LogLine, Logs},
};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339, macros::datetime};

const MIDNIGHT: OffsetDateTime = datetime!(2026-11-24 00:00 UTC);

/// A line each quarter of an hour, from an hour before midnight to an hour after.
fn lines() -> Vec<LogLine> {
    let line = |at: OffsetDateTime| LogLine { at, text: format!(r#"{{"timestamp":"{}","message":"words"}}"#, at.format(&Rfc3339).unwrap()) };
    (-4..=4).map(|quarter| line(MIDNIGHT + Duration::minutes(15 * quarter))).collect()
}

async fn a_slice_is_what_was_written_in_its_span(logs: &dyn Logs) {
    let all = lines();
    let slice = async |from: Duration, to: Duration, limit| logs.slice(MIDNIGHT + from..MIDNIGHT + to, limit).await.unwrap();
    assert_eq!(slice(-Duration::DAY, Duration::DAY, 100).await, all);
    assert_eq!(slice(-Duration::minutes(15), Duration::minutes(15), 100).await, all[3..5], "from its start up to its end");
    assert_eq!(slice(-Duration::DAY, Duration::DAY, 3).await, all[..3], "the oldest first");
    assert_eq!(slice(Duration::DAY, 3 * Duration::DAY, 100).await, []);
    assert_eq!(slice(-Duration::DAY, Duration::DAY, 0).await, []);
}

#[tokio::test]
async fn on_the_files_of_a_folder() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join(LogFiles::FOLDER);
    assert_eq!(LogFiles::new(folder.path()).slice(MIDNIGHT..MIDNIGHT + Duration::HOUR, 10).await, Ok(vec![]), "nothing was written yet");
    fs::create_dir(&log).unwrap();
    for day in [MIDNIGHT.date(), MIDNIGHT.date().previous_day().unwrap()] {
        let text: String = lines().iter().filter(|line| line.at.date() == day).map(|line| format!("{}\n", line.text)).collect();
        // A process that died has left half a line, and somebody else wrote into the file.
        fs::write(log.join(format!("helpdesk.{day}.jsonl")), [b"no JSON\n{\"timestamp\":\"\xff\"}\n", text.as_bytes(), b"{\"timesta"].concat())
            .unwrap();
    }
    a_slice_is_what_was_written_in_its_span(&LogFiles::new(folder.path())).await;
}

#[cfg(feature = "azure")]
mod log_analytics {
    use helpdesk::{
        adapters::azure::{log_analytics::LogAnalytics, services::Services},
        ports::Fault,
    };
    use serde_json::{Value, json};
    use tokio::net::TcpListener;
    use warp::{Filter, http::HeaderMap, hyper::body::Bytes};

    use super::*;
    use crate::support::azure::{Anyone, Loopback};

    const WORKSPACE: &str = "6d9f3c1e-6a55-4c1b-9b8a-2f1f6c2b9a10";

    /// Answers a question as the service does, as far as its words go.
    async fn started(answer: fn(&str) -> Value) -> LogAnalytics {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked =
            warp::post().and(warp::path!("v1" / "workspaces" / String / "query")).and(warp::header::headers_cloned()).and(warp::body::bytes());
        let routes = asked.map(move |workspace: String, headers: HeaderMap, body: Bytes| {
            assert_eq!(workspace, WORKSPACE);
            assert!(headers["authorization"].to_str().unwrap().starts_with("Bearer "));
            answer(serde_json::from_slice::<Value>(&body).unwrap()["query"].as_str().unwrap()).to_string()
        });
        tokio::spawn(warp::serve(routes).incoming(listener).run());
        LogAnalytics::new(WORKSPACE, &Services::with(Arc::new(Anyone), Loopback::to(address))).unwrap()
    }

    #[tokio::test]
    async fn on_log_analytics() {
        let logs = started(|question| {
            let instants: Vec<OffsetDateTime> =
                question.split("datetime(").skip(1).map(|rest| OffsetDateTime::parse(rest.split_once(')').unwrap().0, &Rfc3339).unwrap()).collect();
            let take = question.split_once("take ").unwrap().1.split_once(' ').unwrap().0.parse().unwrap();
            let rows = lines().into_iter().filter(|line| (instants[0]..instants[1]).contains(&line.at)).take(take);
            let rows: Vec<Value> = rows.map(|line| json!([line.at.format(&Rfc3339).unwrap(), line.text])).collect();
            let columns = json!([{ "name": "TimeGenerated", "type": "datetime" }, { "name": "Message", "type": "string" }]);
            json!({ "tables": [{ "name": "PrimaryResult", "columns": columns, "rows": rows }] })
        });
        a_slice_is_what_was_written_in_its_span(&logs.await).await;
    }

    #[tokio::test]
    async fn a_part_of_an_answer_is_none() {
        let logs = started(|_| json!({ "tables": [{ "name": "PrimaryResult", "columns": [], "rows": [] }], "error": { "code": "PartialError" } }));
        let answer = logs.await.slice(MIDNIGHT..MIDNIGHT + Duration::HOUR, 10).await;
        assert!(matches!(answer, Err(Fault::Unavailable(_))), "{answer:?}");
    }

    #[test]
    fn a_workspace_is_known_by_its_id() {
        let services = Services::with(Arc::new(Anyone), azure_core::http::new_http_client(None));
        for wrong in ["", "logs", "../../v1", "6d9f3c1e-6a55-4c1b-9b8a-2f1f6c2b9a1/"] {
            assert!(LogAnalytics::new(wrong, &services).is_err(), "{wrong}");
        }
    }
}
