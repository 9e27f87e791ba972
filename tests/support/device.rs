//! A device by hand: one connection, one message at a time, and it hears what it is told.

use std::{collections::VecDeque, time::Duration};

use bytes::BytesMut;
use rumqttc::mqttbytes::{
    self, QoS,
    v4::{Connect, LastWill, Packet, PubAck, Publish, Subscribe},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const LIMIT: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Device {
    socket: TcpStream,
    input: BytesMut,
    packet_id: u16,
    heard: VecDeque<Publish>,
}

impl Device {
    /// Connects to `host:port`.
    pub async fn connect(address: &str, client_id: &str) -> Self {
        Self::greet(address, Connect::new(client_id)).await
    }

    async fn greet(address: &str, mut connect: Connect) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        let mut device =
            Self { socket, input: BytesMut::new(), packet_id: 0, heard: VecDeque::new() };
        connect.keep_alive = 60;
        device.send(&Packet::Connect(connect)).await;
        assert!(matches!(device.next().await, Packet::ConnAck(_)));
        device
    }

    pub async fn subscribe(&mut self, topic: &str) {
        let mut subscribe = Subscribe::new(topic, QoS::AtLeastOnce);
        subscribe.pkid = self.next_id();
        self.send(&Packet::Subscribe(subscribe)).await;
        self.until(|packet| matches!(packet, Packet::SubAck(_))).await;
    }

    /// Publishes, and waits for the acknowledgement.
    pub async fn publish(&mut self, topic: &str, payload: &[u8]) {
        self.publish_as(topic, payload, false).await;
    }

    pub async fn publish_as(&mut self, topic: &str, payload: &[u8], retain: bool) {
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload);
        (publish.pkid, publish.retain) = (self.next_id(), retain);
        self.send(&Packet::Publish(publish)).await;
        self.acknowledged().await;
    }

    /// Publishes all of a message but its last byte.
    pub async fn begin(&mut self, topic: &str, payload: &[u8]) {
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload);
        publish.pkid = self.next_id();
        let mut bytes = BytesMut::new();
        publish.write(&mut bytes).unwrap();
        bytes.truncate(bytes.len() - 1);
        timeout(LIMIT, self.socket.write_all(&bytes)).await.unwrap().unwrap();
    }

    /// The last byte of what [`Self::begin`] began.
    pub async fn end(&mut self, byte: u8) {
        self.socket.write_all(&[byte]).await.unwrap();
        self.acknowledged().await;
    }

    /// As [`Self::connect`], leaving a last will.
    pub async fn connect_with_will(address: &str, client_id: &str, topic: &str) -> Self {
        let mut connect = Connect::new(client_id);
        let lost = r#"{"state":"lost"}"#;
        connect.last_will = Some(LastWill::new(topic, lost, QoS::AtLeastOnce, true));
        Self::greet(address, connect).await
    }

    /// The next message it hears, and its topic.
    pub async fn told(&mut self) -> (String, Value) {
        if self.heard.is_empty() {
            self.until(|packet| matches!(packet, Packet::Publish(_))).await;
        }
        let publish = self.heard.pop_front().unwrap();
        (publish.topic, serde_json::from_slice(&publish.payload).unwrap())
    }

    async fn acknowledged(&mut self) {
        let id = self.packet_id;
        self.until(|packet| matches!(packet, Packet::PubAck(ack) if ack.pkid == id)).await;
    }

    fn next_id(&mut self) -> u16 {
        self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
        self.packet_id
    }

    async fn until(&mut self, found: impl Fn(&Packet) -> bool) {
        loop {
            let packet = self.next().await;
            let done = found(&packet);
            if let Packet::Publish(publish) = packet {
                if publish.qos == QoS::AtLeastOnce {
                    self.send(&Packet::PubAck(PubAck::new(publish.pkid))).await;
                }
                self.heard.push_back(publish);
            }
            if done {
                return;
            }
        }
    }

    async fn send(&mut self, packet: &Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, usize::MAX).unwrap();
        timeout(LIMIT, self.socket.write_all(&bytes)).await.unwrap().unwrap();
    }

    async fn next(&mut self) -> Packet {
        loop {
            match Packet::read(&mut self.input, 1 << 20) {
                Err(mqttbytes::Error::InsufficientBytes(_)) => {
                    let read = timeout(LIMIT, self.socket.read_buf(&mut self.input)).await;
                    let read = read.expect("an answer in time").unwrap();
                    assert!(read > 0, "the connection was closed");
                }
                packet => return packet.unwrap(),
            }
        }
    }
}
