//! Devices to publish as: their registry, and their messages encoded once.

use std::fmt::Write as _;

/// Where a template has its numbers: this many digits, overwritten for each message.
const SEQ: &str = "10000000";
const AT: &str = "1000000000000";

/// `stations` of one district, each with a device for every profile named.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fleet {
    pub(crate) stations: u32,
    pub(crate) profiles: &'static [&'static str],
}

/// 60 stations with 12 fridges each: every message is alike, so that costs a message compare.
pub(crate) const FRIDGES: Fleet = Fleet { stations: 60, profiles: &["fridge"; 12] };

/// 10 000 stations with 12 devices of all types each.
pub(crate) const LARGE: Fleet = Fleet {
    stations: 10_000,
    profiles: &[
        "fridge",
        "people",
        "door",
        "aed",
        "power_banks",
        "fridge",
        "people",
        "door",
        "aed",
        "power_banks",
        "fridge",
        "door",
    ],
};

impl Fleet {
    pub(crate) fn devices(&self) -> u32 {
        self.stations * u32::try_from(self.profiles.len()).unwrap()
    }

    /// `station/device`; the district is `bench`.
    pub(crate) fn path(&self, device: u32) -> String {
        let each = u32::try_from(self.profiles.len()).unwrap();
        format!("station-{}/device-{}", device / each, device % each)
    }

    fn profile(&self, device: u32) -> &'static str {
        self.profiles[device as usize % self.profiles.len()]
    }

    /// The registry, as a file of `config/stations`.
    pub(crate) fn to_toml(self) -> String {
        let mut text = String::from(
            "[district]\nid = \"bench\"\nname = { en = \"Bench\", zh = \"测试\" }\ntime_zone = \"Asia/Shanghai\"\n",
        );
        for station in 0..self.stations {
            write!(
                text,
                "[[stations]]\nid = \"station-{station}\"\nname = {{ en = \"Station {station}\", zh = \"{station}号站\" }}\n\
                 position = [31.2, 121.4]\ncapacity = 40\nopens = \"24h\"\ndevices = [\n"
            )
            .unwrap();
            for (number, profile) in self.profiles.iter().enumerate() {
                writeln!(text, "  {{ id = \"device-{number}\", profile = \"{profile}\" }},")
                    .unwrap();
            }
            text += "]\n";
        }
        text
    }

    /// The messages of one device.
    pub(crate) fn template(&self, device: u32) -> Template {
        let reading = match self.profile(device) {
            "people" => r#""in_total":1043,"out_total":1031,"occupancy":12"#,
            "door" => {
                r#""locked":false,"open":false,"mode":"unlocked","granted_total":5012,"lock_online":true"#
            }
            "aed" => {
                r#""ready":true,"selftest_ok":true,"battery_pct":96,"cabinet_open":false,"device_present":true,"cabinet_temp_c":21.5"#
            }
            "power_banks" => {
                r#""slots_total":12,"available":7,"empty":4,"faulty":1,"temp_max_c":31.5"#
            }
            _ => r#""temp_c":4.1,"door_open":false"#,
        };
        let payload =
            format!(r#"{{"boot":17,"seq":{SEQ},"at":{AT},"readings":[{{"dt":0,{reading}}}]}}"#);
        Template::new(&format!("waystation/v1/bench/{}/telemetry", self.path(device)), &payload)
    }
}

/// A PUBLISH at `QoS` 1 as it goes over the wire; only its numbers change.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    bytes: Vec<u8>,
    packet_id: usize,
    seq: Option<usize>,
    at: Option<usize>,
    tenths: Option<usize>,
}

impl Template {
    pub(crate) fn new(topic: &str, payload: &str) -> Self {
        let mut bytes = vec![0x32];
        let mut length = 2 + topic.len() + 2 + payload.len();
        while length >= 0x80 {
            bytes.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        bytes.push(u8::try_from(length).unwrap());
        bytes.extend_from_slice(&u16::try_from(topic.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(topic.as_bytes());
        let packet_id = bytes.len();
        bytes.extend_from_slice(&[0, 0]);
        let body = bytes.len();
        bytes.extend_from_slice(payload.as_bytes());
        let find = |text: &str| payload.find(text).map(|at| body + at + text.len());
        let seq = find("\"seq\":").filter(|_| payload.contains(SEQ));
        let at = find("\"at\":").filter(|_| payload.contains(AT));
        Self { packet_id, seq, at, tenths: find("\"temp_c\":4."), bytes }
    }

    /// Adds message `round` of the device, measured at `at`, to `output`.
    pub(crate) fn write(&self, packet_id: u16, round: u64, at: i64, output: &mut Vec<u8>) {
        let start = output.len();
        output.extend_from_slice(&self.bytes);
        let message = &mut output[start..];
        message[self.packet_id..self.packet_id + 2].copy_from_slice(&packet_id.to_be_bytes());
        if let Some(seq) = self.seq {
            digits(&mut message[seq..seq + SEQ.len()], round + 10_000_000);
        }
        if let Some(place) = self.at {
            digits(&mut message[place..place + AT.len()], u64::try_from(at).unwrap());
        }
        if let Some(tenths) = self.tenths {
            digits(&mut message[tenths..=tenths], round);
        }
    }
}

/// The last digits of `number`, as many as there is room for.
fn digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap();
        number /= 10;
    }
}
