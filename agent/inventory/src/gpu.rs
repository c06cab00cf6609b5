//! GPUs, by NVIDIA's management library. A machine without it has none, and that is no error.

use std::sync::{Mutex, PoisonError};

use berth_core::{node::Gpu, resources::GpuId};
use nvml_wrapper::{Device, error::NvmlError};

/// A GPU, or a slice of one, as the driver tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuReading {
    pub uuid: String,
    pub model: String,
    pub memory_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GpuError {
    /// The library is there and does not work: the driver is not loaded, or was replaced while it ran.
    #[error("the GPU driver does not answer: {0}")]
    Driver(String),
}

/// Where the GPUs of a machine are learnt from.
pub trait GpuSource: Send {
    fn read(&self) -> Result<Vec<GpuReading>, GpuError>;
}

/// A driver that fails takes its GPUs from the offer, not the blade.
pub(crate) fn read(source: &dyn GpuSource) -> Vec<Gpu> {
    let readings = source.read().unwrap_or_else(|error| {
        tracing::warn!(error = %error, "offering no GPUs");
        Vec::new()
    });
    let mut gpus: Vec<Gpu> = readings.into_iter().filter_map(checked).collect();
    // The driver's order changes with a reboot; a report that differs in order alone is no news.
    gpus.sort_by(|a, b| a.id.cmp(&b.id));
    gpus.dedup_by(|a, b| a.id == b.id);
    gpus
}

fn checked(reading: GpuReading) -> Option<Gpu> {
    let Some(id) = GpuId::parse(&reading.uuid) else {
        tracing::warn!(gpu.uuid = reading.uuid, "not a GPU's UUID; not offered");
        return None;
    };
    Some(Gpu { id, model: reading.model, memory_bytes: reading.memory_bytes })
}

/// The real one. The library is loaded at the first reading that finds it, and kept.
#[derive(Default)]
pub struct Nvml {
    library: Mutex<Option<nvml_wrapper::Nvml>>,
}

impl GpuSource for Nvml {
    fn read(&self) -> Result<Vec<GpuReading>, GpuError> {
        let mut library = self.library.lock().unwrap_or_else(PoisonError::into_inner);
        if library.is_none() {
            match load() {
                Ok(loaded) => *library = Some(loaded),
                Err(NvmlError::LibloadingError(_)) => return Ok(Vec::new()),
                Err(error) => return Err(GpuError::Driver(error.to_string())),
            }
        }
        let Some(nvml) = library.as_ref() else { return Ok(Vec::new()) };
        let readings = all(nvml);
        if readings.is_err() {
            // After a driver's update the old library never works again.
            *library = None;
        }
        readings.map_err(|error| GpuError::Driver(error.to_string()))
    }
}

/// The development package alone has the name without a version.
pub(crate) fn load() -> Result<nvml_wrapper::Nvml, NvmlError> {
    let versioned = nvml_wrapper::Nvml::builder().lib_path("libnvidia-ml.so.1".as_ref()).init();
    match versioned {
        Err(NvmlError::LibloadingError(_)) => nvml_wrapper::Nvml::init(),
        result => result,
    }
}

fn all(nvml: &nvml_wrapper::Nvml) -> Result<Vec<GpuReading>, NvmlError> {
    let mut readings = Vec::new();
    for index in 0..nvml.device_count()? {
        match nvml.device_by_index(index).and_then(|device| with_slices(&device)) {
            Ok(found) => readings.extend(found),
            // One that fell off the bus must not hide the others.
            Err(NvmlError::GpuLost | NvmlError::Unknown | NvmlError::NoPermission) => {
                tracing::warn!(gpu.index = index, "a GPU does not answer; not offered");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(readings)
}

/// A GPU in MIG mode is lent by its slices, and not at all while it has none: the whole of it cannot be used then.
fn with_slices(device: &Device<'_>) -> Result<Vec<GpuReading>, NvmlError> {
    let is_sliced = match device.mig_mode() {
        Ok(mode) => mode.current == 1,
        // Cards without MIG, and drivers before it.
        Err(NvmlError::NotSupported | NvmlError::FailedToLoadSymbol(_)) => false,
        Err(error) => return Err(error),
    };
    if !is_sliced {
        return Ok(vec![reading(device)?]);
    }
    let mut slices = Vec::new();
    // The count is that of places; not every place is taken.
    for index in 0..device.mig_device_count()? {
        match device.mig_device_by_index(index) {
            Ok(slice) => slices.push(reading(&slice)?),
            Err(NvmlError::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(slices)
}

fn reading(device: &Device<'_>) -> Result<GpuReading, NvmlError> {
    Ok(GpuReading {
        uuid: device.uuid()?,
        model: device.name()?,
        memory_bytes: device.memory_info()?.total,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Recorded(Result<Vec<GpuReading>, GpuError>);

    impl GpuSource for Recorded {
        fn read(&self) -> Result<Vec<GpuReading>, GpuError> {
            self.0.clone()
        }
    }

    fn reading(uuid: &str) -> GpuReading {
        GpuReading {
            uuid: uuid.to_owned(),
            model: "NVIDIA H200".to_owned(),
            memory_bytes: 143_771 << 20,
        }
    }

    #[test]
    fn sorted_and_checked() {
        let source = Recorded(Ok(vec![
            reading("MIG-b2"),
            reading("GPU-b1"),
            reading("0"),
            reading("GPU-1;rm"),
            reading("GPU-a0"),
            reading("GPU-a0"),
        ]));
        let ids: Vec<_> = read(&source).into_iter().map(|gpu| gpu.id.as_str().to_owned()).collect();
        assert_eq!(ids, ["GPU-a0", "GPU-b1", "MIG-b2"]);
    }

    #[test]
    fn a_driver_that_fails_offers_nothing() {
        assert_eq!(read(&Recorded(Err(GpuError::Driver("not loaded".to_owned())))), []);
    }

    #[test]
    fn this_machine_answers_without_an_error_or_names_its_driver() {
        match Nvml::default().read() {
            Ok(gpus) => assert!(gpus.iter().all(|gpu| gpu.memory_bytes > 0)),
            Err(GpuError::Driver(text)) => assert!(!text.is_empty()),
        }
    }
}
