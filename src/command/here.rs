//! Which devices behind a broker are there. A broker does not say who listens, so we go by what we
//! hear: any live message says that its device is there, `sleeping`, `offline` and `lost` that it is
//! not, and after a long silence nobody is. A retained `online` counts until anything else is heard:
//! a device that has gone has a last will in its place.

use std::{collections::HashMap, time::Duration};

use foldhash::fast::FixedState;

use crate::{
    decode::{Decoded, PresenceState},
    reading::{MessageId, Slot, Timestamp},
    registry::Device,
};

/// A device that says nothing for this long, or for three reports where that is longer, is not there.
const SILENT: Duration = Duration::from_mins(10);

/// What was heard last, of devices that commands may be for.
#[derive(Debug, Default)]
pub(super) struct Here(HashMap<Slot, Heard, FixedState>);

#[derive(Debug, Clone, Copy)]
struct Heard {
    message: MessageId,
    at: Timestamp,
    away: bool,
}

impl Here {
    pub(super) fn hear(&mut self, group: &Decoded) {
        let takes_commands = |slot: Slot| {
            let device = group.registry.device(slot);
            device.is_some_and(|device| !device.profile.talk.commands.is_empty())
        };
        let readings = group.readings.iter().map(|r| (r.device, r.message, r.received, false));
        let live = group.births.iter().filter(|birth| !birth.retained);
        let births = live.map(|b| (b.device, b.message, b.received, false));
        let replies = group.replies.iter().map(|r| (r.device, r.message, r.received, false));
        let presence =
            group.presence.iter().filter(|p| !p.retained || !self.0.contains_key(&p.device));
        let presence = presence
            .map(|p| (p.device, p.message, p.received, p.state != PresenceState::Online))
            .collect::<Vec<_>>();
        for (device, message, at, away) in readings.chain(births).chain(replies).chain(presence) {
            if !takes_commands(device) {
                continue;
            }
            let heard = Heard { message, at, away };
            let last = self.0.entry(device).or_insert(heard);
            if last.message <= message {
                *last = heard;
            }
        }
    }

    pub(super) fn is_here(&self, device: &Device, now: Timestamp) -> bool {
        let silent = SILENT.max(device.reports_every * 3);
        self.0.get(&device.slot).is_some_and(|heard| !heard.away && now.since(heard.at) < silent)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        decode::Presence,
        device::{Operation, Profile, Talk},
        reading::{Kind, PlacedBy, Reading},
        registry::Registry,
        rule::Text,
    };

    fn registry() -> Arc<Registry> {
        let mut profile = Profile::sample("fridge", &[]).unwrap();
        let (op, name) = ("defrost".to_owned(), Text::default());
        let expires = Duration::from_mins(1);
        let defrost = Operation { op, name, hint: None, args: Vec::new(), expires };
        profile.talk = Talk { commands: vec![defrost], ..Talk::default() };
        Arc::new(Registry::sample([("d/s/x", &Arc::new(profile))]))
    }

    /// A minute a letter: `r` a reading, `o` `z` `f` `l` online, asleep, offline, lost, `O` `L` the
    /// same, retained; `.` nothing. Expects `+` where the device is there.
    #[track_caller]
    fn check(timeline: &str, expected: &str) {
        let registry = registry();
        let device = registry.find("d/s/x").unwrap();
        let mut here = Here::default();
        let mut seen = String::new();
        for (minute, letter) in (0..).zip(timeline.chars()) {
            let received = Timestamp(minute * 60_000);
            let id = MessageId { group: u64::try_from(minute).unwrap(), index: 0 };
            here.hear(&group(&registry, device, id, received, letter));
            seen.push(if here.is_here(device, received) { '+' } else { '-' });
        }
        assert_eq!(seen, expected, "{timeline}");
    }

    fn group(
        registry: &Arc<Registry>,
        device: &Device,
        message: MessageId,
        received: Timestamp,
        letter: char,
    ) -> Decoded {
        let mut decoded = Decoded { registry: Arc::clone(registry), ..Decoded::default() };
        let state = match letter {
            '.' => return decoded,
            'r' => {
                decoded.readings.push(Reading {
                    device: device.slot,
                    message,
                    kind: Kind::Telemetry,
                    at: received,
                    placed_by: PlacedBy::Receipt,
                    claimed: None,
                    received,
                    backfill: false,
                    samples: 0..0,
                });
                return decoded;
            }
            'o' | 'O' => PresenceState::Online,
            'z' => PresenceState::Sleeping,
            'f' => PresenceState::Offline,
            _ => PresenceState::Lost,
        };
        let retained = letter.is_ascii_uppercase();
        let device = device.slot;
        decoded.presence.push(Presence {
            device,
            message,
            received,
            state,
            sleeps: None,
            retained,
        });
        decoded
    }

    #[test]
    fn who_speaks_is_there_until_it_goes_or_falls_silent() {
        check(".r.........  .".replace(' ', ".").as_str(), "-++++++++++---");
        check("rl.r", "+--+");
        check("ozrfo", "+-+-+");
    }

    #[test]
    fn what_the_broker_kept_counts_until_anything_is_heard() {
        check("O.", "++");
        check("L.r", "--+");
        check("rL", "++");
        check("lO", "--");
    }
}
