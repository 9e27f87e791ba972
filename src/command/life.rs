//! The life of one command.
//!
//! ```text
//!             certainly not sent
//!           ┌───────────────────┐
//!           ▼                   │      accepted
//!  ──▶ Waiting ── marked ──▶ Sent ───────────────▶ Accepted ──┬─▶ Done
//!           │                 │ │        done, failed         ├─▶ Failed
//!           │ too late        │ └─────────────────────────────┴─▶ Expired (the device says so)
//!           ▼                 │ nothing heard, and time is up
//!        Expired              └────────▶ Unanswered ──── any answer, however late ──▶ …
//! ```

use std::time::Duration;

use super::model::State;
use crate::{decode::ReplyState, reading::Timestamp};

/// For an answer to a command that was begun at the last moment.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What can happen to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// It is about to be sent.
    Sending,
    /// It certainly went nowhere.
    NotSent,
    Reply(ReplyState),
    /// Time went by.
    Tick,
}

/// The next state, if there is another. Pure: the caller keeps and tells it.
pub(super) fn step(
    state: State,
    event: Event,
    expires: Timestamp,
    now: Timestamp,
) -> Option<State> {
    let next = match (state, event) {
        (State::Waiting, Event::Sending | Event::Tick) | (State::Sent, Event::NotSent)
            if now >= expires =>
        {
            State::Expired
        }
        (State::Waiting, Event::Sending) => State::Sent,
        (State::Sent, Event::NotSent) => State::Waiting,
        (State::Sent, Event::Tick) if now >= expires + ANSWER_WITHIN => State::Unanswered,
        (state, Event::Reply(reply)) if !state.is_final() => answered(state, reply),
        _ => state,
    };
    (next != state).then_some(next)
}

/// A device that answers has it, whatever we believed.
fn answered(state: State, reply: ReplyState) -> State {
    match reply {
        ReplyState::Accepted => State::Accepted,
        ReplyState::Done => State::Done,
        ReplyState::Failed => State::Failed,
        ReplyState::Expired if state == State::Accepted => State::Failed,
        ReplyState::Expired => State::Expired,
    }
}

/// When `step` has to be asked again though nothing happens.
pub(super) fn due(state: State, expires: Timestamp) -> Option<Timestamp> {
    match state {
        State::Waiting => Some(expires),
        State::Sent => Some(expires + ANSWER_WITHIN),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Ten seconds a letter, the command expires at the sixth. `s` sending, `n` not sent, `a` `d` `f`
    /// `e` answers, `.` nothing. Expects the state after each: Waiting, Sent, Accepted, Done, Failed,
    /// eXpired, Unanswered.
    #[track_caller]
    fn check(timeline: &str, expected: &str) {
        let expires = Timestamp(50_000);
        let mut state = State::Waiting;
        let mut seen = String::new();
        for (second, letter) in (0..).step_by(10).zip(timeline.chars()) {
            let now = Timestamp(second * 1000);
            state = step(state, event(letter), expires, now).unwrap_or(state);
            seen.push(name(state));
        }
        assert_eq!(seen, expected, "timeline {timeline}");
    }

    fn event(letter: char) -> Event {
        match letter {
            's' => Event::Sending,
            'n' => Event::NotSent,
            'a' => Event::Reply(ReplyState::Accepted),
            'd' => Event::Reply(ReplyState::Done),
            'f' => Event::Reply(ReplyState::Failed),
            'e' => Event::Reply(ReplyState::Expired),
            '.' => Event::Tick,
            other => panic!("no event is written {other:?}"),
        }
    }

    fn name(state: State) -> char {
        match state {
            State::Waiting => 'W',
            State::Sent => 'S',
            State::Accepted => 'A',
            State::Done => 'D',
            State::Failed => 'F',
            State::Expired => 'X',
            State::Unanswered => 'U',
        }
    }

    #[test]
    fn a_command_is_sent_accepted_and_done() {
        check("s.a.d.....", "SSAADDDDDD");
        check("sd", "SD");
        check("..saf", "WWSAF");
    }

    #[test]
    fn what_was_never_sent_expires() {
        check(".......", "WWWWWXX");
        check(".....s", "WWWWWX");
        check("sn.....", "SWWWWXX");
        check("sn.s.d", "SWWSSD");
    }

    #[test]
    fn what_was_sent_and_not_answered_is_unanswered_until_it_is() {
        check("s.........", "SSSSSSSSUU");
        check("s........d", "SSSSSSSSUD");
        check("s........a.f", "SSSSSSSSUAAF");
    }

    #[test]
    fn what_was_accepted_may_take_its_time() {
        check("sa........d", "SAAAAAAAAAD");
    }

    #[test]
    fn the_device_may_say_that_it_came_too_late() {
        check("s.e", "SSX");
        check("sae", "SAF");
    }

    #[test]
    fn nothing_changes_what_is_over() {
        check("sdafe.s", "SDDDDDD");
        check("sfd", "SFF");
        check("sed", "SXX");
    }

    #[test]
    fn a_device_that_answers_has_it() {
        check("a.d", "AAD");
        check("snd", "SWD");
    }

    proptest! {
        #[test]
        fn it_is_sent_before_its_expiry_or_never_and_ends_once(timeline in "[snadfe.]{0,40}") {
            let expires = Timestamp(50_000);
            let (mut state, mut ended) = (State::Waiting, None);
            for (second, letter) in (0..).step_by(10).zip(timeline.chars()) {
                let now = Timestamp(second * 1000);
                let Some(next) = step(state, event(letter), expires, now) else { continue };
                prop_assert!(ended.is_none(), "{ended:?} is not the end");
                prop_assert!(next != State::Sent || now < expires);
                prop_assert_eq!(step(next, Event::Tick, expires, now), None, "asked twice");
                ended = next.is_final().then_some(next);
                state = next;
            }
        }
    }
}
