//! Azure's services behind the ports.

pub mod cosmos;
pub mod entra;
