//! gRPC-web framing: a flag byte, a length, and a message or the trailers.

use super::status::Trailers;

const HEADER: usize = 5;
const TRAILERS: u8 = 0x80;
const COMPRESSED: u8 = 0x01;
/// No answer of ours comes near it; a length beyond it is not a length.
const MAXIMUM: usize = 64 << 20;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Message(Vec<u8>),
    Trailers(Trailers),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

pub(super) fn encode(message: &impl prost::Message) -> Vec<u8> {
    let length = message.encoded_len();
    let mut bytes = Vec::with_capacity(HEADER + length);
    bytes.push(0);
    bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(message.encode_to_vec());
    bytes
}

/// Takes bytes as they come, gives whole frames.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    taken: usize,
}

impl Buffer {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn next_frame(&mut self) -> Result<Option<Frame>, Malformed> {
        let rest = &self.bytes[self.taken..];
        let Some((&[flags, a, b, c, d], body)) = rest.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).map_err(|_| Malformed)?;
        if flags & COMPRESSED != 0 || length > MAXIMUM {
            return Err(Malformed);
        }
        let Some(body) = body.get(..length) else { return Ok(None) };
        let frame = if flags & TRAILERS != 0 {
            Frame::Trailers(Trailers::parse(body))
        } else {
            Frame::Message(body.to_vec())
        };
        self.taken += HEADER + length;
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(flags: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![flags];
        bytes.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn frames_come_whole_however_the_bytes_are_cut() {
        let mut bytes = framed(0, b"one");
        bytes.extend(framed(0, b""));
        bytes.extend(framed(0x80, b"grpc-status: 5\r\ngrpc-message: no%20such\r\n"));
        for cut in 1..bytes.len() {
            let mut buffer = Buffer::default();
            let mut frames = Vec::new();
            for part in bytes.chunks(cut) {
                buffer.push(part);
                while let Some(frame) = buffer.next_frame().unwrap() {
                    frames.push(frame);
                }
            }
            assert_eq!(frames.len(), 3, "cut at {cut}");
            assert_eq!(frames[0], Frame::Message(b"one".to_vec()));
            assert_eq!(frames[1], Frame::Message(Vec::new()));
            let Frame::Trailers(trailers) = &frames[2] else { panic!("no trailers") };
            assert_eq!(trailers.status().unwrap_err().message, "no such");
        }
    }

    #[test]
    fn what_is_not_a_frame_is_refused() {
        for bytes in [framed(1, b"gzip"), b"<html><body>502 Bad Gateway".to_vec()] {
            let mut buffer = Buffer::default();
            buffer.push(&bytes);
            assert_eq!(buffer.next_frame(), Err(Malformed));
        }
    }
}
