//! Puts the layers together: defaults ← `waystation.toml` ← environment.

use std::{
    borrow::Cow,
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

use config::{Config, ConfigError, Environment, File, FileFormat};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Settings, ranges, secrets};
use crate::problem::{Problem, Sheet, Tree, explain};

const PREFIX: &str = "WAYSTATION";
const FILE: &str = "waystation.toml";

/// Everything set in `config_dir/waystation.toml` and `env`, or every mistake in them.
///
/// What is read (secrets, profiles) is found from `config_dir`; `data_dir`, which is written, from
/// the working directory.
pub fn load(
    config_dir: &Path,
    env: impl Iterator<Item = (String, String)>,
) -> Result<Settings, Vec<Problem>> {
    let path = config_dir.join(FILE);
    let text = read(config_dir, &path).map_err(|problem| vec![problem])?;
    let ours = format!("{PREFIX}__");
    let env: HashMap<String, String> =
        env.filter(|(key, _)| key.to_uppercase().starts_with(&ours)).collect();

    let mut problems = file_mistakes(&path, &text);
    problems.extend(env_mistakes(&env));
    if !problems.is_empty() {
        return Err(problems);
    }
    let layers = Config::builder()
        .add_source(File::from_str(&text, FileFormat::Toml))
        .add_source(environment(env))
        .build()
        .and_then(Config::try_deserialize::<Settings>);
    let mut settings = layers.map_err(|error| {
        let (what, cure) = in_words(&error);
        vec![Problem::new(&path, "", what, cure)]
    })?;
    from_here(config_dir, &mut settings);
    problems.extend(secrets::fill(&path, &mut settings));
    problems.extend(ranges::check(&path, &settings));
    if problems.is_empty() { Ok(settings) } else { Err(problems) }
}

/// The text of the file; a folder without it means: all defaults.
fn read(config_dir: &Path, path: &Path) -> Result<String, Problem> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound && config_dir.is_dir() => {
            Ok(String::new())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let cure = "name the folder of waystation.toml with --config";
            Err(Problem::new(config_dir, "", "this folder does not exist", cure))
        }
        Err(error) => {
            let what = format!("cannot be read: {error}");
            Err(Problem::new(path, "", what, "check its permissions"))
        }
    }
}

fn environment(variables: HashMap<String, String>) -> Environment {
    Environment::with_prefix(PREFIX).prefix_separator("__").separator("__").source(Some(variables))
}

/// Reads every key on its own, so that one mistake does not hide the next.
fn file_mistakes(path: &Path, text: &str) -> Vec<Problem> {
    let mut sheet = Sheet::new(path, text);
    if let Some(table) = sheet.parse() {
        leaves(&mut sheet, &mut Vec::new(), table);
    }
    let mut problems = sheet.into_problems();
    problems.dedup();
    problems.iter_mut().for_each(mask);
    problems
}

/// A secret of the wrong type is not repeated.
fn mask(problem: &mut Problem) {
    let last = problem.key.rsplit('.').next().unwrap_or_default();
    if matches!(last, "password" | "secret" | "token") && problem.what.contains(", found ") {
        "expected a text in quotes".clone_into(&mut problem.what);
    }
}

fn leaves<'a>(sheet: &mut Sheet<'a>, path: &mut Vec<Spanned<Cow<'a, str>>>, table: DeTable<'a>) {
    for (key, value) in table {
        path.push(key);
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(inner) if !inner.is_empty() => leaves(sheet, path, inner),
            other => {
                let alone = wrap(path, Spanned::new(span, other));
                sheet.read::<Settings>("", alone);
            }
        }
        path.pop();
    }
}

/// A whole tree of settings in which only this one is set.
fn wrap<'a>(path: &[Spanned<Cow<'a, str>>], value: Tree<'a>) -> Tree<'a> {
    path.iter().rev().fold(value, |inner, key| {
        let span = key.span();
        let mut table = DeTable::new();
        table.insert(key.clone(), inner);
        Spanned::new(span, DeValue::Table(table))
    })
}

fn env_mistakes(env: &HashMap<String, String>) -> Vec<Problem> {
    let mut names: Vec<_> = env.iter().collect();
    names.sort_unstable();
    let mut problems = Vec::new();
    for (name, value) in names {
        let alone = HashMap::from([(name.clone(), value.clone())]);
        let built = Config::builder().add_source(environment(alone)).build();
        if let Err(error) = built.and_then(Config::try_deserialize::<Settings>) {
            let (what, cure) = in_words(&error);
            problems.push(Problem::new(Path::new("environment"), name, what, cure));
        }
    }
    problems
}

fn in_words(error: &ConfigError) -> (String, String) {
    match error {
        ConfigError::At { error, .. } => in_words(error),
        ConfigError::Message(message) => explain(message),
        ConfigError::Type { unexpected, expected, .. } => {
            explain(&format!("invalid type: {unexpected}, expected {expected}"))
        }
        other => explain(&other.to_string()),
    }
}

fn from_here(config_dir: &Path, settings: &mut Settings) {
    let resolve = |path: &mut Option<PathBuf>| {
        if let Some(path) = path {
            *path = config_dir.join(&*path);
        }
    };
    resolve(&mut settings.subscribe.password_file);
    resolve(&mut settings.subscribe.ca_file);
    resolve(&mut settings.listen.users_file);
    resolve(&mut settings.store.influx.token_file);
    resolve(&mut settings.profiles.dir);
    settings.notify.webhooks.iter_mut().for_each(|webhook| resolve(&mut webhook.secret_file));
}
