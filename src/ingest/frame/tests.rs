use proptest::prelude::*;
use rumqttc::mqttbytes::v4;

use super::*;

const LIMIT: usize = 1000;

/// What a stream came to, owned, so that two ways of reading it can be compared.
fn read_all(chunks: &[&[u8]]) -> (Vec<String>, Option<String>) {
    let mut frames = Frames::new(LIMIT);
    let mut seen = Vec::new();
    for chunk in chunks {
        frames.feed(chunk);
        loop {
            match frames.next() {
                Ok(Some(frame)) => seen.push(format!("{frame:?}")),
                Ok(None) => break,
                Err(broken) => return (seen, Some(broken.to_string())),
            }
        }
    }
    (seen, None)
}

fn publish(topic: &str, qos: QoS, id: u16, payload: &[u8]) -> BytesMut {
    let mut packet = v4::Publish::new(topic, qos, payload);
    packet.pkid = id;
    let mut bytes = BytesMut::new();
    packet.write(&mut bytes).unwrap();
    bytes
}

/// A PUBLISH the codec would not write: any flags, any topic, any bytes behind it.
fn raw_publish(flags: u8, topic: &[u8], after: &[u8]) -> Vec<u8> {
    let body = 2 + topic.len() + after.len();
    let mut bytes = vec![0x30 | flags];
    let mut left = body;
    while left >= 0x80 {
        bytes.push(u8::try_from(left & 0x7f).unwrap() | 0x80);
        left >>= 7;
    }
    bytes.push(u8::try_from(left).unwrap());
    bytes.extend_from_slice(&u16::try_from(topic.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(topic);
    bytes.extend_from_slice(after);
    bytes
}

fn one_packet() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => ("[a-z/]{1,40}", 0_u8..8, 1_u16.., prop::collection::vec(any::<u8>(), 0..200)).prop_map(
            |(topic, qos, id, payload)| {
                let qos = if qos < 4 { QoS::AtLeastOnce } else { QoS::AtMostOnce };
                publish(&topic, qos, id, &payload).to_vec()
            }
        ),
        1 => (900_usize..5000).prop_map(|size| publish("a/b", QoS::AtLeastOnce, 7, &vec![b'x'; size]).to_vec()),
        1 => (0_u8..16, prop::collection::vec(any::<u8>(), 0..9), prop::collection::vec(any::<u8>(), 0..1200))
            .prop_map(|(flags, topic, after)| raw_publish(flags, &topic, &after)),
        1 => any::<u16>().prop_map(|id| {
            let mut bytes = BytesMut::new();
            v4::PubAck::new(id).write(&mut bytes).unwrap();
            bytes.to_vec()
        }),
        1 => Just(vec![0xc0, 0]),
    ]
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_frames(
        packets in prop::collection::vec(one_packet(), 0..12),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
    ) {
        let stream = packets.concat();
        let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        places.extend([0, stream.len()]);
        places.sort_unstable();
        let chunks: Vec<_> = places.windows(2).map(|ends| &stream[ends[0]..ends[1]]).collect();
        let whole = read_all(&[&stream]);
        prop_assert_eq!(read_all(&chunks), whole.clone());
        prop_assert_eq!(&whole.1, &None, "packets stay in step");
        prop_assert_eq!(whole.0.len(), packets.len());
    }

    #[test]
    fn what_the_codec_takes_is_read_alike(packet in one_packet()) {
        let mut frames = Frames::new(LIMIT);
        frames.feed(&packet);
        let ours = frames.next().unwrap().unwrap();
        let theirs = Packet::read(&mut BytesMut::from(packet.as_slice()), 10_000);
        match (ours, theirs) {
            (Frame::Publish(ours), Ok(Packet::Publish(theirs))) => {
                prop_assert_eq!(ours.topic, theirs.topic.as_bytes());
                prop_assert_eq!(ours.payload, &theirs.payload[..]);
                prop_assert_eq!(ours.packet_id.unwrap_or(0), theirs.pkid);
                prop_assert_eq!((ours.qos, ours.dup, ours.retain), (theirs.qos, theirs.dup, theirs.retain));
            }
            (Frame::Oversized(ours), Ok(Packet::Publish(theirs))) => {
                prop_assert_eq!(ours.topic, theirs.topic.as_bytes());
                prop_assert_eq!(ours.size, u64::try_from(theirs.payload.len()).unwrap());
                prop_assert!(theirs.payload.starts_with(ours.head));
            }
            (Frame::Other(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs),
            // The codec lets wildcards, NUL and empty topics through.
            (Frame::Malformed(_), _) => {}
            (ours, theirs) => prop_assert!(false, "{ours:?} / {theirs:?}"),
        }
    }

    #[test]
    fn random_bytes_never_panic(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8)) {
        let chunks: Vec<_> = chunks.iter().map(Vec::as_slice).collect();
        read_all(&chunks);
    }

    #[test]
    fn random_bodies_of_every_packet_type_never_panic(first in any::<u8>(), body in prop::collection::vec(any::<u8>(), 0..120)) {
        let mut packet = vec![first, u8::try_from(body.len()).unwrap()];
        packet.extend(body);
        read_all(&[&packet]);
    }
}

#[test]
fn a_message_of_20_mib_is_passed_over_in_bounded_memory_and_the_next_is_intact() {
    let big = publish("d/s/x", QoS::AtLeastOnce, 9, &vec![b'x'; 20 << 20]);
    let next = publish("d/s/y", QoS::AtLeastOnce, 10, b"{}");
    let mut frames = Frames::new(64 << 10);
    let (mut seen, mut most) = (Vec::new(), 0);
    for chunk in [big, next].concat().chunks(100_000) {
        frames.feed(chunk);
        most = most.max(frames.capacity());
        while let Some(frame) = frames.next().unwrap() {
            match frame {
                Frame::Oversized(Oversized { topic, packet_id, head, size, .. }) => {
                    assert_eq!((topic, packet_id, size), (&b"d/s/x"[..], Some(9), 20 << 20));
                    assert_eq!(head, [b'x'; 256]);
                    seen.push("oversized");
                }
                Frame::Publish(Publish { topic, packet_id, payload, .. }) => {
                    assert_eq!((topic, packet_id, payload), (&b"d/s/y"[..], Some(10), &b"{}"[..]));
                    seen.push("publish");
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(seen, ["oversized", "publish"]);
    assert!(most < 512 << 10, "{most} bytes");
}

#[test]
fn a_message_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
    for (size, expected) in [(LIMIT, "Publish"), (LIMIT + 1, "Oversized")] {
        let packet = publish(&"t".repeat(300), QoS::AtLeastOnce, 1, &vec![0; size]);
        let (seen, broken) = read_all(&[&packet]);
        assert!(
            broken.is_none() && seen.len() == 1 && seen[0].starts_with(expected),
            "{size}: {seen:?}"
        );
    }
}

#[test]
fn what_the_protocol_forbids_is_malformed_and_names_its_identifier_where_it_has_one() {
    type Case = (u8, &'static [u8], &'static [u8], &'static str, Option<u16>);
    let cases: [Case; 8] = [
        (2, b"\xff\xfe", b"\0\x05x", "the topic is not UTF-8", Some(5)),
        (2, b"a/+/b", b"\0\x05x", "the topic contains a wildcard", Some(5)),
        (2, b"a/#", b"\0\x05x", "the topic contains a wildcard", Some(5)),
        (2, b"a\0b", b"\0\x05x", "the topic contains NUL", Some(5)),
        (2, b"", b"\0\x05x", "the topic is empty", Some(5)),
        (2, b"a", b"\0\0x", "the packet identifier is 0", None),
        (2, b"a", b"\0", "there is no packet identifier", None),
        (6, b"a", b"\0\x05x", "the quality of service is 3", None),
    ];
    for (flags, topic, after, why, id) in cases {
        let mut frames = Frames::new(LIMIT);
        frames.feed(&raw_publish(flags, topic, after));
        frames.feed(&[0xc0, 0]);
        let Some(Frame::Malformed(found)) = frames.next().unwrap() else { panic!("{why}") };
        assert_eq!((found.why, found.packet_id), (why, id));
        assert!(matches!(frames.next(), Ok(Some(Frame::Other(Packet::PingReq)))), "in step: {why}");
    }
}

#[test]
fn a_topic_in_chinese_is_as_good_as_any() {
    let packet = publish("普陀/舒心湾", QoS::AtMostOnce, 0, b"1");
    assert!(read_all(&[&packet]).0[0].starts_with("Publish"));
}

#[test]
fn a_length_without_end_and_a_large_packet_of_another_type_break_the_stream() {
    assert!(read_all(&[&[0x30, 0xff, 0xff, 0xff, 0xff]]).1.unwrap().contains("four bytes"));
    assert!(read_all(&[&[0x10, 0xff, 0xff, 0xff, 0x7f]]).1.unwrap().contains("type 1"));
}

#[tokio::test]
async fn the_buffer_grows_under_a_flood_and_shrinks_when_it_is_over() {
    let mut frames = Frames::new(LIMIT);
    let stream = publish("a/b", QoS::AtLeastOnce, 1, &[b'x'; 100]).repeat(20_000);
    let mut io = stream.as_slice();
    let (mut reads, mut messages) = (0, 0);
    while frames.read_from(&mut io).await.unwrap() > 0 {
        reads += 1;
        while frames.next().unwrap().is_some() {
            messages += 1;
        }
    }
    assert_eq!(messages, 20_000);
    assert!(reads < 40, "{reads} reads of 2 MB");
    assert!(frames.capacity() <= 512 << 10, "{} bytes", frames.capacity());
    frames.release();
    assert_eq!(frames.capacity(), 0);
    frames.read_from(&mut &b"\xc0\0"[..]).await.unwrap();
    assert!(frames.capacity() <= 2 << 10, "{} bytes", frames.capacity());
    assert!(frames.is_partial());
}
