//! The embedded host against the recorded one (`wire/`), and its queues, timers, inbox and front against a scripted handler.

mod fakes;
mod front;
mod inbox;
mod queues;
mod recorded;
mod timers;
