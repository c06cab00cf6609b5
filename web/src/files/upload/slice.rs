//! One request with one slice. XMLHttpRequest, because fetch does not tell how much has gone.

use js_sys::Promise;
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, ProgressEvent, XmlHttpRequest};

use super::{
    answer::{self, Answer},
    read,
    transfer::Transfer,
};
use crate::{i18n, state::connection};

/// A connection that has died without a word is noticed by then; two megabits a second are enough for a slice.
const PATIENCE_MS: u32 = 60_000;

pub(super) async fn put(
    transfer: &Transfer,
    url: &str,
    data: Option<&Blob>,
    progress: impl FnMut(u64) + 'static,
) -> Answer {
    let answer = request(transfer, url, data, progress).await.unwrap_or(Answer::Broken);
    transfer.requests(None);
    if answer != Answer::Broken {
        connection::restored();
    }
    answer
}

async fn request(
    transfer: &Transfer,
    url: &str,
    data: Option<&Blob>,
    mut progress: impl FnMut(u64) + 'static,
) -> Result<Answer, JsValue> {
    let request = XmlHttpRequest::new()?;
    request.open_with_async("PUT", url, true)?;
    request.set_timeout(PATIENCE_MS);
    request.set_request_header("accept-language", i18n::language_untracked().tag())?;
    request.set_request_header("content-type", "application/octet-stream")?;
    let told: Closure<dyn FnMut(ProgressEvent)> = Closure::new(move |event: ProgressEvent| {
        progress(read::whole(event.loaded()));
    });
    let upload = request.upload()?;
    upload.add_event_listener_with_callback("progress", told.as_ref().unchecked_ref())?;
    let ended = Promise::new(&mut |resolve, _| {
        // The events of a request that has just been made: listening does not fail.
        let _ = request.add_event_listener_with_callback("loadend", &resolve);
    });
    transfer.requests(Some(request.clone()));
    request.send_with_opt_blob(data)?;
    JsFuture::from(ended).await?;
    let body = request.response_text()?.unwrap_or_default();
    Ok(answer::read(request.status()?, &body))
}
