//! The two configuration files of a demo.

use std::fs;

use anyhow::{Context as _, Result};

use super::{listen::Listen, paths::Paths, starter};

pub(crate) fn write(paths: &Paths, listen: Listen) -> Result<()> {
    for (file, text) in [
        (paths.controller_config(), controller(paths, listen)?),
        (paths.agent_config(), agent(paths, listen)?),
    ] {
        fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(())
}

fn controller(paths: &Paths, listen: Listen) -> Result<String> {
    let config = toml::toml! {
        [listen]
        api = (listen.api().to_string())
        agents = (listen.agents().to_string())

        [public]
        names = [(listen.host().to_string())]
        agents_address = (listen.agents().to_string())

        [data]
        dir = (paths.controller_data().display().to_string())

        // A script that signs in for each of its steps is at home here.
        [sign_in]
        attempts_per_account = 100

        // Small ones: two cores are a class room already.
        [limits]
        default_cpu_millis = 100
        default_memory_mib = 128

        [site]
        name = "Berth demo"
        starter_image = (starter::IMAGE)
    };
    toml::to_string(&config).context("the controller's configuration is TOML")
}

fn agent(paths: &Paths, listen: Listen) -> Result<String> {
    let config = toml::toml! {
        [data]
        dir = (paths.agent_data().display().to_string())

        [node]
        name = "this-machine"

        [offer]
        address = (listen.host().to_string())

        [storage]
        homes = (paths.homes().display().to_string())
        volumes = (paths.volumes().display().to_string())

        [docker]
        publish_address = (listen.api().ip().to_string())
    };
    toml::to_string(&config).context("the agent's configuration is TOML")
}
