//! The contract's numbers, as a table.

use crate::{
    decode::{
        AHEAD_MS, BACKFILL_MS, COMMAND_ID_MAX, DEPTH_MAX, ECHO_MAX, LEVEL_MAX, OLDEST_MS,
        READINGS_MAX, REPLIES_AT_ONCE, REPLY_EACH_MS,
    },
    settings::Ingest,
};

/// What is limited, and to what; settings stand at their defaults.
pub(super) fn limits() -> Vec<(&'static str, String)> {
    let ingest = Ingest::default();
    let (days, minutes) = (OLDEST_MS / 86_400_000, AHEAD_MS / 60_000);
    vec![
        ("a level of the topic", format!("1 to {LEVEL_MAX} of `a-z 0-9 _ -`")),
        ("a message", format!("{} KiB (`ingest.max_message`)", ingest.max_message.0 / 1024)),
        ("readings in a message", READINGS_MAX.to_string()),
        ("objects and arrays inside each other", DEPTH_MAX.to_string()),
        ("a believed time", format!("{days} days before to {minutes} minutes after receipt")),
        (
            "late (stored, but raises no alert)",
            format!("older than {} minutes or 3 reports", BACKFILL_MS / 60_000),
        ),
        (
            "messages of a device",
            format!(
                "{} a second, {} at once (`ingest.device_rate`, `device_burst`)",
                ingest.device_rate, ingest.device_burst
            ),
        ),
        ("a command's id", format!("{COMMAND_ID_MAX} characters")),
        ("a heartbeat that gets an echo", format!("{ECHO_MAX} bytes")),
        (
            "rejections told to a device",
            format!("one in {} s, {REPLIES_AT_ONCE} at once", REPLY_EACH_MS / 1000),
        ),
    ]
}
