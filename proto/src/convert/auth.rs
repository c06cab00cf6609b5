//! People.

use berth_core::account::{Role, User};

use crate::v1;

pub fn user(user: &User) -> v1::User {
    v1::User {
        id: user.id.to_string(),
        account: user.account.to_string(),
        display_name: user.display_name.clone(),
        role: role(user.role).into(),
    }
}

pub fn role(role: Role) -> v1::Role {
    match role {
        Role::Student => v1::Role::Student,
        Role::Teacher => v1::Role::Teacher,
        Role::Administrator => v1::Role::Administrator,
    }
}
