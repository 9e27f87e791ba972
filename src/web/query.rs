//! Reading what was asked: query strings, times as ms or RFC 3339, lengths as `5m`, paths.

use std::time::Duration;

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use crate::{
    reading::Timestamp,
    registry::{Device, Registry, Station},
};

use super::error::Error;

/// [`Query`] with our errors.
#[derive(Debug)]
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(refused) => {
                let says = refused.body_text().to_lowercase();
                Err(Error::bad_query(says, "see /api/v1/openapi.json for what may be asked"))
            }
        }
    }
}

/// `1767225600123` or `2026-01-01T00:00:00Z`.
pub(super) fn time(key: &str, text: &str) -> Result<Timestamp, Error> {
    if let Ok(millis) = text.parse() {
        return Ok(Timestamp(millis));
    }
    // A plus sign of an offset arrives as a blank when the asker forgot to escape it.
    let time = text.replace(' ', "+").parse::<jiff::Timestamp>();
    time.map(|time| Timestamp(time.as_millisecond())).map_err(|_| {
        let says = format!("{key}: expected a time, found {text:?}");
        Error::bad_query(says, "write ms since 1970, or RFC 3339 such as 2026-01-01T00:00:00Z")
    })
}

/// `5m`, `1h 30m`, or ms as a number.
pub(super) fn length(key: &str, text: &str) -> Result<Duration, Error> {
    let length = match text.parse() {
        Ok(millis) => Duration::from_millis(millis),
        Err(_) => humantime::parse_duration(text).map_err(|_| {
            let says = format!("{key}: expected a length of time, found {text:?}");
            Error::bad_query(says, "write 30s, 5m, 1h, or ms as a number")
        })?,
    };
    Ok(length)
}

pub(super) fn device<'a>(registry: &'a Registry, path: &str) -> Result<&'a Device, Error> {
    registry.find(path).ok_or_else(|| {
        let says = format!("no device {path:?} is registered");
        Error::unknown(
            "unknown_device",
            says,
            "write district/station/device; /api/v1/stations lists them",
        )
    })
}

/// Whether a path has the form of a device's.
pub(super) fn is_device_path(path: &str) -> bool {
    let mut levels = path.split('/');
    levels.by_ref().take(3).filter(|level| !level.is_empty()).count() == 3
        && levels.next().is_none()
}

pub(super) fn station<'a>(registry: &'a Registry, path: &str) -> Result<&'a Station, Error> {
    registry.find_station(path).ok_or_else(|| {
        let says = format!("no station {path:?} is registered");
        Error::unknown(
            "unknown_station",
            says,
            "write district/station; /api/v1/stations lists them",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_both_forms() {
        for (text, millis) in [
            ("1767225600123", Some(1_767_225_600_123)),
            ("2026-01-01T00:00:00Z", Some(1_767_225_600_000)),
            ("2026-01-01T08:00:00 08:00", Some(1_767_225_600_000)),
            ("yesterday", None),
            ("", None),
            ("1e9", None),
        ] {
            assert_eq!(time("from", text).ok().map(|time| time.0), millis, "{text}");
        }
    }

    #[test]
    fn lengths_are_read_in_both_forms() {
        for (text, seconds) in
            [("5m", Some(300)), ("60000", Some(60)), ("soon", None), ("-5m", None)]
        {
            assert_eq!(
                length("window", text).ok().map(|length| length.as_secs()),
                seconds,
                "{text}"
            );
        }
    }
}
