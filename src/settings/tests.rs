use std::{collections::BTreeSet, fs, path::Path};

use super::*;

const SHIPPED: &str = include_str!("../../config/waystation.toml");

fn env(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    let owned: Vec<_> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    owned.into_iter()
}

/// Loads a folder in which only `waystation.toml` stands.
fn loaded(toml: &str, pairs: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("waystation.toml"), toml).unwrap();
    load(dir.path(), env(pairs)).map_err(|problems| {
        let shown = problems.iter().map(ToString::to_string);
        shown.map(|line| line.rsplit("waystation.toml:").next().unwrap().to_owned()).collect()
    })
}

#[test]
fn the_shipped_file_shows_the_defaults() {
    assert_eq!(loaded(SHIPPED, &[]), Ok(Settings::default()));
    assert_eq!(loaded("", &[]), Ok(Settings::default()));
}

/// The shipped file with its examples switched on.
fn shipped_in_full() -> toml::Table {
    let lines = SHIPPED.lines().map(|line| {
        let example = line.strip_prefix("# ").filter(|rest| {
            let key = rest.split(" = ").next().unwrap_or_default();
            let is_key = key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            (rest.contains(" = ") && is_key) || rest.starts_with("[[")
        });
        example.unwrap_or(line)
    });
    toml::from_str(&lines.collect::<Vec<_>>().join("\n")).unwrap()
}

/// The keys a section may have, which serde names when it meets one it does not know.
fn known_keys(section: &str) -> BTreeSet<String> {
    let text = match section {
        "" => "zzz = 1".to_owned(),
        "notify.webhooks" => "[[notify.webhooks]]\nzzz = 1".to_owned(),
        section => format!("[{section}]\nzzz = 1"),
    };
    let error = toml::from_str::<Settings>(&text).unwrap_err();
    error.message().split('`').skip(3).step_by(2).map(ToOwned::to_owned).collect()
}

fn holds_every_setting(table: &toml::Table, section: &str) {
    let shown: BTreeSet<String> = table.keys().cloned().collect();
    assert_eq!(shown, known_keys(section), "section [{section}]");
    for (key, value) in table {
        let inner = [section, key].join(".");
        let inner = inner.trim_start_matches('.');
        match value {
            toml::Value::Table(table) => holds_every_setting(table, inner),
            toml::Value::Array(list) => holds_every_setting(list[0].as_table().unwrap(), inner),
            _ => {}
        }
    }
}

#[test]
fn the_shipped_file_leaves_no_setting_out_and_explains_each() {
    holds_every_setting(&shipped_in_full(), "");
    let lines: Vec<_> = SHIPPED.lines().collect();
    for pair in lines.windows(2) {
        let is_setting = pair[1]
            .trim_start_matches("# ")
            .split_once(" = ")
            .is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
        assert!(!is_setting || pair[0].starts_with("# "), "nothing explains {:?}", pair[1]);
    }
}

#[test]
fn the_environment_wins_over_the_file() {
    let settings = loaded(
        "[web]\nlisten = \"127.0.0.1:1\"\n[ingest]\ndevice_rate = 3",
        &[
            ("WAYSTATION__WEB__LISTEN", "127.0.0.1:2"),
            ("WAYSTATION__STORE__INFLUX__BATCH_LINES", "7"),
            ("WAYSTATION__LISTEN__ALLOW_ANONYMOUS", "true"),
            ("WAYSTATION__SUBSCRIBE__PASSWORD", "0123"),
            ("WAYSTATION__JOURNAL__MAX_BYTES", "3MiB"),
            ("WAYSTATION_HOME", "not ours"),
        ],
    )
    .unwrap();
    assert_eq!(settings.web.listen, "127.0.0.1:2");
    assert_eq!(settings.store.influx.batch_lines, 7);
    assert!(settings.listen.allow_anonymous);
    assert_eq!(settings.subscribe.password.reveal(), "0123");
    assert_eq!(settings.journal.max_bytes, ByteSize::mib(3));
    assert!((settings.ingest.device_rate - 3.0).abs() < 1e-9);
}

#[test]
fn all_mistakes_are_found_at_once_each_with_its_line() {
    let toml = "dat_dir = \"x\"\n[web]\nlisten = 8080\n[journal]\nmax_bytes = \"big\"\n\
                when_full = \"drop_newest\"\n[stoer]\nkind = \"influx\"";
    let found = loaded(toml, &[("WAYSTATION__WEB__LISTN", "x")]).unwrap_err();
    let expected = [
        "1: dat_dir: unknown key \"dat_dir\" (did you mean \"data_dir\"?)",
        "3: web.listen: expected a text in quotes, found integer `8080`",
        "5: journal.max_bytes: expected a size such as \"64KiB\", \"2GiB\" or a number of bytes, \
         found string \"big\"",
        "6: journal.when_full: unknown word \"drop_newest\" (did you mean \"drop_oldest\"?)",
        "7: stoer: unknown key \"stoer\" (did you mean \"store\"?)",
        "environment: WAYSTATION__WEB__LISTN: unknown key \"listn\" (did you mean \"listen\"?)",
    ];
    for line in expected {
        assert!(found.iter().any(|found| found == line), "{line}\nis not in\n{found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn what_is_out_of_range_is_named() {
    for (toml, expected) in [
        ("[subscribe]\nbroker = \"host:1883\"", "subscribe.broker: \"host:1883\" is no address"),
        ("[subscribe]\nprefix = \"a/#\"", "subscribe.prefix: \"a/#\" is no beginning"),
        ("[subscribe]\nkeep_alive = \"1s\"", "subscribe.keep_alive: 1s lies outside 5s to 18h"),
        ("[listen]\nmqtt = \"0.0.0.0:1883\"", "listen.mqtt: others can reach this address"),
        ("[web]\nlisten = \"8080\"", "web.listen: \"8080\" is no address to listen on"),
        ("[journal]\nmax_bytes = 5", "journal.max_bytes: 5B lies outside 1MiB"),
        ("[ingest]\ndevice_rate = nan", "ingest.device_rate: NaN lies outside"),
        ("[store]\nretention = \"1s\"", "store.retention: 1s lies outside 1h"),
        ("[store.influx]\nin_flight = 0", "store.influx.in_flight: 0 lies outside 1 to 64"),
        ("[[notify.webhooks]]\nurl = \"x\"", "notify.webhooks[0].url: \"x\" is no URL"),
        (
            "[[notify.webhooks]]\nurl = \"http://x\"\n[[notify.webhooks]]\nurl = \"http://x\"",
            "notify.webhooks[1].url: is there twice",
        ),
    ] {
        let found = loaded(toml, &[]).unwrap_err();
        assert!(found.len() == 1 && found[0].contains(expected), "{toml}: {found:?}");
    }
}

#[test]
fn a_secret_comes_from_its_file_and_never_shows() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("token"), "s3cret\n").unwrap();
    let toml = "[store.influx]\ntoken_file = \"token\"";
    fs::write(dir.path().join("waystation.toml"), toml).unwrap();
    let settings = load(dir.path(), env(&[])).unwrap();
    assert_eq!(settings.store.influx.token.reveal(), "s3cret");
    assert!(!format!("{settings:?}").contains("s3cret"));

    let twice = [("WAYSTATION__STORE__INFLUX__TOKEN", "other")];
    let problems = load(dir.path(), env(&twice)).unwrap_err();
    assert_eq!(problems[0].key, "store.influx.token_file");
    let wrong = loaded("[subscribe]\npassword = 4711", &[]).unwrap_err();
    assert!(!wrong[0].contains("4711"), "{wrong:?}");
    let missing = loaded("[subscribe]\npassword_file = \"none\"", &[]).unwrap_err();
    assert!(missing[0].contains("subscribe.password_file: cannot read"), "{missing:?}");
}

#[test]
fn a_folder_that_does_not_exist_is_a_mistake() {
    let problems = load(Path::new("/nowhere/at/all"), env(&[])).unwrap_err();
    assert_eq!(problems[0].what, "this folder does not exist");
}
