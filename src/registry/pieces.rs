//! Reads a stations file station by station. The tree of a whole file takes a kilobyte a device for
//! a moment, which a registry of ten thousand stations would be remembered by.

use serde::Deserialize;

use super::written::{File, Station};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Piece {
    stations: Vec<Station>,
}

/// `None` where the file is not right, or written in another order: then it must be read whole.
pub(super) fn file(text: &str) -> Option<File> {
    let mut pieces = split(text);
    let mut file: File = toml::from_str(pieces.next()?).ok()?;
    for piece in pieces {
        let piece: Piece = toml::from_str(piece).ok()?;
        file.stations.extend(piece.stations);
    }
    Some(file)
}

/// The text before the first station, then that of each station.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut starts = text
        .split_inclusive('\n')
        .scan(0, |at, line| {
            let start = *at;
            *at += line.len();
            Some((start, line))
        })
        .filter(|(_, line)| line.trim_start().starts_with("[[stations]]"))
        .map(|(start, _)| start)
        .chain([text.len()]);
    let mut from = Some(0);
    std::iter::from_fn(move || {
        let start = from?;
        let end = starts.next();
        from = end.filter(|end| *end < text.len());
        text.get(start..end.unwrap_or(text.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISTRICT: &str = "[district]\nid = \"d\"\nname = { en = \"D\", zh = \"区\" }\n\
                            time_zone = \"Asia/Shanghai\"\n";

    fn whole(text: &str) -> File {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_file_read_in_pieces_is_the_file() {
        let putuo = include_str!("../../config/stations/putuo.toml");
        assert_eq!(split(putuo).collect::<String>(), putuo);
        let pieces = file(putuo).expect("it is simple enough");
        assert_eq!(format!("{pieces:?}"), format!("{:?}", whole(putuo)));
        assert_eq!(file(DISTRICT).unwrap().stations.len(), 0);
    }

    #[test]
    fn what_is_not_so_simple_is_read_whole() {
        let station = "[[stations]]\nid = \"s\"\nname = { en = \"S\", zh = \"站\" }\n";
        let rules = "[rules.fridge.too_warm]\nlimit = 7.0\n";
        let in_order = format!("{DISTRICT}{rules}{station}{station}");
        assert_eq!(format!("{:?}", file(&in_order).unwrap()), format!("{:?}", whole(&in_order)));
        for text in [
            format!("{DISTRICT}{station}{rules}"),
            format!("{station}{DISTRICT}"),
            format!(
                "{DISTRICT}{station}address = {{ en = \"\"\"\n[[stations]]\n\"\"\", zh = \"\" }}\n"
            ),
        ] {
            whole(&text);
            assert!(file(&text).is_none(), "{text}");
        }
        assert!(file("[[stations]").is_none());
    }
}
