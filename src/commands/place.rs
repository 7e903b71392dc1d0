//! Which database a command works on: that of a configuration, or that of a data directory of `ringback dev`.

use std::path::PathBuf;

use anyhow::{Context, bail};
use ringback_store::Store;

use super::{load, of_data_dir};
use crate::app::{self, Tables, source};
use crate::config::{Config, ConfigError};

/// Which database.
#[derive(Clone, Default, clap::Args)]
pub struct DatabaseArguments {
    /// The configuration whose database.url names the database, as for `serve`; without it and --data-dir
    /// it is what RINGBACK_DATABASE__URL says, or ringback.db in this directory
    #[arg(long, value_name = "FILE", conflicts_with = "data_dir")]
    config: Option<PathBuf>,
    /// The data directory of `ringback dev`, in place of a configuration
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl DatabaseArguments {
    /// The configuration, of which nothing is checked yet.
    pub(super) fn config(&self) -> anyhow::Result<Config> {
        match &self.data_dir {
            Some(dir) => of_data_dir(dir),
            None => load(self.config.clone()),
        }
    }

    /// The configuration of a database that is there.
    ///
    /// # Errors
    /// An SQLite file that is missing: it is not made here.
    pub(super) fn existing(&self) -> anyhow::Result<Config> {
        let config = self.config()?;
        let checked = config.check_database();
        checked.map_err(|error| self.of_nothing_named(error))?;
        let Some(file) = ringback_store::missing_file(&app::settings(&config)) else {
            return Ok(config);
        };
        let file = file.display();
        if let Some(dir) = &self.data_dir {
            let dir = dir.display();
            bail!(
                "there is no database {file} yet: `ringback dev --data-dir {dir}` makes it at its first start, \
                 unless it was given another one by --database-url"
            );
        }
        bail!(
            "there is no database {file}: name the configuration with --config (database.url is its key, \
             RINGBACK_DATABASE__URL its variable), or the data directory of `ringback dev` with --data-dir; \
             or run `ringback migrate`, which makes it"
        )
    }

    /// What is wrong where nobody said which configuration is meant.
    fn of_nothing_named(&self, error: ConfigError) -> anyhow::Error {
        let error = anyhow::Error::from(error);
        match (&self.config, &self.data_dir) {
            (None, None) => error.context(
                "neither --config nor --data-dir was given, so only defaults and the environment count",
            ),
            (Some(_), _) | (_, Some(_)) => error,
        }
    }

    /// Opens the database that is there; `check` says what else must hold of the configuration.
    pub(super) async fn open(
        &self,
        check: impl FnOnce(&Config) -> Result<(), ConfigError>,
    ) -> anyhow::Result<(Config, Store)> {
        let config = self.existing()?;
        check(&config).map_err(|error| self.of_nothing_named(error))?;
        let store = app::open(&config, source()).await?;
        Tables::AsTheyAre
            .make_ready(&store)
            .await
            .with_context(|| ringback_store::describe(&app::settings(&config)))?;
        Ok((config, store))
    }
}
