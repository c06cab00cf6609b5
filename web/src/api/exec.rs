//! The calls about terminals.

use berth_proto::{method, v1::*};

use super::{
    error::Error,
    transport::{
        Retry::{Never, Once},
        Stream, server_stream, unary,
    },
};

/// Not made twice: each makes another terminal.
pub(crate) async fn start_terminal(name: String, owner: String) -> Result<Terminal, Error> {
    let request = StartRequest { owner, name, command: Vec::new(), size: None };
    unary(method::EXEC_START, &request, Never).await
}

pub(crate) async fn list_terminals(name: String, owner: String) -> Result<Vec<Terminal>, Error> {
    let request = ListTerminalsRequest { owner, name };
    let answer: ListTerminalsResponse = unary(method::EXEC_LIST_TERMINALS, &request, Once).await?;
    Ok(answer.terminals)
}

pub(crate) async fn end_terminal(name: String, owner: String, terminal: u32) -> Result<(), Error> {
    let request = EndTerminalRequest { owner, name, terminal };
    let EndTerminalResponse {} = unary(method::EXEC_END_TERMINAL, &request, Once).await?;
    Ok(())
}

/// Of `TerminalOutput`.
pub(crate) async fn terminal_output(request: &OutputRequest) -> Result<Stream, Error> {
    server_stream(method::EXEC_OUTPUT, request).await
}

/// What comes twice is taken once.
pub(crate) async fn terminal_input(request: &InputRequest) -> Result<InputResponse, Error> {
    unary(method::EXEC_INPUT, request, Once).await
}

pub(crate) async fn resize_terminal(
    attachment: String,
    size: TerminalSize,
) -> Result<ResizeResponse, Error> {
    let request = ResizeRequest { attachment, size: Some(size) };
    unary(method::EXEC_RESIZE, &request, Once).await
}
