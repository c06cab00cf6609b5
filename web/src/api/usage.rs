//! The calls about what is used, and about what was printed.

use berth_proto::{method, v1::*};

use super::{
    error::Error,
    transport::{Retry::Once, Stream, server_stream, unary},
};

/// As many seconds back, at the resolution.
pub(crate) async fn get_figures(
    owner: String,
    name: String,
    seconds: u32,
    resolution: Resolution,
) -> Result<GetFiguresResponse, Error> {
    let resolution = resolution.into();
    let request = GetFiguresRequest { owner, name, window: window(seconds), resolution };
    unary(method::USAGE_GET_FIGURES, &request, Once).await
}

pub(crate) async fn get_node_figures(
    name: String,
    seconds: u32,
    resolution: Resolution,
) -> Result<GetFiguresResponse, Error> {
    let resolution = resolution.into();
    let request = GetNodeFiguresRequest { name, window: window(seconds), resolution };
    unary(method::USAGE_GET_NODE_FIGURES, &request, Once).await
}

fn window(seconds: u32) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds: seconds.into(), nanos: 0 })
}

/// Of `StreamLogsResponse`.
pub(crate) async fn stream_logs(request: &StreamLogsRequest) -> Result<Stream, Error> {
    server_stream(method::LOG_STREAM, request).await
}
