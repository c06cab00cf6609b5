//! Programs that are run in a container beside its own: shells in terminals, and single commands.
//!
//! All that is needed is the engine's socket: no firewall and no networks, so that a session holder can have this too.
//!
//! # Guarantees
//! Nothing but validated ids gets into a path on the engine's socket. What a program prints is never taken for anything
//! but bytes. A program whose caller went away while it was being started is ended.

mod connect;
pub(crate) mod demux;
pub(crate) mod fault;
mod hijack;
mod process;
mod shell;
mod state;

use std::{
    collections::BTreeMap,
    future::Future,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use berth_reconcile::runtime::EngineId;
use bollard::{
    API_DEFAULT_VERSION, Docker as Client, models::ExecConfig, query_parameters::ResizeExecOptions,
};
use tokio::{
    io::AsyncReadExt as _,
    sync::{OnceCell, oneshot},
    time::{sleep, timeout},
};

pub use self::{
    connect::ConnectError,
    demux::{Apart, DemuxError, Output},
    hijack::{Input, Reader},
    process::Process,
    state::{ContainerFacts, ExecState, Outcome},
};
use crate::names::is_hex64;

/// Reading takes milliseconds; an engine that is asked forty things at once may take seconds.
const QUICK: Duration = Duration::from_secs(30);
/// Starting takes a tenth of a second alone.
const START: Duration = Duration::from_secs(60);
/// How soon a start is looked at again, and how much later each time.
const LOOK: Duration = Duration::from_millis(5);
const LOOK_MAXIMUM: Duration = Duration::from_millis(100);
/// Of a program that nobody waits for any more.
pub const GRACE: Duration = Duration::from_secs(5);
const REASON_MAXIMUM: u64 = 4096;
/// The engine takes two keys for itself unless told others, and holds back the first until the next comes: by default
/// Ctrl-P, which is "the line before" in every shell. It cannot be told to take none; nobody types this.
const DETACH_KEYS: &str = "ctrl-^,ctrl-@,ctrl-^,ctrl-@,ctrl-^,ctrl-@,ctrl-^,ctrl-_";

/// The engine's id of an exec: 64 hex digits and nothing else, because it becomes a path on the engine's socket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecId(String);

impl ExecId {
    pub fn parse(text: &str) -> Option<Self> {
        is_hex64(text).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the container does not run")]
    NotRunning,
    #[error("no such container")]
    NoSuchContainer,
    #[error("no such exec")]
    NoSuchExec,
    #[error("the command cannot be run: {0}")]
    CommandNotFound(String),
    #[error("the image has no shell: none of $SHELL, bash, zsh, ash and sh is there")]
    NoShell,
    /// The words or variables are such that no program can be given them.
    #[error("{0}")]
    Invalid(&'static str),
    #[error("the engine does not answer: {0}")]
    Unavailable(String),
    #[error("the engine says: {0}")]
    Engine(String),
    /// It is not where the engine says it is, so it gets no signal.
    #[error("the process {0} is not one of the container's")]
    Foreign(i64),
    #[error("the process cannot be ended: {0}")]
    Process(String),
}

/// What is run. The container's own environment, directory and user hold where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Command {
    pub words: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub working_directory: Option<String>,
    pub user: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub rows: u16,
    pub columns: u16,
}

/// Of a program without a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdin {
    Open,
    /// At its end from the start.
    Closed,
}

/// A program that was started, with its connection.
#[derive(Debug)]
pub struct Running<O> {
    pub id: ExecId,
    /// `None`: it has ended already.
    pub process: Option<Arc<Process>>,
    pub output: O,
    pub input: Input,
}

/// Cheap to clone. Connects when it is first used.
#[derive(Debug, Clone)]
pub struct Exec {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    socket: PathBuf,
    client: OnceCell<Client>,
}

#[derive(Clone, Copy)]
enum Streams {
    Terminal(Option<Size>),
    Apart(Stdin),
}

impl Exec {
    /// The socket of [`Options`](crate::Options).
    pub fn new(socket: &Path) -> Self {
        let inner = Inner { socket: socket.to_owned(), client: OnceCell::new() };
        Self { inner: Arc::new(inner) }
    }

    /// In a terminal: raw bytes both ways.
    pub async fn start_terminal(
        &self,
        container: &EngineId,
        command: &Command,
        size: Option<Size>,
    ) -> Result<Running<Reader>, Error> {
        let started = self.start(container, command, Streams::Terminal(size)).await?;
        if let Some(size) = size {
            // Engines before 23 do not take it with the start. A wrong size is no reason to have no terminal.
            if let Err(error) = self.resize(&started.id, size).await {
                tracing::debug!(%error, "a new terminal has not got its size");
            }
        }
        Ok(started)
    }

    /// Without one: standard output and standard error apart.
    pub async fn start_apart(
        &self,
        container: &EngineId,
        command: &Command,
        stdin: Stdin,
    ) -> Result<Running<Apart<Reader>>, Error> {
        let Running { id, process, output, input } =
            self.start(container, command, Streams::Apart(stdin)).await?;
        Ok(Running { id, process, output: Apart::new(output), input })
    }

    /// In a task of its own: half a start that nobody waits for would leave a program that nobody owns.
    async fn start(
        &self,
        container: &EngineId,
        command: &Command,
        streams: Streams,
    ) -> Result<Running<Reader>, Error> {
        let config = config(command, streams)?;
        let (answer, answered) = oneshot::channel();
        let (exec, container) = (self.clone(), container.clone());
        tokio::spawn(async move {
            let started = timeout(START, exec.start_now(&container, config, streams)).await;
            let started = started.unwrap_or_else(|_| {
                Err(Error::Unavailable(format!("not started in {} s", START.as_secs())))
            });
            if let Err(Ok(Running { process: Some(process), .. })) = answer.send(started)
                && let Err(error) = process.hang_up(GRACE).await
            {
                tracing::warn!(%error, "a program that nobody waits for runs on");
            }
        });
        answered.await.map_err(|_| Error::Unavailable("the program stops".to_owned()))?
    }

    async fn start_now(
        &self,
        container: &EngineId,
        config: ExecConfig,
        streams: Streams,
    ) -> Result<Running<Reader>, Error> {
        let client = self.client().await?;
        let made = quick(client.create_exec(container.as_str(), config)).await?;
        let id = ExecId::parse(&made.id).ok_or_else(|| {
            Error::Engine("the engine answered with an id that is none".to_owned())
        })?;
        let body = match streams {
            Streams::Terminal(_) => r#"{"Detach":false,"Tty":true}"#,
            Streams::Apart(_) => r#"{"Detach":false,"Tty":false}"#,
        };
        let hijacked = hijack::hijack(&self.inner.socket, &id, body.to_owned());
        let (mut output, mut input) = hijacked.await?;
        let state = self.until_alive(&id).await?;
        if state.pid == 0 {
            return Err(reason(&mut output, streams).await);
        }
        let process = self.process(container, &id).await?.map(Arc::new);
        if let Streams::Apart(Stdin::Closed) = streams {
            // A program that has ended already has closed its side.
            let _ = input.end().await;
        }
        Ok(Running { id, process, output, input })
    }

    /// The engine takes the connection over first and starts the program then.
    async fn until_alive(&self, id: &ExecId) -> Result<ExecState, Error> {
        let mut pause = LOOK;
        loop {
            let state = self.inspect(id).await?;
            if state.pid != 0 || state.exit_code.is_some() {
                return Ok(state);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LOOK_MAXIMUM);
        }
    }

    /// What cannot be resized because it has ended needs no size.
    pub async fn resize(&self, id: &ExecId, size: Size) -> Result<(), Error> {
        let options =
            ResizeExecOptions { h: i32::from(size.rows.max(1)), w: i32::from(size.columns.max(1)) };
        match quick(self.client().await?.resize_exec(id.as_str(), options)).await {
            Ok(()) => Ok(()),
            Err(error) => match self.inspect(id).await {
                Ok(state) if state.is_running => Err(error),
                Ok(_) | Err(_) => Ok(()),
            },
        }
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.inner.socket
    }

    pub(crate) async fn client(&self) -> Result<&Client, Error> {
        let connect = async || {
            let path = self.inner.socket.to_str().ok_or_else(|| {
                Error::Unavailable("the path of the engine's socket is not text".to_owned())
            })?;
            let client = Client::connect_with_unix(path, QUICK.as_secs(), API_DEFAULT_VERSION)
                .map_err(fault::classify)?;
            quick(client.negotiate_version()).await
        };
        self.inner.client.get_or_try_init(connect).await
    }
}

pub(crate) async fn quick<T>(
    call: impl Future<Output = Result<T, bollard::errors::Error>>,
) -> Result<T, Error> {
    match timeout(QUICK, call).await {
        Ok(result) => result.map_err(fault::classify),
        Err(_) => Err(Error::Unavailable(format!("no complete answer in {} s", QUICK.as_secs()))),
    }
}

fn config(command: &Command, streams: Streams) -> Result<ExecConfig, Error> {
    check(command)?;
    let environment =
        command.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let (tty, stdin, size) = match streams {
        Streams::Terminal(size) => (true, true, size),
        Streams::Apart(stdin) => (false, stdin == Stdin::Open, None),
    };
    Ok(ExecConfig {
        attach_stdin: Some(stdin),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(tty),
        console_size: size.map(|size| vec![size.rows.into(), size.columns.into()]),
        detach_keys: tty.then(|| DETACH_KEYS.to_owned()),
        cmd: Some(command.words.clone()),
        env: Some(environment),
        working_dir: command.working_directory.clone(),
        user: command.user.clone(),
        privileged: Some(false),
    })
}

fn check(command: &Command) -> Result<(), Error> {
    let nul = |text: &str| text.contains('\0');
    if command.words.first().is_none_or(String::is_empty) {
        return Err(Error::Invalid("a command has a first word"));
    }
    if command.words.iter().any(|word| nul(word)) {
        return Err(Error::Invalid("no word of a command can have a zero byte"));
    }
    let wrong = |(name, value): (&String, &String)| {
        name.is_empty() || name.contains('=') || nul(name) || nul(value)
    };
    if command.environment.iter().any(wrong) {
        return Err(Error::Invalid("a variable has a name without '=', and no zero byte"));
    }
    if command.working_directory.as_ref().is_some_and(|path| !path.starts_with('/') || nul(path)) {
        return Err(Error::Invalid("a working directory begins with '/'"));
    }
    Ok(())
}

/// Why a program never came to life.
async fn reason(output: &mut Reader, streams: Streams) -> Error {
    let mut text = Vec::new();
    match streams {
        Streams::Terminal(_) => {
            let mut limited = output.take(REASON_MAXIMUM);
            let _ = timeout(QUICK, limited.read_to_end(&mut text)).await;
        }
        Streams::Apart(_) => {
            let mut apart = Apart::new(output);
            let read = async {
                while let Ok(Some(Output::Stdout(piece) | Output::Stderr(piece))) =
                    apart.next().await
                    && text.len() < 4096
                {
                    text.extend_from_slice(&piece);
                }
            };
            let _ = timeout(QUICK, read).await;
        }
    }
    fault::of_start(String::from_utf8_lossy(&text).trim())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_is_an_id_leads_nowhere_else(text in "[0-9a-fA-F./?#%\n-]{60,70}|\\PC{0,80}") {
            if let Some(id) = ExecId::parse(&text) {
                prop_assert!(id.as_str().len() == 64);
                prop_assert!(id.as_str().bytes().all(|byte| byte.is_ascii_hexdigit()));
            }
        }
    }

    #[test]
    fn ids() {
        let id = "a1".repeat(32);
        assert_eq!(ExecId::parse(&id).unwrap().as_str(), id);
        for bad in
            ["", "..", &id[1..], &id.to_uppercase(), &format!("{id}/start?"), &format!("{id}\n")]
        {
            assert_eq!(ExecId::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn commands_that_no_program_can_be_given() {
        let command = |words: &[&str]| Command {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            ..Command::default()
        };
        assert_eq!(check(&command(&["sh", ""])), Ok(()));
        for words in [&[][..], &[""], &["sh", "a\0b"]] {
            assert!(check(&command(words)).is_err(), "{words:?}");
        }
        for (name, value) in [("", "x"), ("A=B", "x"), ("A", "\0")] {
            let environment = [(name.to_owned(), value.to_owned())].into();
            assert!(check(&Command { environment, ..command(&["sh"]) }).is_err(), "{name:?}");
        }
        let relative = Some("tmp".to_owned());
        assert!(check(&Command { working_directory: relative, ..command(&["sh"]) }).is_err());
    }
}
