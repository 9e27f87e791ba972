//! What is exported is what was stored, in both formats, while the store is open.

use indicatif::ProgressBar;

use super::*;
use crate::store::embedded::{Exported, Filter, Format, entry::DAY, export};

const START: i64 = 20_000 * DAY;

fn word(text: &str) -> Value {
    Value::Word(Symbol::intern(text).unwrap())
}

/// Four points of two devices on two days, one folded, one not.
fn stored(dir: &Path) -> Worked {
    let mut worked = Worked::open(dir);
    let registry = registry();
    let first = [
        (0, "temp_c", START + 1, Value::Number(-4.1)),
        (0, "door_open", START + 1, Value::State(true)),
    ];
    worked.keeper.take(group(1, &registry, &first), Timestamp(0));
    worked.flush().unwrap();
    worked.fold(20_000);
    let second = [
        (1, "mode", START + DAY, word("a \"b\", c")),
        (0, "temp_c", START + DAY + 61_500, Value::Number(1e21)),
    ];
    worked.keeper.take(group(2, &registry, &second), Timestamp(0));
    worked.flush().unwrap();
    worked
}

#[track_caller]
fn check(dir: &Path, filter: &Filter, format: Format, expected: &str) -> Exported {
    let mut out = Vec::new();
    let exported = export(dir, filter, format, &mut out, &ProgressBar::hidden()).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    exported
}

#[test]
fn csv_has_a_head_and_quotes_what_needs_it() {
    let dir = tempfile::tempdir().unwrap();
    let _running = stored(dir.path());
    let expected = "\
at,district,station,device,metric,value
2024-10-04T00:00:00.001Z,putuo,shuxinwan,device-0,temp_c,-4.1
2024-10-04T00:00:00.001Z,putuo,shuxinwan,device-0,door_open,true
2024-10-05T00:01:01.500Z,putuo,shuxinwan,device-0,temp_c,1000000000000000000000
2024-10-05T00:00:00.000Z,putuo,shuxinwan,device-1,mode,\"a \"\"b\"\", c\"
";
    let exported = check(dir.path(), &Filter::default(), Format::Csv, expected);
    assert_eq!(exported, Exported { points: 4, damaged_rows: 0 });
}

#[test]
fn json_lines_of_one_device_and_time_after_the_daemon_stopped() {
    let dir = tempfile::tempdir().unwrap();
    drop(stored(dir.path()));
    let filter = Filter {
        device: Some("device-0".to_owned()),
        metric: Some("temp_c".to_owned()),
        from: Timestamp(START + 1),
        to: Timestamp(START + DAY),
        ..Filter::default()
    };
    let expected = r#"{"at":"2024-10-04T00:00:00.001Z","district":"putuo","station":"shuxinwan","device":"device-0","metric":"temp_c","value":-4.1}
"#;
    check(dir.path(), &filter, Format::JsonLines, expected);
    let elsewhere = Filter { district: Some("sanya".to_owned()), ..Filter::default() };
    check(dir.path(), &elsewhere, Format::JsonLines, "");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    struct Gone;
    impl std::io::Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let _running = stored(dir.path());
    export(dir.path(), &Filter::default(), Format::Csv, &mut Gone, &ProgressBar::hidden()).unwrap();
}
