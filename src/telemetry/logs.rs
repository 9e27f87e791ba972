//! The daemon's log: to stderr, as lines for people or as JSON for programs.
//!
//! Secrets cannot reach it: `settings::Secret` shows itself as `***`, and requests and payloads are
//! not logged.

use std::{io, str::FromStr};

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Text,
    Json,
}

/// Neither `text` nor `json`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected text or json, found {0:?}")]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, UnknownFormat> {
        match word {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(UnknownFormat(word.to_owned())),
        }
    }
}

/// Starts logging for the life of the process, at `level` where `RUST_LOG` does not say otherwise.
/// A second call changes nothing.
pub fn start(format: Format, level: LevelFilter) {
    let colours = format == Format::Text && io::IsTerminal::is_terminal(&io::stderr());
    let lines = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(colours)
        .with_env_filter(filter(std::env::var("RUST_LOG").ok().as_deref(), level));
    let started = match format {
        Format::Text => lines.try_init(),
        Format::Json => lines.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging has been started before");
    }
}

/// What cannot be read in `asked` is left out, as a wrong `RUST_LOG` must not keep us from starting.
fn filter(asked: Option<&str>, level: LevelFilter) -> EnvFilter {
    EnvFilter::builder().parse_lossy(format!("{level},{}", asked.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_has_the_last_word() {
        for (asked, expected) in [
            (None, "info"),
            (Some(""), "info"),
            (Some("warn"), "warn"),
            (Some("waystation=debug"), "waystation=debug,info"),
            (Some("waystation=loud"), "info"),
        ] {
            assert_eq!(filter(asked, LevelFilter::INFO).to_string(), expected, "{asked:?}");
        }
    }
}
