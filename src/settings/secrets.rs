//! Secrets that stand in files of their own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Secret, Settings};
use crate::problem::Problem;

/// Reads every `…_file` into the secret beside it. What is named in both places is a mistake.
pub(super) fn fill(file: &Path, settings: &mut Settings) -> Vec<Problem> {
    let Settings { subscribe, store, notify, .. } = settings;
    let influx = &mut store.influx;
    let mut named = vec![
        ("subscribe.password".to_owned(), &mut subscribe.password, &subscribe.password_file),
        ("store.influx.token".to_owned(), &mut influx.token, &influx.token_file),
    ];
    for (i, webhook) in notify.webhooks.iter_mut().enumerate() {
        let key = format!("notify.webhooks[{i}].secret");
        named.push((key, &mut webhook.secret, &webhook.secret_file));
    }
    let problems = named.into_iter().filter_map(|(key, secret, from)| {
        let from = from.as_ref()?;
        let failed = read(secret, from).err();
        failed.map(|(what, cure)| Problem::new(file, format!("{key}_file"), what, cure))
    });
    problems.collect()
}

fn read(secret: &mut Secret, from: &PathBuf) -> Result<(), (String, &'static str)> {
    if !secret.is_empty() {
        return Err(("the secret is set here and in a file".to_owned(), "keep one of them"));
    }
    let text = fs::read_to_string(from).map_err(|error| {
        (format!("cannot read {}: {error}", from.display()), "check the path and its permissions")
    })?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err((format!("{} is empty", from.display()), "write the secret into it"));
    }
    *secret = Secret::new(text);
    Ok(())
}
