//! People.

use berth_core::{
    account::{Role, User},
    guest_port::RawPorts,
    preset::Preset,
    text::Language,
};

use crate::v1;

pub fn user(user: &User) -> v1::User {
    v1::User {
        id: user.id.to_string(),
        account: user.account.to_string(),
        display_name: user.display_name.clone(),
        role: role(user.role).into(),
    }
}

pub fn raw_ports(policy: RawPorts) -> v1::RawPorts {
    match policy {
        RawPorts::Default => v1::RawPorts::Default,
        RawPorts::OptIn => v1::RawPorts::OptIn,
        RawPorts::Forbidden => v1::RawPorts::Forbidden,
    }
}

/// For a form. What this version does not know is checked by the service.
pub fn raw_ports_of(policy: v1::RawPorts) -> RawPorts {
    match policy {
        v1::RawPorts::Unspecified | v1::RawPorts::Default => RawPorts::Default,
        v1::RawPorts::OptIn => RawPorts::OptIn,
        v1::RawPorts::Forbidden => RawPorts::Forbidden,
    }
}

pub fn role(role: Role) -> v1::Role {
    match role {
        Role::Student => v1::Role::Student,
        Role::Teacher => v1::Role::Teacher,
        Role::Administrator => v1::Role::Administrator,
    }
}

pub fn preset(preset: &Preset, language: Language) -> v1::Preset {
    v1::Preset {
        name: preset.name.clone(),
        title: preset.title(language).to_owned(),
        cpu_millis: preset.cpu.map_or(0, |cpu| cpu.0),
        memory_bytes: preset.memory.map_or(0, |memory| memory.0),
        gpus: preset.gpus,
        image: preset.image.clone().unwrap_or_default(),
        lease: preset.lease.map(|lease| super::duration(lease.0)),
    }
}
