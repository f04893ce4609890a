//! `usher update`: signed models and galleries are installed, taken back, listed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use shared::gallery::options::KeyOptions;

use super::counting_model;
use super::sealing::now;
use super::table::{counted, fields};
use crate::config::Config;
use crate::update::{GalleryOrder, Installation, Installed, Label};

/// What can be done.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  usher update install usher-small-7.model
  usher update install lobby-3.gallery --key /var/lib/usher/gallery.key
  usher update rollback
  usher update status --json

Run it as the kiosk's user (runuser -u usher -- usher update ...). Nothing of a file is looked into before its signature
(FILE.minisig, by scripts/sign) was verified by a key in /etc/usher/trusted. What is refused changes nothing.")]
pub(super) enum UpdateCommand {
    /// Verify a signed model or gallery, try it, and put it in place; the old model is kept
    Install(Install),
    /// Go back to the model before; once more, and the newer one is back
    Rollback(Rollback),
    /// Say what is installed, and whose updates are taken
    Status(ShowUpdates),
}

impl UpdateCommand {
    pub(super) fn execute(&self) -> anyhow::Result<()> {
        match self {
            Self::Install(install) => install.execute(),
            Self::Rollback(rollback) => rollback.place.roll_back(),
            Self::Status(status) => status.execute(),
        }
    }
}

/// The kiosk that is updated.
#[derive(Debug, Args)]
struct Place {
    /// The kiosk's settings [default: /etc/usher/kiosk.toml where it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of installed models [default: update.folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Folder of trusted public keys [default: update.trusted]
    #[arg(long, value_name = "DIR")]
    trusted: Option<PathBuf>,
    /// The gallery that a model must fit, and that a gallery takes the place of [default: kiosk.gallery]
    #[arg(long, value_name = "FILE")]
    gallery: Option<PathBuf>,
}

/// Where an installed kiosk has its settings.
const SETTINGS: &str = "/etc/usher/kiosk.toml";

impl Place {
    fn config(&self) -> anyhow::Result<Config> {
        let usual = Some(Path::new(SETTINGS)).filter(|path| path.is_file());
        let mut config = Config::read(self.config.as_deref().or(usual))?;
        for (option, setting) in [
            (&self.folder, &mut config.update.folder),
            (&self.trusted, &mut config.update.trusted),
            (&self.gallery, &mut config.kiosk.gallery),
        ] {
            if let Some(path) = option {
                *setting = path.clone();
            }
        }
        Ok(config)
    }

    fn roll_back(&self) -> anyhow::Result<()> {
        let config = self.config()?;
        let in_use = Installation::new(&config, now()).roll_back()?;
        let words = match in_use {
            Some(label) => label.to_string(),
            None => format!("{}, of the settings", config.kiosk.model.display()),
        };
        print!("{}", fields(&[("in use", words)]));
        println!("next: systemctl restart usher");
        Ok(())
    }
}

#[derive(Debug, Args)]
pub(super) struct Rollback {
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct Install {
    /// The signed file: NAME-SERIAL.model or NAME-SERIAL.gallery
    file: PathBuf,
    /// Its signature [default: FILE.minisig]
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    keys: KeyOptions,
    /// For a gallery where there is none yet: nobody was removed since it was made
    #[arg(long)]
    removed_are_all: bool,
}

impl Install {
    fn execute(&self) -> anyhow::Result<()> {
        let mut config = self.place.config()?;
        // A link that leads nowhere must not keep from installing what mends it.
        if let Err(error) = counting_model(&mut config) {
            eprintln!("warning: {error}");
        }
        let signature = self.signature.clone().unwrap_or_else(|| {
            let mut name = OsString::from(&self.file);
            name.push(".minisig");
            name.into()
        });
        let order = GalleryOrder {
            keys: self.keys.clone(),
            removed_are_all: self.removed_are_all,
        };
        let installation = Installation::new(&config, now());
        let lines = match installation.install(&self.file, &signature, &order)? {
            Installed::Model { label, self_test } => vec![
                ("installed", format!("model {label}, self-test {self_test}")),
                ("before", before(&installation, &config)?),
            ],
            Installed::Gallery { label, restored } => vec![
                (
                    "installed",
                    format!(
                        "gallery {label}: {} in {}",
                        counted(restored.people, "person", "people"),
                        config.kiosk.gallery.display()
                    ),
                ),
                (
                    "left out",
                    format!(
                        "{}, removed since",
                        counted(restored.left_out.len(), "person", "people")
                    ),
                ),
            ],
        };
        print!("{}", fields(&lines));
        println!(
            "next: systemctl restart usher && usher health; to go back: usher update rollback"
        );
        Ok(())
    }
}

fn before(installation: &Installation<'_>, config: &Config) -> anyhow::Result<String> {
    Ok(match installation.stock()?.previous {
        Some(label) => label.to_string(),
        None => format!("{}, of the settings", config.kiosk.model.display()),
    })
}

#[derive(Debug, Args)]
pub(super) struct ShowUpdates {
    #[command(flatten)]
    place: Place,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is installed, for a machine.
#[derive(Serialize)]
struct Told {
    model: PathBuf,
    current: Option<String>,
    previous: Option<String>,
    model_serial: u64,
    gallery_serial: u64,
    board: String,
    trusted_keys: usize,
}

impl ShowUpdates {
    fn execute(&self) -> anyhow::Result<()> {
        let mut config = self.place.config()?;
        let words = |label: &Option<Label>| label.as_ref().map(Label::to_string);
        let installation = Installation::new(&config, now());
        let stock = installation.stock()?;
        let (board, trusted_keys) = (installation.board()?, installation.trusted_keys());
        let source = counting_model(&mut config)?;
        if self.json {
            let told = Told {
                model: config.kiosk.model,
                current: words(&stock.current),
                previous: words(&stock.previous),
                model_serial: stock.model_serial,
                gallery_serial: stock.gallery_serial,
                board,
                trusted_keys,
            };
            println!("{}", serde_json::to_string_pretty(&told)?);
            return Ok(());
        }
        let none = || "none".to_owned();
        let keys = match trusted_keys {
            0 => format!("nobody's: no *.pub in {}", config.update.trusted.display()),
            count => format!(
                "{} in {}",
                counted(count, "key", "keys"),
                config.update.trusted.display()
            ),
        };
        print!(
            "{}",
            fields(&[
                ("model", source),
                ("before it", words(&stock.previous).unwrap_or_else(none)),
                (
                    "serials",
                    format!(
                        "above {} for a model, {} for a gallery",
                        stock.model_serial, stock.gallery_serial
                    ),
                ),
                ("board", board),
                ("trusted", keys),
            ])
        );
        Ok(())
    }
}
