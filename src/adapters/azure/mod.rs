//! Azure's services behind the ports.

pub mod blob;
pub mod cosmos;
pub mod entra;
pub mod key_vault;
pub mod log_analytics;
pub mod queue;
pub mod services;
