//! Several devices as one figure.

use std::collections::BTreeMap;

use berth_core::{figures::GpuFigures, resources::GpuId};

/// `None` when nothing is known of any of them.
pub(crate) fn together<'a>(
    known: &BTreeMap<GpuId, GpuFigures>,
    held: impl IntoIterator<Item = &'a GpuId>,
) -> Option<GpuFigures> {
    let mut all: Option<GpuFigures> = None;
    let (mut percent, mut devices) = (0_u32, 0_u32);
    for device in held.into_iter().filter_map(|id| known.get(id)) {
        let sum = all.get_or_insert_default();
        sum.memory_bytes = sum.memory_bytes.saturating_add(device.memory_bytes);
        if let Some(power) = device.power_milliwatts {
            sum.power_milliwatts = Some(sum.power_milliwatts.unwrap_or(0).saturating_add(power));
        }
        if let Some(one) = device.percent {
            percent += u32::from(one);
            devices += 1;
        }
    }
    if let Some(all) = &mut all {
        all.percent = percent.checked_div(devices).and_then(|mean| u8::try_from(mean).ok());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_that_one_container_holds() {
        let id = |name: &str| GpuId::parse(name).unwrap();
        let of = |percent, memory_bytes, power_milliwatts| GpuFigures {
            percent,
            memory_bytes,
            power_milliwatts,
        };
        let known = BTreeMap::from([
            (id("GPU-1"), of(Some(100), 10, Some(700_000))),
            (id("GPU-2"), of(Some(0), 5, Some(70_000))),
            (id("MIG-1"), of(None, 7, None)),
        ]);
        let held = |names: &[&str]| {
            let ids: Vec<GpuId> = names.iter().map(|name| id(name)).collect();
            together(&known, &ids)
        };
        assert_eq!(held(&["GPU-1", "GPU-2"]), Some(of(Some(50), 15, Some(770_000))));
        assert_eq!(held(&["GPU-1", "MIG-1"]), Some(of(Some(100), 17, Some(700_000))));
        assert_eq!(held(&["MIG-1"]), Some(of(None, 7, None)));
        assert_eq!(held(&["GPU-9"]), None);
        assert_eq!(held(&[]), None);
    }
}
