//! Standard output and standard error of a program without a terminal: the engine sends both on one connection, in frames
//! with a header of 8 bytes (which of the two, three zeros, the length).

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};

const HEADER: usize = 8;
/// The engine sends 32 KiB at most; a header that says more than this was never one.
const FRAME_MAXIMUM: u32 = 1 << 20;
/// Read at a time, and so the most that is ever held.
const READ: usize = 64 << 10;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    Stdout(Bytes),
    Stderr(Bytes),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channel {
    Stdout,
    Stderr,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DemuxError {
    #[error("the engine's header {0:02x?} is none")]
    Malformed([u8; HEADER]),
    #[error("the engine's stream ends within a frame")]
    Truncated,
    #[error("the engine's stream broke: {0}")]
    Broken(String),
}

/// Between two reads: within a header, or with so many bytes of a frame to come. A frame is passed on as it comes, so
/// its length costs no memory.
#[derive(Debug, Default)]
pub(crate) struct Demux {
    open: Option<(Channel, usize)>,
}

impl Demux {
    /// Takes the next piece off the buffer; `None`: more is needed.
    pub(crate) fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Output>, DemuxError> {
        loop {
            let Some((channel, rest)) = self.open else {
                let Some(&header) = buffer.first_chunk::<HEADER>() else {
                    return Ok(None);
                };
                self.open = Some(parse(header)?);
                buffer.advance(HEADER);
                continue;
            };
            if rest == 0 {
                self.open = None;
                continue;
            }
            if buffer.is_empty() {
                return Ok(None);
            }
            let piece = buffer.split_to(rest.min(buffer.len())).freeze();
            self.open = Some((channel, rest - piece.len()));
            return Ok(Some(match channel {
                Channel::Stdout => Output::Stdout(piece),
                Channel::Stderr => Output::Stderr(piece),
            }));
        }
    }

    /// Between two frames.
    pub(crate) fn at_boundary(&self) -> bool {
        matches!(self.open, None | Some((_, 0)))
    }
}

fn parse(header: [u8; HEADER]) -> Result<(Channel, usize), DemuxError> {
    let [kind, 0, 0, 0, length @ ..] = header else {
        return Err(DemuxError::Malformed(header));
    };
    let length = u32::from_be_bytes(length);
    let channel = match kind {
        1 => Channel::Stdout,
        2 => Channel::Stderr,
        _ => return Err(DemuxError::Malformed(header)),
    };
    let length = usize::try_from(length).ok().filter(|_| length <= FRAME_MAXIMUM);
    Ok((channel, length.ok_or(DemuxError::Malformed(header))?))
}

/// What a program without a terminal prints.
#[derive(Debug)]
pub struct Apart<R> {
    reader: R,
    buffer: BytesMut,
    demux: Demux,
}

impl<R: AsyncRead + Unpin> Apart<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, buffer: BytesMut::new(), demux: Demux::default() }
    }

    /// The next piece, 64 KiB at most; `None` at the end. After an error nothing more can be read. Dropping the future
    /// loses nothing.
    pub async fn next(&mut self) -> Result<Option<Output>, DemuxError> {
        loop {
            if let Some(output) = self.demux.next(&mut self.buffer)? {
                return Ok(Some(output));
            }
            self.buffer.reserve(READ);
            let mut limited = (&mut self.reader).take(READ as u64);
            let count = limited
                .read_buf(&mut self.buffer)
                .await
                .map_err(|error| DemuxError::Broken(error.to_string()))?;
            if count == 0 {
                let whole = self.demux.at_boundary() && self.buffer.is_empty();
                return if whole { Ok(None) } else { Err(DemuxError::Truncated) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap();
        [&[kind, 0, 0, 0], &length.to_be_bytes()[..], payload].concat()
    }

    /// Gives one piece per read.
    struct Pieces(std::vec::IntoIter<Vec<u8>>);

    impl AsyncRead for Pieces {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            buffer: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            if let Some(piece) = self.0.find(|piece| !piece.is_empty()) {
                buffer.put_slice(&piece);
            }
            std::task::Poll::Ready(Ok(()))
        }
    }

    fn read(pieces: Vec<Vec<u8>>) -> (Vec<u8>, Vec<u8>, Result<(), DemuxError>) {
        let mut apart = Apart::new(Pieces(pieces.into_iter()));
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        loop {
            match block_on(apart.next()) {
                Ok(Some(Output::Stdout(bytes))) => stdout.extend(bytes),
                Ok(Some(Output::Stderr(bytes))) => stderr.extend(bytes),
                Ok(None) => return (stdout, stderr, Ok(())),
                Err(error) => return (stdout, stderr, Err(error)),
            }
        }
    }

    #[test]
    fn apart_and_empty() {
        let stream =
            [frame(1, b"out"), frame(2, b""), frame(2, b"err"), frame(1, b"more")].concat();
        let expected = (b"outmore".to_vec(), b"err".to_vec(), Ok(()));
        assert_eq!(read(vec![stream.clone()]), expected);
        assert_eq!(read(stream.iter().map(|byte| vec![*byte]).collect()), expected);
        assert_eq!(read(vec![]), (vec![], vec![], Ok(())));
        assert_eq!(read(vec![frame(1, b"")]), (vec![], vec![], Ok(())));
    }

    #[test]
    fn what_is_no_frame_is_an_error() {
        for header in [
            [0, 0, 0, 0, 0, 0, 0, 1],
            [3, 0, 0, 0, 0, 0, 0, 1],
            [1, 1, 0, 0, 0, 0, 0, 1],
            [1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
            [1, 0, 0, 0, 0, 0x10, 0, 1],
        ] {
            let found = read(vec![frame(1, b"before"), header.to_vec(), vec![b'x'; 100]]);
            assert_eq!(found, (b"before".to_vec(), vec![], Err(DemuxError::Malformed(header))));
        }
        let whole = frame(2, b"payload");
        for cut in 1..whole.len() {
            assert_eq!(read(vec![whole[..cut].to_vec()]).2, Err(DemuxError::Truncated), "{cut}");
        }
    }

    #[test]
    fn a_large_frame_is_passed_on_as_it_comes() {
        let stream = frame(1, &vec![b'x'; FRAME_MAXIMUM as usize]);
        let mut apart = Apart::new(std::io::Cursor::new(stream));
        let mut total = 0;
        while let Some(Output::Stdout(piece)) = block_on(apart.next()).unwrap() {
            assert!(piece.len() <= READ);
            assert!(apart.buffer.capacity() <= 2 * READ);
            total += piece.len();
        }
        assert_eq!(total, FRAME_MAXIMUM as usize);
    }

    proptest! {
        #[test]
        fn however_the_stream_is_cut(
            frames in prop::collection::vec((1u8..=2, prop::collection::vec(any::<u8>(), 0..40)), 0..12),
            cuts in prop::collection::vec(1usize..20, 0..60),
        ) {
            let stream: Vec<u8> = frames.iter().flat_map(|(kind, bytes)| frame(*kind, bytes)).collect();
            let of = |wanted| -> Vec<u8> {
                frames.iter().filter(|(kind, _)| *kind == wanted).flat_map(|(_, bytes)| bytes.clone()).collect()
            };
            let (mut pieces, mut rest) = (Vec::new(), stream.as_slice());
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece.to_vec());
                rest = after;
            }
            pieces.extend(rest.chunks(READ).map(<[u8]>::to_vec));
            prop_assert_eq!(read(pieces), (of(1), of(2), Ok(())));
        }

        #[test]
        fn no_bytes_make_it_panic_or_hold_much(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let length = bytes.len();
            let (stdout, stderr, _) = read(vec![bytes]);
            prop_assert!(stdout.len() + stderr.len() <= length);
        }
    }
}
