//! A figure: what was measured, how often, and how far it is from its goal.

use std::fmt::Write as _;

/// What a value should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

/// One quantity, measured once a run.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) goal: Option<Goal>,
    pub(crate) values: Vec<f64>,
}

/// One line of the table of goals, measured.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) title: String,
    /// What was done, in one or two sentences.
    pub(crate) how: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) notes: Vec<String>,
}

impl Figure {
    pub(crate) fn new(title: &str, how: impl Into<String>) -> Self {
        Self { title: title.to_owned(), how: how.into(), rows: Vec::new(), notes: Vec::new() }
    }

    /// Adds a value to the row `what`, which comes into being with its first value.
    pub(crate) fn add(&mut self, what: &str, unit: &'static str, goal: Option<Goal>, value: f64) {
        match self.rows.iter_mut().find(|row| row.what == what) {
            Some(row) => row.values.push(value),
            None => {
                self.rows.push(Row { what: what.to_owned(), unit, goal, values: vec![value] });
            }
        }
    }

    pub(crate) fn row(&self, what: &str) -> &Row {
        self.rows.iter().find(|row| row.what == what).unwrap()
    }

    /// As Markdown, below a heading of its own.
    pub(crate) fn to_markdown(&self) -> String {
        let mut text = format!("## {}\n\n{}\n\n", self.title, self.how);
        text += "| what | goal | median | least – most | runs | goal reached |\n|---|---|---|---|---|---|\n";
        for row in &self.rows {
            row.write(&mut text);
        }
        for note in &self.notes {
            write!(text, "\n{note}\n").unwrap();
        }
        text
    }
}

impl Row {
    pub(crate) fn median(&self) -> f64 {
        median(&self.values)
    }

    fn write(&self, text: &mut String) {
        let Self { what, unit, values, .. } = self;
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (goal, reached) = match self.goal {
            None => (String::new(), String::new()),
            Some(Goal::AtMost(limit)) => (format!("≤ {}", show(limit)), self.judge(limit, true)),
            Some(Goal::AtLeast(limit)) => (format!("≥ {}", show(limit)), self.judge(limit, false)),
        };
        let (middle, count) = (show(self.median()), values.len());
        writeln!(
            text,
            "| {what}, {unit} | {goal} | **{middle}** | {} – {} | {count} | {reached} |",
            show(least),
            show(most)
        )
        .unwrap();
    }

    fn judge(&self, limit: f64, at_most: bool) -> String {
        let median = self.median();
        let reached = if at_most { median <= limit } else { median >= limit };
        let word = if reached { "yes" } else { "**no**" };
        format!("{word}, {} × the goal", show(median / limit))
    }
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

/// The value below which `share` of `sorted` lies.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len() - 1;
    sorted[((last as f64 * share).ceil() as usize).min(last)]
}

/// Three figures that count; thousands apart.
pub(crate) fn show(value: f64) -> String {
    let size = value.abs();
    if size >= 1000.0 {
        let digits = format!("{value:.0}");
        let mut text = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push(' ');
            }
            text.push(digit);
        }
        text
    } else if size >= 100.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else if size >= 1.0 || size == 0.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}
