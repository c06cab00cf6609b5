//! The holder's calls.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use berth_core::id::ContainerId;
use berth_docker::exec::{GRACE, Size};
use berth_proto::agent::v1::{
    self as wire, holder_service_server::HolderService, relay_frame::Body,
};
use berth_reconcile::runtime::EngineId;
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{
    VERSION,
    registry::{Order, Registry, status},
    tape::Gap,
    terminal::{Attached, Next, Terminal},
};

/// Frames that wait for the network. Few, because what waits here is out of the ring's hands.
const OUTBOX: usize = 2;
const FIRST_FRAME: Duration = Duration::from_secs(10);

type Outbox = mpsc::Sender<Result<wire::RelayFrame, Status>>;

#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) registry: Arc<Registry>,
    pub(crate) callers: Arc<Callers>,
}

/// Who calls, and when somebody did last.
#[derive(Debug)]
pub(crate) struct Callers {
    now: AtomicUsize,
    last: Mutex<Instant>,
}

impl Callers {
    pub(crate) fn new() -> Self {
        Self { now: AtomicUsize::new(0), last: Mutex::new(Instant::now()) }
    }

    /// How long nobody has called.
    pub(crate) fn quiet_for(&self) -> Duration {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if self.now.load(Ordering::Relaxed) > 0 { Duration::ZERO } else { last.elapsed() }
    }

    fn enter(self: &Arc<Self>) -> Caller {
        self.now.fetch_add(1, Ordering::Relaxed);
        Caller(Arc::clone(self))
    }
}

struct Caller(Arc<Callers>);

impl Drop for Caller {
    fn drop(&mut self) {
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

#[tonic::async_trait]
impl HolderService for Service {
    async fn start(
        &self,
        request: Request<wire::HolderStartRequest>,
    ) -> Result<Response<wire::HeldTerminal>, Status> {
        let _caller = self.callers.enter();
        let wire::HolderStartRequest { container_id, engine_id, command, size } =
            request.into_inner();
        let engine = EngineId::parse(&engine_id)
            .ok_or_else(|| Status::invalid_argument("engine_id is not one of the engine's"))?;
        let order = Order {
            container: container(&container_id)?,
            engine,
            command,
            size: size.and_then(read_size),
        };
        self.registry.start(order).await.map(Response::new)
    }

    async fn list(
        &self,
        _: Request<wire::HolderListRequest>,
    ) -> Result<Response<wire::HolderListResponse>, Status> {
        let _caller = self.callers.enter();
        let terminals = self.registry.list();
        Ok(Response::new(wire::HolderListResponse { terminals, version: VERSION.to_owned() }))
    }

    async fn end(
        &self,
        request: Request<wire::HolderEndRequest>,
    ) -> Result<Response<wire::HolderEndResponse>, Status> {
        let caller = self.callers.enter();
        let wire::HolderEndRequest { container_id, number } = request.into_inner();
        let terminal = self
            .registry
            .find(container(&container_id)?, number)
            .ok_or_else(|| Status::not_found("no such terminal"))?;
        // To its end, whether the caller waits or not.
        let ended = tokio::spawn(async move {
            let _caller = caller;
            terminal.hang_up(GRACE).await
        });
        ended.await.map_err(|_| Status::internal("the end has failed"))?.map_err(status)?;
        Ok(Response::new(wire::HolderEndResponse {}))
    }

    type AttachStream = ReceiverStream<Result<wire::RelayFrame, Status>>;

    async fn attach(
        &self,
        request: Request<Streaming<wire::RelayFrame>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let caller = self.callers.enter();
        let mut input = request.into_inner();
        let first = tokio::time::timeout(FIRST_FRAME, input.message())
            .await
            .map_err(|_| Status::deadline_exceeded("no first frame"))??;
        let Some(Body::Attach(attach)) = first.and_then(|frame| frame.body) else {
            return Err(Status::invalid_argument("the first frame is not `attach`"));
        };
        let found = self.registry.find(container(&attach.container_id)?, attach.number);
        let (outbox, frames) = mpsc::channel(OUTBOX);
        tokio::spawn(async move {
            let _caller = caller;
            let Some(terminal) = found else {
                let reason = wire::RelayEndReason::NoSuchTerminal.into();
                let end = wire::RelayEnd { reason, ..wire::RelayEnd::default() };
                let _ = outbox.send(Ok(frame(Body::End(end)))).await;
                return;
            };
            let attached = Attached::new(Arc::clone(&terminal), attach.from);
            let missed = attached.position > attach.from;
            let size = attach.size.and_then(read_size);
            let greet = async {
                match size {
                    Some(size) if missed => terminal.redraw(size).await,
                    Some(size) => terminal.resize(size).await,
                    None => {}
                }
            };
            // Whichever is over first: the terminal, or the caller. The input's end alone is neither.
            tokio::select! {
                () = show(attached, terminal.describe(), &outbox) => {}
                () = async { greet.await; hear(&terminal, size, input).await } => {}
                () = outbox.closed() => {}
            }
        });
        Ok(Response::new(ReceiverStream::new(frames)))
    }

    async fn retire(
        &self,
        _: Request<wire::HolderRetireRequest>,
    ) -> Result<Response<wire::HolderRetireResponse>, Status> {
        let _caller = self.callers.enter();
        self.registry.retire();
        Ok(Response::new(wire::HolderRetireResponse {}))
    }
}

/// What is printed, to its end or until nobody takes it any more.
async fn show(mut attached: Attached, description: wire::HeldTerminal, outbox: &Outbox) {
    let first = [Body::Terminal(description), Body::Position(attached.position)];
    for body in first {
        if outbox.send(Ok(frame(body))).await.is_err() {
            return;
        }
    }
    loop {
        match attached.next() {
            Next::Piece(piece) => {
                let jump = match piece.gap {
                    Gap::None => None,
                    Gap::Skipped => Some(Body::Position(piece.position)),
                };
                for body in jump.into_iter().chain([Body::Data(piece.bytes)]) {
                    if outbox.send(Ok(frame(body))).await.is_err() {
                        return;
                    }
                }
            }
            Next::Nothing => attached.news().await,
            Next::End(end) => {
                let _ = outbox.send(Ok(frame(Body::End(end)))).await;
                return;
            }
        }
    }
}

/// What is typed. Ends only when the caller is gone; who has closed its half still reads.
async fn hear(terminal: &Terminal, mut size: Option<Size>, mut input: Streaming<wire::RelayFrame>) {
    loop {
        match input.message().await {
            Ok(Some(frame)) => match frame.body {
                Some(Body::Data(bytes)) => {
                    // The size is that of whoever spoke last.
                    if let Some(size) = size {
                        terminal.resize(size).await;
                    }
                    terminal.type_in(&bytes).await;
                }
                Some(Body::Size(new)) => {
                    if let Some(new) = read_size(new) {
                        size = Some(new);
                        terminal.resize(new).await;
                    }
                }
                // A terminal's line has no end of input but the key for it.
                Some(
                    Body::Opened(_)
                    | Body::ErrorData(_)
                    | Body::EndOfInput(_)
                    | Body::Terminal(_)
                    | Body::Position(_)
                    | Body::End(_)
                    | Body::Attach(_)
                    | Body::LogLines(_)
                    | Body::Connected(_)
                    | Body::Entries(_)
                    | Body::Digest(_),
                )
                | None => {}
            },
            Ok(None) => std::future::pending().await,
            Err(_) => return,
        }
    }
}

fn frame(body: Body) -> wire::RelayFrame {
    wire::RelayFrame { body: Some(body) }
}

fn container(text: &str) -> Result<ContainerId, Status> {
    text.parse().map_err(|_| Status::invalid_argument("container_id is not an id"))
}

/// Zero is "not known".
fn read_size(size: wire::Size) -> Option<Size> {
    let read =
        |number: u32| u16::try_from(number).ok().filter(|number| (1..=1000).contains(number));
    Some(Size { rows: read(size.rows)?, columns: read(size.columns)? })
}
