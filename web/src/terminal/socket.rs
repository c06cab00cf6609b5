//! The messages of `ExecService.Attach` on a WebSocket.

use berth_proto::v1::{
    AttachRequest, AttachTerminal, TerminalOutput, TerminalSize, attach_request,
};
use futures::{
    StreamExt as _,
    channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded},
    stream,
};
use js_sys::{ArrayBuffer, Uint8Array};
use leptos::prelude::window;
use prost::Message as _;
use wasm_bindgen::{JsCast as _, closure::Closure};
use web_sys::{BinaryType, CloseEvent, Event, MessageEvent, WebSocket};

use super::line::{Incoming, Line, Outgoing};
use crate::api::Error;

const PATH: &str = "/terminal";
const PROTOCOL: &str = "berth.v1";
/// Close codes for applications begin here; what is above is the gRPC code.
const CLOSE: u16 = 4000;
/// A pasted book goes in pieces.
const PIECE: usize = 32 << 10;

enum Heard {
    Open,
    Bytes(Vec<u8>),
    Closed(Error),
}

pub(super) struct Socket {
    socket: WebSocket,
    // Called for as long as the socket is there.
    _open: Closure<dyn FnMut(Event)>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _close: Closure<dyn FnMut(CloseEvent)>,
}

pub(super) async fn open(attach: AttachTerminal) -> Result<Line, Error> {
    let (socket, mut heard) = connect()?;
    match heard.next().await {
        Some(Heard::Open) => {}
        Some(Heard::Closed(error)) => return Err(error),
        Some(Heard::Bytes(_)) | None => return Err(Error::Network),
    }
    socket.say(attach_request::Message::Attach(attach));
    Line::begin(incoming(heard), Outgoing::Socket(socket)).await
}

fn connect() -> Result<(Socket, UnboundedReceiver<Heard>), Error> {
    let (to, heard) = unbounded();
    let socket = WebSocket::new_with_str(&address()?, PROTOCOL).map_err(|_| Error::Network)?;
    socket.set_binary_type(BinaryType::Arraybuffer);
    let open = listener(&to, |_: Event| Heard::Open);
    let message =
        listener(&to, |event: MessageEvent| match event.data().dyn_into::<ArrayBuffer>() {
            Ok(buffer) => Heard::Bytes(Uint8Array::new(&buffer).to_vec()),
            Err(_) => Heard::Closed(Error::Garbled),
        });
    let close = listener(&to, |event: CloseEvent| {
        Heard::Closed(match event.code().checked_sub(CLOSE) {
            Some(code) => Error::closed(code.into(), event.reason()),
            None => Error::Network,
        })
    });
    socket.set_onopen(Some(open.as_ref().unchecked_ref()));
    socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
    socket.set_onclose(Some(close.as_ref().unchecked_ref()));
    Ok((Socket { socket, _open: open, _message: message, _close: close }, heard))
}

fn listener<E: wasm_bindgen::convert::FromWasmAbi + 'static>(
    to: &UnboundedSender<Heard>,
    heard: impl Fn(E) -> Heard + 'static,
) -> Closure<dyn FnMut(E)> {
    let to = to.clone();
    Closure::new(move |event| {
        // Nobody listens to a line that was given up.
        let _ = to.unbounded_send(heard(event));
    })
}

/// A relative address would do, but not in browsers of last year.
fn address() -> Result<String, Error> {
    let location = window().location();
    let host = location.host().map_err(|_| Error::Network)?;
    let plain = location.protocol().is_ok_and(|protocol| protocol == "http:");
    Ok(format!("{}://{host}{PATH}", if plain { "ws" } else { "wss" }))
}

fn incoming(heard: UnboundedReceiver<Heard>) -> Incoming {
    stream::unfold(heard, |mut heard| async move {
        let message = match heard.next().await? {
            Heard::Bytes(bytes) => TerminalOutput::decode(bytes.as_slice())
                .ok()
                .and_then(|output| output.message)
                .ok_or(Error::Garbled),
            Heard::Closed(error) => Err(error),
            Heard::Open => Err(Error::Garbled),
        };
        Some((message, heard))
    })
    .boxed_local()
}

impl Socket {
    /// Gives back what it cannot take: a socket that is about to close would drop it without a word.
    pub(super) fn send(&self, data: Vec<u8>) -> Result<(), Vec<u8>> {
        if self.socket.ready_state() != WebSocket::OPEN {
            return Err(data);
        }
        for piece in data.chunks(PIECE) {
            self.say(attach_request::Message::Data(piece.to_vec().into()));
        }
        Ok(())
    }

    pub(super) fn resize(&self, size: TerminalSize) {
        self.say(attach_request::Message::Size(size));
    }

    fn say(&self, message: attach_request::Message) {
        let bytes = AttachRequest { message: Some(message) }.encode_to_vec();
        // A closed one says so by its event.
        let _ = self.socket.send_with_u8_array(&bytes);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        // Closing what is closed does nothing; what was sent before is sent.
        let _ = self.socket.close();
    }
}
