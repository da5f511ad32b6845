//! Against servers that nobody here wrote. They are ignored by default: `scripts/test --servers` installs, starts and stops what they need.

pub mod smtp;
