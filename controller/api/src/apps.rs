//! Links that open a container's port to whoever has them.

use std::sync::Arc;

use berth_app::{
    containers::{self, Selector},
    error::{Error, Precondition},
    shares::{self, NewLink},
    sign_in::{hash, new_token},
    state::State,
    transaction::Transaction,
};
use berth_core::{
    app_host::{AppDomain, AppLabel},
    id::ShareLinkId,
    share::{Lifetimes, ShareLink},
    violation::{Problem, Violation},
};
use berth_proto::{
    convert,
    v1::{self, app_service_server::AppService},
};
use tonic::{Request, Response, Status};

use crate::{
    Api,
    caller::{Caller, answer},
    container, page,
};

/// What the site offers beside its console.
#[derive(Debug, Clone)]
pub struct Apps {
    pub domain: AppDomain,
    pub links: Lifetimes,
    /// The path under a host at which a link's token is taken; the token follows.
    pub link_path: &'static str,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl AppService for Api {
    async fn create_share_link(
        &self,
        request: Request<v1::CreateShareLinkRequest>,
    ) -> Answer<v1::CreateShareLinkResponse> {
        answer(request, |caller: Arc<Caller>, message| async move {
            self.make_link(&caller, message).await
        })
        .await
    }

    async fn list_share_links(
        &self,
        request: Request<v1::ListShareLinksRequest>,
    ) -> Answer<v1::ListShareLinksResponse> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let committed = self.committed();
            let selector = Selector { owner: message.owner, name: message.name };
            let container = containers::find(&committed.state, caller.actor()?, &selector)?;
            let now = self.0.clock.now();
            let links: Vec<&Arc<ShareLink>> = committed
                .state
                .share_links_of(container.id)
                .filter(|link| link.expires_at > now)
                .collect();
            let (links, next_page_token) = page::cut(
                links,
                message.page_size,
                &message.page_token,
                |link| link.id,
                |text| text.parse().ok(),
                ShareLinkId::to_string,
            )?;
            let share_links =
                links.into_iter().map(|link| self::message(&committed.state, link)).collect();
            Ok(v1::ListShareLinksResponse { share_links, next_page_token })
        })
        .await
    }

    async fn delete_share_link(
        &self,
        request: Request<v1::DeleteShareLinkRequest>,
    ) -> Answer<v1::DeleteShareLinkResponse> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let selector = Selector { owner: message.owner, name: message.name };
            let actor = caller.actor()?.clone();
            let command = move |transaction: &mut Transaction| {
                shares::delete(transaction, &actor, &selector, &message.id)
            };
            self.0.writer.apply(command).await?;
            tracing::info!("share link deleted");
            Ok(v1::DeleteShareLinkResponse {})
        })
        .await
    }
}

impl Api {
    async fn make_link(
        &self,
        caller: &Caller,
        message: v1::CreateShareLinkRequest,
    ) -> Result<v1::CreateShareLinkResponse, Error> {
        let v1::CreateShareLinkRequest { name, owner, port, lifetime } = message;
        let (actor, selector) = (caller.actor()?.clone(), Selector { owner, name });
        // What somebody may not reach is not there, whatever else is wrong.
        containers::find(&self.committed().state, &actor, &selector)?;
        let none = Error::FailedPrecondition(Precondition::NoShareLinks);
        let apps = self.0.apps.as_ref().filter(|apps| !apps.links.maximum.is_zero()).ok_or(none)?;
        let port = u16::try_from(port).ok().filter(|port| *port > 0).ok_or_else(|| {
            Error::InvalidArgument { violations: vec![Violation::new("port", Problem::PortRange)] }
        })?;
        let lifetime = apps
            .links
            .check(lifetime.as_ref().map(convert::seconds))
            .map_err(|violations| Error::InvalidArgument { violations })?;
        let token = new_token("berth_l_")?;
        let id = ShareLinkId::new(self.0.ids.next());
        let new = NewLink { id, port, token_sha256: hash(&token), lifetime };
        let command = move |transaction: &mut Transaction| {
            shares::create(transaction, &actor, &selector, new)
        };
        let link = self.0.writer.apply(command).await?;
        tracing::info!(container.id = %link.container, port, "share link made");
        let committed = self.committed();
        let container = committed.state.containers.get(&link.container);
        let label = container.map(|of| AppLabel::of(port, of.owner, &of.name));
        let host = label.map(|label| apps.domain.authority(label)).unwrap_or_default();
        Ok(v1::CreateShareLinkResponse {
            share_link: Some(self::message(&committed.state, &link)),
            url: format!("https://{host}{}{token}", apps.link_path),
        })
    }
}

fn message(state: &State, link: &ShareLink) -> v1::ShareLink {
    v1::ShareLink {
        id: link.id.to_string(),
        container: state
            .containers
            .get(&link.container)
            .map(|container| container.name.to_string())
            .unwrap_or_default(),
        port: link.port.into(),
        create_time: Some(convert::timestamp(link.created_at)),
        expire_time: Some(convert::timestamp(link.expires_at)),
        creator: container::account(state, link.created_by).to_owned(),
    }
}
