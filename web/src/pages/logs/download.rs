//! The whole log as a file. It is taken in pieces that the browser keeps outside of the page's memory, and a line that breaks
//! is taken up where it was.

use berth_proto::v1::StreamLogsRequest;
use js_sys::{Array, Uint8Array};
use leptos::prelude::*;
use wasm_bindgen::JsValue;
use web_sys::{Blob, BlobPropertyBag, Url};

use super::{place::Place, sheet::save};
use crate::{
    api::Error,
    erased,
    files::Whose,
    logs::{Event, Source},
    state::announcer::announce,
    text, time,
};

const PIECE: usize = 1 << 20;
/// The browser reads the file by then.
const KEPT_MS: u32 = 60_000;

/// How many bytes are here; `None` while nothing is fetched.
#[derive(Clone, Copy)]
pub(super) struct Download {
    pub(super) bytes: RwSignal<Option<u64>>,
    turn: StoredValue<u32>,
}

impl Download {
    pub(super) fn new() -> Self {
        Self { bytes: RwSignal::new(None), turn: StoredValue::new(0) }
    }

    pub(super) fn stop(self) {
        self.turn.update_value(|turn| *turn += 1);
        self.bytes.set(None);
    }

    pub(super) fn begin(self, place: Place) {
        self.stop();
        self.bytes.set(Some(0));
        place.refused.set(None);
        let turn = self.turn.get_value();
        let whose = place.whose.get_untracked();
        let times = place.times.get_untracked();
        erased::spawn(async move {
            let name = format!("{}.log", whose.name);
            let result = self.fetch(whose, times, turn).await;
            if self.turn.try_get_value() != Some(turn) {
                return;
            }
            self.bytes.set(None);
            match result {
                Ok(Some(address)) => {
                    save(&name, &address);
                    announce(text::logs_download_done(&name));
                    erased::spawn(async move {
                        time::sleep(KEPT_MS).await;
                        // What is not there any more need not be given up.
                        let _ = Url::revoke_object_url(&address);
                    });
                }
                Ok(None) => {}
                Err(error) => place.refused.set(Some(error)),
            }
        });
    }

    /// `None`: nobody wants it any more.
    async fn fetch(self, whose: Whose, times: bool, turn: u32) -> Result<Option<String>, Error> {
        let Whose { name, owner } = whose;
        let request = StreamLogsRequest { owner, name, ..StreamLogsRequest::default() };
        let mut source = Source::new(request);
        let mut file = File::default();
        loop {
            let event = source.next().await?;
            if self.turn.try_get_value() != Some(turn) {
                return Ok(None);
            }
            match event {
                Event::Lines(lines) => {
                    for line in lines {
                        if times
                            && !file.open
                            && let Some(at) = &line.time
                        {
                            file.add(time::machine(at).as_bytes());
                            file.add(b" ");
                        }
                        file.add(&line.text);
                        file.open = line.partial;
                        if !line.partial {
                            file.add(b"\n");
                        }
                    }
                    self.bytes.set(Some(file.length));
                }
                Event::Open | Event::Lost | Event::Back(_) => {}
                Event::End => return file.address().map(Some),
            }
        }
    }
}

#[derive(Default)]
struct File {
    pieces: Array,
    bytes: Vec<u8>,
    length: u64,
    /// Within a line.
    open: bool,
}

impl File {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.length += bytes.len() as u64;
        if self.bytes.len() >= PIECE {
            self.close();
        }
    }

    fn close(&mut self) {
        let bytes = Uint8Array::from(self.bytes.as_slice());
        if let Ok(piece) = Blob::new_with_u8_array_sequence(&Array::of1(&bytes)) {
            self.pieces.push(&piece);
        }
        self.bytes.clear();
    }

    fn address(mut self) -> Result<String, Error> {
        self.close();
        let kind = BlobPropertyBag::new();
        kind.set_type("text/plain;charset=utf-8");
        let refused = |_: JsValue| Error::Garbled;
        let blob =
            Blob::new_with_blob_sequence_and_options(&self.pieces, &kind).map_err(refused)?;
        Url::create_object_url_with_blob(&blob).map_err(refused)
    }
}
