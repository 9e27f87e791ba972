//! Timelines: a crowd, counters that restart and roll over, people nobody counted.

use super::*;

#[test]
fn a_day_with_a_crowd_at_two_doors() {
    check(
        &town(true),
        "7:59 north in_total=100 out_total=90
         7:59 south in_total=500 out_total=510
         7:59 presence presence=false
         8:00 presence presence=true every 1m to 11:00
         8:00:10 north in_total=103 out_total=90
         8:00:20 south in_total=502 out_total=510
         8:30:10 north in_total=143 out_total=91
         8:30:20 south in_total=502 out_total=530
         8:59:50 south in_total=502 out_total=530
         10:00 south in_total=502 out_total=530
         10:00 north in_total=143 out_total=92
         10:10 south in_total=502 out_total=553",
        "7:59:59 | occupancy=0 visits_total=0 anchored=false
         8:00:15 | occupancy=3 visits_total=3
         8:00:30 | occupancy=5 visits_total=5
         8:30:15 | occupancy=44 visits_total=45
         8:30:30 | occupancy=24 visits_total=45
         8:59:59 | occupancy=24 visits_total=45 dwell_s=1153
         10:11 | occupancy=0 visits_total=45 drift=0 jumps_total=0",
    );
}

#[test]
fn a_counter_that_restarts_or_rolls_over_is_no_crowd() {
    check(
        &town(true),
        "7:59 presence presence=true every 1m to 9:00
         8:00 north in_total=65530 out_total=100
         8:01 north in_total=65534 out_total=100
         8:02 north in_total=2 out_total=101
         8:05 north in_total=0 out_total=0
         8:06 north in_total=3 out_total=0
         8:07 north in_total=40000 out_total=0
         8:08 north in_total=40001 out_total=0",
        "8:01 | occupancy=4 visits_total=4
         8:02 | occupancy=7 visits_total=8
         8:05 | occupancy=7 visits_total=8 jumps_total=0
         8:06 | occupancy=10 visits_total=11 jumps_total=0
         8:07 | occupancy=10 visits_total=11 jumps_total=1
         8:08 | occupancy=11 visits_total=12 jumps_total=1",
    );
}

#[test]
fn nobody_there_for_a_quarter_of_an_hour_is_nobody() {
    check(
        &town(true),
        "8:00 north in_total=0 out_total=0 every 1m to 8:09
         8:00 presence presence=true every 1m to 8:19
         8:10 north in_total=4 out_total=0 every 1m to 8:14
         8:15 north in_total=4 out_total=2 every 1m to 9:30
         8:20 presence presence=false every 1m to 9:30
         8:25 door open=false
         8:30 door open=true
         8:30:05 door open=false",
        "8:16 | occupancy=2 anchored=false
         8:44 | occupancy=2 drift=0
         8:46 | occupancy=0 drift=2 drift_pct=4 anchored=true visits_total=4
         9:30 | occupancy=0 drift=2 anchored=true",
    );
}

/// Who comes in before the sensor says so is not taken away again.
#[test]
fn a_count_is_news_of_somebody() {
    check(
        &town(true),
        "8:00 presence presence=false every 1m to 8:30
         8:00 north in_total=0 out_total=0 every 1m to 8:29
         8:30 north in_total=1 out_total=0
         8:31 presence presence=true every 1m to 9:00
         8:40 north in_total=1 out_total=0 every 1m to 9:00",
        "8:29 | occupancy=0 anchored=true
         8:30 | occupancy=1 drift=0
         9:00 | occupancy=1 drift=0 visits_total=1",
    );
}

#[test]
fn its_first_word_is_no_quarter_of_an_hour() {
    check(
        &town(false),
        "8:00 north in_total=5 out_total=3 occupancy=2 presence=false every 1m to 9:00",
        "8:00 | occupancy=2 anchored=false
         8:14 | occupancy=2 anchored=false
         8:15 | occupancy=0 anchored=true drift=2",
    );
}

#[test]
fn a_presence_sensor_that_fell_silent_empties_nothing() {
    check(
        &town(true),
        "8:00 north in_total=0 out_total=0
         8:00 presence presence=false
         8:01 north in_total=3 out_total=0 every 1m to 10:00",
        "10:00 | occupancy=3 drift=0 anchored=false",
    );
}

#[test]
fn without_presence_what_was_missed_goes_at_the_quietest_time() {
    check(
        &town(false),
        "8:00 north in_total=0 out_total=0
         9:00 north in_total=20 out_total=0
         18:00 north in_total=20 out_total=13 every 1m to +1d 3:40
         +1d 3:41 north in_total=20 out_total=13 every 1m to +1d 12:00
         +1d 12:01 north in_total=22 out_total=13",
        "20:00 | occupancy=7 anchored=false
         +1d 3:44 | occupancy=7 drift=0
         +1d 3:46 | occupancy=0 drift=7 drift_pct=14 anchored=true visits_total=20
         +1d 12:02 | occupancy=2 drift=7 visits_total=22",
    );
}

#[test]
fn nobody_owes_us_people_for_long() {
    check(
        &town(false),
        "8:00 north in_total=0 out_total=0
         8:00 south in_total=0 out_total=0
         8:01 south in_total=0 out_total=1
         8:02 north in_total=1 out_total=0
         8:03 south in_total=0 out_total=2 every 1m to 8:12
         8:20 north in_total=3 out_total=0",
        "8:01 | occupancy=0 visits_total=0
         8:02 | occupancy=0 visits_total=1 drift=0
         8:07 | drift=0
         8:08 | occupancy=0 drift=-1
         8:20 | occupancy=2 visits_total=3",
    );
}

#[test]
fn a_device_that_counts_by_itself_is_believed() {
    check(
        &town(false),
        "8:00 north occupancy=4
         8:01 north occupancy=6
         8:02 south in_total=7 out_total=2
         8:03 south in_total=9 out_total=2
         8:04 north occupancy=1",
        "8:00 | occupancy=4 visits_total= dwell_s=
         8:01 | occupancy=6
         8:03 | occupancy=8 visits_total=2
         8:04 | occupancy=3",
    );
}

#[test]
fn a_counter_that_knows_who_is_inside_begins_with_them() {
    check(
        &town(false),
        "8:00 north in_total=1043 out_total=1031 occupancy=12
         8:01 north in_total=1044 out_total=1031 occupancy=99",
        "8:00 | occupancy=12 visits_total=0
         8:01 | occupancy=13 visits_total=1",
    );
}

#[test]
fn it_is_told_each_minute_that_anything_reports_and_not_when_nobody_counts() {
    let lone = "8:00 fridge temp_c=4 every 1m to 9:00\n8:00 door open=false";
    assert_eq!(play(&town(false), lone), []);
    let counted = "8:00 north in_total=0 out_total=0\n8:00 fridge temp_c=4 every 1m to 8:30";
    let told: Vec<_> =
        play(&town(false), counted).iter().map(|(at, _)| at / 60_000 - 480).collect();
    // Ten minutes after its last word, the counter's silence is not occupancy.
    assert_eq!(told, (0..=10).collect::<Vec<_>>());
}

#[test]
fn what_comes_late_changes_nothing() {
    let told = play(
        &town(false),
        "8:00 north in_total=0 out_total=0
         9:00 north in_total=9 out_total=2
         9:01 north dt=-1800000 in_total=5 out_total=0
         9:02 north in_total=9 out_total=2",
    );
    assert_eq!(metric(&told, "9:03", "visits_total"), "9");
    assert_eq!(metric(&told, "9:03", "occupancy"), "7");
}

#[test]
fn our_clock_set_back_takes_nobody_away() {
    let registry = town(true);
    let mut deriver = Deriver::default();
    let mut group = 0;
    let mut say = |at: &str, device: &str, body: &str| {
        group += 1;
        let lines = [(time(at), device.to_owned(), body.to_owned())];
        derived(&decode(&mut deriver, group, &lines, &registry))
    };
    say("9:00", "north", r#"{"in_total":5,"out_total":0}"#);
    say("9:01", "presence", r#"{"presence":true}"#);
    let told = say("9:02", "north", r#"{"in_total":8,"out_total":0}"#);
    assert_eq!(metric(&told, "9:02", "occupancy"), "3");
    let told = say("8:03", "north", r#"{"in_total":9,"out_total":0}"#);
    assert_eq!(metric(&told, "8:03", "occupancy"), "4");
    say("8:04", "presence", r#"{"presence":false}"#);
    say("8:12", "presence", r#"{"presence":false}"#);
    let told = say("8:17", "north", r#"{"in_total":9,"out_total":0}"#);
    assert_eq!(metric(&told, "8:17", "occupancy"), "4");
    let told = say("8:20", "presence", r#"{"presence":false}"#);
    assert_eq!(metric(&told, "8:20", "occupancy"), "0");
}
