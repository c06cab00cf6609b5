//! Connections to ports inside containers.

use std::sync::Arc;

use berth_app::{authz::Access, error::Error, ports::Relay};
use berth_core::{
    relay::{Frame, OperationKind},
    violation::{Problem, Violation},
};
use berth_proto::v1::{
    self, connect_request, connect_response, forward_service_server::ForwardService,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::{
    Api,
    caller::{Caller, open},
    exec::{broke, check, checked, pieces},
    permit::Permit,
};

const QUEUE: usize = 4;

type Said = Result<v1::ConnectResponse, Status>;

#[tonic::async_trait]
impl ForwardService for Api {
    type ConnectStream = ReceiverStream<Said>;

    async fn connect(
        &self,
        request: Request<Streaming<v1::ConnectRequest>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let (caller, mut inbound) = open(request);
        let first = inbound.message().await?.and_then(|first| first.message);
        let outcome = match first {
            Some(connect_request::Message::Connect(connect)) => begin(self, &caller, connect).await,
            Some(_) | None => Err(check::missing("connect")),
        };
        let relay = outcome.map_err(|error| caller.status(&error))?;
        let (sender, receiver) = mpsc::channel(QUEUE);
        let api = self.clone();
        tokio::spawn(async move { follow(&api, &caller, relay, inbound, sender).await });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

/// Until the program inside has taken the connection, or has not.
async fn begin(api: &Api, caller: &Caller, connect: v1::ConnectTo) -> Result<Relay, Error> {
    let port = u16::try_from(connect.port).ok().filter(|port| *port > 0).ok_or_else(|| {
        Error::InvalidArgument { violations: vec![Violation::new("port", Problem::PortRange)] }
    })?;
    let at = api.running(caller.actor()?, connect.owner, connect.name)?;
    let mut relay = api.relay(&at, OperationKind::Forward { port }).await?;
    match relay.from.recv().await.ok_or_else(broke)? {
        Frame::Connected => Ok(relay),
        Frame::End(end) => Err(checked(end).err().unwrap_or_else(broke)),
        Frame::Data(_)
        | Frame::ErrorData(_)
        | Frame::Size(_)
        | Frame::EndOfInput
        | Frame::Terminal(_)
        | Frame::Position(_)
        | Frame::Log(_)
        | Frame::Entries(_)
        | Frame::Digest(_) => Err(broke()),
    }
}

async fn follow(
    api: &Api,
    caller: &Arc<Caller>,
    relay: Relay,
    inbound: Streaming<v1::ConnectRequest>,
    sender: mpsc::Sender<Said>,
) {
    let Relay { to, from: mut frames } = relay;
    let mut permit = Permit::new(api, caller, Access::OwnContainer);
    let upwards = async {
        feed(inbound, to).await;
        std::future::pending::<()>().await;
    };
    tokio::pin!(upwards);
    let connected = connect_response::Message::Connected(v1::Connected {});
    let mut message = Some(connected);
    loop {
        if let Some(message) = message.take() {
            let response = v1::ConnectResponse { message: Some(message) };
            tokio::select! {
                sent = sender.send(Ok(response)) => if sent.is_err() { return },
                () = &mut upwards => return,
                end = permit.ends() => return refuse(&sender, caller, end).await,
            }
        }
        // All are cancel-safe.
        let frame = tokio::select! {
            biased;
            end = permit.ends() => return refuse(&sender, caller, end).await,
            () = sender.closed() => return,
            () = &mut upwards => return,
            frame = frames.recv() => frame,
        };
        message = match frame {
            Some(Frame::Data(data)) => Some(connect_response::Message::Data(data)),
            Some(Frame::EndOfInput) => Some(connect_response::Message::End(true)),
            Some(Frame::End(end)) => {
                let error = checked(end).err();
                return refuse(&sender, caller, error).await;
            }
            Some(
                Frame::ErrorData(_)
                | Frame::Size(_)
                | Frame::Terminal(_)
                | Frame::Position(_)
                | Frame::Log(_)
                | Frame::Connected
                | Frame::Entries(_)
                | Frame::Digest(_),
            ) => None,
            None => return refuse(&sender, caller, Some(broke())).await,
        };
    }
}

async fn refuse(sender: &mpsc::Sender<Said>, caller: &Caller, error: Option<Error>) {
    if let Some(error) = error {
        // A closed queue has nobody to tell.
        drop(sender.send(Err(caller.status(&error))).await);
    }
}

async fn feed(mut inbound: Streaming<v1::ConnectRequest>, to: mpsc::Sender<Frame>) -> Option<()> {
    while let Ok(Some(request)) = inbound.message().await {
        match request.message? {
            connect_request::Message::Data(data) => {
                for piece in pieces(data) {
                    to.send(Frame::Data(piece)).await.ok()?;
                }
            }
            connect_request::Message::End(_) => to.send(Frame::EndOfInput).await.ok()?,
            connect_request::Message::Connect(_) => return None,
        }
    }
    // Who half-closes has sent everything, and still reads.
    to.send(Frame::EndOfInput).await.ok()?;
    std::future::pending().await
}
