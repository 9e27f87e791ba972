//! The figures of `benches/RESULTS.md`:
//! `cargo bench --bench figures -- [1 2 3 4 5 | all] [--once | --quick] [--write]`.
//! `--once`: one run instead of five; `--quick`: and fewer messages.
//!
//! Each figure stands alone; one that fails says so in its place and the others go on.

#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that measures, and stops where it cannot"
)]

mod broker;
mod days;
mod figure;
mod fleet;
mod flood;
mod listen;
mod machine;
mod perf;
mod results;
mod stages;
mod start;
mod store;
#[path = "../../tests/support/mod.rs"]
mod support;
mod target;
mod telegraf;
mod usage;
mod webhook;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    time::Instant,
};

use figure::Figure;

/// How thoroughly to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) quick: bool,
    pub(crate) runs: usize,
}

impl Options {
    /// `count`, or a tenth of it where it should be quick.
    fn fewer(self, count: u64) -> u64 {
        if self.quick { count / 10 } else { count }
    }
}

type Measured = Pin<Box<dyn Future<Output = Figure>>>;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |name: &str| arguments.iter().any(|argument| argument == name);
    if !given("--bench") {
        println!("run me with `cargo bench --bench figures -- all`; a test run measures nothing");
        return;
    }
    let quick = given("--quick");
    let options = Options { quick, runs: if quick || given("--once") { 1 } else { 5 } };
    let wanted = |number: &str| given(number) || given("all");
    let numbers: Vec<_> = ["1", "2", "3", "4", "5"].into_iter().filter(|n| wanted(n)).collect();
    if numbers.is_empty() {
        eprintln!(
            "which? `cargo bench --bench figures -- [1 2 3 4 5 | all] [--once | --quick] [--write]`"
        );
        std::process::exit(2);
    }
    let measured: Vec<_> = numbers.iter().map(|number| measure(number, options)).collect();
    let unrest = measured.iter().map(|(_, _, unrest)| *unrest).fold(0.0, f64::max);
    let figures: Vec<_> = measured.iter().map(|(text, ..)| text.clone()).collect();
    println!("{}", results::render(&figures, options, unrest));
    if given("--write") {
        results::write(&figures, options, unrest);
        eprintln!("written to {}", results::file().display());
    }
    if measured.iter().any(|(_, whole, _)| !whole) {
        std::process::exit(1);
    }
}

/// One figure as Markdown, whether it could be measured, and how busy the machine was before it.
fn measure(number: &str, options: Options) -> (String, bool, f64) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let unrest = runtime.block_on(machine::calm());
    eprintln!("figure {number} (others use {:.0} % of the machine)", unrest * 100.0);
    let began = Instant::now();
    let measuring: Measured = match number {
        "1" => Box::pin(broker::measure(options)),
        "2" => Box::pin(listen::measure(options)),
        "3" => Box::pin(webhook::measure(options)),
        "4" => Box::pin(start::measure(options)),
        _ => Box::pin(store::measure(options)),
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(measuring)));
    runtime.shutdown_background();
    eprintln!("figure {number} took {:.0} s", began.elapsed().as_secs_f64());
    match outcome {
        Ok(figure) => (figure.to_markdown(), true, unrest),
        Err(panic) => {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?");
            (format!("## {number}. could not be measured\n\n```text\n{said}\n```\n"), false, unrest)
        }
    }
}
