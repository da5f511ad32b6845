//! One integration binary; each module is a subject.

mod architecture;
mod deployment;
mod devhost;
mod handler;
mod intake;
mod keys;
mod mails;
mod outbox;
mod ports_contract;
mod process;
mod samples;
mod servers;
mod support;
mod tenants;
