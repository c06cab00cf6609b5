//! Frames as what blocking readers and writers know.

use std::io::{self, Read, Write};

use berth_core::relay::{FRAME_MAXIMUM, Frame};
use bytes::{Buf as _, Bytes, BytesMut};
use tokio::sync::mpsc;

/// What comes, up to its end. One that breaks off before is an error, so that nobody takes a part for the whole.
pub(super) struct Incoming {
    from: mpsc::Receiver<Frame>,
    data: Bytes,
    has_ended: bool,
}

impl Incoming {
    pub(super) fn new(from: mpsc::Receiver<Frame>) -> Self {
        Self { from, data: Bytes::new(), has_ended: false }
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.data.is_empty() && !self.has_ended {
            match self.from.blocking_recv() {
                Some(Frame::Data(data)) => self.data = data,
                Some(Frame::EndOfInput) => self.has_ended = true,
                Some(_) => {}
                None => return Err(io::ErrorKind::ConnectionReset.into()),
            }
        }
        let count = self.data.len().min(buffer.len());
        self.data.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

/// What goes, in frames as large as they may be.
pub(super) struct Outgoing<'a> {
    to: &'a mpsc::Sender<Frame>,
    buffer: BytesMut,
}

impl<'a> Outgoing<'a> {
    pub(super) fn new(to: &'a mpsc::Sender<Frame>) -> Self {
        Self { to, buffer: BytesMut::with_capacity(FRAME_MAXIMUM) }
    }
}

impl Write for Outgoing<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let count = data.len().min(FRAME_MAXIMUM - self.buffer.len());
        self.buffer.extend_from_slice(&data[..count]);
        if self.buffer.len() == FRAME_MAXIMUM {
            self.flush()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.buffer, BytesMut::with_capacity(FRAME_MAXIMUM));
        let sent = self.to.blocking_send(Frame::Data(full.freeze()));
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let (to, from) = mpsc::channel(8);
        let content: Vec<u8> = (0..=255).cycle().take(150_000).collect();
        let mut out = Outgoing::new(&to);
        out.write_all(&content).unwrap();
        out.flush().unwrap();
        to.blocking_send(Frame::EndOfInput).unwrap();
        let mut read = Vec::new();
        Incoming::new(from).read_to_end(&mut read).unwrap();
        assert!(read == content);
    }

    #[test]
    fn a_part_is_not_the_whole() {
        let (to, from) = mpsc::channel(8);
        to.blocking_send(Frame::Data(Bytes::from_static(b"half"))).unwrap();
        drop(to);
        let error = Incoming::new(from).read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}
