//! Against servers that nobody here wrote. They are ignored by default: `scripts/test --servers` installs, starts and stops what they need.

#[cfg(feature = "azure")]
mod azure;
pub mod smtp;
#[cfg(feature = "azure")]
mod soak;
