//! One file from its first byte that is wanted to its last.

use berth_proto::v1::FileKind;
use leptos::prelude::*;
use web_sys::{Blob, File};

use super::{
    Answer as Choice, Uploads,
    answer::Answer,
    read::{self, Digest, SLICE},
    slice,
    transfer::{Replace, Step, Transfer},
};
use crate::{
    api::{self, Code, Error},
    files,
    state::session,
    text, time,
};

const BACKOFF_FIRST: u32 = 500;
const BACKOFF_MAXIMUM: u32 = 15_000;
/// Answers that lead nowhere before it is given up.
const STANDSTILLS: u32 = 8;

/// How it ends; or `Asking`. Of no meaning when it has lost its turn.
pub(super) async fn run(uploads: &Uploads, transfer: &Transfer, turn: u64) -> Step {
    let Some(file) = transfer.file() else { return Step::Skipped };
    if transfer.replace().is_none()
        && let Some(step) = look(uploads, transfer, turn).await
    {
        return step;
    }
    let sending = Sending { uploads, transfer, turn, file: &file };
    sending.run().await
}

/// Whether something is there already. `None`: it can be sent.
async fn look(uploads: &Uploads, transfer: &Transfer, turn: u64) -> Option<Step> {
    let whose = &transfer.whose;
    for failures in 1.. {
        let found =
            api::stat_file(whose.owner.clone(), whose.name.clone(), transfer.path.clone()).await;
        if !transfer.goes_on(turn) {
            return Some(Step::Paused);
        }
        match found {
            Ok(found) if found.kind() == FileKind::Directory => {
                return Some(Step::Failed(text::upload_over_folder().to_owned()));
            }
            Ok(_) => {
                match uploads.policy.get_untracked() {
                    None => return Some(Step::Asking),
                    Some(Choice::Skip) => return Some(Step::Skipped),
                    Some(Choice::Replace) => transfer.may_replace(),
                }
                break;
            }
            Err(error) if error.code() == Some(Code::NotFound) => {
                transfer.nothing_there();
                break;
            }
            Err(error) if error.is_passing() => {
                transfer.step.set(Step::Again);
                time::sleep(backoff(failures)).await;
                if !transfer.goes_on(turn) {
                    return Some(Step::Paused);
                }
            }
            Err(error) => return Some(Step::Failed(untrack(|| error.sentence()))),
        }
    }
    transfer.step.set(Step::Sending);
    None
}

struct Sending<'a> {
    uploads: &'a Uploads,
    transfer: &'a Transfer,
    turn: u64,
    file: &'a File,
}

impl Sending<'_> {
    async fn run(&self) -> Step {
        let transfer = self.transfer;
        let mut digest = Digest::default();
        let mut position = 0;
        // Asked first, where something may be there.
        let mut asks = transfer.is_begun();
        let mut failures = 0;
        let mut may_have_ended = false;
        loop {
            let (answer, next) = if asks {
                let url = self.url(0, None);
                (self.put(&url, 0, None).await, None)
            } else {
                match self.slice(&mut digest, position).await {
                    Ok(found) => found,
                    Err(step) => return step,
                }
            };
            if !transfer.goes_on(self.turn) {
                return Step::Paused;
            }
            let was_last = next.as_ref().is_some_and(|d: &Digest| d.position == transfer.size);
            match answer {
                Answer::Done => return Step::Done,
                Answer::Position(there) if there > transfer.size => {
                    return Step::Failed(untrack(text::error_garbled).to_owned());
                }
                Answer::Position(there) => {
                    let stands = !asks && there == position;
                    if let Some(next) = next.filter(|next| next.position == there) {
                        digest = next;
                    }
                    position = there;
                    self.uploads.set_sent(transfer, there);
                    transfer.step.set(Step::Sending);
                    failures = if stands { failures + 1 } else { 0 };
                    asks = false;
                    if failures > STANDSTILLS {
                        return Step::Failed(untrack(text::error_network).to_owned());
                    }
                    if stands {
                        time::sleep(backoff(failures)).await;
                    }
                }
                Answer::Broken => {
                    may_have_ended |= was_last;
                    failures += 1;
                    // The blade may have taken a part of it.
                    asks = true;
                    transfer.step.set(Step::Again);
                    time::sleep(backoff(failures)).await;
                }
                Answer::SignedOut => {
                    session::ended();
                    return Step::Failed(untrack(text::error_signed_out).to_owned());
                }
                Answer::Garbled(sentence) => {
                    transfer.begin_anew();
                    return Step::Failed(sentence);
                }
                Answer::Refused(_) if may_have_ended && self.has_arrived().await => {
                    return Step::Done;
                }
                Answer::Refused(sentence) => return Step::Failed(sentence),
            }
            if !transfer.goes_on(self.turn) {
                return Step::Paused;
            }
        }
    }

    /// Sends the next one. The digest is of what is there once it has been taken.
    async fn slice(
        &self,
        digest: &mut Digest,
        position: u64,
    ) -> Result<(Answer, Option<Digest>), Step> {
        let transfer = self.transfer;
        let unreadable = |_| Step::Failed(untrack(text::upload_unreadable).to_owned());
        let goes_on = || transfer.goes_on(self.turn);
        digest.advance(self.file, position, goes_on).await.map_err(unreadable)?;
        let end = transfer.size.min(position + SLICE);
        let mut next = digest.clone();
        next.read(self.file, end, goes_on).await.map_err(unreadable)?;
        if !goes_on() {
            return Err(Step::Paused);
        }
        let data = read::slice(self.file, position, end).map_err(unreadable)?;
        let whole = (end == transfer.size).then(|| next.hex());
        transfer.begin();
        let url = self.url(position, whole.as_deref());
        Ok((self.put(&url, position, Some(&data)).await, Some(next)))
    }

    async fn put(&self, url: &str, position: u64, data: Option<&Blob>) -> Answer {
        let (uploads, transfer, turn) = (self.uploads.clone(), self.transfer.clone(), self.turn);
        let asks = data.is_none();
        slice::put(self.transfer, url, data, move |sent| {
            // What is asked alone goes nowhere.
            if !asks && transfer.goes_on(turn) {
                transfer.step.set(Step::Sending);
                uploads.set_sent(&transfer, position + sent);
            }
        })
        .await
    }

    fn url(&self, offset: u64, whole: Option<&str>) -> String {
        let transfer = self.transfer;
        let mut url = files::url(&transfer.whose, &transfer.path);
        url.push_str(&format!(
            "&upload={}&size={}&offset={offset}&modified={}",
            transfer.upload_id(),
            transfer.size,
            read::changed(self.file)
        ));
        if let Some(whole) = whole {
            url.push_str(&format!("&blake3={whole}"));
        }
        if transfer.replace() == Some(Replace::Yes) {
            url.push_str("&replace=true");
        }
        url
    }

    /// The answer to the last slice was lost: is the file that is there this one?
    async fn has_arrived(&self) -> bool {
        let Transfer { whose, path, size, .. } = self.transfer;
        let found: Result<_, Error> =
            api::stat_file(whose.owner.clone(), whose.name.clone(), path.clone()).await;
        found.is_ok_and(|found| {
            let changed = found.modify_time.and_then(|at| {
                let milliseconds = at.seconds * 1000 + i64::from(at.nanos / 1_000_000);
                u64::try_from(milliseconds).ok()
            });
            found.size_bytes == *size && changed == Some(read::changed(self.file))
        })
    }
}

fn backoff(failures: u32) -> u32 {
    let exponent = failures.saturating_sub(1).min(8);
    time::jittered(BACKOFF_FIRST.saturating_mul(1 << exponent).min(BACKOFF_MAXIMUM))
}
