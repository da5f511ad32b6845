//! The world behind the ports: Azure's services, and the embedded parts that stand in for them on one laptop.

#[cfg(feature = "azure")]
pub mod azure;
pub mod embedded;
mod limits;
pub mod smtp;
