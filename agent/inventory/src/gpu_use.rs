//! How busy GPUs are.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use berth_core::{figures::GpuFigures, resources::GpuId};
use nvml_wrapper::{Device, error::NvmlError};

use crate::gpu::{GpuError, load};

/// Where it is learnt how busy GPUs are.
pub trait GpuMeter: Send {
    fn figures(&self) -> Result<BTreeMap<GpuId, GpuFigures>, GpuError>;
}

/// By NVIDIA's management library, loaded at the first look that finds it. A machine without it has no GPUs.
#[derive(Default)]
pub struct NvmlMeter {
    library: Mutex<Option<nvml_wrapper::Nvml>>,
}

impl GpuMeter for NvmlMeter {
    fn figures(&self) -> Result<BTreeMap<GpuId, GpuFigures>, GpuError> {
        let mut library = self.library.lock().unwrap_or_else(PoisonError::into_inner);
        if library.is_none() {
            match load() {
                Ok(loaded) => *library = Some(loaded),
                Err(NvmlError::LibloadingError(_)) => return Ok(BTreeMap::new()),
                Err(error) => return Err(GpuError::Driver(error.to_string())),
            }
        }
        let Some(nvml) = library.as_ref() else { return Ok(BTreeMap::new()) };
        let figures = all(nvml);
        if figures.is_err() {
            // After a driver's update the old library never works again.
            *library = None;
        }
        figures.map_err(|error| GpuError::Driver(error.to_string()))
    }
}

fn all(nvml: &nvml_wrapper::Nvml) -> Result<BTreeMap<GpuId, GpuFigures>, NvmlError> {
    let mut found = BTreeMap::new();
    for index in 0..nvml.device_count()? {
        match nvml.device_by_index(index).and_then(|device| with_slices(&device, &mut found)) {
            Ok(()) => {}
            // One that fell off the bus must not hide the others.
            Err(NvmlError::GpuLost | NvmlError::Unknown | NvmlError::NoPermission) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn with_slices(
    device: &Device<'_>,
    found: &mut BTreeMap<GpuId, GpuFigures>,
) -> Result<(), NvmlError> {
    let is_sliced = known(device.mig_mode())?.is_some_and(|mode| mode.current == 1);
    if !is_sliced {
        return one(device, found);
    }
    for index in 0..device.mig_device_count()? {
        match device.mig_device_by_index(index) {
            Ok(slice) => one(&slice, found)?,
            Err(NvmlError::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Of a slice the driver tells the memory alone.
fn one(device: &Device<'_>, found: &mut BTreeMap<GpuId, GpuFigures>) -> Result<(), NvmlError> {
    let Some(id) = GpuId::parse(&device.uuid()?) else { return Ok(()) };
    let busy = known(device.utilization_rates())?;
    let figures = GpuFigures {
        percent: busy.and_then(|busy| u8::try_from(busy.gpu).ok()).map(|percent| percent.min(100)),
        memory_bytes: device.memory_info()?.used,
        power_milliwatts: known(device.power_usage())?,
    };
    found.insert(id, figures);
    Ok(())
}

/// What a card, a slice or an older driver does not know is no failure.
fn known<T>(answer: Result<T, NvmlError>) -> Result<Option<T>, NvmlError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(
            NvmlError::NotSupported
            | NvmlError::InvalidArg
            | NvmlError::NotFound
            | NvmlError::NoPermission
            | NvmlError::FailedToLoadSymbol(_),
        ) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_no_failure() {
        assert_eq!(known(Ok(5)).unwrap(), Some(5));
        assert_eq!(known::<u32>(Err(NvmlError::NotSupported)).unwrap(), None);
        assert!(known::<u32>(Err(NvmlError::GpuLost)).is_err());
    }

    #[test]
    fn this_machine_answers_without_an_error_or_names_its_driver() {
        match NvmlMeter::default().figures() {
            Ok(gpus) => assert!(gpus.values().all(|gpu| gpu.percent.is_none_or(|p| p <= 100))),
            Err(GpuError::Driver(text)) => assert!(!text.is_empty()),
        }
    }
}
