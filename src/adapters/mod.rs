//! The world behind the ports: Azure's services, and the embedded parts that stand in for them on one laptop.

#[cfg(feature = "azure")]
pub mod azure;
mod blocks;
pub mod embedded;
mod limits;
pub mod smtp;
