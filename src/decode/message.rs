//! One message: readings, a birth, a presence, or a rejection. Both ways of decoding a group end here.

use super::{
    Code, Contract, Decoded, Gap, Rejection,
    body::Reader,
    cbor::{Cbor, is_cbor},
    contract::{DETAILED_MAX, ECHO_MAX, REJECTIONS_MAX},
    draft::Draft,
    json::Json,
    past::{Past, Told},
    place, show, statement,
    token::{Flaw, Refusal},
    topic::{self, Address, Matter},
};
use crate::{
    device::Heartbeat,
    journal::{Condition, Message, Source},
    reading::{Kind, MessageId, Slot},
    registry::{Device, Registry},
};

/// A message, and what its rejections say of it.
#[derive(Debug)]
pub(super) struct Incoming<'m> {
    pub(super) id: MessageId,
    pub(super) message: &'m Message<'m>,
    pub(super) device: Option<Slot>,
    pub(super) extras_before: usize,
    rejections_before: usize,
    samples_before: usize,
}

/// What decoding a message needs besides the message.
#[derive(Debug)]
pub(super) struct Context<'c, P> {
    pub(super) contract: &'c Contract,
    pub(super) registry: &'c Registry,
    pub(super) past: &'c mut P,
    pub(super) draft: &'c mut Draft,
}

impl<P: Past> Context<'_, P> {
    pub(super) fn decode(&mut self, id: MessageId, message: &Message<'_>, out: &mut Decoded) {
        let mut incoming = Incoming::new(id, message, out);
        let address = topic::read(message.topic, self.contract, self.registry);
        let device = address.as_ref().ok().and_then(|address| address.device);
        incoming.device = device.map(|device| device.slot);
        let decoded = self.check(&incoming, address).and_then(|heard| match heard {
            Some((device, matter)) => self.hear(&incoming, device, matter, out),
            None => Ok(()),
        });
        if let Err(Flaw(refusal)) = decoded {
            incoming.take_back(out);
            incoming.refuse(out, *refusal);
        }
        if self.draft.personal {
            incoming.withhold(out);
        }
    }

    /// Whom the message is from and what it is about; `None` when there is nothing to hear.
    fn check<'r>(
        &mut self,
        incoming: &Incoming<'_>,
        address: Result<Address<'_, 'r>, Refusal>,
    ) -> Result<Option<(&'r Device, Matter)>, Flaw> {
        self.draft.clear();
        let message = incoming.message;
        self.check_whole(message)?;
        let address = address.map_err(|refusal| Flaw(Box::new(refusal)))?;
        if topic::is_anothers(message.sender, address.path) {
            let found = show::cut(&show::head(message.sender));
            return Err(refused(Code::NotYours, found, &format!("the device {}", address.path)));
        }
        let matter = match topic::matter(address.kind) {
            Some(Matter::Downward) if message.source == Source::Subscribe => return Ok(None),
            Some(matter) if matter != Matter::Downward => matter,
            _ => {
                let expected = "telemetry, event, birth, status or reply as the topic's last level";
                return Err(refused(Code::UnknownKind, show::cut(address.kind), expected));
            }
        };
        if topic::is_reserved(address.path) {
            let expected = "the path of a device: what is derived of a station is sent by nobody";
            return Err(refused(Code::NotYours, address.path.to_owned(), expected));
        }
        let stranger = || {
            let found = address.path.to_owned();
            refused(Code::UnknownDevice, found, "a registered device")
        };
        Ok(Some((address.device.ok_or_else(stranger)?, matter)))
    }

    /// Whether ingest found nothing wrong with it.
    fn check_whole(&self, message: &Message<'_>) -> Result<(), Flaw> {
        Err(match message.condition {
            Condition::Whole => return Ok(()),
            Condition::Oversized { size } => {
                let expected = format!("at most {} bytes", self.contract.max_message);
                refused(Code::TooLarge, format!("{size} bytes"), &expected)
            }
            Condition::OverBudget { dropped } => {
                let found = format!("{dropped} messages more, which were dropped");
                refused(Code::OverBudget, found, "no more messages than the device's budget")
            }
            Condition::Malformed => {
                let found = show::cut(&show::head(message.topic));
                let expected = "a PUBLISH as MQTT 3.1.1 has it, its topic in UTF-8";
                refused(Code::BadTopic, found, expected)
            }
        })
    }

    fn hear(
        &mut self,
        incoming: &Incoming<'_>,
        device: &Device,
        matter: Matter,
        out: &mut Decoded,
    ) -> Result<(), Flaw> {
        heed_heartbeat(incoming, device, matter, out);
        match matter {
            Matter::Readings(kind) => self.hear_readings(incoming, device, kind, out),
            Matter::Birth => statement::birth(incoming, device, out),
            Matter::Status => statement::presence(incoming, device, out),
            Matter::Reply => statement::reply(incoming, device, out),
            Matter::Downward => Ok(()),
        }
    }

    fn hear_readings(
        &mut self,
        incoming: &Incoming<'_>,
        device: &Device,
        kind: Kind,
        out: &mut Decoded,
    ) -> Result<(), Flaw> {
        let message = incoming.message;
        if message.retained {
            let found = "a retained message".to_owned();
            let flaw = refused(Code::Retained, found, "the retain flag not set");
            if incoming.is_old() {
                return Err(flaw);
            }
            incoming.refuse(out, *flaw.0);
        }
        let draft = &mut *self.draft;
        let mut reader =
            Reader { message: incoming, device: device.slot, profile: &device.profile, out, draft };
        read(message.payload, |source| match source {
            Payload::Json(json) => reader.read(json),
            Payload::Cbor(cbor) => reader.read(cbor),
        })?;
        self.settle(incoming, device, kind, out)
    }

    /// Gives what was read its place among what came before, and in time.
    fn settle(
        &mut self,
        incoming: &Incoming<'_>,
        device: &Device,
        kind: Kind,
        out: &mut Decoded,
    ) -> Result<(), Flaw> {
        let (draft, received) = (&mut *self.draft, incoming.message.received);
        let believed = draft.at.filter(|at| place::is_believed(*at, received));
        let known = self.past.recall(&Told {
            index: incoming.id.index,
            device: device.slot,
            boot: draft.boot,
            seq: draft.seq,
            up: draft.up,
            believed,
            received,
        });
        if known.repeat {
            incoming.take_back(out);
            out.repeats += 1;
            return Ok(());
        }
        if known.missing > 0 {
            let (boot, seq) = (draft.boot.unwrap_or(0), u64::from(draft.seq.unwrap_or(0)));
            out.gaps.push(Gap { device: device.slot, boot, seq, missing: known.missing });
        }
        if !draft.named {
            return Err(refused(Code::Empty, "none".to_owned(), "at least one metric"));
        }
        place::readings(incoming, device, kind, draft, known.started, out);
        Ok(())
    }
}

/// Keeps a message that its device wants back. Whether what it says is right is another matter.
fn heed_heartbeat(incoming: &Incoming<'_>, device: &Device, matter: Matter, out: &mut Decoded) {
    let Some(echo) = device.profile.talk.echo else { return };
    let kind = match matter {
        Matter::Readings(Kind::Telemetry) => Heartbeat::Telemetry,
        Matter::Readings(Kind::Event) => Heartbeat::Event,
        Matter::Status => Heartbeat::Status,
        _ => return,
    };
    let body = incoming.message.payload;
    if echo.heartbeat == kind && !incoming.is_old() && body.len() <= ECHO_MAX {
        let received = incoming.message.received;
        out.heartbeats.push(super::Heartbeat { device: device.slot, received, body: body.into() });
    }
}

/// The whole message is refused.
fn refused(code: Code, found: String, expected: &str) -> Flaw {
    Flaw::new(code, String::new(), found, expected)
}

/// A payload in either form.
pub(super) enum Payload<'p, 'a> {
    Json(&'p mut Json<'a>),
    Cbor(&'p mut Cbor<'a>),
}

/// Hands a payload to its reader as what its first byte says it is.
pub(super) fn read<'a>(
    payload: &'a [u8],
    reader: impl FnOnce(Payload<'_, 'a>) -> Result<(), Flaw>,
) -> Result<(), Flaw> {
    if payload.iter().all(u8::is_ascii_whitespace) {
        let found = format!("{} bytes", payload.len());
        return Err(refused(Code::Empty, found, "a JSON object"));
    }
    if is_cbor(payload) {
        reader(Payload::Cbor(&mut Cbor::new(payload)))
    } else {
        reader(Payload::Json(&mut Json::new(payload)?))
    }
}

impl<'m> Incoming<'m> {
    fn new(id: MessageId, message: &'m Message<'m>, out: &Decoded) -> Self {
        Self {
            id,
            message,
            device: None,
            extras_before: out.extras.len(),
            rejections_before: out.rejections.len(),
            samples_before: out.samples.len(),
        }
    }

    /// Kept by the broker, and told again at a subscription. A device that connects straight to us
    /// speaks now, whatever it asks to be retained.
    pub(super) fn is_old(&self) -> bool {
        self.message.retained && self.message.source == Source::Subscribe
    }

    /// Adds a rejection, within what is kept of one message and of one group.
    pub(super) fn refuse(&self, out: &mut Decoded, refusal: Refusal) {
        let of_message = out.rejections.len() - self.rejections_before;
        if of_message >= REJECTIONS_MAX {
            return;
        }
        let detailed = out.rejections.len() < DETAILED_MAX;
        let text = |text: String| if detailed { text } else { String::new() };
        let message = self.message;
        let size = match message.condition {
            Condition::Oversized { size } => size,
            _ => u64::try_from(message.payload.len()).unwrap_or(u64::MAX),
        };
        out.rejections.push(Rejection {
            code: refusal.code,
            message: self.id,
            received: message.received,
            device: self.device,
            topic: if detailed { show::head(message.topic) } else { String::new() },
            path: text(refusal.path),
            found: text(refusal.found),
            expected: text(refusal.expected),
            size,
            head: if detailed { show::payload_head(message.payload) } else { String::new() },
        });
    }

    /// Takes back everything this message led to.
    fn take_back(&self, out: &mut Decoded) {
        out.samples.truncate(self.samples_before);
        out.extras.truncate(self.extras_before);
        out.rejections.truncate(self.rejections_before);
    }

    /// It named a credential, perhaps in a way its head does not show: shows none of it.
    fn withhold(&self, out: &mut Decoded) {
        for rejection in out.rejections.iter_mut().skip(self.rejections_before) {
            show::WITHHELD.clone_into(&mut rejection.head);
        }
    }
}
