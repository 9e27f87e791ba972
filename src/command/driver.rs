//! The stage: orders, groups and time in; commands, settings and echoes out.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use serde_json::json;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tracing::info;

use super::{
    Desk, book,
    desk::Unavailable,
    echo,
    here::Here,
    life::{self, Event},
    model::{Command, State},
    wishes::Wishes,
};
use crate::{
    clock::Clock,
    decode::{Decoded, Reply},
    follow::Follower,
    ingest::Doors,
    live::Live,
    reading::Timestamp,
    registry::Registry,
    telemetry::Readiness,
};

/// Our part of `/readyz`.
const PART: &str = "command";
/// Between two looks at what waits, when much happens …
const LOOK_AT_MOST: Duration = Duration::from_millis(20);
/// … and when nothing does.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Answers that wait for the disk; beyond that no more groups are taken.
const ANSWERS_MAX: usize = 1000;
/// Settings published at the broker at one look.
const WISHES_AT_ONCE: usize = 200;

/// Sends what is asked for and hears what becomes of it, until `groups` ends.
#[expect(clippy::too_many_arguments, reason = "the signature is the documentation")]
pub async fn run(
    mut groups: Follower,
    desk: Desk,
    doors: Doors,
    prefix: String,
    registry: watch::Receiver<Arc<Registry>>,
    clock: Clock,
    live: Live,
    readiness: Readiness,
) -> anyhow::Result<()> {
    let now = Instant::now();
    let mut driver = Driver {
        desk: desk.clone(),
        doors: doors.clone(),
        prefix,
        registry,
        clock,
        live,
        readiness,
        here: Here::default(),
        open: BTreeMap::new(),
        taken: 0,
        wishes: Wishes::default(),
        wished: 0,
        answers: VecDeque::new(),
        heard: groups.position(),
        looked: now,
        wake: now,
    };
    loop {
        tokio::select! {
            group = groups.next(), if driver.answers.len() < ANSWERS_MAX => {
                let Some(group) = group else { break };
                driver.hear(&group);
            }
            () = desk.rung() => driver.look_soon(),
            () = doors.arrival() => driver.look_soon(),
            () = sleep_until(driver.wake) => driver.look_round().await,
        }
        if driver.answers.is_empty() {
            groups.commit(driver.heard);
        }
    }
    driver.look_round().await;
    if driver.answers.is_empty() {
        groups.commit(driver.heard);
    }
    Ok(())
}

/// What a device said that has to be kept.
#[derive(Debug)]
enum Answer {
    Reply(String, Reply),
    Runs { device: String, revision: u64 },
}

struct Driver {
    desk: Desk,
    doors: Doors,
    prefix: String,
    registry: watch::Receiver<Arc<Registry>>,
    clock: Clock,
    live: Live,
    readiness: Readiness,
    here: Here,
    /// Commands that wait or are on their way, by number.
    open: BTreeMap<i64, Command>,
    /// The last command we know of.
    taken: i64,
    wishes: Wishes,
    /// The last wish we know of.
    wished: i64,
    answers: VecDeque<Answer>,
    heard: u64,
    looked: Instant,
    wake: Instant,
}

impl Driver {
    fn hear(&mut self, group: &Decoded) {
        self.heard = group.group;
        for (device, body) in echo::echoes(group, self.clock.now()) {
            self.doors.publish(&format!("{}/{device}/echo", self.prefix), &body);
        }
        if self.doors.subscribe.is_some() {
            self.here.hear(group);
        }
        let path = |slot| group.registry.device(slot).map(|device| device.path.to_string());
        for reply in &group.replies {
            self.answers.extend(path(reply.device).map(|path| Answer::Reply(path, reply.clone())));
        }
        for birth in &group.births {
            let (Some(revision), Some(device)) = (birth.config, path(birth.device)) else {
                continue;
            };
            self.answers.push_back(Answer::Runs { device, revision });
        }
        if !self.answers.is_empty() || !self.open.is_empty() {
            self.look_soon();
        }
    }

    fn look_soon(&mut self) {
        self.wake = self.wake.min(self.looked + LOOK_AT_MOST);
    }

    /// All there is to do. What the disk does not take now is tried again.
    async fn look_round(&mut self) {
        self.looked = Instant::now();
        match self.do_all().await {
            Ok(()) => self.readiness.well(PART),
            Err(unavailable) => self.readiness.trouble(PART, unavailable.to_string()),
        }
        self.wake = self.looked + LOOK_AGAIN;
    }

    async fn do_all(&mut self) -> Result<(), Unavailable> {
        self.take_wishes().await?;
        self.take_orders().await?;
        while let Some(answer) = self.answers.front() {
            match answer {
                Answer::Reply(device, reply) => {
                    let (device, reply) = (device.clone(), reply.clone());
                    self.take_reply(&device, &reply).await?;
                }
                Answer::Runs { device, revision } => {
                    let (device, revision) = (device.clone(), *revision);
                    self.take_report(device, revision).await?;
                }
            }
            self.answers.pop_front();
        }
        self.publish_wishes().await?;
        let now = self.clock.now();
        let numbers: Vec<i64> = self.open.keys().copied().collect();
        for number in numbers {
            self.look_after(number, now).await?;
        }
        Ok(())
    }

    async fn take_orders(&mut self) -> Result<(), Unavailable> {
        let taken = self.taken;
        let new = self.desk.with(move |connection| book::open_after(connection, taken)).await?;
        for (number, command) in new {
            self.taken = number;
            if command.state == State::Waiting {
                let Command { id, device, op, by, .. } = &command;
                info!(id, device, op, by, "a command waits for its device");
                self.live.announce_command(&command.device, &command);
            }
            self.open.insert(number, command);
        }
        Ok(())
    }

    /// Lets time pass for one command, and sends it if its device is there.
    async fn look_after(&mut self, number: i64, now: Timestamp) -> Result<(), Unavailable> {
        let Some(command) = self.open.get(&number) else { return Ok(()) };
        if life::due(command.state, command.expires).is_some_and(|due| now >= due) {
            return self.happen(number, Event::Tick, None, now).await;
        }
        if command.state != State::Waiting {
            return Ok(());
        }
        let (topic, expires) =
            (format!("{}/{}/command", self.prefix, command.device), command.expires);
        let registry = Arc::clone(&self.registry.borrow());
        let Some(device) = registry.find(&command.device) else { return Ok(()) };
        let is_here = || self.here.is_here(device, now);
        let Some(way) = self.doors.way(&topic, is_here) else { return Ok(()) };
        self.happen(number, Event::Sending, None, now).await?;
        let Some(command) = self.open.get(&number).filter(|c| c.state == State::Sent) else {
            return Ok(());
        };
        let now = self.clock.now();
        let body = body(command, now);
        if now < expires && self.doors.send_once(way, &topic, body, expires) {
            return Ok(());
        }
        self.happen(number, Event::NotSent, None, now).await
    }

    /// Keeps what happened to an open command, then tells it.
    async fn happen(
        &mut self,
        number: i64,
        event: Event,
        reason: Option<String>,
        now: Timestamp,
    ) -> Result<(), Unavailable> {
        let Some(command) = self.open.get(&number) else { return Ok(()) };
        let Some(next) = self.keep(command.clone(), event, reason, now).await? else {
            return Ok(());
        };
        if matches!(next.state, State::Waiting | State::Sent) {
            self.open.insert(number, next);
        } else {
            self.open.remove(&number);
        }
        Ok(())
    }

    async fn keep(
        &self,
        mut command: Command,
        event: Event,
        reason: Option<String>,
        now: Timestamp,
    ) -> Result<Option<Command>, Unavailable> {
        let Some(state) = life::step(command.state, event, command.expires, now) else {
            return Ok(None);
        };
        command.enter(state, now);
        command.reason = reason.or(command.reason);
        let saved = command.clone();
        self.desk.with(move |connection| book::save(connection, &saved)).await?;
        let Command { id, device, op, by, .. } = &command;
        info!(id, device, op, by, "a command is {}", state.as_str());
        self.live.announce_command(&command.device, &command);
        Ok(Some(command))
    }

    async fn take_reply(&mut self, device: &str, reply: &Reply) -> Result<(), Unavailable> {
        let (event, at) = (Event::Reply(reply.state), reply.received);
        let number = self.open.iter().find(|(_, command)| command.id == reply.id);
        if let Some((number, command)) = number {
            // Another device's command is not its to answer.
            if command.device != device {
                return Ok(());
            }
            let number = *number;
            return self.happen(number, event, reply.reason.clone(), at).await;
        }
        match self.desk.find(&reply.id).await? {
            Some(command) if command.device == device => {
                self.keep(command, event, reply.reason.clone(), at).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    async fn take_report(&mut self, device: String, revision: u64) -> Result<(), Unavailable> {
        if self.wishes.report(&device, revision) {
            let save = move |connection: &mut _| book::save_report(connection, &device, revision);
            self.desk.with(save).await?;
        }
        Ok(())
    }

    /// What is wanted waits here for devices that subscribe.
    async fn take_wishes(&mut self) -> Result<(), Unavailable> {
        let wished = self.wished;
        let read = move |connection: &mut _| book::configs_after(connection, wished);
        let (configs, last) = self.desk.with(read).await?;
        for config in configs {
            self.wishes.want(&config.device, config.revision, config.reported);
            self.doors.keep(&self.config_topic(&config.device), &config.body());
        }
        self.wished = last;
        Ok(())
    }

    async fn publish_wishes(&mut self) -> Result<(), Unavailable> {
        if self.doors.subscribe.as_ref().is_none_or(|door| !door.is_up()) || !self.wishes.is_due() {
            return Ok(());
        }
        for device in self.wishes.due(WISHES_AT_ONCE) {
            if let Some(config) = self.desk.config(&device).await?
                && !self.doors.keep_at_broker(&self.config_topic(&device), &config.body())
            {
                return Ok(());
            }
            self.wishes.told(&device);
        }
        Ok(())
    }

    fn config_topic(&self, device: &str) -> String {
        format!("{}/{device}/config", self.prefix)
    }
}

fn body(command: &Command, now: Timestamp) -> Vec<u8> {
    let Command { id, op, args, expires, .. } = command;
    let left = u64::try_from(expires.since(now).as_millis()).unwrap_or(u64::MAX);
    let body =
        json!({ "id": id, "op": op, "args": args, "expires": expires, "expires_in_ms": left });
    body.to_string().into_bytes()
}
