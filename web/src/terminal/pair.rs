//! The same over calls that stream one way only: what is printed comes on one, what is typed goes by others, in order.

use std::{cell::Cell, rc::Rc};

use berth_proto::v1::{
    AttachTerminal, InputRequest, OutputRequest, TerminalOutput, TerminalSize,
    terminal_output::Message,
};
use futures::{
    FutureExt as _, StreamExt as _,
    channel::{
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded},
        oneshot,
    },
    future::ready,
    stream,
};

use super::line::{Incoming, Line, Outgoing};
use crate::{
    api::{self, Error, Stream},
    erased,
};

/// What waits is sent together, up to so much.
const TOGETHER: usize = 32 << 10;

enum Item {
    Data(Vec<u8>),
    Size(TerminalSize),
}

pub(super) struct Sender {
    items: UnboundedSender<Item>,
    waiting: Rc<Cell<usize>>,
}

pub(super) async fn open(attach: AttachTerminal) -> Result<Line, Error> {
    let AttachTerminal { owner, name, terminal, command: _, size, from } = attach;
    let request = OutputRequest { owner, name, terminal, from, size };
    let stream = api::terminal_output(&request).await?;
    let (items, queue) = unbounded();
    let (failed, failure) = oneshot::channel();
    let waiting = Rc::new(Cell::new(0));
    // Whoever sends is as much a part of the line as what comes in: without it nothing can be typed.
    let broken = failure.into_stream().filter_map(|error| ready(error.ok().map(Err)));
    let incoming = stream::select(incoming(stream), broken).boxed_local();
    let sender = Sender { items, waiting: Rc::clone(&waiting) };
    let line = Line::begin(incoming, Outgoing::Pair(sender)).await?;
    let attachment = line.opened.attachment.clone();
    erased::spawn(async move {
        if let Err(error) = send_all(attachment, queue, &waiting).await {
            // The line may have been given up.
            let _ = failed.send(error);
        }
    });
    Ok(line)
}

fn incoming(stream: Stream) -> Incoming {
    let messages = stream::unfold(stream, |mut stream| async move {
        let message = match stream.next::<TerminalOutput>().await {
            Ok(Some(output)) => output.message.ok_or(Error::Garbled),
            Ok(None) => return None,
            Err(error) => Err(error),
        };
        Some((message, stream))
    });
    // An end that was not announced.
    messages.chain(stream::once(ready(Err::<Message, _>(Error::Network)))).boxed_local()
}

/// Until the line is dropped and everything is sent.
async fn send_all(
    attachment: String,
    mut queue: UnboundedReceiver<Item>,
    waiting: &Cell<usize>,
) -> Result<(), Error> {
    let mut seq = 0;
    let mut next = None;
    loop {
        let item = match next.take() {
            Some(item) => item,
            None => match queue.next().await {
                Some(item) => item,
                None => return Ok(()),
            },
        };
        let mut count = 1;
        let sent = match item {
            Item::Data(mut data) => {
                while data.len() < TOGETHER && next.is_none() {
                    match queue.next().now_or_never().flatten() {
                        Some(Item::Data(more)) => {
                            data.extend(more);
                            count += 1;
                        }
                        other => {
                            next = other;
                            break;
                        }
                    }
                }
                seq += 1;
                let attachment = attachment.clone();
                let request = InputRequest { attachment, seq, data: data.into() };
                api::terminal_input(&request).await.map(drop)
            }
            Item::Size(size) => api::resize_terminal(attachment.clone(), size).await.map(drop),
        };
        waiting.set(waiting.get().saturating_sub(count));
        // Why, is said when the line is opened again: an attachment that is gone is not a terminal that is gone.
        sent.map_err(|_| Error::Network)?;
    }
}

impl Sender {
    pub(super) fn send(&self, data: &[u8]) {
        for piece in data.chunks(TOGETHER) {
            self.put(Item::Data(piece.to_vec()));
        }
    }

    pub(super) fn resize(&self, size: TerminalSize) {
        self.put(Item::Size(size));
    }

    pub(super) fn has_sent_all(&self) -> bool {
        self.waiting.get() == 0
    }

    fn put(&self, item: Item) {
        self.waiting.set(self.waiting.get() + 1);
        // Fails only after sending has, which the line's other half says.
        let _ = self.items.unbounded_send(item);
    }
}
