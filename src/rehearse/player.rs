//! Plays a timeline: message by message through the decoder, moment by moment through the engine.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    given,
    message::{self, Sender},
    world,
};
use crate::{
    alert::{Engine, Happening, Outcome},
    decode::{Decoded, Rejection},
    derive::Deriver,
    device::{Catalog, Moment, Play, Profile, Said, Timeline, Turn, What},
    reading::{Sample, Slot, Symbol, Timestamp},
    registry::Registry,
};

/// What came of a timeline.
#[derive(Debug, Default)]
pub(super) struct Played {
    /// What the device's rules did, in the order in which they did.
    pub(super) happened: Vec<Happened>,
    /// Lines that did not do what they say: `01:00 temp_c=warm: refused: …`.
    pub(super) refused: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Happened {
    pub(super) at: Moment,
    pub(super) turn: Turn,
    pub(super) rule: String,
    /// What it says in English, where it fires.
    pub(super) says: String,
}

pub(super) fn play(
    catalog: &Catalog,
    profile: &Arc<Profile>,
    timeline: &Timeline,
) -> Result<Played, String> {
    let registry = world::build(catalog, profile, timeline)?;
    let mut player = Player::new(catalog, profile, timeline.clone(), registry);
    for (at, play) in in_order(&timeline.plays) {
        player.pass(world::time(at).plus_millis(-1));
        if let Err(refused) = player.perform(at, play) {
            // Said once, however often the line comes.
            if player.played.refused.iter().all(|said| !said.starts_with(&play.line)) {
                player.played.refused.push(format!("{}: {refused}", play.line));
            }
        }
    }
    player.pass(world::time(timeline.end()));
    Ok(player.played)
}

/// Every coming of every line, by time, then as they stand in the file.
fn in_order(plays: &[Play]) -> Vec<(Moment, &Play)> {
    let each = |play| Play::moments(play).map(move |at| (at, play));
    let mut all: Vec<_> = plays.iter().flat_map(each).collect();
    all.sort_by_key(|(at, _)| *at);
    all
}

struct Player<'a> {
    catalog: &'a Catalog,
    profile: &'a Arc<Profile>,
    /// Its facts change when somebody writes a new date.
    timeline: Timeline,
    registry: Arc<Registry>,
    path: String,
    senders: BTreeMap<String, Sender>,
    deriver: Deriver,
    engine: Engine,
    group: u64,
    /// Alerts that are open, by their rule, and all that ever were, by their id.
    open: BTreeMap<String, String>,
    names: BTreeMap<String, String>,
    played: Played,
}

impl<'a> Player<'a> {
    fn new(
        catalog: &'a Catalog,
        profile: &'a Arc<Profile>,
        timeline: Timeline,
        registry: Arc<Registry>,
    ) -> Self {
        let start = world::time(Moment::default());
        Self {
            catalog,
            profile,
            timeline,
            path: world::path(&profile.id),
            senders: BTreeMap::new(),
            deriver: Deriver::default(),
            engine: Engine::new(Arc::clone(&registry), start, Duration::ZERO),
            registry,
            group: 0,
            open: BTreeMap::new(),
            names: BTreeMap::new(),
            played: Played::default(),
        }
    }

    /// Lets time go by: whatever is due happens when it is.
    fn pass(&mut self, to: Timestamp) {
        let mut last = None;
        while let Some(due) = self.engine.next_timer().filter(|due| *due < to) {
            if last.replace(due) == Some(due) {
                break;
            }
            let outcome = self.engine.tick(due);
            self.note(outcome);
        }
        let outcome = self.engine.tick(to);
        self.note(outcome);
    }

    fn perform(&mut self, at: Moment, play: &Play) -> Result<(), String> {
        let id = play.profile.as_deref().unwrap_or(&self.profile.id).to_owned();
        let sender = self.senders.entry(id.clone()).or_insert_with(|| Sender::new(&id));
        match &play.what {
            What::Clock(clock) => sender.set_clock(*clock),
            What::Skip(messages) => sender.skip(*messages),
            What::Confirm(rule) => return self.confirm(at, rule),
            What::Date(name, date) => return self.date(at, name, date),
            What::Record { .. } => return self.record(at, &id, &play.what),
            _ => {}
        }
        let profile = self.catalog.get(&id);
        let refused = match &play.what {
            What::Refused(metric) => profile.and_then(|known| known.metric(metric.as_str())),
            _ => None,
        };
        let own = self.registry.find(&world::path(&id)).filter(|own| own.profile.derived);
        if let (What::Reads { values, .. }, Some(own)) = (&play.what, own) {
            self.derived(at, own.slot, values);
            return Ok(());
        }
        let Some(sender) = self.senders.get_mut(&id) else { return Ok(()) };
        let wrong_clock = sender.has_wrong_clock();
        let Some(messages) = sender.message(at, &play.what, refused) else { return Ok(()) };
        self.group += 1;
        let (decoded, _) = self.deriver.decode(self.group, &messages, &self.registry);
        let outcome = self.engine.apply(&decoded, world::time(at));
        self.note(outcome);
        judged(&decoded, refused.is_some(), wrong_clock)
    }

    /// The stations file is changed and read again, as by SIGHUP.
    fn date(&mut self, at: Moment, name: &str, date: &str) -> Result<(), String> {
        self.timeline.facts.dates.insert(name.to_owned(), date.to_owned());
        self.registry = world::build(self.catalog, self.profile, &self.timeline)?;
        let outcome = self.engine.reload(Arc::clone(&self.registry), world::time(at));
        self.note(outcome);
        Ok(())
    }

    fn confirm(&mut self, at: Moment, rule: &str) -> Result<(), String> {
        let open = self.open.get(rule).cloned();
        let open = open.ok_or("there is no such alert to confirm")?;
        let outcome = self.engine.confirm(&self.path, &open, "somebody", world::time(at));
        self.note(outcome.ok_or("the alert is no longer open")?);
        Ok(())
    }

    /// What is derived of the station is sent by nobody.
    fn derived(&mut self, at: Moment, slot: Slot, values: &[(Symbol, Said)]) {
        self.group += 1;
        let decoded = given::derived(self.group, at, &self.registry, slot, values);
        let outcome = self.engine.apply(&decoded, world::time(at));
        self.note(outcome);
    }

    /// Somebody did something to a device, or found something.
    fn record(&mut self, at: Moment, id: &str, what: &What) -> Result<(), String> {
        let What::Record { kind, part, values } = what else { return Ok(()) };
        let part = part.iter().map(|part| format!("record.{kind}_{part}"));
        let names = std::iter::once(format!("record.{kind}")).chain(part);
        let done: Vec<_> = names.filter_map(|name| Symbol::known(&name)).collect();
        let found = values.iter().filter_map(|(metric, said)| {
            Some(Sample { metric: *metric, value: message::found(said, at)? })
        });
        let (found, now) = (found.collect::<Vec<_>>(), world::time(at));
        let outcome = self.engine.record(&world::path(id), &done, now, &found, now);
        self.note(outcome.ok_or("there is no such device")?);
        Ok(())
    }

    fn note(&mut self, outcome: Outcome) {
        for happening in outcome.happenings {
            match happening {
                Happening::Raised { alert, at } => {
                    self.names.insert(alert.id.clone(), alert.rule.clone());
                    if alert.path() == self.path {
                        self.open.insert(alert.rule.clone(), alert.id);
                        self.happened(at, Turn::Firing, alert.rule, alert.says.en);
                    }
                }
                Happening::Resolved { id, at, .. } => {
                    let Some(rule) = self.names.remove(&id) else { continue };
                    if self.open.get(&rule) == Some(&id) {
                        self.open.remove(&rule);
                        self.happened(at, Turn::Resolved, rule, String::new());
                    }
                }
            }
        }
    }

    fn happened(&mut self, at: Timestamp, turn: Turn, rule: String, says: String) {
        let at = world::moment(at);
        self.played.happened.push(Happened { at, turn, rule, says });
    }
}

/// A message of a line is taken whole, or refused where the line wants that. What a clock that is
/// wrong says may be refused.
fn judged(decoded: &Decoded, to_be_refused: bool, wrong_clock: bool) -> Result<(), String> {
    let counts = |refused: &&Rejection| !(wrong_clock && refused.path == "/at");
    let said: Vec<_> = decoded.rejections.iter().filter(counts).map(Rejection::says).collect();
    match (to_be_refused, said.is_empty()) {
        (true, true) => Err("was not refused: give the metric a plausible range".to_owned()),
        (false, false) => Err(format!("refused: {}", said.join("; "))),
        _ => Ok(()),
    }
}
