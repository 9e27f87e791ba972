//! What firmware and we agreed on, in numbers, and where the topics begin.

/// What of the contract with firmware is a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// First levels of every topic, without a slash at either end.
    pub prefix: String,
    /// Payload bytes of one message at most. Ingest holds to it; decoding names it.
    pub max_message: u64,
}

impl Contract {
    pub fn new(prefix: &str, max_message: u64) -> Self {
        Self { prefix: prefix.trim_matches('/').to_owned(), max_message }
    }
}

impl Default for Contract {
    fn default() -> Self {
        Self::new("waystation/v1", 64 * 1024)
    }
}

/// Readings in one message at most.
pub(crate) const READINGS_MAX: usize = 100;
/// Objects and arrays inside each other at most.
pub(crate) const DEPTH_MAX: u32 = 8;
/// Characters of one level of a topic at most.
pub(crate) const LEVEL_MAX: usize = 48;
/// Rejections of one message that are kept; the message is broken enough then.
pub(crate) const REJECTIONS_MAX: usize = 16;
/// Unknown metrics of one message that are kept.
pub(crate) const EXTRAS_MAX: usize = 16;
/// Rejections of one group that are kept with all they say; later ones keep their code.
pub(crate) const DETAILED_MAX: usize = 1000;

/// A device's clock is believed this far back …
pub(crate) const OLDEST_MS: i64 = 30 * 24 * 3600 * 1000;
/// … and this far ahead of receipt.
pub(crate) const AHEAD_MS: i64 = 5 * 60 * 1000;
/// Older than this, or than three reports where that is longer, is backfill.
pub(crate) const BACKFILL_MS: i64 = 5 * 60 * 1000;
/// Bytes of a heartbeat that go back at most; a longer one gets none.
pub(crate) const ECHO_MAX: usize = 1024;
/// Characters of a command's id at most.
pub(crate) const COMMAND_ID_MAX: usize = 64;
