//! Where lines come from, for as long as somebody wants them: a connection that is lost is made again, and goes on behind the
//! last line that came.

use berth_proto::v1::{LogLine, StreamLogsRequest, StreamLogsResponse};

use crate::{
    api::{self, Code, Error},
    time,
};

const BACKOFF_FIRST: u32 = 250;
const BACKOFF_MAXIMUM: u32 = 5_000;

pub(crate) enum Event {
    Lines(Vec<LogLine>),
    /// It listens; nothing need have been printed.
    Open,
    Lost,
    /// After so many seconds.
    Back(u32),
    /// The container has ended, or there is no more.
    End,
}

pub(crate) struct Source {
    request: StreamLogsRequest,
    stream: Option<api::Stream>,
    lost_at: Option<f64>,
    failures: u32,
}

impl Source {
    pub(crate) fn new(request: StreamLogsRequest) -> Self {
        Self { request, stream: None, lost_at: None, failures: 0 }
    }

    /// Behind the last line that came.
    pub(crate) fn cursor(&self) -> &str {
        &self.request.cursor
    }

    /// The reason why it cannot go on, or what comes next. After `End` nothing does.
    pub(crate) async fn next(&mut self) -> Result<Event, Error> {
        loop {
            let error = match self.attempt().await {
                Ok(event) => return Ok(event),
                Err(error) => error,
            };
            self.stream = None;
            if !is_passing(&error) {
                return Err(error);
            }
            self.failures = self.failures.saturating_add(1);
            // The first attempt to come back is made before anybody is told: it nearly always succeeds.
            if self.failures == 2 && self.lost_at.is_none() {
                self.lost_at = Some(js_sys::Date::now());
                return Ok(Event::Lost);
            }
            let wait = BACKOFF_FIRST.saturating_mul(1 << self.failures.min(8)).min(BACKOFF_MAXIMUM);
            time::sleep(time::jittered(wait)).await;
        }
    }

    async fn attempt(&mut self) -> Result<Event, Error> {
        let Some(stream) = &mut self.stream else {
            self.stream = Some(api::stream_logs(&self.request).await?);
            return Ok(self.lost_at.take().map_or(Event::Open, |lost| Event::Back(since(lost))));
        };
        // An end without a word on it is a controller that goes.
        let answer: StreamLogsResponse = stream.next().await?.ok_or(Error::Network)?;
        self.failures = 0;
        if let Some(last) = answer.lines.last() {
            self.request.cursor.clone_from(&last.cursor);
        }
        if answer.end && answer.lines.is_empty() {
            return Ok(Event::End);
        }
        Ok(Event::Lines(answer.lines))
    }
}

/// In seconds; one that was lost was so for a moment at least.
fn since(lost: f64) -> u32 {
    // Not negative, and less than years.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let seconds = ((js_sys::Date::now() - lost) / 1000.0).round() as u32;
    seconds.max(1)
}

fn is_passing(error: &Error) -> bool {
    match error.code() {
        None => *error == Error::Network,
        Some(
            Code::Unavailable
            | Code::Unknown
            | Code::Cancelled
            | Code::Aborted
            | Code::Internal
            | Code::DeadlineExceeded
            | Code::ResourceExhausted,
        ) => true,
        Some(
            Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::DataLoss
            | Code::Unauthenticated,
        ) => false,
    }
}
