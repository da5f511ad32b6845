//! The back end of a multi-tenant help desk, run by Azure Functions as a custom handler or by `helpdesk dev` on one laptop.
//!
//! The house in reading order, from the street to the ground; imports run strictly downward (`tests/architecture.rs`):

#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::panic, clippy::too_many_lines))]

pub mod cli;
pub mod config;
pub mod wiring;

pub mod handler;
pub mod devhost;
pub mod functions;
pub mod access;
pub mod tickets;

pub mod outbox;
pub mod audit;
pub mod tenants;
pub mod keys;
pub mod mail;
pub mod ids;

pub mod adapters;
pub mod ports;
