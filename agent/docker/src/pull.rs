//! Fetching images.

use std::{collections::HashMap, time::Duration};

use berth_core::{fault::FaultKind, image::ImageRef, observed::PullProgress};
use berth_reconcile::runtime::Error;
use bollard::{models::CreateImageInfo, query_parameters::CreateImageOptions};
use futures::{StreamExt, pin_mut};
use tokio::sync::watch;

use crate::{engine::Engine, fault::classify_pull};

pub(crate) async fn pull(
    engine: &Engine,
    image: &ImageRef,
    silence: Duration,
    progress: &watch::Sender<Option<PullProgress>>,
) -> Result<(), Error> {
    let (name, tag) = image.name_and_tag();
    let options = CreateImageOptions {
        from_image: Some(name.to_owned()),
        tag: Some(tag.to_owned()),
        ..CreateImageOptions::default()
    };
    let mut layers = Layers::default();
    let stream = engine.work.create_image(Some(options), None, None);
    pin_mut!(stream);
    loop {
        // The stream itself has no timeout once the engine began to answer.
        let next = tokio::time::timeout(silence, stream.next()).await.map_err(|_| {
            let detail = format!("no progress for {} s", silence.as_secs());
            Error::fault(FaultKind::RegistryUnreachable, detail)
        })?;
        match next {
            None => return Ok(()),
            Some(Err(error)) => return Err(classify_pull(error)),
            Some(Ok(info)) => {
                if let Some(sum) = layers.add(&info) {
                    progress.send_if_modified(|shown| shown.replace(sum) != Some(sum));
                }
            }
        }
    }
}

/// Bytes per layer. Totals appear as layers begin, so the sum of totals grows at first; it never shrinks.
#[derive(Debug, Default)]
struct Layers(HashMap<String, PullProgress>);

impl Layers {
    fn add(&mut self, info: &CreateImageInfo) -> Option<PullProgress> {
        let (id, status) = (info.id.as_ref()?, info.status.as_deref()?);
        let figure = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
        let detail = info.progress_detail.as_ref();
        match status {
            "Downloading" => {
                let current = figure(detail.and_then(|detail| detail.current)).unwrap_or(0);
                let total = figure(detail.and_then(|detail| detail.total)).unwrap_or(current);
                let layer = self.layer(id);
                layer.total_bytes = layer.total_bytes.max(total).max(current);
                layer.done_bytes = layer.done_bytes.max(current);
            }
            // Of the unpacking only the beginning counts: the layer is here.
            "Download complete" | "Verifying Checksum" | "Extracting" | "Pull complete" => {
                let layer = self.layer(id);
                layer.done_bytes = layer.total_bytes;
            }
            _ => return None,
        }
        let sum = self.0.values().fold((0u64, 0u64), |(done, total), layer| {
            (done.saturating_add(layer.done_bytes), total.saturating_add(layer.total_bytes))
        });
        Some(PullProgress { done_bytes: sum.0, total_bytes: sum.1 })
    }

    fn layer(&mut self, id: &str) -> &mut PullProgress {
        self.0.entry(id.to_owned()).or_insert(PullProgress { done_bytes: 0, total_bytes: 0 })
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::ProgressDetail;

    use super::*;

    fn info(id: &str, status: &str, current: i64, total: i64) -> CreateImageInfo {
        CreateImageInfo {
            id: Some(id.to_owned()),
            status: Some(status.to_owned()),
            progress_detail: Some(ProgressDetail { current: Some(current), total: Some(total) }),
            error_detail: None,
        }
    }

    #[test]
    fn layers_are_summed() {
        let mut layers = Layers::default();
        let sum = |done_bytes, total_bytes| Some(PullProgress { done_bytes, total_bytes });
        assert_eq!(layers.add(&info("latest", "Pulling from library/x", 0, 0)), None);
        assert_eq!(layers.add(&info("a", "Downloading", 10, 100)), sum(10, 100));
        assert_eq!(layers.add(&info("b", "Downloading", 5, 50)), sum(15, 150));
        assert_eq!(layers.add(&info("a", "Download complete", 0, 0)), sum(105, 150));
        // Extraction counts other bytes: they must not turn the bar back.
        assert_eq!(layers.add(&info("a", "Extracting", 3, 400)), sum(105, 150));
        assert_eq!(layers.add(&info("b", "Pull complete", 0, 0)), sum(150, 150));
        assert_eq!(layers.add(&info("c", "Downloading", -5, -1)), sum(150, 150));
    }
}
