//! What holds for whatever comes: never below zero, visits never fall, groups do not matter, and a
//! restart or a lag comes to the same.

use proptest::prelude::*;

use super::*;

fn line() -> impl Strategy<Value = (i64, String, String)> {
    let total = prop_oneof![4 => 0_u32..40, 1 => 65_500_u32..65_536, 1 => any::<u32>()];
    let people = (any::<bool>(), total.clone(), total, prop::option::of(0_u32..30));
    let people = people.prop_map(|(north, came, went, own)| {
        let device = if north { "north" } else { "south" };
        let own = own.map_or(String::new(), |own| format!(",\"occupancy\":{own}"));
        (device, format!("{{\"in_total\":{came},\"out_total\":{went}{own}}}"))
    });
    let states = prop_oneof![Just("presence"), Just("door")];
    let states = (states, any::<bool>()).prop_map(|(device, state)| {
        let metric = if device == "door" { "open" } else { "presence" };
        (device, format!("{{\"{metric}\":{state}}}"))
    });
    let fridge = Just(("fridge", "{\"temp_c\":4}".to_owned()));
    let said = prop_oneof![4 => people, 3 => states, 1 => fridge];
    // Mostly onward; now and then our clock is set.
    let step = prop_oneof![10 => 0_i64..200_000, 2 => 0_i64..4_000_000, 1 => -4_000_000_i64..0];
    (step, said).prop_map(|(step, (device, body))| (step, device.to_owned(), body))
}

fn lines() -> impl Strategy<Value = Vec<Line>> {
    prop::collection::vec(line(), 1..80).prop_map(|mut lines| {
        let mut now = time("2:00");
        for line in &mut lines {
            now += line.0;
            line.0 = now;
        }
        lines
    })
}

fn number(told: &Told, name: &str) -> Option<f64> {
    told.1.iter().find(|(metric, _)| *metric == name).map(|(_, value)| value.parse().unwrap())
}

fn in_groups(deriver: &mut Deriver, first: u64, lines: &[Line], sizes: &[usize]) -> Vec<Told> {
    let (mut rest, mut all, registry) = (lines, Vec::new(), town(true));
    for (group, size) in (first..).zip(sizes.iter().cycle()) {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at((*size).min(rest.len()));
        all.extend(derived(&decode(deriver, group, now, &registry)));
        rest = later;
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nobody_is_owed_and_no_visit_taken_back(lines in lines()) {
        let told = in_groups(&mut Deriver::default(), 1, &lines, &[1]);
        let mut visits = 0.0;
        for one in &told {
            prop_assert!(number(one, "occupancy").is_none_or(|people| people >= 0.0));
            let now = number(one, "visits_total").unwrap_or(visits);
            prop_assert!(now >= visits, "{now} after {visits}");
            visits = now;
        }
    }

    #[test]
    fn groups_do_not_matter(lines in lines(), sizes in prop::collection::vec(1_usize..9, 1..5)) {
        let alone = in_groups(&mut Deriver::default(), 1, &lines, &[1]);
        let together = in_groups(&mut Deriver::default(), 1, &lines, &sizes);
        prop_assert_eq!(alone, together);
    }

    #[test]
    fn points_of_one_group_differ_in_time_while_the_clock_goes_on(lines in lines()) {
        let mut onward = lines;
        onward.sort_by_key(|line| line.0);
        let told = in_groups(&mut Deriver::default(), 1, &onward, &[7]);
        prop_assert!(told.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn a_restart_goes_on_where_it_was(lines in lines(), at in 0_usize..80) {
        let registry = town(true);
        let at = at.min(lines.len());
        let mut whole = Deriver::default();
        let before = in_groups(&mut whole, 1, &lines[..at], &[1]);
        let rows = whole.changed_state(&registry);
        prop_assert!(whole.changed_state(&registry).is_empty());
        let mut restarted = Deriver::default();
        restarted.restore(rows, &registry);
        let expected = in_groups(&mut whole, 100, &lines[at..], &[3]);
        prop_assert_eq!(in_groups(&mut restarted, 100, &lines[at..], &[3]), expected, "{:?}", before);
    }
}
