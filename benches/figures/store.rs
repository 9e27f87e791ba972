//! Figure 5: the embedded store on simulated days of 60 stations, through the store directly.

use std::{fs, path::Path, sync::Arc, time::Instant};

use waystation::{
    clock::Clock,
    reading::Timestamp,
    settings::Settings,
    store::{
        HourlyQuery,
        embedded::{self, Embedded, Limits},
    },
    telemetry::{Counters, Readiness},
};

use super::{
    Options,
    days::{MINUTE, MORE_PEOPLE, START, STATIONS, Simulated},
    figure::{Figure, Goal},
};

pub(crate) async fn measure(options: Options) -> Figure {
    let days = if options.quick { 3 } else { 30 };
    let mut figure = Figure::new(
        &format!("5. Embedded store, {days} simulated days of {STATIONS} stations"),
        format!(
            "All five types of devices, and {MORE_PEOPLE} counters of people more, so that the map \
             has 200 series. Writing counts flushing and folding, not the making of the readings; \
             bytes are those of the files once everything is folded."
        ),
    );
    for _ in 0..options.runs {
        let dir = tempfile::tempdir().unwrap();
        let store = write(&mut figure, dir.path(), days).await;
        map(&mut figure, &store, days).await;
    }
    figure
}

async fn write(figure: &mut Figure, dir: &Path, days: i64) -> Embedded {
    let (clock, hand) = Clock::manual(Timestamp(START));
    let feed = Simulated::new(dir, days, hand);
    let (points, making) = (Arc::clone(&feed.points), Arc::clone(&feed.making));
    let store = Embedded::open(dir).unwrap();
    let limits = Limits::of(&Settings::default());
    let (counters, readiness) = (Counters::default(), Readiness::default());
    let began = Instant::now();
    embedded::run(feed, store.clone(), limits, clock, counters, readiness).await.unwrap();
    let took = began.elapsed().saturating_sub(*making.lock().unwrap());
    let points = *points.lock().unwrap() as f64;
    let goal = Some(Goal::AtMost(4.0));
    figure.add("size of a point", "bytes", goal, size(dir) as f64 / points);
    let goal = Some(Goal::AtLeast(500_000.0));
    figure.add("writing", "points/s", goal, points / took.as_secs_f64());
    figure.add("points", "in all", None, points);
    store
}

/// Hour × weekday of 200 people counters: the hours of all days, from which the map is drawn.
async fn map(figure: &mut Figure, store: &Embedded, days: i64) {
    let mut paths: Vec<String> = (0..STATIONS).map(|s| format!("putuo/s{s}/people")).collect();
    paths.extend((0..MORE_PEOPLE).map(|s| format!("putuo/more/people-{s}")));
    let query = HourlyQuery {
        paths,
        profile: "any".to_owned(),
        metric: "occupancy".to_owned(),
        from: Timestamp(START),
        to: Timestamp(START + days * 1440 * MINUTE),
    };
    let began = Instant::now();
    let hours = store.hourly(query).await.unwrap();
    let took = began.elapsed().as_secs_f64() * 1e3;
    let count: usize = hours.iter().map(Vec::len).sum();
    let expected = usize::try_from(days * 24).unwrap() * hours.len();
    assert!(count * 10 >= expected * 9, "{count} of {expected} hours came back");
    figure.add("hour × weekday map of 200 series", "ms", Some(Goal::AtMost(100.0)), took);
}

fn size(dir: &Path) -> u64 {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let store = files.filter(|file| file.extension().is_some_and(|end| end == "sqlite"));
    store.map(|file| file.metadata().unwrap().len()).sum()
}
