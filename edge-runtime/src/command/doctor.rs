//! `usher doctor`: whether this device is ready to be a kiosk, and what to do where it is not.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use shared::gallery::consent::WallTime;
use shared::gallery::options::{Asking, KeyOptions, Keys};

use super::counting_model;
use super::sealing::now;
use crate::config::{Config, Parts};
use crate::doctor::{Check, Level, devices, files, machine, trust};
use crate::self_test;

/// Look over camera, screen, model, gallery, clock, files and board; exit 1 if something will not work
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  usher doctor --gallery people.gallery --model models/usher-small.toml --config kiosk.toml
  usher doctor --write-self-test --model models/usher-small.toml

--write-self-test keeps what this machine's network makes of a drawn face beside the model, and every start compares
with it: write it where you trust the machine, then copy it with the model.")]
pub(super) struct Doctor {
    /// The kiosk's settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The model's manifest [default: the one that counts by the settings, without them
    /// models/usher-small.toml]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// The face detector [default: kiosk.detector of the settings, else yunet.onnx beside the model]
    #[arg(long, value_name = "FILE")]
    detector: Option<PathBuf>,
    /// The gallery to look over [default: kiosk.gallery of the settings]
    #[arg(long, value_name = "FILE")]
    gallery: Option<PathBuf>,
    #[command(flatten)]
    keys: KeyOptions,
    /// Write the self-test's reference beside the model, in place of an older one
    #[arg(long)]
    write_self_test: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(super) fn execute(&self) -> anyhow::Result<()> {
        let checks = self.checks();
        if self.json {
            println!("{}", serde_json::to_string_pretty(&checks)?);
        } else {
            for check in &checks {
                println!("{check}");
            }
        }
        let count = |level| checks.iter().filter(|check| check.level == level).count();
        match count(Level::Fail) {
            0 => {
                eprintln!("ready, {} warnings", count(Level::Warn));
                Ok(())
            }
            fails => bail!(
                "{fails} of {} things looked at will not work; see what to do beside each",
                checks.len()
            ),
        }
    }

    fn checks(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        let mut config = match Config::read(self.config.as_deref()) {
            Ok(config) => {
                if let Some(path) = &self.config {
                    checks.push(Check::ok(
                        "settings",
                        format!("{} can be used", path.display()),
                    ));
                }
                config
            }
            Err(error) => {
                checks.push(Check::failed("settings", &error));
                Config::default()
            }
        };
        if self.model.is_none() && self.config.is_some() {
            checks.push(match counting_model(&mut config) {
                Ok(source) => Check::ok("in use", format!("model {source}")),
                Err(error) => Check::failed("in use", &error),
            });
        }
        let parts = self.parts(&config);
        let root = Path::new("/");
        let has_desktop = std::env::var_os("DISPLAY").is_some_and(|display| !display.is_empty());
        checks.extend([devices::camera(root), devices::screen(root, has_desktop)]);
        let (networks, pipeline) = trust::networks(&parts.model, &parts.detector());
        checks.extend(networks);
        let model = pipeline
            .as_ref()
            .map(|pipeline| pipeline.embedder().manifest().model_id());
        if let (true, Some(mut pipeline)) = (self.write_self_test, pipeline) {
            checks.push(match self_test::write(&mut pipeline, &parts.model) {
                Ok(path) => Check::ok("reference", format!("{} written", path.display())),
                Err(error) => Check::failed("reference", &error),
            });
        }
        let gallery = (self.gallery.is_some() || self.config.is_some()).then_some(&parts.gallery);
        let newest = self.gallery(gallery, &mut checks, model.as_ref());
        checks.push(machine::clock(&config.clock, newest));
        self.files(&mut checks, &config, gallery);
        checks.extend([
            machine::memory(),
            machine::temperature(),
            machine::processor(),
            machine::running(&config.metrics.socket),
        ]);
        checks
    }

    /// What the kiosk is made of: by the options, else by the settings, else what a checkout has.
    fn parts(&self, config: &Config) -> Parts {
        let mut parts = config.kiosk.clone();
        if self.config.is_none() {
            parts.model = "models/usher-small.toml".into();
        }
        for (option, setting) in [
            (&self.model, &mut parts.model),
            (&self.detector, &mut parts.detector),
            (&self.gallery, &mut parts.gallery),
        ] {
            if let Some(path) = option {
                *setting = path.clone();
            }
        }
        parts
    }

    /// Adds what concerns the gallery; the time of its newest record.
    fn gallery(
        &self,
        path: Option<&PathBuf>,
        checks: &mut Vec<Check>,
        model: Option<&shared::model_id::ModelId>,
    ) -> WallTime {
        let Some(path) = path else {
            checks.push(Check::warn(
                "gallery",
                "none was named",
                "name it by --gallery FILE",
            ));
            return WallTime::default();
        };
        let keys = match self.keys.keys(Asking::Once) {
            Ok(keys) => keys,
            Err(error) => {
                checks.push(Check::failed("key", &error));
                return WallTime::default();
            }
        };
        let (found, newest) = trust::gallery(path, &keys, model, now());
        checks.extend(found);
        if let Keys::File(file) = &keys {
            checks.push(files::private("key", file.path()));
        }
        checks.push(files::private("permissions", path));
        newest
    }

    fn files(&self, checks: &mut Vec<Check>, config: &Config, gallery: Option<&PathBuf>) {
        for (name, path) in [("events", &config.events.path), ("log", &config.log.path)] {
            if !path.as_os_str().is_empty() {
                checks.push(files::writable(name, path));
                checks.push(files::room(path));
            }
        }
        if !config.mqtt.host.is_empty() {
            checks.extend(files::network(Path::new("/")));
        }
        if !config.mqtt.password_file.as_os_str().is_empty() {
            checks.push(files::private("mqtt", &config.mqtt.password_file));
        }
        if config.desk.pin_file.exists() {
            checks.push(files::private("operators", &config.desk.pin_file));
        }
        let folder = gallery.and_then(|path| path.parent());
        checks.push(files::room(folder.unwrap_or(Path::new("."))));
    }
}
