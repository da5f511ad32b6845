//! When timers run, and what they are told.

use std::{fs, time::Duration};

use helpdesk::devhost::{schedule::NotASchedule, timers::Timer};
use time::macros::datetime;

use super::fakes::{Handler, World, until};

const NIGHTLY: &str = "0 30 1 * * *";
const HOURLY: &str = "0 0 * * * *";
const HOUR: Duration = Duration::from_secs(3600);

struct Desk {
    world: World,
    handler: Handler,
    state: tempfile::TempDir,
}

async fn desk() -> Desk {
    Desk { world: World::new(), handler: Handler::start().await, state: tempfile::tempdir().unwrap() }
}

impl Desk {
    fn timer(&self, schedule: &str) -> Timer {
        let (invoker, _) = self.world.invoker(&self.handler);
        Timer::new("BackUp", schedule, invoker, self.state.path()).unwrap()
    }

    fn kept(&self) -> Option<String> {
        fs::read_to_string(self.state.path().join("timers/BackUp.json")).ok()
    }
}

#[tokio::test]
async fn the_first_run_ever_knows_of_none_before() {
    let desk = desk().await;
    let mut timer = desk.timer(NIGHTLY);
    assert!(!timer.start().await);
    assert!(!timer.run_if_due().await);
    assert_eq!(
        desk.kept().unwrap(),
        r#"{"Last":"0001-01-01T00:00:00","Next":"2026-11-24T01:30:00+00:00","LastUpdated":"2026-11-23T04:11:02+00:00"}"#
    );
    desk.world.clock.set(datetime!(2026-11-24 01:30:00.25 UTC));
    assert!(timer.run_if_due().await);
    let call = &desk.handler.calls()[0];
    let status =
        r#""ScheduleStatus":{"Last":"0001-01-01T00:00:00","Next":"2026-11-24T01:30:00+00:00","LastUpdated":"0001-01-01T00:00:00"},"IsPastDue":false"#;
    assert!(call.starts_with("POST /BackUp HTTP/1.1\r\n") && call.contains(status), "{call}");
    assert_eq!(
        desk.kept().unwrap(),
        r#"{"Last":"2026-11-24T01:30:00.25+00:00","Next":"2026-11-25T01:30:00+00:00","LastUpdated":"2026-11-24T01:30:00.25+00:00"}"#
    );
    assert!(!timer.run_if_due().await);
}

#[tokio::test]
async fn a_run_that_was_missed_is_made_up_for_once_after_a_restart() {
    let desk = desk().await;
    desk.timer(HOURLY).start().await;
    desk.world.clock.advance(HOUR * 5);
    let mut timer = desk.timer(HOURLY);
    assert!(timer.start().await);
    assert!(desk.handler.calls()[0].contains(r#""Next":"2026-11-23T05:00:00+00:00""#));
    assert!(desk.handler.calls()[0].contains(r#""IsPastDue":true"#));
    assert!(!timer.run_if_due().await);
    assert!(!desk.timer(HOURLY).start().await);
    assert_eq!(desk.handler.calls().len(), 1);
    desk.world.clock.advance(HOUR);
    assert!(timer.run_if_due().await);
    assert!(desk.handler.calls()[1].contains(r#""IsPastDue":false"#));
}

#[tokio::test]
async fn runs_never_overlap_and_missed_ones_become_one() {
    let desk = desk().await;
    let mut timer = desk.timer(HOURLY);
    timer.start().await;
    desk.world.clock.set(datetime!(2026-11-23 05:00 UTC));
    desk.handler.shut();
    let running = tokio::spawn(async move {
        timer.run_if_due().await;
        timer
    });
    until(|| desk.handler.calls().len() == 1).await;
    desk.world.clock.advance(HOUR * 3);
    assert_eq!(desk.handler.calls().len(), 1);
    desk.handler.open(2);
    let mut timer = running.await.unwrap();
    assert!(timer.run_if_due().await);
    assert!(!timer.run_if_due().await);
    assert_eq!(timer.next(), Some(datetime!(2026-11-23 09:00 UTC)));
    assert_eq!(desk.handler.calls().len(), 2);
}

#[tokio::test]
async fn a_clock_that_was_ahead_stops_no_timer() {
    for is_restarted in [false, true] {
        let desk = desk().await;
        let mut timer = desk.timer(HOURLY);
        timer.start().await;
        desk.world.clock.set(datetime!(2026-12-23 04:59 UTC));
        assert!(timer.run_if_due().await);
        assert_eq!(timer.next(), Some(datetime!(2026-12-23 05:00 UTC)));
        // Set right.
        desk.world.clock.set(datetime!(2026-11-23 06:10 UTC));
        if is_restarted {
            timer = desk.timer(HOURLY);
            assert!(!timer.start().await);
        }
        assert!(!timer.run_if_due().await);
        assert_eq!(timer.next(), Some(datetime!(2026-11-23 07:00 UTC)));
        desk.world.clock.set(datetime!(2026-11-23 07:00 UTC));
        assert!(timer.run_if_due().await);
    }
}

#[tokio::test]
async fn a_clock_that_was_ahead_at_the_first_start_stops_no_timer() {
    for schedule in [HOURLY, "0 * * * * *"] {
        let desk = desk().await;
        let mut timer = desk.timer(schedule);
        desk.world.clock.set(datetime!(2030-01-01 00:00 UTC));
        timer.start().await;
        desk.world.clock.set(datetime!(2026-11-23 06:10:30 UTC));
        assert!(!timer.run_if_due().await);
        desk.world.clock.set(datetime!(2026-11-23 07:00 UTC));
        assert!(timer.run_if_due().await, "{schedule}");
    }
}

#[tokio::test]
async fn a_failed_run_is_not_repeated() {
    let desk = desk().await;
    let mut timer = desk.timer(HOURLY);
    timer.start().await;
    desk.world.clock.set(datetime!(2026-11-23 05:00 UTC));
    desk.handler.will_answer(500, "");
    assert!(timer.run_if_due().await);
    assert!(!timer.run_if_due().await);
    assert_eq!(timer.next(), Some(datetime!(2026-11-23 06:00 UTC)));
}

#[tokio::test]
async fn a_changed_schedule_makes_up_for_nothing() {
    let desk = desk().await;
    desk.timer(HOURLY).start().await;
    desk.world.clock.advance(HOUR * 5);
    let mut timer = desk.timer(NIGHTLY);
    assert!(!timer.start().await);
    assert_eq!(timer.next(), Some(datetime!(2026-11-24 01:30 UTC)));
    assert!(desk.kept().unwrap().contains("2026-11-24T01:30:00"));
}

#[tokio::test]
async fn a_broken_status_begins_anew() {
    let desk = desk().await;
    fs::create_dir_all(desk.state.path().join("timers")).unwrap();
    fs::write(desk.state.path().join("timers/BackUp.json"), "{\"Last\":").unwrap();
    let mut timer = desk.timer(NIGHTLY);
    assert!(!timer.start().await);
    assert!(desk.kept().unwrap().contains("2026-11-24T01:30:00"));
}

#[tokio::test]
async fn more_than_once_a_minute_is_not_monitored() {
    let desk = desk().await;
    let mut timer = desk.timer("*/10 * * * * *");
    timer.start().await;
    desk.world.clock.advance(Duration::from_secs(10));
    assert!(timer.run_if_due().await);
    assert!(desk.handler.calls()[0].contains(r#""ScheduleStatus":null"#));
    assert_eq!(desk.kept(), None);
}

#[tokio::test]
async fn a_wrong_schedule_is_refused() {
    let desk = desk().await;
    let (invoker, _) = desk.world.invoker(&desk.handler);
    let refused = Timer::new("BackUp", "hourly", invoker, desk.state.path()).err();
    assert_eq!(refused, Some(NotASchedule::Fields(1)));
}
