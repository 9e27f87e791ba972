//! Fault 14: five mistakes in three files; and what the command line answers.

use std::{
    fs, io,
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

use crate::town::stations;

/// What the program answered: exit code, stdout, stderr.
struct Answer {
    code: Option<i32>,
    out: String,
    err: String,
}

fn waystation(arguments: &[&str]) -> Answer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waystation"));
    let Output { status, stdout, stderr } = command.args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Answer { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// A folder of configuration with these files in it.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn at(folder: &TempDir) -> &str {
    folder.path().to_str().unwrap()
}

#[test]
fn five_mistakes_in_three_files_are_reported_at_once() {
    let profile = include_str!("../../devices/profiles/fridge.toml")
        .replace("id = \"fridge\"", "id = \"cooler\"")
        .replace("limit = 8.0, clear = 7.0", "limit = 8.0, clear = 9.0")
        .replace(
            "when = { below = { metric = \"stock_pct\"",
            "when = { below = { metric = \"stok_pct\"",
        );
    let stations = stations()
        .replace("id = \"fridge-7\", profile = \"fridge\"", "id = \"f-7\", profile = \"frigde\"")
        .replace("\"24h\"", "\"8-22\"");
    let settings = "[web]\nlisten = \"nowhere\"\n[profiles]\ndir = \"profiles\"\n";
    let folder = folder(&[
        ("waystation.toml", settings),
        ("profiles/cooler.toml", &profile),
        ("stations/town.toml", &stations),
    ]);
    // File, key, and what tells how to mend it.
    let expected = [
        ["waystation.toml:", "web.listen:", "write 127.0.0.1:8080"],
        [
            "profiles/cooler.toml:",
            "rules[0] (too_warm).when.above",
            "clear = 9 lies above limit = 8",
        ],
        ["profiles/cooler.toml:", "(empty).when.below", "did you mean \"stock_pct\"?"],
        ["stations/town.toml:", "stations[0].devices[7].profile:", "did you mean \"fridge\"?"],
        ["stations/town.toml:", "stations[0].opens:", "08:00-22:00"],
    ];
    for command in ["check", "run"] {
        let Answer { code, out, err } = waystation(&[command, "--config", at(&folder)]);
        assert_eq!(code, Some(1), "{command}: {out}{err}");
        let said = if command == "check" { &out } else { &err };
        let lines: Vec<_> = said.lines().filter(|line| line.contains(at(&folder))).collect();
        for parts in expected {
            let says = |line: &&&str| parts.iter().all(|part| line.contains(part));
            let found = lines.iter().filter(says).count();
            assert_eq!(found, 1, "{command}: {parts:?} in\n{}", lines.join("\n"));
        }
        assert_eq!(lines.len(), expected.len(), "{command}:\n{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn one_mistake_in_the_settings_is_one_readable_line() {
    for (settings, says) in [
        ("data_dir = \"d\"\n[web]\nlitsen = \"127.0.0.1:0\"\n", "web.litsen"),
        ("data_dir = \"d\"\n[journal]\nmax_bytes = \"2 GiBb\"\n", "journal.max_bytes"),
        ("data_dir = \"d\"\n[web\n", "waystation.toml"),
    ] {
        let folder = folder(&[("waystation.toml", settings), ("stations/town.toml", &stations())]);
        let Answer { code, out, err } = waystation(&["run", "--config", at(&folder)]);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{settings}: {err}");
        assert!(err.starts_with("waystation: ") && err.contains(says), "{settings}: {err}");
        let problems = err.lines().filter(|line| line.contains(at(&folder))).count();
        assert_eq!(problems, 1, "{settings}: {err}");
        assert!(!folder.path().join("d").exists() && !Path::new("d").exists());
    }
}

#[test]
fn a_configuration_that_is_right_passes_without_a_socket_or_a_file() {
    let taken = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [mqtt, web, broker, influx] = taken.each_ref().map(|it| it.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let settings = format!(
        "data_dir = '{}'\n[subscribe]\nbroker = \"mqtt://{broker}\"\n[listen]\nmqtt = \"{mqtt}\"\n\
         [web]\nlisten = \"{web}\"\n[store]\nkind = \"influx\"\n[store.influx]\n\
         url = \"http://{influx}\"\ntoken = \"t\"\n\
         [[notify.webhooks]]\nurl = \"http://{influx}/hook\"\nsecret = \"hush\"\n",
        data.display()
    );
    fs::create_dir(folder.path().join("stations")).unwrap();
    fs::write(folder.path().join("waystation.toml"), settings).unwrap();
    fs::write(folder.path().join("stations/town.toml"), stations()).unwrap();
    let Answer { code, out, err } = waystation(&["check", "--config", at(&folder)]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}{err}");
    assert!(out.starts_with("all well: 1 districts, 1 stations, 40 devices"), "{out}");
    assert!(!data.exists(), "check wrote {}", data.display());
    for listener in taken {
        listener.set_nonblocking(true).unwrap();
        let came = listener.accept().map(drop).map_err(|error| error.kind());
        assert_eq!(came, Err(io::ErrorKind::WouldBlock), "check connected somewhere");
    }
}

#[test]
fn what_is_shipped_passes() {
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/config");
    let Answer { code, out, err } = waystation(&["check", "--config", config]);
    assert_eq!(code, Some(0), "{out}{err}");
}

#[test]
fn a_folder_that_is_not_there_is_said_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("nowhere");
    let missing = missing.to_str().unwrap();
    for command in ["check", "run"] {
        let Answer { code, out, err } = waystation(&[command, "--config", missing]);
        assert_eq!(code, Some(1), "{command}: {out}{err}");
        assert!(format!("{out}{err}").contains(missing), "{command}: {out}{err}");
    }
}

#[test]
fn a_command_line_that_makes_no_sense_exits_2() {
    for wrong in [
        &[][..],
        &["chekc"],
        &["run", "--conifg", "x"],
        &["check", "--log-format", "xml"],
        &["simulate"],
    ] {
        let Answer { code, out, err } = waystation(wrong);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{wrong:?}: {err}");
        assert!(err.contains("Usage") || err.contains("--help"), "{wrong:?}: {err}");
    }
    assert_eq!(waystation(&["--version"]).code, Some(0));
}
