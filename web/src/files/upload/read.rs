//! A file's bytes from disk, a slice at a time, and the digest of all of them so far.

use js_sys::Uint8Array;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, File};

/// What is sent in one request.
pub(super) const SLICE: u64 = 8 << 20;
/// What is in memory of it, to be reckoned into the digest: what is sent, the browser reads by itself.
const PIECE: u64 = 1 << 20;

/// The file is not what it was, or not there any more.
#[derive(Debug)]
pub(super) struct Unreadable;

/// Of the first `position` bytes.
#[derive(Clone, Default)]
pub(super) struct Digest {
    hasher: blake3::Hasher,
    pub(super) position: u64,
}

impl Digest {
    /// Up to `end`, from disk.
    pub(super) async fn read(
        &mut self,
        file: &File,
        end: u64,
        go_on: impl Fn() -> bool,
    ) -> Result<(), Unreadable> {
        let mut bytes = Vec::new();
        while self.position < end && go_on() {
            let to = end.min(self.position + PIECE);
            let piece = slice(file, self.position, to)?;
            let buffer = JsFuture::from(piece.array_buffer()).await.map_err(|_| Unreadable)?;
            let data = Uint8Array::new(&buffer);
            if u64::from(data.length()) != to - self.position {
                return Err(Unreadable);
            }
            bytes.resize(data.length() as usize, 0);
            data.copy_to(&mut bytes);
            self.hasher.update(&bytes);
            self.position = to;
        }
        Ok(())
    }

    pub(super) fn hex(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }

    /// To where the blade wants to go on; what it has of the file is read, not sent.
    pub(super) async fn advance(
        &mut self,
        file: &File,
        position: u64,
        go_on: impl Fn() -> bool,
    ) -> Result<(), Unreadable> {
        if position < self.position {
            *self = Self::default();
        }
        self.read(file, position, go_on).await
    }
}

/// Not read yet.
pub(super) fn slice(file: &File, from: u64, to: u64) -> Result<Blob, Unreadable> {
    file.slice_with_f64_and_f64(exact(from), exact(to)).map_err(|_| Unreadable)
}

pub(super) fn size(file: &File) -> u64 {
    whole(file.size())
}

/// Milliseconds since 1970.
pub(super) fn changed(file: &File) -> u64 {
    whole(file.last_modified())
}

/// What a browser counts in is a whole number below 2^53, and not negative.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn whole(number: f64) -> u64 {
    number as u64
}

#[allow(clippy::cast_precision_loss)]
fn exact(position: u64) -> f64 {
    position as f64
}
