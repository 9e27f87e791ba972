//! What people say and what time does to alerts that they know of, over restarts too.

use std::collections::BTreeMap;

use super::*;
use crate::{
    alert::{Acknowledgement, Alert, Measured, Record, SayError, Standing},
    notify::Outbox,
    rule::Condition,
};

impl House {
    async fn again(self, rules: &[Rule]) -> Self {
        let (dir, clock, hand, _) = self.stop().await;
        Self::build_in(dir, rules, clock, hand)
    }

    fn only_alert(&self) -> Alert {
        let open = self.ledger.open_alerts();
        assert_eq!(open.len(), 1, "{open:?}");
        open.into_iter().next().unwrap()
    }

    async fn acknowledge(&self, minutes: u64) -> Alert {
        let (by, at) = ("Li".to_owned(), self.clock.now());
        let comment = "on my way".to_owned();
        let until = at + Duration::from_mins(minutes);
        let acknowledgement = Acknowledgement { by, comment, at, until };
        self.ledger.acknowledge(&self.only_alert().id, acknowledgement).await.unwrap()
    }

    /// Takes what waits for the log, as its worker would.
    async fn send(&self) -> Vec<String> {
        let outbox = Outbox::open(self.dir.path()).unwrap();
        let mut sent = Vec::new();
        loop {
            let due = outbox.due("log", self.clock.now(), 10).await.unwrap();
            if due.is_empty() {
                return sent;
            }
            for notice in due {
                let body: serde_json::Value = serde_json::from_str(&notice.body).unwrap();
                let (kind, alert) = (body["type"].as_str().unwrap(), &body["alert"]);
                sent.push(format!("{kind} {} {}", alert["repeats"], alert["escalated"]));
                outbox.sent(&notice.id, "log", self.clock.now()).await.unwrap();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_keeps_an_alert_quiet_and_runs_out_over_a_restart() {
    let rules = [Rule { repeat: MINUTE * 2, ..door() }];
    let house = House::build(&rules);
    house.hand_over(Group::new(1).reading(0, 0.0, "door=true")).await;
    let known = house.acknowledge(30).await;
    assert_eq!(
        (known.state, known.acknowledged.unwrap().by.as_str()),
        (Standing::Acknowledged, "Li")
    );
    house.minutes(20).await;
    assert_eq!(house.told().await, ["0 firing door d0", "0 acknowledged door d0"]);
    assert_eq!(house.send().await, ["alert.firing null null"], "who acknowledges is not told");

    let house = house.again(&rules).await;
    assert_eq!(house.only_alert().state, Standing::Acknowledged);
    house.hand.set(minute(31.0));
    house.minutes(1).await;
    assert_eq!(house.told().await[2..], ["31 lapsed door d0"]);
    let again = house.only_alert();
    assert_eq!((again.state, again.acknowledged), (Standing::Firing, None));
    assert_eq!(house.send().await, ["alert.firing null null"], "it is said again");
    house.minutes(2).await;
    assert_eq!(house.send().await, ["alert.firing 1 null"], "and repeated from then on");

    house.acknowledge(30).await;
    let at = (house.clock.now().0 - minute(0.0).0) / 60_000;
    let group = Group::new(2).reading(0, f64::from(i32::try_from(at).unwrap()), "door=false");
    house.hand_over(group).await;
    assert_eq!(house.send().await, ["alert.resolved 1 null"], "the end is told to all");
    let ended = &house.ledger.alerts(1).await.unwrap()[0];
    assert_eq!((ended.state, ended.acknowledged.is_some()), (Standing::Resolved, true));
    let late = house.ledger.acknowledge(&ended.id, ended.acknowledged.clone().unwrap()).await;
    assert!(matches!(late, Err(SayError::UnknownAlert { .. })), "{late:?}");
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_repeated_alert_is_told_again_until_somebody_looks_after_it() {
    let rules = [Rule { repeat: MINUTE * 2, ..door() }];
    let house = House::build(&rules);
    house.hand_over(Group::new(1).reading(0, 0.0, "door=true")).await;
    house.send().await;
    house.minutes(3).await;
    assert_eq!(house.send().await, ["alert.firing 1 null"]);

    // Stopped for ten minutes, it says it once and not five times.
    let house = house.again(&rules).await;
    house.minutes(1).await;
    assert_eq!(house.send().await, ["alert.firing 2 null"], "a restart doubles nothing");
    let house = house.again(&rules).await;
    house.hand.set(minute(14.0));
    house.minutes(1).await;
    assert_eq!(house.send().await, ["alert.firing 3 true"]);
    // While the channel is down only one waits.
    house.minutes(10).await;
    assert_eq!(house.send().await.len(), 1);
    assert!(house.only_alert().repeats >= 7);
    house.acknowledge(600).await;
    house.minutes(10).await;
    assert_eq!(house.send().await, [""; 0]);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn work_that_was_entered_is_kept_and_read_in_pages() {
    let house = House::build(&[door()]);
    let work = |device: &str, kind: &str, part: Option<&str>, at: f64| Record {
        id: format!("{device} {kind} {at}"),
        path: format!("putuo/s1/{device}"),
        kind: kind.to_owned(),
        part: part.map(str::to_owned),
        at: minute(at),
        by: "Li".to_owned(),
        comment: String::new(),
        values: BTreeMap::from([("t".to_owned(), Measured::Number(4.0))]),
    };
    let done = [
        work("d0", "cleaned", None, 1.0),
        work("d0", "replaced", Some("filter"), 2.0),
        work("d1", "checked", None, 3.0),
        work("d0", "cleaned", None, 4.0),
        work("d0", "replaced", Some("lamp"), 0.5),
    ];
    for record in &done {
        house.ledger.enter(record.clone()).await.unwrap();
    }
    let unknown = house.ledger.enter(work("d9", "cleaned", None, 1.0)).await;
    assert!(matches!(unknown, Err(SayError::UnknownDevice { .. })), "{unknown:?}");

    let house = house.again(&[door()]).await;
    let all = house.ledger.records(None, 10, 0).await.unwrap();
    assert_eq!(all.iter().map(|r| r.at).collect::<Vec<_>>(), [4.0, 3.0, 2.0, 1.0, 0.5].map(minute));
    assert_eq!(all[2], done[1]);
    let page = house.ledger.records(Some("putuo/s1/d0".into()), 2, 1).await.unwrap();
    assert_eq!(page, [done[1].clone(), done[0].clone()]);
    let last = house.ledger.last_records().await.unwrap();
    assert_eq!(last, [4, 1, 2, 3].map(|index| done[index].clone()));
    house.stop().await;
}

fn cleaned(at: f64) -> Record {
    Record {
        id: format!("cleaned {at}"),
        path: "putuo/s1/d0".into(),
        kind: "cleaned".into(),
        part: None,
        at: minute(at),
        by: "Li".into(),
        comment: String::new(),
        values: BTreeMap::new(),
    }
}

/// Not cleaned for half an hour.
fn dirty() -> Rule {
    let metric = symbol("record.cleaned");
    rule("dirty", Condition::OlderThan { metric, than: MINUTE * 30 })
}

#[tokio::test(start_paused = true)]
async fn a_record_is_judged_after_a_restart_and_by_rules_that_came_after_it() {
    let house = House::build(&[door(), dirty()]);
    house.minutes(10).await;
    house.ledger.enter(cleaned(10.0)).await.unwrap();
    let house = house.again(&[door(), dirty()]).await;
    house.minutes(25).await;
    let of_d0 = |told: Vec<String>| -> Vec<String> {
        told.into_iter().filter(|line| line.ends_with(" d0")).collect()
    };
    assert_eq!(of_d0(house.told().await), [""; 0], "35 minutes after the start, 25 after the work");
    house.minutes(6).await;
    assert_eq!(of_d0(house.told().await), ["40 firing dirty d0"]);
    house.ledger.enter(cleaned(41.0)).await.unwrap();
    assert_eq!(of_d0(house.told().await)[1..], ["41 resolved dirty d0"]);
    house.stop().await;

    let house = House::build(&[door()]);
    house.minutes(20).await;
    house.ledger.enter(cleaned(20.0)).await.unwrap();
    house.minutes(12).await;
    house.reload(&[door(), dirty()]).await;
    house.minutes(10).await;
    assert_eq!(of_d0(house.told().await), [""; 0], "the rule is newer than the work");
    house.minutes(10).await;
    assert_eq!(of_d0(house.told().await), ["50 firing dirty d0"]);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn alerts_that_are_old_go_and_records_stay() {
    let rules = [door(), rule("other", is("other", true))];
    let house = House::build(&rules);
    house.hand_over(Group::new(1).reading(0, 0.0, "door=true other=true")).await;
    house.minutes(1).await;
    house.hand_over(Group::new(2).reading(0, 1.0, "door=false")).await;
    house.ledger.enter(cleaned(0.0)).await.unwrap();
    assert!(!house.ledger.forget(minute(0.5)).await.unwrap());
    assert_eq!(house.told().await.len(), 2, "what it began with is old, its end is not");
    assert_eq!(house.ledger.alerts(9).await.unwrap().len(), 2);
    house.hand.set(minute(0.0) + Duration::from_hours(24 * 401));
    house.minutes(61).await;
    let left = house.ledger.alerts(9).await.unwrap();
    assert_eq!(left.iter().map(|alert| alert.rule.as_str()).collect::<Vec<_>>(), ["other"]);
    assert_eq!(house.told().await, ["0 firing other d0"]);
    assert_eq!(house.ledger.records(None, 9, 0).await.unwrap().len(), 1);
    house.stop().await;
}
