//! A connection into a container, passed on byte by byte.

use berth_core::relay::{End, EndReason, FRAME_MAXIMUM, Frame};
use berth_docker::exec::{ConnectError, Exec};
use berth_reconcile::runtime::EngineId;
use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
    sync::mpsc,
};

use super::{refused, show};

pub(super) async fn forward(
    exec: &Exec,
    engine: &EngineId,
    port: u16,
    from: mpsc::Receiver<Frame>,
    to: &mpsc::Sender<Frame>,
) -> Result<End, End> {
    let stream = exec.connect(engine, port).await.map_err(|error| match error {
        ConnectError::Container(error) => refused(error),
        ConnectError::Refused => End::new(EndReason::ConnectionRefused, error.to_string()),
        ConnectError::Failed(cause) => End::new(EndReason::Failed, cause.to_string()),
    })?;
    show(to, Frame::Connected).await;
    let (reading, writing) = stream.into_split();
    let both = async {
        // Each direction ends by itself; the connection with both. What is returned is kept until then.
        let (up, down) = tokio::join!(upwards(from, writing), downwards(reading, to));
        down?;
        up.map(drop)
    };
    tokio::select! {
        done = both => match done {
            Ok(()) => Ok(End::new(EndReason::Exited, "")),
            // The program has hung up on its client, as programs do.
            Err(error) if has_hung_up(&error) => Ok(End::new(EndReason::Exited, "")),
            Err(error) => Err(End::new(EndReason::Failed, error.to_string())),
        },
        // Nobody is there any more.
        () = to.closed() => Ok(End::new(EndReason::Exited, "")),
    }
}

fn has_hung_up(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
    matches!(error.kind(), BrokenPipe | ConnectionReset)
}

/// Gives back what would tell the caller that nobody is there any more if it were dropped.
async fn upwards(
    mut from: mpsc::Receiver<Frame>,
    mut writing: OwnedWriteHalf,
) -> std::io::Result<(mpsc::Receiver<Frame>, OwnedWriteHalf)> {
    while let Some(frame) = from.recv().await {
        match frame {
            Frame::Data(data) => writing.write_all(&data).await?,
            Frame::EndOfInput => {
                writing.shutdown().await?;
                break;
            }
            Frame::ErrorData(_)
            | Frame::Size(_)
            | Frame::Terminal(_)
            | Frame::Position(_)
            | Frame::Log(_)
            | Frame::Connected
            | Frame::Entries(_)
            | Frame::Digest(_)
            | Frame::End(_) => {}
        }
    }
    Ok((from, writing))
}

async fn downwards(mut reading: OwnedReadHalf, to: &mpsc::Sender<Frame>) -> std::io::Result<()> {
    let mut buffer = BytesMut::with_capacity(FRAME_MAXIMUM);
    loop {
        buffer.reserve(FRAME_MAXIMUM);
        let mut limited = (&mut reading).take(FRAME_MAXIMUM as u64);
        if limited.read_buf(&mut buffer).await? == 0 {
            show(to, Frame::EndOfInput).await;
            return Ok(());
        }
        show(to, Frame::Data(buffer.split().freeze())).await;
    }
}
