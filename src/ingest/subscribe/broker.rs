//! Where the broker is: `mqtt://host:1883` or `mqtts://host:8883`.

use std::{fmt, str::FromStr};

const PORT: u16 = 1883;
const PORT_TLS: u16 = 8883;

/// Address of a broker, as the setting `subscribe.broker` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    pub host: String,
    pub port: u16,
    pub tls: bool,
}

/// Why an address is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBroker {
    #[error(
        "{found:?} is not the address of a broker, such as mqtt://host:1883 or mqtts://host:8883"
    )]
    NotAnAddress { found: String },
    #[error(
        "user name and password do not belong into subscribe.broker; set subscribe.username and subscribe.password"
    )]
    Credentials,
}

impl FromStr for Broker {
    type Err = BadBroker;

    fn from_str(text: &str) -> Result<Self, BadBroker> {
        let bad = || BadBroker::NotAnAddress { found: text.to_owned() };
        let (scheme, rest) = text.trim().split_once("://").ok_or_else(bad)?;
        let tls = match scheme {
            "mqtt" | "tcp" => false,
            "mqtts" | "ssl" => true,
            _ => return Err(bad()),
        };
        let rest = rest.trim_end_matches('/');
        if rest.contains('@') {
            return Err(BadBroker::Credentials);
        }
        let (host, port) = split_port(rest).ok_or_else(bad)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains(['/', '?', '#', ' ']) {
            return Err(bad());
        }
        let usual = if tls { PORT_TLS } else { PORT };
        Ok(Self { host: host.to_owned(), port: port.unwrap_or(usual), tls })
    }
}

/// `host`, `host:port`, `[::1]`, `[::1]:port`; nothing when the port is not one.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let port = port.parse().ok().filter(|port| *port != 0)?;
            Some((host, Some(port)))
        }
        _ => Some((text, None)),
    }
}

impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        let Self { host, port, .. } = self;
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(text.parse::<Broker>().unwrap().to_string(), expected);
    }

    #[test]
    fn addresses_have_a_host_and_mostly_a_port() {
        check("mqtt://broker.example:1884", "mqtt://broker.example:1884");
        check("mqtt://127.0.0.1", "mqtt://127.0.0.1:1883");
        check(" mqtts://broker/ ", "mqtts://broker:8883");
        check("ssl://broker", "mqtts://broker:8883");
        check("mqtt://[::1]:1884", "mqtt://[::1]:1884");
        check("mqtt://[fe80::1]", "mqtt://[fe80::1]:1883");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "broker",
            "http://broker",
            "mqtt://",
            "mqtt://:1883",
            "mqtt://b:0",
            "mqtt://b:x",
            "mqtt://b/p",
        ] {
            let found = text.to_owned();
            assert_eq!(text.parse::<Broker>(), Err(BadBroker::NotAnAddress { found }), "{text}");
        }
        assert_eq!("mqtt://u:p@b".parse::<Broker>(), Err(BadBroker::Credentials));
    }
}
