//! A container's log, in batches. A reader who is slow holds up the reading of the engine, and nothing else.

use std::time::Duration;

use berth_core::relay::{End, EndReason, Frame, LogLine, Logs};
use berth_docker::{
    exec::{Error, Exec},
    logs::Reader,
};
use berth_reconcile::runtime::EngineId;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::{refused, show};

/// With one more line of 16 KiB a batch is still a frame.
const BATCH: usize = 32 << 10;
/// What a line costs on its way beside its text.
const LINE: usize = 48;
/// How long a line waits for others.
const LINGER: Duration = Duration::from_millis(50);

pub(super) async fn logs(
    exec: &Exec,
    engine: &EngineId,
    logs: Logs,
    to: &mpsc::Sender<Frame>,
) -> Result<End, End> {
    tokio::select! {
        end = pass_on(exec, engine, logs, to) => end.map_err(refused),
        // Nobody is there any more.
        () = to.closed() => Ok(End::new(EndReason::Exited, "")),
    }
}

async fn pass_on(
    exec: &Exec,
    engine: &EngineId,
    logs: Logs,
    to: &mpsc::Sender<Frame>,
) -> Result<End, Error> {
    let mut reader = match exec.logs(engine, logs).await {
        Ok(reader) => reader,
        // Removed meanwhile, and its log with it.
        Err(Error::NoSuchContainer) => return Ok(End::new(EndReason::Exited, "")),
        Err(error) => return Err(error),
    };
    while let Some(first) = reader.next().await? {
        show(to, Frame::Log(batch(&mut reader, first).await?)).await;
    }
    Ok(End::new(EndReason::Exited, ""))
}

/// What there is, until it is enough or has waited long enough.
async fn batch(reader: &mut Reader, first: LogLine) -> Result<Vec<LogLine>, Error> {
    let deadline = Instant::now() + LINGER;
    let mut size = first.text.len() + LINE;
    let mut lines = vec![first];
    while size < BATCH {
        match timeout_at(deadline, reader.next()).await {
            Ok(Ok(Some(line))) => {
                size += line.text.len() + LINE;
                lines.push(line);
            }
            Ok(Ok(None)) | Err(_) => break,
            Ok(Err(error)) => return Err(error),
        }
    }
    Ok(lines)
}
