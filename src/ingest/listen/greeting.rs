//! CONNECT and what it is answered: who is this, and may it come in?

use std::{sync::Arc, time::Duration};

use rumqttc::mqttbytes::Protocol;
use rumqttc::mqttbytes::v4::{Connect, ConnectReturnCode as Code};

use super::{clients::Will, device, users::Users};
use crate::ingest::frame::{Broken, Frame, Packet};

/// Names longer than this are nobody's; every message would carry them.
const NAME_MAX: usize = 192;
/// A client may ask not to be given up for its silence (keep-alive 0). One that lost its power would
/// hold its place for ever; who reports once a day has an hour to spare.
const SILENT_AT_MOST: Duration = Duration::from_hours(25);
pub(super) const CONNECT: u8 = 1;

/// A client that was let in.
#[derive(Debug)]
pub(super) struct Client {
    pub id: String,
    /// The user name, or without one the client id.
    pub name: Arc<str>,
    /// The device its name stands for, if it is one; else it may speak with any.
    pub device: Option<String>,
    pub will: Option<Will>,
    /// Longest silence.
    pub silence: Duration,
}

/// Why a client is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Its first packet is no CONNECT: closed without an answer.
    NotConnect,
    Protocol,
    ClientId,
    /// Neither a password nor leave to come without one.
    NotAuthorized,
    Credentials,
    Slow,
    Lost,
    /// There is no memory for a CONNECT as long as this.
    Crowded,
    Stopped,
}

impl Refused {
    /// What CONNACK says, if the client is told.
    pub(super) fn code(self) -> Option<Code> {
        match self {
            Self::Protocol => Some(Code::RefusedProtocolVersion),
            Self::ClientId => Some(Code::BadClientId),
            Self::NotAuthorized => Some(Code::NotAuthorized),
            Self::Credentials => Some(Code::BadUserNamePassword),
            Self::NotConnect | Self::Slow | Self::Lost | Self::Crowded | Self::Stopped => None,
        }
    }
}

impl From<Refused> for &'static str {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotConnect => "not_connect",
            Refused::Protocol => "protocol",
            Refused::ClientId => "client_id",
            Refused::NotAuthorized => "not_authorized",
            Refused::Credentials => "credentials",
            Refused::Slow => "slow",
            Refused::Lost => "lost",
            Refused::Crowded => "crowded",
            Refused::Stopped => "stopped",
        }
    }
}

/// Who may come in.
#[derive(Debug)]
pub(super) struct Gate {
    pub users: Option<Users>,
    /// Whether one may come without a password.
    pub anonymous: bool,
}

/// What the first packet of a connection is.
pub(super) fn first(frame: Result<Option<Frame<'_>>, Broken>) -> Result<Option<Connect>, Refused> {
    match frame {
        Ok(None) => Ok(None),
        Ok(Some(Frame::Other(Packet::Connect(connect)))) if connect.protocol == Protocol::V4 => {
            Ok(Some(connect))
        }
        // Versions 3.1 and 5 cannot be read as 3.1.1, or only by chance.
        Ok(Some(Frame::Other(Packet::Connect(_)))) | Err(Broken::Packet { kind: CONNECT, .. }) => {
            Err(Refused::Protocol)
        }
        Ok(Some(_)) | Err(_) => Err(Refused::NotConnect),
    }
}

impl Gate {
    /// `unnamed`: the client id for one that brings none.
    pub(super) fn judge(&self, connect: Connect, unnamed: String) -> Result<Client, Refused> {
        let Connect { client_id, clean_session, keep_alive, last_will, login, .. } = connect;
        if client_id.len() > NAME_MAX || (client_id.is_empty() && !clean_session) {
            return Err(Refused::ClientId);
        }
        let user = login.as_ref().map_or("", |login| &login.username);
        let password = login.as_ref().map_or("", |login| &login.password);
        self.admits(user, password)?;
        let id = if client_id.is_empty() { unnamed } else { client_id };
        let name: Arc<str> = if user.is_empty() { id.as_str().into() } else { user.into() };
        Ok(Client {
            device: device::path(&name).or_else(|| device::path(&id)),
            will: last_will.map(|will| Will {
                topic: will.topic,
                payload: will.message,
                sender: Arc::clone(&name),
            }),
            silence: match keep_alive {
                0 => SILENT_AT_MOST,
                seconds => Duration::from_millis(u64::from(seconds) * 1500),
            },
            id,
            name,
        })
    }

    fn admits(&self, user: &str, password: &str) -> Result<(), Refused> {
        match &self.users {
            _ if user.len() > NAME_MAX => Err(Refused::Credentials),
            Some(users) if users.knows(user, password) => Ok(()),
            Some(_) if !user.is_empty() => Err(Refused::Credentials),
            _ if self.anonymous => Ok(()),
            _ => Err(Refused::NotAuthorized),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::ingest::listen::users;

    fn gate(with_users: bool, anonymous: bool) -> Gate {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "{}", users::tests::line("p/s/x", "secret")).unwrap();
        let users = with_users.then(|| Users::load(file.path()).unwrap());
        Gate { users, anonymous }
    }

    fn connect(id: &str, login: Option<(&str, &str)>) -> Connect {
        let mut connect = Connect::new(id);
        if let Some((user, password)) = login {
            connect.set_login(user, password);
        }
        connect
    }

    #[test]
    fn who_may_come_in() {
        let (good, bad) = (Some(("p/s/x", "secret")), Some(("p/s/x", "wrong")));
        let (no_user, no_password) = (Some(("", "secret")), Some(("p/s/x", "")));
        let cases = [
            (true, true, good, None),
            (true, false, good, None),
            (true, true, bad, Some(Refused::Credentials)),
            (true, false, bad, Some(Refused::Credentials)),
            (true, true, no_password, Some(Refused::Credentials)),
            (true, true, None, None),
            (true, false, None, Some(Refused::NotAuthorized)),
            (true, false, no_user, Some(Refused::NotAuthorized)),
            (false, true, bad, None),
            (false, false, good, Some(Refused::NotAuthorized)),
        ];
        for (users, anonymous, login, refused) in cases {
            let judged = gate(users, anonymous).judge(connect("id", login), String::new());
            assert_eq!(judged.err(), refused, "{users} {anonymous} {login:?}");
        }
    }

    #[test]
    fn a_client_is_named_by_its_user_else_by_its_id_else_by_us() {
        let named = |id: &str, login| {
            let client = gate(false, true).judge(connect(id, login), "unnamed-1".into()).unwrap();
            (client.id, client.name.to_string(), client.device)
        };
        let fridge = || Some("p/s/x".to_owned());
        let text = str::to_owned;
        assert_eq!(named("id", None), (text("id"), text("id"), None));
        assert_eq!(named("p.s.x", None), (text("p.s.x"), text("p.s.x"), fridge()));
        assert_eq!(named("id", Some(("p/s/x", ""))), (text("id"), text("p/s/x"), fridge()));
        assert_eq!(named("p/s/x", Some(("gw", ""))), (text("p/s/x"), text("gw"), fridge()));
        assert_eq!(named("", None), (text("unnamed-1"), text("unnamed-1"), None));
    }

    #[test]
    fn nobody_may_be_silent_for_ever() {
        for (keep_alive, seconds) in [(1, 1), (60, 90), (65_535, 98_302), (0, 90_000)] {
            let connect = Connect { keep_alive, ..connect("id", None) };
            let silence = gate(false, true).judge(connect, String::new()).unwrap().silence;
            assert_eq!(silence.as_secs(), seconds, "{keep_alive}");
        }
    }

    #[test]
    fn names_without_end_and_sessions_without_a_name_are_refused() {
        let gate = gate(false, true);
        let refused = |connect| gate.judge(connect, String::new()).unwrap_err();
        assert_eq!(refused(connect(&"x".repeat(193), None)), Refused::ClientId);
        assert_eq!(
            refused(Connect { clean_session: false, ..connect("", None) }),
            Refused::ClientId
        );
        let long = "x".repeat(193);
        assert_eq!(refused(connect("id", Some((&long, "")))), Refused::Credentials);
    }
}
