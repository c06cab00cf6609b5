//! Each operation, step by step.

use std::{
    io::Write as _,
    time::{Duration, Instant, SystemTime},
};

use berth_core::{
    files::{Entry, FileFault, FilePath, FilesOperation, Read, Write},
    relay::{End, EndReason, FRAME_MAXIMUM, Frame, Target},
};
use berth_files::{Error, Limits, Result, Tree, Writer};
use bytes::BytesMut;
use tokio::sync::mpsc;

use super::{
    kept::Kept,
    streams::{Incoming, Outgoing},
};

/// Of entries together: a name and a link's target have five kilobytes at most.
const BATCH_BYTES: usize = 16 << 10;
/// An earlier connection of the same upload is noticed to be gone within this.
const PATIENCE: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(50);

pub(super) fn perform(
    tree: &Tree,
    target: &Target,
    operation: FilesOperation,
    from: mpsc::Receiver<Frame>,
    to: &mpsc::Sender<Frame>,
    kept: &Kept,
) -> Result<End> {
    match operation {
        FilesOperation::Stat { path } => say(to, Frame::Entries(vec![tree.stat(&path)?])),
        FilesOperation::List { path, limit } => list(tree, &path, limit, to)?,
        FilesOperation::Read(wanted) => read(tree, &wanted, to)?,
        FilesOperation::Pack { path, archive } => {
            let mut out = Outgoing::new(to);
            tree.pack(&path, archive, &mut out)?;
            // Who has gone does not miss the rest.
            drop(out.flush());
        }
        FilesOperation::Write(wanted) => write(tree, target, &wanted, from, to, kept)?,
        FilesOperation::Discard { path, upload } => {
            kept.take(&(target.clone(), upload));
            tree.discard(&path, upload)?;
        }
        FilesOperation::Unpack { path, replace, upload } => {
            let laid =
                tree.unpack(&path, replace, upload, Limits::default(), Incoming::new(from))?;
            say(to, Frame::Position(laid.bytes));
        }
        FilesOperation::MakeDirectory { path } => {
            tree.make_directory(&path)?;
            say(to, Frame::Entries(vec![tree.stat(&path)?]));
        }
        FilesOperation::SetAttributes { path, mode, modified } => {
            tree.set_attributes(&path, mode, modified)?;
            say(to, Frame::Entries(vec![tree.stat(&path)?]));
        }
        FilesOperation::Move { from, to: destination, replace } => {
            tree.rename(&from, &destination, replace)?;
            say(to, Frame::Entries(vec![tree.stat(&destination)?]));
        }
        FilesOperation::Delete { path } => tree.delete(&path)?,
    }
    Ok(End::new(EndReason::Exited, ""))
}

/// A caller who has gone is noticed where they are listened to.
fn say(to: &mpsc::Sender<Frame>, frame: Frame) {
    drop(to.blocking_send(frame));
}

fn list(tree: &Tree, path: &FilePath, limit: u32, to: &mpsc::Sender<Frame>) -> Result<()> {
    let mut listing = tree.list(path, limit, SystemTime::now())?;
    let mut batch: Vec<Entry> = Vec::new();
    let mut bytes = 0;
    let mut count = 0;
    while let Some(entry) = listing.next_entry()? {
        count += 1;
        bytes += entry.name.len() + entry.target.len() + entry.version.len() + 64;
        batch.push(entry);
        if bytes >= BATCH_BYTES {
            if to.blocking_send(Frame::Entries(std::mem::take(&mut batch))).is_err() {
                return Ok(());
            }
            bytes = 0;
        }
    }
    if !batch.is_empty() {
        say(to, Frame::Entries(batch));
    }
    if listing.has_more()? {
        say(to, Frame::Position(count));
    }
    Ok(())
}

fn read(tree: &Tree, wanted: &Read, to: &mpsc::Sender<Frame>) -> Result<()> {
    let mut reader = tree.read(wanted)?;
    say(to, Frame::Entries(vec![reader.entry().clone()]));
    loop {
        let mut buffer = BytesMut::zeroed(FRAME_MAXIMUM);
        let count = reader.next(&mut buffer)?;
        if count == 0 {
            say(to, Frame::Digest(reader.digest()));
            return Ok(());
        }
        buffer.truncate(count);
        if to.blocking_send(Frame::Data(buffer.freeze())).is_err() {
            return Ok(());
        }
    }
}

fn write(
    tree: &Tree,
    target: &Target,
    wanted: &Write,
    mut from: mpsc::Receiver<Frame>,
    to: &mpsc::Sender<Frame>,
    kept: &Kept,
) -> Result<()> {
    let key = (target.clone(), wanted.upload);
    let mut writer = begin(tree, wanted, || kept.take(&key))?;
    say(to, Frame::Position(writer.position()));
    loop {
        match from.blocking_recv() {
            Some(Frame::Data(data)) => writer.write(&data)?,
            Some(Frame::Digest(digest)) => {
                say(to, Frame::Entries(vec![writer.finish(digest)?]));
                return Ok(());
            }
            // To be gone on with, whether its caller says so or is gone.
            Some(Frame::EndOfInput) | None => {
                let position = writer.position();
                kept.put(key, writer.keep()?);
                say(to, Frame::Position(position));
                return Ok(());
            }
            Some(
                Frame::ErrorData(_)
                | Frame::Size(_)
                | Frame::Terminal(_)
                | Frame::Position(_)
                | Frame::Log(_)
                | Frame::Connected
                | Frame::Entries(_)
                | Frame::End(_),
            ) => {}
        }
    }
}

/// Whoever comes back after a broken connection comes before the old one is missed.
fn begin(
    tree: &Tree,
    wanted: &Write,
    progress: impl Fn() -> Option<berth_files::Progress>,
) -> Result<Writer> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match tree.write(wanted, progress()) {
            Err(Error::Fault { fault: FileFault::Busy, .. }) if Instant::now() < deadline => {
                std::thread::sleep(LOOK);
            }
            result => return result,
        }
    }
}
