//! `schema`, `asyncapi`, `docs`: what firmware is written against, printed.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use serde_json::Value;
use waystation::{
    contract,
    decode::Contract,
    device::{self, Catalog, Profile},
    problem::nearest,
    settings::{self, Settings},
};

use super::{explain, say};

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// The type of device, as its profile's id: `fridge`.
    #[arg(value_name = "PROFILE", required_unless_present = "all")]
    profile: Option<String>,
    /// Write those of every profile and of every other message into this folder.
    #[arg(long, value_name = "DIR", conflicts_with = "profile")]
    all: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct AsyncApi {
    /// With the metrics of every profile.
    #[arg(long)]
    profiles: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Docs {
    #[arg(value_enum)]
    page: Page,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Page {
    /// docs/firmware.md.
    Firmware,
    /// The table of topics in README.md.
    Readme,
}

pub(super) fn schema(config: &Path, ask: &Schema) -> anyhow::Result<ExitCode> {
    let (_, catalog) = what_is_set(config)?;
    if let Some(id) = &ask.profile {
        say(&pretty(&contract::schema("telemetry", Some(find(&catalog, id)?)))?);
    }
    if let Some(dir) = &ask.all {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let others =
            contract::schemas().into_iter().map(|(kind, schema)| (kind.to_owned(), schema));
        let telemetry = |profile: &Arc<Profile>| {
            (format!("telemetry.{}", profile.id), contract::schema("telemetry", Some(profile)))
        };
        let mut written = 0;
        for (name, schema) in catalog.iter().map(telemetry).chain(others) {
            let file = dir.join(format!("{name}.schema.json"));
            fs::write(&file, pretty(&schema)? + "\n")
                .with_context(|| format!("cannot write {}", file.display()))?;
            written += 1;
        }
        say(&format!("{written} schemas in {}", dir.display()));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn asyncapi(config: &Path, ask: &AsyncApi) -> anyhow::Result<ExitCode> {
    let (settings, catalog) = what_is_set(config)?;
    let mut profiles: Vec<&Profile> = catalog.iter().map(AsRef::as_ref).collect();
    profiles.retain(|_| ask.profiles);
    profiles.sort_by(|one, other| one.id.cmp(&other.id));
    say(contract::yaml(&contract::asyncapi(&contract_of(&settings), &profiles)).trim_end());
    Ok(ExitCode::SUCCESS)
}

/// As they stand in the repository: with the settings at their defaults.
pub(super) fn docs(ask: &Docs) -> ExitCode {
    let text = match ask.page {
        Page::Firmware => contract::firmware_page(&Contract::default()),
        Page::Readme => contract::readme_section(),
    };
    say(text.trim_end());
    ExitCode::SUCCESS
}

/// Settings and profiles; stations may be missing, or be wrong. Without any folder all is as shipped.
pub(super) fn what_is_set(config: &Path) -> anyhow::Result<(Settings, Catalog)> {
    let is_usual = config == Path::new(crate::USUAL_CONFIG) && !config.exists();
    let settings = if is_usual {
        Settings::default()
    } else {
        settings::load(config, std::env::vars()).map_err(|problems| explain(&problems))?
    };
    let catalog = device::load(settings.profiles.dir.as_deref());
    Ok((settings, catalog.map_err(|problems| explain(&problems))?))
}

pub(super) fn contract_of(settings: &Settings) -> Contract {
    Contract::new(&settings.subscribe.prefix, settings.ingest.max_message.0)
}

pub(super) fn find<'a>(catalog: &'a Catalog, id: &str) -> anyhow::Result<&'a Arc<Profile>> {
    let Some(profile) = catalog.get(id) else {
        let mut known: Vec<&str> = catalog.iter().map(|profile| profile.id.as_str()).collect();
        known.sort_unstable();
        match nearest(id, known.iter().copied()) {
            Some(near) => bail!("there is no profile {id:?} (did you mean {near:?}?)"),
            None => bail!("there is no profile {id:?}; known here: {}", known.join(", ")),
        }
    };
    Ok(profile)
}

fn pretty(value: &Value) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(value)?)
}
