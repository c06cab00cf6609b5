//! A person at a terminal, while everything between them and their shell is killed.

use std::time::Duration;

use berth_proto::v1::{
    AttachRequest, AttachTerminal, TerminalOutput, attach_request,
    exec_service_client::ExecServiceClient, terminal_output,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Code, Status, Streaming, service::interceptor::InterceptedService, transport::Channel,
};

use crate::api::{Bearer, PATIENCE};

const AGAIN: Duration = Duration::from_millis(100);

pub(crate) type Exec = ExecServiceClient<InterceptedService<Channel, Bearer>>;

pub(crate) struct Seat {
    exec: Exec,
    attach: AttachTerminal,
    line: Option<Line>,
    /// Everything that was printed, each byte once.
    pub(crate) seen: Vec<u8>,
}

struct Line {
    say: mpsc::Sender<AttachRequest>,
    hear: Streaming<TerminalOutput>,
}

impl Seat {
    pub(crate) fn new(exec: Exec, name: &str) -> Self {
        let attach = AttachTerminal { name: name.to_owned(), ..Default::default() };
        Self { exec, attach, line: None, seen: Vec::new() }
    }

    pub(crate) fn terminal(&self) -> u32 {
        self.attach.terminal
    }

    /// The connection is dropped without a word.
    pub(crate) fn cut(&mut self) {
        self.line = None;
    }

    pub(crate) async fn types(&mut self, text: &str) {
        let typing = async {
            loop {
                let message = Some(attach_request::Message::Data(text.as_bytes().to_vec().into()));
                if let Some(line) = &self.line
                    && line.say.send(AttachRequest { message }).await.is_ok()
                {
                    return;
                }
                self.come_back().await;
            }
        };
        tokio::time::timeout(PATIENCE, typing).await.expect("somebody listens");
    }

    /// Until the screen shows `text` after what was there before.
    pub(crate) async fn reads(&mut self, text: &str) {
        let begin = self.seen.len();
        self.until(begin, |new| new.contains(text).then_some(())).await;
    }

    /// Until `find` finds something in what was printed from `begin` on.
    async fn until<T>(&mut self, begin: usize, find: impl Fn(&str) -> Option<T>) -> T {
        let reading = async {
            loop {
                if let Some(found) = find(&String::from_utf8_lossy(&self.seen[begin..])) {
                    return found;
                }
                match &mut self.line {
                    None => self.come_back().await,
                    Some(line) => match line.hear.message().await {
                        Ok(Some(output)) => self.note(output.message.unwrap()),
                        Ok(None) | Err(_) => self.line = None,
                    },
                }
            }
        };
        match tokio::time::timeout(PATIENCE, reading).await {
            Ok(found) => found,
            Err(_) => panic!("it never came: {}", String::from_utf8_lossy(&self.seen)),
        }
    }

    async fn come_back(&mut self) {
        loop {
            match self.try_attach().await {
                Ok(line) => {
                    self.line = Some(line);
                    return;
                }
                Err(status) => {
                    assert!(
                        matches!(
                            status.code(),
                            Code::Unavailable | Code::Unknown | Code::Cancelled
                        ),
                        "{status}"
                    );
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    async fn try_attach(&self) -> Result<Line, Status> {
        let (say, messages) = mpsc::channel(8);
        let message = Some(attach_request::Message::Attach(self.attach.clone()));
        say.send(AttachRequest { message }).await.unwrap();
        let mut exec = self.exec.clone();
        let hear = exec.attach(ReceiverStream::new(messages)).await?.into_inner();
        Ok(Line { say, hear })
    }

    fn note(&mut self, message: terminal_output::Message) {
        match message {
            terminal_output::Message::Opened(opened) => {
                let number = opened.terminal.unwrap().number;
                assert!([0, number].contains(&self.attach.terminal), "another terminal: {number}");
                self.attach.terminal = number;
                assert_eq!(opened.from, self.attach.from, "it goes on where it was");
            }
            terminal_output::Message::Data(data) => {
                self.attach.from += data.len() as u64;
                self.seen.extend_from_slice(&data);
            }
            terminal_output::Message::Skipped(skipped) => panic!("skipped to {}", skipped.next),
            terminal_output::Message::Ended(ended) => panic!("{ended:?}"),
        }
    }

    /// What the shell says its process is.
    pub(crate) async fn shell_pid(&mut self) -> u32 {
        let begin = self.seen.len();
        self.types("echo pid=$$.\n").await;
        // The echo of what was typed has "$$" there.
        let number = |screen: &str| {
            screen.split("pid=").filter_map(|rest| rest.split_once('.')?.0.parse().ok()).next()
        };
        self.until(begin, number).await
    }
}
