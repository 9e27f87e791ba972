//! The schema of one metric.

use serde_json::{Value, json};

use super::moment;
use crate::device::{Metric, MetricKind, unit};

pub(super) fn schema(metric: &Metric) -> Value {
    let mut schema = match &metric.kind {
        MetricKind::Number => json!({ "type": ["number", "null"] }),
        MetricKind::Counter => json!({ "type": ["number", "null"], "minimum": 0 }),
        MetricKind::State => json!({ "type": ["boolean", "null"] }),
        MetricKind::Words(words) => {
            let words = words.iter().map(|word| json!(word.as_str()));
            json!({ "enum": words.chain([Value::Null]).collect::<Vec<_>>() })
        }
        MetricKind::Time => moment(0, ""),
    };
    let mut put = |key: &str, value: Value| {
        if let Some(object) = schema.as_object_mut() {
            object.insert(key.to_owned(), value);
        }
    };
    put("title", json!(title(metric, &metric.name.en)));
    put("description", json!(title(metric, &metric.name.zh)));
    if let Some([low, high]) = metric.plausible {
        let low = if metric.kind == MetricKind::Counter { low.max(0.0) } else { low };
        put("minimum", json!(low));
        put("maximum", json!(high));
    }
    schema
}

/// `Air temperature (°C)`
fn title(metric: &Metric, name: &str) -> String {
    let kind = match metric.kind {
        MetricKind::Counter => ", only grows",
        _ => "",
    };
    match unit(metric.symbol.as_str()) {
        "" => format!("{name}{kind}"),
        unit => format!("{name} ({unit}){kind}"),
    }
}
