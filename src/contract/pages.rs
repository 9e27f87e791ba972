//! The page for people who write firmware, and its short form in the README: prose with the tables
//! that the code gives.

use super::{TOPICS, Topic, limits::limits};
use crate::decode::{Code, Contract};

const FIRMWARE: &str = include_str!("firmware.md");

/// `docs/firmware.md`.
pub fn firmware_page(contract: &Contract) -> String {
    FIRMWARE
        .replace("{prefix}", &contract.prefix)
        .replace("{topics}\n", &topics())
        .replace("{limits}\n", &limit_rows())
        .replace("{codes}\n", &codes())
}

/// What stands in README.md between its two marks.
pub fn readme_section() -> String {
    topics()
}

fn topics() -> String {
    let row = |topic: &Topic| {
        let retained = if topic.retained { ", retained" } else { "" };
        let Topic { kind, qos, says, example, .. } = topic;
        let arrow = topic.direction.arrow();
        format!("| `{kind}` | {arrow} {qos}{retained} | {says} | `{example}` |\n")
    };
    let rows: String = TOPICS.iter().map(row).collect();
    format!("| kind | QoS | what it says | such as |\n|---|---|---|---|\n{rows}")
}

fn limit_rows() -> String {
    let rows = limits().into_iter().map(|(what, most)| format!("| {what} | {most} |\n"));
    format!("| what | at most |\n|---|---|\n{}", rows.collect::<String>())
}

fn codes() -> String {
    let row =
        |code: Code| format!("| `{}` | {} | {} |\n", code.as_str(), code.means(), code.cure().en);
    let rows: String = Code::all().map(row).collect();
    format!("| code | what was found | what to do |\n|---|---|---|\n{rows}")
}
