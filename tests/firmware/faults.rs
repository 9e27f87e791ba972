//! What breaks between a fridge and the store: nothing that was measured is lost, nothing is stored twice.

use std::collections::BTreeSet;

use crate::{
    fridge::{EVERY_MS, Fridge, LIMIT, Written},
    house::House,
    support::{proxy::Direction, wait},
};

/// Away for this many readings.
const AWAY: usize = 25;
const SECOND_LIFE: u64 = 100_000;

#[tokio::test]
async fn c_straight() {
    straight(Written::C).await;
}

#[tokio::test]
async fn c_behind_a_broker() {
    behind_a_broker(Written::C).await;
}

#[tokio::test]
async fn micropython_straight() {
    straight(Written::MicroPython).await;
}

#[tokio::test]
async fn micropython_behind_a_broker() {
    behind_a_broker(Written::MicroPython).await;
}

#[tokio::test]
async fn python_straight() {
    straight(Written::Python).await;
}

#[tokio::test]
async fn python_behind_a_broker() {
    behind_a_broker(Written::Python).await;
}

async fn straight(written: Written) {
    let mut house = House::straight().await;
    let mut fridge = Fridge::start(written, house.wire.port(), 1);
    cuts(&house, &mut fridge).await;

    house.daemon.kill();
    let first = last(&fridge) + 1;
    fridge.measures(AWAY).await;
    let until = last(&fridge);
    house.daemon.start_again().await;
    house.has_all(&mut fridge).await;
    was_then(&house, first, until).await;

    house.daemon.kill();
    fridge.measures(AWAY).await;
    loses_power(&mut house, &mut fridge, written).await;
}

async fn behind_a_broker(written: Written) {
    let mut house = House::behind_a_broker().await;
    let mut fridge = Fridge::start(written, house.wire.port(), 1);
    cuts(&house, &mut fridge).await;

    house.kill_broker().await;
    let first = last(&fridge) + 1;
    fridge.measures(AWAY).await;
    let until = last(&fridge);
    house.restart_broker().await;
    house.has_all(&mut fridge).await;
    was_then(&house, first, until).await;

    house.daemon.kill();
    fridge.measures(AWAY).await;
    loses_power(&mut house, &mut fridge, written).await;
}

/// The wire is cut at once, in the middle of a message, and before an acknowledgement has come.
async fn cuts(house: &House, fridge: &mut Fridge) {
    fridge.says("online\nmeasured").await;
    house.wire.cut();
    again(house, fridge, 1).await;
    for (direction, bytes) in [(Direction::ToServer, 300), (Direction::ToClient, 6)] {
        let before = house.wire.connections();
        house.wire.cut_after(direction, bytes);
        wait::until("the wire is cut", LIMIT, || house.wire.has_cut(direction)).await;
        again(house, fridge, before).await;
    }
    house.has_all(fridge).await;
}

/// Waits until the fridge is back, with more connections than `before`, and what it has is stored.
async fn again(house: &House, fridge: &mut Fridge, before: u64) {
    wait::until("it comes back", LIMIT, || house.wire.connections() > before).await;
    fridge.measures(3).await;
    house.has_all(fridge).await;
}

/// The fridge is killed with what it could not send, while the program is away; both come back. The
/// buffer of `MicroPython` is memory and goes with the power: there, all is stored before.
async fn loses_power(house: &mut House, fridge: &mut Fridge, written: Written) {
    let forgets = written == Written::MicroPython;
    if forgets {
        house.daemon.start_again().await;
    }
    let before = if forgets { house.has_all(fridge).await } else { BTreeSet::new() };
    fridge.kill();
    let mut wanted = if forgets { before } else { fridge.measured() };
    // What it measured when it was killed, before it could say so.
    let unsaid = last(fridge) + 1;
    if !forgets {
        house.daemon.start_again().await;
    }
    fridge.start_again(SECOND_LIFE);
    fridge.measures(AWAY / 2).await;
    wanted.extend(fridge.measured().range(SECOND_LIFE..));
    house.has(fridge, &wanted, Some(unsaid)).await;
}

fn last(fridge: &Fridge) -> u64 {
    fridge.measured().last().copied().unwrap()
}

/// What was measured while nobody listened stands where it was measured, not where it came.
async fn was_then(house: &House, first: u64, last: u64) {
    let points = house.points().await;
    let at = |number| points.iter().find(|(_, one)| *one == number).unwrap().0;
    let passed = u64::try_from(at(last) - at(first)).unwrap();
    assert!(passed >= (last - first) * EVERY_MS * 9 / 10, "{first} to {last} in {passed} ms");
}
