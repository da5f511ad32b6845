//! Any bytes as the body of an invocation, as the text of a message that the host wraps, and as a handler's answer.

#![no_main]

use helpdesk::{
    devhost::{
        answer::{OutBinding, understood},
        envelope::{Message, System, queue_call},
    },
    handler::envelope::{queue_message, tick},
};
use libfuzzer_sys::fuzz_target;
use time::OffsetDateTime;

fuzz_target!(|bytes: &[u8]| {
    let _ = queue_message(bytes, "message");
    let _ = tick(bytes, "timer");
    let text = String::from_utf8_lossy(bytes);
    let now = OffsetDateTime::UNIX_EPOCH;
    let message = Message { text: &text, id: "1", pop_receipt: "2", dequeue_count: 1, inserted_at: now, expires_at: None, visible_at: now };
    let call = queue_call(&message, &System { function: "IntakeMail", now, random_guid: "3" });
    let read = queue_message(call.as_bytes(), "message").expect("what our own host writes is an envelope");
    assert_eq!(read.text, text, "a message changes on its way");
    for binary in [false, true] {
        let _ = understood(200, "OK", Some("application/json; charset=utf-8"), bytes, Some(OutBinding { name: "out", binary }));
    }
    let _ = understood(200, "OK", Some(&text), bytes, None);
});
