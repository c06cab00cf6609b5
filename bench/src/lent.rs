//! A controller, an agent, a person, and one container that runs: what the benchmarks of a single container begin with.

use std::path::Path;

use anyhow::{Result, ensure};
use berth_proto::v1::CreateContainerRequest;

use crate::{
    engine::Engine,
    house::House,
    person::{Administrator, Person, connect},
    say,
};

pub(crate) const ACCOUNT: &str = "person";

pub(crate) struct Lent {
    /// Keeps the watch and the account.
    pub(crate) person: Person,
    pub(crate) password: String,
    /// The container's, at the engine.
    pub(crate) engine_id: String,
}

pub(crate) async fn lend(
    house: &mut House,
    socket: &Path,
    request: CreateContainerRequest,
) -> Result<Lent> {
    say(format_args!("controller and agent of our own in {}", house.file("").display()));
    let administrator = house.add_user("admin", "administrator")?;
    let password = house.add_user(ACCOUNT, "student")?;
    house.start_controller()?;
    let channel = connect(&house.url(), &house.authority()).await?;
    let mut administrator = Administrator::sign_in(&channel, &administrator).await?;
    house.join(&administrator.join_string().await?)?;
    house.start_agent()?;
    administrator.ready_node().await?;
    let mut person = Person::sign_in(&channel, ACCOUNT, &password).await?;
    let names = [request.name.clone()];
    let id = person.client().create_container(request).await?.into_inner().id;
    let (_, lost) = person.until_running(&names).await?;
    ensure!(lost.is_empty(), "it does not run: {lost:?}");
    let engine_id = Engine::connect(socket).await?.id_of(&format!("berth-{id}.1")).await?;
    Ok(Lent { person, password, engine_id })
}
