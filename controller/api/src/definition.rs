//! Definitions: what a request leaves to presets and to other containers, and changes of what is there.

use berth_app::{
    containers::Selector,
    error::Error,
    transaction::Transaction,
    update::{self, Asked, Consent},
};
use berth_core::{
    create::{self, CreateRequest, NewContainer},
    definition::{MASK, change::keep_secrets},
    violation::{Problem, Violation},
};
use berth_proto::{convert, v1};

use crate::{Api, caller::Caller, container};

impl Api {
    /// The form, with what its preset says, checked.
    pub(crate) fn check(
        &self,
        caller: &Caller,
        mut message: v1::CreateContainerRequest,
    ) -> Result<NewContainer, Error> {
        let preset = std::mem::take(&mut message.preset);
        let secrets_from = std::mem::take(&mut message.secrets_from);
        let mut request = convert::container::create_request(message);
        self.fill(&mut request, &preset)?;
        if !secrets_from.is_empty() && request.secret_environment.values().any(|v| v == MASK) {
            let state = &self.committed().state;
            let kept = update::secrets_of(state, caller.actor()?, &secrets_from)?;
            keep_secrets(&mut request.secret_environment, &kept);
        }
        create::check(&request, &self.0.limits)
            .map_err(|violations| Error::InvalidArgument { violations })
    }

    fn fill(&self, request: &mut CreateRequest, name: &str) -> Result<(), Error> {
        if name.is_empty() {
            return Ok(());
        }
        let preset = self.0.site.presets.iter().find(|preset| preset.name == name);
        let unknown = || Error::InvalidArgument {
            violations: vec![Violation::new("preset", Problem::UnknownValue)],
        };
        preset.ok_or_else(unknown)?.fill(request);
        Ok(())
    }

    pub(crate) async fn update(
        &self,
        caller: &Caller,
        message: v1::UpdateContainerRequest,
    ) -> Result<v1::Container, Error> {
        let container = message.container.unwrap_or_default();
        let name = match container.name.as_str() {
            "" => container.id.clone(),
            name => name.to_owned(),
        };
        let selector = Selector { owner: container.owner.clone(), name };
        let change = convert::definition::change(container, message.update_mask.as_ref())
            .map_err(|violations| Error::InvalidArgument { violations })?;
        let consent = match message.allow_recreation {
            true => Consent::Recreation,
            false => Consent::InPlace,
        };
        let asked = Asked { change, consent };
        let actor = caller.actor()?.clone();
        if message.validate_only {
            let (committed, now) = (self.committed(), self.0.clock.now());
            let (state, limits) = (&committed.state, &self.0.limits);
            let (preview, _) = update::preview(state, &actor, &selector, &asked, limits, now)?;
            return Ok(container::message(state, &preview, &self.telling(caller.language)));
        }
        let limits = self.0.limits.clone();
        let command = move |transaction: &mut Transaction| {
            update::update(transaction, &actor, &selector, &asked, &limits)
        };
        let id = self.0.writer.apply(command).await?;
        tracing::info!(container.id = %id, "container's definition changed");
        self.show(caller, id)
    }
}
