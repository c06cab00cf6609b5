//! Containers on loan.

use std::sync::Arc;

use berth_app::{
    authz::{self, Actor},
    containers::{self, Selector},
    error::{Error, Kind},
    state::State,
    transaction::Transaction,
};
use berth_core::volume::{Access, VolumeMount};
use berth_core::{
    account::AccountName,
    app_host::AppDomain,
    container::{Container, ContainerName},
    create,
    explanation::Outcome,
    id::{ContainerId, UserId},
    text::{self as words, Language},
};
use berth_proto::{
    convert::{self, container::View},
    v1::{self, container_service_server::ContainerService},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::{
    Api,
    caller::{Caller, answer},
    page, text,
    watch::{self, containers::Containers},
};

/// Stands for a name in a request that is only to be explained.
const NAME_FOR_EXPLANATION: &str = "explanation";

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl ContainerService for Api {
    type WatchContainersStream = ReceiverStream<Result<v1::WatchContainersResponse, Status>>;

    async fn create_container(
        &self,
        request: Request<v1::CreateContainerRequest>,
    ) -> Answer<v1::Container> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let make = if message.stopped { containers::define } else { containers::create };
            let new = self.check(&caller, message)?;
            self.refuse_full_home(&caller).await?;
            let id = ContainerId::new(self.0.ids.next());
            let (actor, rules) = (caller.actor()?.clone(), self.0.rules.clone());
            let command =
                move |transaction: &mut Transaction| make(transaction, &actor, id, new, &rules);
            let id = self.0.writer.apply(command).await?;
            tracing::info!(container.id = %id, "container asked for");
            self.show(&caller, id)
        })
        .await
    }

    async fn get_container(
        &self,
        request: Request<v1::GetContainerRequest>,
    ) -> Answer<v1::Container> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let selector = Selector { owner: message.owner, name: message.name };
            let id = containers::find(&self.committed().state, caller.actor()?, &selector)?.id;
            self.show(&caller, id)
        })
        .await
    }

    async fn list_containers(
        &self,
        request: Request<v1::ListContainersRequest>,
    ) -> Answer<v1::ListContainersResponse> {
        answer(request, |caller: Arc<Caller>, message| async move { self.list(&caller, &message) })
            .await
    }

    async fn watch_containers(
        &self,
        request: Request<v1::WatchContainersRequest>,
    ) -> Answer<Self::WatchContainersStream> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let committed = self.committed();
            let actor = caller.actor()?;
            let owner = whose(&committed.state, &caller, &message.owner)?;
            let only = match message.name {
                name if name.is_empty() => None,
                name => {
                    let owner = if message.owner == "-" { String::new() } else { message.owner };
                    let selector = Selector { owner, name };
                    Some(containers::find(&committed.state, actor, &selector)?.id)
                }
            };
            let subject = Containers::new(owner, only, self.telling(caller.language));
            Ok(watch::start(
                self,
                caller,
                authz::Access::OwnContainer,
                &message.resume_token,
                subject,
            ))
        })
        .await
    }

    async fn start_container(
        &self,
        request: Request<v1::StartContainerRequest>,
    ) -> Answer<v1::Container> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let selector = Selector { owner: message.owner, name: message.name };
            self.refuse_over_quota(&caller, &selector).await?;
            let command =
                if message.with_shell { containers::start_with_shell } else { containers::start };
            self.act(&caller, selector, command).await
        })
        .await
    }

    async fn stop_container(
        &self,
        request: Request<v1::StopContainerRequest>,
    ) -> Answer<v1::Container> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let selector = Selector { owner: message.owner, name: message.name };
            self.act(&caller, selector, containers::stop).await
        })
        .await
    }

    async fn restart_container(
        &self,
        request: Request<v1::RestartContainerRequest>,
    ) -> Answer<v1::Container> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let selector = Selector { owner: message.owner, name: message.name };
            self.refuse_over_quota(&caller, &selector).await?;
            self.act(&caller, selector, containers::restart).await
        })
        .await
    }

    async fn delete_container(
        &self,
        request: Request<v1::DeleteContainerRequest>,
    ) -> Answer<v1::DeleteContainerResponse> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let selector = Selector { owner: message.owner, name: message.name };
            let actor = caller.actor()?.clone();
            let command = move |transaction: &mut Transaction| {
                containers::delete(transaction, &actor, &selector)
            };
            self.0.writer.apply(command).await?;
            tracing::info!("container deleted");
            Ok(v1::DeleteContainerResponse {})
        })
        .await
    }

    async fn update_container(
        &self,
        request: Request<v1::UpdateContainerRequest>,
    ) -> Answer<v1::Container> {
        answer(request, |caller: Arc<Caller>, message| async move {
            self.update(&caller, message).await
        })
        .await
    }

    async fn extend_lease(
        &self,
        request: Request<v1::ExtendLeaseRequest>,
    ) -> Answer<v1::Container> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let selector = Selector { owner: message.owner, name: message.name };
            let seconds = message.lease.as_ref().map(convert::seconds);
            let lease = create::check_lease(seconds, &self.0.limits)
                .map_err(|violations| Error::InvalidArgument { violations })?;
            let command = move |transaction: &mut Transaction, actor: &_, selector: &_| {
                containers::extend_lease(transaction, actor, selector, lease)
            };
            self.act(&caller, selector, command).await
        })
        .await
    }

    async fn explain_placement(
        &self,
        request: Request<v1::ExplainPlacementRequest>,
    ) -> Answer<v1::ExplainPlacementResponse> {
        answer(request, |caller: Arc<Caller>, message| async move {
            let mut asked = message.container.unwrap_or_default();
            if asked.name.is_empty() {
                NAME_FOR_EXPLANATION.clone_into(&mut asked.name);
            }
            let new = self.check(&caller, asked)?;
            let id = ContainerId::new(self.0.ids.next());
            let (committed, now) = (self.committed(), self.0.clock.now());
            let decision = containers::explain(&committed.state, caller.actor()?, id, new, now)?;
            Ok(explanation(&committed.state, caller.language, &decision))
        })
        .await
    }
}

impl Api {
    /// Applies a command to one container and answers with what it has become.
    async fn act(
        &self,
        caller: &Caller,
        selector: Selector,
        command: impl FnOnce(
            &mut Transaction,
            &berth_app::authz::Actor,
            &Selector,
        ) -> Result<ContainerId, Error>
        + Send
        + 'static,
    ) -> Result<v1::Container, Error> {
        let actor = caller.actor()?.clone();
        let id =
            self.0.writer.apply(move |transaction| command(transaction, &actor, &selector)).await?;
        self.show(caller, id)
    }

    pub(crate) fn telling(&self, language: Language) -> Telling {
        let apps = self.0.apps.as_ref().map(|apps| apps.domain.clone());
        Telling { language, grace: self.0.rules.grace, apps }
    }

    /// As it is committed now; it may be gone already.
    pub(crate) fn show(&self, caller: &Caller, id: ContainerId) -> Result<v1::Container, Error> {
        let committed = self.committed();
        let container = committed
            .state
            .containers
            .get(&id)
            .ok_or_else(|| Error::not_found(Kind::Container, id.to_string()))?;
        Ok(message(&committed.state, container, &self.telling(caller.language)))
    }

    fn list(
        &self,
        caller: &Caller,
        message: &v1::ListContainersRequest,
    ) -> Result<v1::ListContainersResponse, Error> {
        let committed = self.committed();
        let state = &committed.state;
        let mut rows: Vec<(AccountName, &Container)> = match whose(state, caller, &message.owner)? {
            Some(owner) => {
                let user = state.users.get(&owner);
                let account = user.map(|user| user.account.clone());
                let own = state.containers_of(owner);
                account
                    .into_iter()
                    .zip(std::iter::once(own))
                    .flat_map(|(account, own)| {
                        own.map(move |container| (account.clone(), &**container))
                    })
                    .collect()
            }
            None => state
                .containers
                .values()
                .filter_map(|container| {
                    let owner = state.users.get(&container.owner)?;
                    Some((owner.account.clone(), &**container))
                })
                .collect(),
        };
        rows.sort_by(|a, b| (&a.0, &a.1.name).cmp(&(&b.0, &b.1.name)));
        let total_size = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        let (rows, next_page_token) = page::cut(
            rows,
            message.page_size,
            &message.page_token,
            |(account, container)| (account.clone(), container.name.clone()),
            |text| {
                let (account, name) = text.split_once('/')?;
                Some((AccountName::parse(account)?, ContainerName::parse(name)?))
            },
            |(account, name)| format!("{account}/{name}"),
        )?;
        let telling = self.telling(caller.language);
        let containers = rows
            .into_iter()
            .map(|(_, container)| self::message(state, container, &telling))
            .collect();
        Ok(v1::ListContainersResponse { containers, next_page_token, total_size })
    }
}

/// Whose containers are meant: one person's, or (`None`) everybody's.
pub(crate) fn whose(state: &State, caller: &Caller, owner: &str) -> Result<Option<UserId>, Error> {
    let actor = caller.actor()?;
    match owner {
        "-" if actor.is_administrator() => Ok(None),
        "-" => Err(Error::PermissionDenied),
        owner => owner_or_missing(state, actor, owner).map(Some),
    }
}

pub(crate) fn owner_or_missing(state: &State, actor: &Actor, owner: &str) -> Result<UserId, Error> {
    containers::owner(state, actor, owner).ok_or_else(|| Error::not_found(Kind::User, owner))
}

/// In what words, and with what of the site, containers are told of.
#[derive(Debug, Clone)]
pub(crate) struct Telling {
    language: Language,
    grace: std::time::Duration,
    apps: Option<AppDomain>,
}

/// A container's row as its message.
pub(crate) fn message(state: &State, container: &Container, telling: &Telling) -> v1::Container {
    let node = container.placement.as_ref().and_then(|placement| state.nodes.get(&placement.node));
    let mut message = convert::container::container(View {
        container,
        owner: account(state, container.owner),
        node: node.map(|node| &**node),
        grace: telling.grace,
        apps: telling.apps.as_ref(),
        language: telling.language,
    });
    message.volumes = container.spec.volumes.iter().map(|mount| volume(state, mount)).collect();
    message
}

fn volume(state: &State, mount: &VolumeMount) -> v1::VolumeMount {
    let volume = state.volumes.get(&mount.volume);
    v1::VolumeMount {
        // One that an older database does not know has no name any more.
        name: volume.map_or_else(|| mount.volume.to_string(), |volume| volume.name.to_string()),
        path: mount.path.clone(),
        read_only: mount.access == Access::ReadOnly,
    }
}

pub(crate) fn account(state: &State, user: UserId) -> &str {
    state.users.get(&user).map_or("", |user| user.account.as_str())
}

fn explanation(
    state: &State,
    language: Language,
    decision: &containers::Decision,
) -> v1::ExplainPlacementResponse {
    let why = decision.why();
    let verdicts = why
        .nodes
        .iter()
        .map(|verdict| {
            let (rejections, score) = match &verdict.outcome {
                Outcome::Rejected(rejections) => {
                    (rejections.iter().map(|r| words::rejection(language, r)).collect(), 0)
                }
                Outcome::Scored(score) => (Vec::new(), *score),
            };
            v1::NodeVerdict { node: verdict.name.clone(), rejections, score }
        })
        .collect();
    match decision {
        containers::Decision::Placed { placement, .. } => {
            let node = state.nodes.get(&placement.node).map_or("", |node| node.name.as_str());
            let message = text::starts_now(language, node);
            v1::ExplainPlacementResponse {
                starts_now: true,
                node: node.to_owned(),
                message,
                verdicts,
            }
        }
        containers::Decision::Unplaceable { .. } => v1::ExplainPlacementResponse {
            starts_now: false,
            node: String::new(),
            message: words::explanation(language, why),
            verdicts,
        },
    }
}
