//! What is wrong with ourselves. Pure: figures in, troubles out.
//!
//! A trouble that stands ends only when it is clearly over, so that nobody is told twice about one
//! that wavers at its limit.

use std::time::Duration;

use super::{Behind, Figures, Input, gauges::float, host::Disk};
use crate::{
    reading::Timestamp,
    rule::{Severity, Text},
};

/// Something wrong with the daemon or its host, to be raised as an alert of the station `daemon`
/// in the district `waystation`, device `host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Stable, and unique among those of one look: the alert's rule.
    pub id: &'static str,
    pub severity: Severity,
    pub says: Text,
    /// What to do.
    pub cure: Text,
}

/// Where troubles begin; those that people may set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    pub input_lost_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { input_lost_after: Duration::from_mins(1) }
    }
}

const GIB: u64 = 1 << 30;
const STORE_LATE: Duration = Duration::from_mins(5);
const ALERT_LATE: Duration = Duration::from_mins(1);
const NOTICE_LATE: Duration = Duration::from_mins(5);

/// The troubles of this moment, the worst first; `before` are those of the look before.
pub fn judge(figures: &Figures, limits: &Limits, before: &[Trouble]) -> Vec<Trouble> {
    let stood = |id: &str| before.iter().find(|trouble| trouble.id == id).map(|t| t.severity);
    let parts = &figures.parts;
    let reader = |name| parts.readers.iter().find(|reader| reader.reader == name);
    let lost = lost(&parts.inputs, figures.at, limits.input_lost_after);
    let late = |name, patience| {
        reader(name).filter(|behind| waited(figures.at, behind.since).is_some_and(|t| t > patience))
    };
    let notice = waited(figures.at, parts.outbox.oldest).filter(|waited| *waited > NOTICE_LATE);
    let all = [
        figures.host.disk.and_then(|disk| disk_nearly_full(disk, stood("disk_nearly_full"))),
        journal_filling(parts.journal_bytes, parts.journal_max_bytes, stood("journal_filling")),
        lost.map(input_lost),
        late("store", STORE_LATE).map(store_behind),
        late("alert", ALERT_LATE).map(alerts_behind),
        notice.map(|waited| outbox_failing(parts.outbox.waiting, waited)),
    ];
    let mut troubles: Vec<_> = all.into_iter().flatten().collect();
    troubles.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.id.cmp(b.id)));
    troubles
}

fn waited(now: Timestamp, since: Option<Timestamp>) -> Option<Duration> {
    since.map(|since| now.since(since))
}

/// The severity of `share` (full = 1) against rising limits; one that stands needs 3 % less to fall.
fn grade(share: f64, limits: [(f64, Severity); 3], stood: Option<Severity>) -> Option<Severity> {
    let slack = |severity| if stood >= Some(severity) { 0.03 } else { 0.0 };
    let over = limits.into_iter().filter(|(limit, severity)| share >= limit - slack(*severity));
    over.map(|(_, severity)| severity).max()
}

fn disk_nearly_full(disk: Disk, stood: Option<Severity>) -> Option<Trouble> {
    use Severity::{Critical, Major, Minor};
    let used = 1.0 - float(disk.free) / float(disk.total.max(1));
    let roomy = disk.free > 20 * GIB;
    let limits = [(0.85, Minor), (0.93, Major), (0.98, Critical)];
    let severity = grade(used, limits, stood).filter(|_| disk.total > 0 && !roomy)?;
    let left = disk.free / (1 << 20);
    Some(Trouble {
        id: "disk_nearly_full",
        severity,
        says: text(
            format!("The disk with Waystation's data has {left} MiB left"),
            format!("Waystation 数据盘仅剩 {left} MiB"),
        ),
        cure: text(
            "Make room on it; when it is full no message is acknowledged any more",
            "请清理磁盘；写满后将不再确认任何消息",
        ),
    })
}

fn journal_filling(bytes: u64, max: u64, stood: Option<Severity>) -> Option<Trouble> {
    use Severity::{Critical, Major, Minor};
    let share = float(bytes) / float(max.max(1));
    let limits = [(0.5, Minor), (0.8, Major), (0.95, Critical)];
    let severity = grade(share, limits, stood).filter(|_| max > 0)?;
    let percent = bytes.saturating_mul(100) / max;
    Some(Trouble {
        id: "journal_filling",
        severity,
        says: text(format!("The journal is {percent} % full"), format!("日志队列已用 {percent} %")),
        cure: text(
            "See why the store is behind, or raise journal.max_bytes",
            "检查存储为何落后，或调大 journal.max_bytes",
        ),
    })
}

fn lost(inputs: &[Input], now: Timestamp, patience: Duration) -> Option<&Input> {
    let down = inputs.iter().filter(|input| waited(now, input.down_since) > Some(patience));
    down.min_by_key(|input| input.down_since)
}

fn input_lost(input: &Input) -> Trouble {
    let name = input.name;
    Trouble {
        id: "input_lost",
        severity: Severity::Critical,
        says: text(
            format!("No messages can come in by {name}: Waystation is blind"),
            format!("{name} 输入中断：Waystation 收不到任何消息"),
        ),
        cure: text(
            "Check the broker and the network; /readyz says what it met last",
            "检查消息服务器与网络；/readyz 显示最近一次错误",
        ),
    }
}

fn store_behind(behind: &Behind) -> Trouble {
    let messages = behind.messages;
    Trouble {
        id: "store_behind",
        severity: Severity::Major,
        says: text(
            format!("The store is {messages} messages behind"),
            format!("存储落后 {messages} 条消息"),
        ),
        cure: text(
            "Check that the store answers; nothing is lost while the journal has room",
            "检查存储是否应答；日志队列未满前不会丢失数据",
        ),
    }
}

fn alerts_behind(behind: &Behind) -> Trouble {
    let messages = behind.messages;
    Trouble {
        id: "alerts_behind",
        severity: Severity::Critical,
        says: text(
            format!("Alerts are {messages} messages behind: they come late"),
            format!("告警处理落后 {messages} 条消息，告警会迟到"),
        ),
        cure: text("Check the host's CPU and disk", "检查主机 CPU 与磁盘"),
    }
}

fn outbox_failing(waiting: u64, waited: Duration) -> Trouble {
    let minutes = waited.as_secs() / 60;
    Trouble {
        id: "outbox_failing",
        severity: Severity::Major,
        says: text(
            format!("{waiting} notices wait, the oldest for {minutes} minutes"),
            format!("{waiting} 条通知未送达，最久已等 {minutes} 分钟"),
        ),
        cure: text(
            "Check that the channels answer; the log says what each one said",
            "检查各通知渠道是否应答；日志中有其返回内容",
        ),
    }
}

fn text(en: impl Into<String>, zh: impl Into<String>) -> Text {
    Text { en: en.into(), zh: zh.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::health::{Host, Outbox, Parts};

    fn figures(parts: Parts) -> Figures {
        Figures { at: Timestamp(3_600_000), host: Host::default(), parts }
    }

    fn check(figures: &Figures, expected: &[(&str, Severity)]) {
        let troubles = judge(figures, &Limits::default(), &[]);
        let found: Vec<_> = troubles.iter().map(|trouble| (trouble.id, trouble.severity)).collect();
        assert_eq!(found, expected, "{figures:?}");
        for Trouble { says, cure, .. } in troubles {
            assert!([says.en, says.zh, cure.en, cure.zh].iter().all(|text| !text.is_empty()));
        }
    }

    #[test]
    fn each_trouble_has_its_limit() {
        use Severity::{Critical, Major};
        let minutes_ago = |minutes: i64| Some(Timestamp(3_600_000 - minutes * 60_000));
        let behind = |reader, minutes| Parts {
            readers: vec![Behind { reader, messages: 9, since: minutes_ago(minutes) }],
            ..Parts::default()
        };
        let outbox = |minutes| Parts {
            outbox: Outbox { waiting: 2, oldest: minutes_ago(minutes) },
            ..Parts::default()
        };
        let input = |down_since| Parts {
            inputs: vec![Input { name: "subscribe", down_since }],
            ..Parts::default()
        };
        check(&figures(Parts::default()), &[]);
        check(&figures(behind("store", 5)), &[]);
        check(&figures(behind("store", 6)), &[("store_behind", Major)]);
        check(&figures(behind("alert", 2)), &[("alerts_behind", Critical)]);
        check(&figures(outbox(5)), &[]);
        check(&figures(outbox(6)), &[("outbox_failing", Major)]);
        check(&figures(input(None)), &[]);
        check(&figures(input(minutes_ago(1))), &[]);
        check(&figures(input(minutes_ago(2))), &[("input_lost", Critical)]);
        let both = Parts { outbox: outbox(6).outbox, ..input(minutes_ago(2)) };
        check(&figures(both), &[("input_lost", Critical), ("outbox_failing", Major)]);
    }

    #[test]
    fn a_big_disk_is_not_full_while_it_has_20_gib() {
        use Severity::{Critical, Major, Minor};
        for (total, free, expected) in [
            (32 * GIB, 8 * GIB, None),
            (32 * GIB, 4 * GIB, Some(Minor)),
            (32 * GIB, 2 * GIB, Some(Major)),
            (32 * GIB, GIB / 4, Some(Critical)),
            (4000 * GIB, 30 * GIB, None),
            (4000 * GIB, 10 * GIB, Some(Critical)),
            (0, 0, None),
        ] {
            let found = disk_nearly_full(Disk { total, free }, None).map(|t| t.severity);
            assert_eq!(found, expected, "{free} of {total}");
        }
    }

    /// One letter a percentage of the journal: `.` well, `m` minor, `M` major, `C` critical.
    #[test]
    fn a_share_that_wavers_at_its_limit_says_it_once() {
        let (mut before, mut line) = (Vec::new(), String::new());
        for percent in [49, 50, 49, 48, 46, 79, 80, 78, 76, 96, 93, 91, 40] {
            let parts =
                Parts { journal_bytes: percent, journal_max_bytes: 100, ..Parts::default() };
            before = judge(&figures(parts), &Limits::default(), &before);
            line.push(match before.first().map(|trouble| trouble.severity) {
                None | Some(Severity::Info) => '.',
                Some(Severity::Minor) => 'm',
                Some(Severity::Major) => 'M',
                Some(Severity::Critical) => 'C',
            });
        }
        assert_eq!(line, ".mmm.mMMmCCM.");
    }
}
