//! A row of history. There are a thousand and a half for each subject, so its figures are numbers without names.

use berth_app::ports::StoreError;
use berth_core::{
    clock::Timestamp,
    figures::{Figures, GpuFigures, RollUp, Subject, Traffic, Width},
};
use sea_orm::entity::prelude::*;

use crate::sql::column::{At, json};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "figures")]
pub struct Model {
    /// "container/UUID" or "node/UUID".
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    /// Seconds.
    #[sea_orm(primary_key, auto_increment = false)]
    pub width: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub begins_at: i64,
    /// [`Data`] as JSON.
    pub data: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// How many looks, their mean and their peak.
type Data = (u32, Numbers, Numbers);
/// CPU, memory, received, sent, read, written, processes, GPU.
type Numbers = (u32, u64, u64, u64, u64, u64, u32, Option<GpuNumbers>);
/// Percent, memory, power.
type GpuNumbers = (Option<u8>, u64, Option<u32>);

impl Model {
    pub(in crate::sql) fn write(width: Width, subject: Subject, row: &RollUp) -> Self {
        let data: Data = (row.looks, numbers(&row.mean), numbers(&row.peak));
        Self {
            subject: subject_text(subject),
            width: seconds(width),
            begins_at: row.begin.0,
            data: json(&data),
        }
    }

    pub(in crate::sql) fn read(self) -> Result<(Subject, RollUp), StoreError> {
        let at = At { table: "figures", id: &self.subject };
        let (looks, mean, peak): Data = at.json("data", &self.data)?;
        let (mean, peak) = (figures(mean), figures(peak));
        let row = RollUp { begin: Timestamp(self.begins_at), looks, mean, peak };
        Ok((subject(at, &self.subject)?, row))
    }
}

pub(in crate::sql) fn subject_text(subject: Subject) -> String {
    match subject {
        Subject::Container(id) => format!("container/{id}"),
        Subject::Node(id) => format!("node/{id}"),
    }
}

fn subject(at: At<'_>, text: &str) -> Result<Subject, StoreError> {
    match text.split_once('/') {
        Some(("container", id)) => Ok(Subject::Container(at.parse("subject", id)?)),
        Some(("node", id)) => Ok(Subject::Node(at.parse("subject", id)?)),
        _ => Err(at.corrupt("subject", "neither a container nor a node")),
    }
}

pub(in crate::sql) fn seconds(width: Width) -> i64 {
    i64::try_from(width.duration().as_secs()).expect("an hour has few seconds")
}

fn numbers(figures: &Figures) -> Numbers {
    // Taken apart whole, so that a new field cannot be forgotten here.
    let Figures { cpu_millis, memory_bytes, network, disk, processes, gpu } = *figures;
    let gpu = gpu.map(|gpu| {
        let GpuFigures { percent, memory_bytes, power_milliwatts } = gpu;
        (percent, memory_bytes, power_milliwatts)
    });
    (cpu_millis, memory_bytes, network.r#in, network.out, disk.r#in, disk.out, processes, gpu)
}

fn figures(numbers: Numbers) -> Figures {
    let (cpu_millis, memory_bytes, received, sent, read, written, processes, gpu) = numbers;
    Figures {
        cpu_millis,
        memory_bytes,
        network: Traffic { r#in: received, out: sent },
        disk: Traffic { r#in: read, out: written },
        processes,
        gpu: gpu.map(|(percent, memory_bytes, power_milliwatts)| GpuFigures {
            percent,
            memory_bytes,
            power_milliwatts,
        }),
    }
}
