//! What time alone does to alerts that people know of: acknowledgements run out, and some alerts
//! are told again and again until somebody acknowledges them. Pure.

use std::time::Duration;

use super::model::{Alert, Handling, Standing};
use crate::reading::Timestamp;

/// Told this much ahead of now, it was told by a clock that was set back since.
const DISORDER: Duration = Duration::from_mins(1);

/// What becomes of one open alert now. `repeat`: how often its rule wants to be told again.
pub(crate) fn due(alert: &Alert, repeat: Duration, now: Timestamp) -> Option<Handling> {
    let id = || alert.id.clone();
    match (alert.state, &alert.acknowledged) {
        (Standing::Acknowledged, Some(acknowledged)) => {
            (acknowledged.until <= now).then(|| Handling::Lapsed { id: id(), at: now })
        }
        (Standing::Firing, _) if repeat > Duration::ZERO => {
            let told = alert.told.unwrap_or(alert.since);
            let again = now >= told + repeat || told > now + DISORDER;
            again.then(|| Handling::Repeated { id: id(), at: now })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Acknowledgement, testing::minute};

    fn told(at: f64) -> Alert {
        let alert = r#"{"id":"a","rule":"sos","severity":"critical","state":"firing","district":"d",
            "station":"s","device":"p","since":0,"value":null,"says":{"en":"","zh":""},
            "do":{"en":"","zh":""},"bring":[]}"#;
        Alert { told: Some(minute(at)), ..serde_json::from_str(alert).unwrap() }
    }

    fn acknowledged(until: f64) -> Alert {
        let (by, comment) = ("Li".to_owned(), String::new());
        let acknowledged = Acknowledgement { by, comment, at: minute(0.0), until: minute(until) };
        Alert { state: Standing::Acknowledged, acknowledged: Some(acknowledged), ..told(0.0) }
    }

    #[test]
    fn an_alert_is_told_again_when_its_rule_says_so_and_an_acknowledgement_runs_out() {
        let every = |minutes| Duration::from_mins(minutes);
        let again = |at| Some(Handling::Repeated { id: "a".into(), at: minute(at) });
        let lapsed = |at| Some(Handling::Lapsed { id: "a".into(), at: minute(at) });
        for (what, alert, repeat, now, expected) in [
            ("too early", told(0.0), every(2), 1.9, None),
            ("in time", told(0.0), every(2), 2.0, again(2.0)),
            ("once, however late", told(0.0), every(2), 60.0, again(60.0)),
            ("never", told(0.0), every(0), 60.0, None),
            ("the clock was set back", told(60.0), every(2), 1.0, again(1.0)),
            ("clocks differ a little", told(60.0), every(2), 59.5, None),
            ("somebody looks after it", acknowledged(30.0), every(2), 29.9, None),
            ("no longer", acknowledged(30.0), every(2), 30.0, lapsed(30.0)),
            ("not by itself either", acknowledged(30.0), every(0), 30.0, lapsed(30.0)),
            ("it is over", Alert { state: Standing::Resolved, ..told(0.0) }, every(2), 9.0, None),
        ] {
            assert_eq!(due(&alert, repeat, minute(now)), expected, "{what}");
        }
    }
}
