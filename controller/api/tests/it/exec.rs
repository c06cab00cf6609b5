//! Terminals and commands, as their callers meet them.

use berth_proto::v1::{
    self, attach_request, exec_service_client::ExecServiceClient, run_request, run_response,
    terminal_output,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::world::{Bearer, Client, Who, World, request};

async fn running(world: &World) -> ExecServiceClient<Client> {
    let mut ann = world.containers(Who::Ann).await;
    let id = ann.create_container(request("box")).await.unwrap().into_inner().id;
    world.report_running(&id).await;
    exec(world, Who::Ann).await
}

async fn exec(world: &World, who: Who) -> ExecServiceClient<Client> {
    let token = world.token(who).await;
    ExecServiceClient::with_interceptor(world.channel(), Bearer(token))
}

fn attach(terminal: u32, from: u64) -> v1::AttachTerminal {
    v1::AttachTerminal { name: "box".into(), terminal, from, ..Default::default() }
}

struct Attached {
    say: mpsc::Sender<v1::AttachRequest>,
    hear: Streaming<v1::TerminalOutput>,
}

impl Attached {
    async fn begin(
        mut client: ExecServiceClient<Client>,
        attach: v1::AttachTerminal,
    ) -> Result<Self, Status> {
        let (say, messages) = mpsc::channel(8);
        let message = Some(attach_request::Message::Attach(attach));
        say.send(v1::AttachRequest { message }).await.unwrap();
        let hear = client.attach(ReceiverStream::new(messages)).await?.into_inner();
        Ok(Self { say, hear })
    }

    async fn says(&self, message: attach_request::Message) {
        self.say.send(v1::AttachRequest { message: Some(message) }).await.unwrap();
    }

    async fn types(&self, text: &'static str) {
        self.says(attach_request::Message::Data(text.into())).await;
    }

    async fn hears(&mut self) -> terminal_output::Message {
        self.hear.message().await.unwrap().unwrap().message.unwrap()
    }
}

fn printed(text: &'static str) -> terminal_output::Message {
    terminal_output::Message::Data(text.into())
}

#[tokio::test]
async fn a_terminal_both_ways() {
    let world = World::new().await;
    let client = running(&world).await;
    let mut attached = Attached::begin(client, attach(0, 5)).await.unwrap();
    let terminal_output::Message::Opened(opened) = attached.hears().await else { panic!() };
    assert_eq!((opened.from, opened.terminal.unwrap().number), (5, 1));
    attached.types("hello").await;
    assert_eq!(attached.hears().await, printed("hello"));
    let size = v1::TerminalSize { rows: 40, columns: 120 };
    attached.says(attach_request::Message::Size(size)).await;
    assert_eq!(attached.hears().await, printed("40x120"));
    attached.types("exit").await;
    let terminal_output::Message::Ended(ended) = attached.hears().await else { panic!() };
    assert_eq!((ended.end(), ended.exit_code), (v1::ExecEnd::Exited, 7));
    assert_eq!(ended.message, "The program has ended (exit 7).");
    assert!(attached.hear.message().await.unwrap().is_none());
}

#[tokio::test]
async fn one_that_breaks_is_to_be_asked_for_again() {
    let world = World::new().await;
    let client = running(&world).await;
    let mut attached = Attached::begin(client, attach(1, 0)).await.unwrap();
    assert!(matches!(attached.hears().await, terminal_output::Message::Opened(_)));
    attached.types("break").await;
    assert_eq!(attached.hear.message().await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn a_wrong_size_ends_the_stream_with_its_field() {
    let world = World::new().await;
    let client = running(&world).await;
    let mut attached = Attached::begin(client.clone(), attach(1, 0)).await.unwrap();
    assert!(matches!(attached.hears().await, terminal_output::Message::Opened(_)));
    let size = v1::TerminalSize { rows: 0, columns: 5000 };
    attached.says(attach_request::Message::Size(size)).await;
    let status = attached.hear.message().await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    for field in ["size.rows", "size.columns"] {
        assert!(status.message().contains(field), "{}", status.message());
    }
    let refused = v1::AttachTerminal { size: Some(size), ..attach(0, 0) };
    let refused = Attached::begin(client, refused).await.err().unwrap();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_terminal_for_those_who_can_only_listen() {
    let world = World::new().await;
    let mut client = running(&world).await;
    let request = v1::OutputRequest { name: "box".into(), terminal: 1, ..Default::default() };
    let mut output = client.output(request.clone()).await.unwrap().into_inner();
    let first = output.message().await.unwrap().unwrap().message.unwrap();
    let terminal_output::Message::Opened(opened) = first else { panic!("{first:?}") };
    let attachment = opened.attachment;
    let input = |seq, data: &'static str| v1::InputRequest {
        attachment: attachment.clone(),
        seq,
        data: data.into(),
    };
    client.input(input(1, "a")).await.unwrap();
    // The answer was lost, and it is typed again.
    client.input(input(1, "a")).await.unwrap();
    client.input(input(2, "b")).await.unwrap();
    let size = Some(v1::TerminalSize { rows: 2, columns: 3 });
    let resize = v1::ResizeRequest { attachment: attachment.clone(), size };
    client.resize(resize.clone()).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 5 {
        let message = output.message().await.unwrap().unwrap().message.unwrap();
        let terminal_output::Message::Data(data) = message else { panic!("{message:?}") };
        seen.extend_from_slice(&data);
    }
    assert_eq!(seen, b"ab2x3");
    // Nobody else's.
    let mut ben = exec(&world, Who::Ben).await;
    assert_eq!(ben.input(input(3, "x")).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(ben.resize(resize).await.unwrap_err().code(), Code::NotFound);
    client.input(input(3, "exit")).await.unwrap();
    let last = output.message().await.unwrap().unwrap().message.unwrap();
    assert!(matches!(last, terminal_output::Message::Ended(_)), "{last:?}");
}

#[tokio::test]
async fn terminals_are_started_listed_and_ended() {
    let world = World::new().await;
    let mut client = running(&world).await;
    let start = |command: &[&str]| v1::StartRequest {
        name: "box".into(),
        command: command.iter().map(ToString::to_string).collect(),
        ..Default::default()
    };
    let made = client.start(start(&[])).await.unwrap().into_inner();
    assert_eq!((made.number, made.command, made.ended), (1, vec!["/bin/sh".to_owned()], false));
    let missing = client.start(start(&["missing"])).await.unwrap_err();
    assert_eq!(missing.code(), Code::FailedPrecondition);
    assert!(missing.message().contains("no such program"), "{}", missing.message());
    let nul = client.start(start(&["a\0"])).await.unwrap_err();
    assert!(nul.message().starts_with("command[0]: "), "{}", nul.message());
    let list = v1::ListTerminalsRequest { name: "box".into(), ..Default::default() };
    assert_eq!(client.list_terminals(list).await.unwrap().into_inner().terminals.len(), 1);
    let end =
        |terminal| v1::EndTerminalRequest { name: "box".into(), terminal, ..Default::default() };
    client.end_terminal(end(1)).await.unwrap();
    assert_eq!(client.end_terminal(end(9)).await.unwrap_err().code(), Code::NotFound);
}

async fn run(
    mut client: ExecServiceClient<Client>,
    messages: Vec<run_request::Message>,
) -> Result<Vec<run_response::Message>, Status> {
    let messages: Vec<_> =
        messages.into_iter().map(|message| v1::RunRequest { message: Some(message) }).collect();
    let mut stream = client.run(tokio_stream::iter(messages)).await?.into_inner();
    let mut heard = Vec::new();
    while let Some(response) = stream.message().await? {
        heard.push(response.message.unwrap());
    }
    Ok(heard)
}

fn command(words: &[&str]) -> v1::RunCommand {
    v1::RunCommand {
        name: "box".into(),
        command: words.iter().map(ToString::to_string).collect(),
        stdin: true,
        ..Default::default()
    }
}

#[tokio::test]
async fn one_command_with_its_streams_apart() {
    let world = World::new().await;
    let client = running(&world).await;
    let messages = vec![
        run_request::Message::Command(command(&["cat", "-u"])),
        run_request::Message::Stdin("in".into()),
    ];
    let heard = run(client.clone(), messages).await.unwrap();
    assert_eq!(
        heard[..2],
        [
            run_response::Message::Stderr("cat -u".into()),
            run_response::Message::Stdout("in".into()),
        ]
    );
    let run_response::Message::Ended(ended) = &heard[2] else { panic!("{heard:?}") };
    assert_eq!((ended.end(), ended.exit_code), (v1::ExecEnd::Exited, 3));

    let heard =
        run(client, vec![run_request::Message::Command(command(&["sleep"]))]).await.unwrap();
    let run_response::Message::Ended(ended) = &heard[0] else { panic!("{heard:?}") };
    assert_eq!(ended.end(), v1::ExecEnd::TimeLimit);
}

#[tokio::test]
async fn a_wrong_command_is_refused_by_field() {
    let world = World::new().await;
    let client = running(&world).await;
    let good = command(&["ls"]);
    let long = prost_types::Duration { seconds: 1 << 40, nanos: 0 };
    let negative = prost_types::Duration { seconds: -1, nanos: 0 };
    for (wrong, field) in [
        (v1::RunCommand { command: vec![], ..good.clone() }, "command"),
        (v1::RunCommand { command: vec![String::new()], ..good.clone() }, "command[0]"),
        (v1::RunCommand { command: vec!["x".repeat(40_000)], ..good.clone() }, "command"),
        (v1::RunCommand { command: vec!["x".into(); 300], ..good.clone() }, "command"),
        (v1::RunCommand { working_directory: "srv".into(), ..good.clone() }, "working_directory"),
        (v1::RunCommand { working_directory: "/a\0".into(), ..good.clone() }, "working_directory"),
        (v1::RunCommand { time_limit: Some(long), ..good.clone() }, "time_limit"),
        (v1::RunCommand { time_limit: Some(negative), ..good.clone() }, "time_limit"),
        (
            v1::RunCommand { environment: [("1A".into(), String::new())].into(), ..good.clone() },
            "environment[1A]",
        ),
    ] {
        let status =
            run(client.clone(), vec![run_request::Message::Command(wrong)]).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{field}");
        assert!(status.message().starts_with(&format!("{field}: ")), "{}", status.message());
    }
    let status = run(client, vec![run_request::Message::Stdin("x".into())]).await.unwrap_err();
    assert!(status.message().starts_with("command: "), "{}", status.message());
}

#[tokio::test]
async fn what_does_not_run_and_what_is_not_theirs() {
    let world = World::new().await;
    let mut ann = world.containers(Who::Ann).await;
    ann.create_container(request("box")).await.unwrap();
    let waiting = Attached::begin(exec(&world, Who::Ann).await, attach(0, 0)).await.err().unwrap();
    assert_eq!(waiting.code(), Code::FailedPrecondition);
    let foreign = v1::AttachTerminal { owner: "ann".into(), ..attach(0, 0) };
    let foreign = Attached::begin(exec(&world, Who::Ben).await, foreign).await.err().unwrap();
    assert_eq!(foreign.code(), Code::NotFound);
}
