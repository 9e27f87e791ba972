//! Why there is no session, in words for the person who looks.

use std::{io, time::Duration};

use rumqttc::ConnectReturnCode;

use crate::ingest::frame::Broken;

#[derive(Debug, thiserror::Error)]
pub(super) enum Loss {
    #[error("cannot reach it: {0}")]
    Unreachable(io::Error),
    #[error("no TLS session: {0}; set subscribe.ca_file to the certificate authority it uses")]
    Tls(String),
    #[error("cannot read {file}: {why}")]
    File { file: String, why: String },
    #[error("no answer within {0:?}")]
    NoAnswer(Duration),
    #[error("it refuses the connection: {}", in_words(*.0))]
    Refused(ConnectReturnCode),
    #[error("the connection was closed{}", detail(.0.as_ref()))]
    Closed(Option<io::Error>),
    #[error("the connection broke in the middle of a packet")]
    Torn,
    #[error("it has been silent for {0:?}")]
    Silent(Duration),
    #[error("it broke the protocol: {0}")]
    Protocol(String),
}

impl Loss {
    /// Whether waiting alone will hardly mend it.
    pub(super) fn needs_a_person(&self) -> bool {
        match self {
            Self::Refused(code) => *code != ConnectReturnCode::ServiceUnavailable,
            Self::Tls(_) | Self::File { .. } | Self::Protocol(_) => true,
            Self::Unreachable(_)
            | Self::NoAnswer(_)
            | Self::Closed(_)
            | Self::Torn
            | Self::Silent(_) => false,
        }
    }

    pub(super) fn protocol(why: impl Into<String>) -> Self {
        Self::Protocol(why.into())
    }
}

impl From<Broken> for Loss {
    fn from(broken: Broken) -> Self {
        Self::Protocol(broken.to_string())
    }
}

/// Reading or writing failed: the connection is gone.
impl From<io::Error> for Loss {
    fn from(error: io::Error) -> Self {
        Self::Closed(Some(error))
    }
}

fn detail(error: Option<&io::Error>) -> String {
    error.map(|error| format!(": {error}")).unwrap_or_default()
}

fn in_words(code: ConnectReturnCode) -> &'static str {
    match code {
        ConnectReturnCode::Success => "no reason given",
        ConnectReturnCode::RefusedProtocolVersion => "it does not speak MQTT 3.1.1",
        ConnectReturnCode::BadClientId => "it does not take subscribe.client_id",
        ConnectReturnCode::ServiceUnavailable => "it is not available now",
        ConnectReturnCode::BadUserNamePassword => {
            "wrong user name or password; see subscribe.username and subscribe.password"
        }
        ConnectReturnCode::NotAuthorized => {
            "not authorised; see subscribe.username and subscribe.password, and the broker's rules"
        }
    }
}
