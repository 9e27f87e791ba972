//! How a session begins: CONNECT and what comes back, and what we subscribe to.

use bytes::BytesMut;
use rumqttc::{
    ConnectReturnCode,
    mqttbytes::{
        self, QoS,
        v4::{Connect, Login, Subscribe, SubscribeFilter},
    },
};
use tokio::{
    fs,
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
};

use super::loss::Loss;
use crate::{
    ingest::frame::{Frame, Frames, Packet},
    settings,
};

/// Kinds of messages that come up from devices.
const KINDS: [&str; 5] = ["telemetry", "event", "birth", "status", "reply"];
/// The only SUBSCRIBE that can be open; another waits until it is answered.
pub(super) const SUBSCRIBE_ID: u16 = 1;

/// Asks for the session; says whether the broker had kept it.
pub(super) async fn greet<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    frames: &mut Frames,
    connect: &Connect,
) -> Result<bool, Loss> {
    let mut output = BytesMut::new();
    connect.write(&mut output).map_err(|error| unwritable(&error))?;
    stream.write_all(&output).await?;
    stream.flush().await?;
    loop {
        if let Some(answer) = frames.next()? {
            return consent(answer);
        }
        if frames.read_from(stream).await? == 0 {
            return Err(Loss::Closed(None));
        }
    }
}

fn consent(answer: Frame<'_>) -> Result<bool, Loss> {
    match answer {
        Frame::Other(Packet::ConnAck(answer)) => match answer.code {
            ConnectReturnCode::Success => Ok(answer.session_present),
            refusal => Err(Loss::Refused(refusal)),
        },
        _ => Err(Loss::protocol("it did not answer CONNECT with CONNACK")),
    }
}

/// CONNECT as the settings want it. A password file is read each time, so that it can be changed
/// while the daemon runs.
pub(super) async fn connect_packet(settings: &settings::Subscribe) -> Result<Connect, Loss> {
    let mut connect = Connect::new(settings.client_id.as_str());
    connect.clean_session = false;
    connect.keep_alive = u16::try_from(settings.keep_alive.as_secs()).unwrap_or(u16::MAX).max(1);
    let password = password(settings).await?;
    if !settings.username.is_empty() {
        connect.login = Some(Login::new(settings.username.as_str(), password));
    }
    Ok(connect)
}

async fn password(settings: &settings::Subscribe) -> Result<String, Loss> {
    match &settings.password_file {
        Some(file) if settings.password.is_empty() => {
            let text = fs::read_to_string(file).await.map_err(|error| Loss::File {
                file: file.display().to_string(),
                why: error.to_string(),
            })?;
            Ok(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        _ => Ok(settings.password.reveal().to_owned()),
    }
}

/// The topic filters of all devices.
pub(super) fn filters(prefix: &str) -> Vec<String> {
    KINDS.iter().map(|kind| format!("{prefix}/+/+/+/{kind}")).collect()
}

/// Writes SUBSCRIBE at `QoS` 1. (With 2 a persistent session can come to a loop.)
pub(super) fn subscribe(filters: &[String], output: &mut BytesMut) -> Result<(), Loss> {
    let filter = |path: &String| SubscribeFilter::new(path.clone(), QoS::AtLeastOnce);
    let mut packet = Subscribe::new_many(filters.iter().map(filter));
    packet.pkid = SUBSCRIBE_ID;
    packet.write(output).map(drop).map_err(|error| unwritable(&error))
}

fn unwritable(error: &mqttbytes::Error) -> Loss {
    Loss::Protocol(format!("cannot write a packet: {error}"))
}
