//! What the engine says of execs and their containers, how a program ended, and ending it.

use std::time::Duration;

use berth_reconcile::runtime::EngineId;
use bollard::{models::ContainerInspectResponse, query_parameters::InspectContainerOptions};
use tokio::time::{Instant, sleep};

use super::{
    Error, Exec, ExecId, LOOK, LOOK_MAXIMUM,
    process::{self, Process},
    quick,
};

/// From the end of the output to the engine's knowing the exit code.
const SETTLE: Duration = Duration::from_secs(5);
/// The exit code of a program that was killed.
const KILLED: i32 = 137;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecState {
    pub is_running: bool,
    pub exit_code: Option<i32>,
    /// 0: it never came to life.
    pub pid: i64,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Exited(i32),
    /// With its container, and by that.
    ContainerStopped,
}

/// A container as execs see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerFacts {
    pub is_running: bool,
    pub environment: Vec<String>,
    /// The engine forgets those that have ended after some minutes.
    pub execs: Vec<ExecId>,
    pub(super) init: i64,
}

impl Exec {
    pub async fn inspect(&self, id: &ExecId) -> Result<ExecState, Error> {
        let answer = quick(self.client().await?.inspect_exec(id.as_str())).await?;
        Ok(ExecState {
            is_running: answer.running.unwrap_or(false),
            exit_code: answer.exit_code.and_then(|code| i32::try_from(code).ok()),
            pid: answer.pid.unwrap_or(0),
        })
    }

    pub async fn container(&self, id: &EngineId) -> Result<ContainerFacts, Error> {
        let client = self.client().await?;
        let call = client.inspect_container(id.as_str(), None::<InspectContainerOptions>);
        let ContainerInspectResponse { state, config, exec_ids, .. } = quick(call).await?;
        let state = state.unwrap_or_default();
        Ok(ContainerFacts {
            is_running: state.running.unwrap_or(false) && !state.paused.unwrap_or(false),
            environment: config.and_then(|config| config.env).unwrap_or_default(),
            execs: exec_ids.unwrap_or_default().iter().filter_map(|id| ExecId::parse(id)).collect(),
            init: state.pid.unwrap_or(0),
        })
    }

    /// The process of an exec that runs; `None` when it has ended. Held first and looked at afterwards, so that what was
    /// looked at is what is held.
    pub async fn process(
        &self,
        container: &EngineId,
        id: &ExecId,
    ) -> Result<Option<Process>, Error> {
        let before = self.inspect(id).await?;
        if !before.is_running {
            return Ok(None);
        }
        let opened =
            Process::open(before.pid).map_err(|error| Error::Process(error.to_string()))?;
        let Some(process) = opened else {
            return Ok(None);
        };
        let init = self.container(container).await?.init;
        if process.is_beside(init) {
            return Ok(Some(process));
        }
        let after = self.inspect(id).await?;
        if after.is_running && !process.has_ended() {
            return Err(Error::Foreign(before.pid));
        }
        Ok(None)
    }

    /// Hangs up. Ended already is success.
    pub async fn end(
        &self,
        container: &EngineId,
        id: &ExecId,
        grace: Duration,
    ) -> Result<(), Error> {
        match self.process(container, id).await {
            Ok(Some(process)) => {
                process.hang_up(grace).await.map_err(|error| Error::Process(error.to_string()))
            }
            Ok(None) | Err(Error::NoSuchExec | Error::NoSuchContainer) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// After the output's end: how it ended. A program that goes on without its connection is an error.
    pub async fn outcome(&self, container: &EngineId, id: &ExecId) -> Result<Outcome, Error> {
        let deadline = Instant::now() + SETTLE;
        let mut pause = LOOK;
        loop {
            match self.inspect(id).await {
                Ok(ExecState { is_running: false, exit_code, .. }) => {
                    let code = exit_code.unwrap_or(-1);
                    let stopped = code == KILLED && self.stops(container).await?;
                    return Ok(if stopped {
                        Outcome::ContainerStopped
                    } else {
                        Outcome::Exited(code)
                    });
                }
                Ok(_) if Instant::now() >= deadline => {
                    return Err(Error::Engine("it runs on without its connection".to_owned()));
                }
                Ok(_) => {}
                // Gone with its container, or the engine began anew.
                Err(Error::NoSuchExec) => return self.outcome_without(container).await,
                Err(error) => return Err(error),
            }
            sleep(pause).await;
            pause = (pause * 2).min(LOOK_MAXIMUM);
        }
    }

    /// A container's programs are killed a moment before the engine knows that the container has stopped.
    async fn stops(&self, container: &EngineId) -> Result<bool, Error> {
        for pause in [LOOK, LOOK_MAXIMUM, LOOK_MAXIMUM, Duration::ZERO] {
            match self.container(container).await {
                Ok(facts) if facts.is_running && process::runs(facts.init) => sleep(pause).await,
                Ok(_) | Err(Error::NoSuchContainer) => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    async fn outcome_without(&self, container: &EngineId) -> Result<Outcome, Error> {
        match self.container(container).await {
            Ok(facts) if facts.is_running => Err(Error::NoSuchExec),
            Ok(_) | Err(Error::NoSuchContainer) => Ok(Outcome::ContainerStopped),
            Err(error) => Err(error),
        }
    }
}
