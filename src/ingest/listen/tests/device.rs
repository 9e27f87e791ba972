//! A device that says exactly what it is told to.

use rumqttc::mqttbytes::v4::{Connect, ConnectReturnCode, LastWill, Packet, Publish};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use super::rig::{Rig, soon};
use crate::ingest::frame::QoS;

pub(super) const TELEMETRY: &str = "waystation/v1/p/s/x/telemetry";

#[derive(Debug)]
pub(super) struct Device {
    stream: TcpStream,
    buffer: bytes::BytesMut,
}

pub(super) fn publish(topic: &str, qos: u8, id: u16, payload: &[u8]) -> Packet {
    let mut publish = Publish::new(topic, rumqttc::mqttbytes::qos(qos).unwrap(), payload);
    publish.pkid = id;
    Packet::Publish(publish)
}

pub(super) fn bytes(packet: &Packet) -> Vec<u8> {
    let mut bytes = bytes::BytesMut::new();
    packet.write(&mut bytes, usize::MAX).unwrap();
    bytes.to_vec()
}

pub(super) fn with_will(id: &str) -> Connect {
    let topic = format!("waystation/v1/{id}/status");
    let last_will = Some(LastWill::new(topic, "lost", QoS::AtLeastOnce, true));
    Connect { last_will, ..Connect::new(id) }
}

impl Device {
    pub(super) async fn open(rig: &Rig) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        if rig.small_buffers {
            socket.set_recv_buffer_size(4096).unwrap();
        }
        let stream = socket.connect(rig.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: bytes::BytesMut::new() }
    }

    pub(super) async fn connected(rig: &Rig, id: &str) -> Self {
        let mut device = Self::open(rig).await;
        device.greet(Connect::new(id)).await;
        device
    }

    pub(super) async fn greet(&mut self, connect: Connect) {
        assert_eq!(self.connect(connect).await, Some(ConnectReturnCode::Success));
    }

    pub(super) async fn connect(&mut self, connect: Connect) -> Option<ConnectReturnCode> {
        self.send(&Packet::Connect(connect)).await;
        self.code().await
    }

    pub(super) async fn code(&mut self) -> Option<ConnectReturnCode> {
        match self.next().await {
            Some(Packet::ConnAck(connack)) => Some(connack.code),
            _ => None,
        }
    }

    pub(super) async fn puback(&mut self) -> u16 {
        match self.next().await {
            Some(Packet::PubAck(puback)) => puback.pkid,
            other => panic!("expected a PUBACK, found {other:?}"),
        }
    }

    pub(super) async fn send(&mut self, packet: &Packet) {
        self.raw(&bytes(packet)).await;
    }

    pub(super) async fn raw(&mut self, bytes: &[u8]) {
        self.try_raw(bytes).await.unwrap();
    }

    pub(super) async fn try_raw(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// The next packet; `None` when the other side has closed.
    pub(super) async fn next(&mut self) -> Option<Packet> {
        loop {
            if let Ok(packet) = Packet::read(&mut self.buffer, usize::MAX) {
                return Some(packet);
            }
            match soon(self.stream.read_buf(&mut self.buffer)).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}
