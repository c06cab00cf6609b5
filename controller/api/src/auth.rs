//! Signing in and out.

use std::sync::Arc;

use berth_app::{error::Error, ports::Password, sign_in::NewSession};
use berth_core::text::Language;
use berth_proto::{
    convert::{self, auth::user, duration, timestamp},
    v1::{self, auth_service_server::AuthService},
};
use tonic::{Request, Response, Status, metadata::MetadataValue};

use crate::{
    Api,
    caller::{Caller, Transport, answer, open},
    token::{clear_cookie, set_cookie},
};

#[tonic::async_trait]
impl AuthService for Api {
    async fn sign_in(
        &self,
        request: Request<v1::SignInRequest>,
    ) -> Result<Response<v1::SignInResponse>, Status> {
        let (caller, message) = open(request);
        let password = Password::new(message.password);
        let session =
            self.0.sign_in.sign_in(&message.account, password, &message.device, caller.peer).await;
        session
            .and_then(|session| self.signed_in(&caller, session))
            .map_err(|error| caller.status(&error))
    }

    async fn sign_out(
        &self,
        request: Request<v1::SignOutRequest>,
    ) -> Result<Response<v1::SignOutResponse>, Status> {
        let mut response = answer(request, |caller: Arc<Caller>, _| async move {
            self.0.sign_in.sign_out(caller.actor()?).await?;
            Ok(v1::SignOutResponse {})
        })
        .await?;
        let cookie = MetadataValue::try_from(clear_cookie()).expect("an ASCII constant");
        response.metadata_mut().insert("set-cookie", cookie);
        Ok(response)
    }

    async fn get_self(
        &self,
        request: Request<v1::GetSelfRequest>,
    ) -> Result<Response<v1::GetSelfResponse>, Status> {
        answer(request, |caller: Arc<Caller>, _| async move {
            let user = Some(user(&caller.actor()?.user));
            Ok(v1::GetSelfResponse { user, site: Some(self.site(caller.language)) })
        })
        .await
    }
}

impl Api {
    /// A browser keeps its token where no script can read it; everybody else gets it to keep.
    fn signed_in(
        &self,
        caller: &Caller,
        session: NewSession,
    ) -> Result<Response<v1::SignInResponse>, Error> {
        let NewSession { token, expires_at, user: who } = session;
        let mut response = Response::new(v1::SignInResponse {
            token: String::new(),
            expire_time: Some(timestamp(expires_at)),
            user: Some(user(&who)),
        });
        match caller.transport {
            Transport::Native => response.get_mut().token = token,
            Transport::Web => {
                let lifetime = expires_at.since(self.0.clock.now());
                let cookie = set_cookie(&token, lifetime.as_secs());
                let cookie = MetadataValue::try_from(cookie).map_err(Error::internal)?;
                response.metadata_mut().insert("set-cookie", cookie);
            }
        }
        Ok(response)
    }

    fn site(&self, language: Language) -> v1::Site {
        let (site, limits) = (&self.0.site, &self.0.limits);
        v1::Site {
            name: site.name.clone(),
            default_lease: Some(duration(limits.default_lease)),
            maximum_lease: Some(duration(limits.maximum_lease)),
            containers_per_person: u32::try_from(self.0.rules.containers_per_person)
                .unwrap_or(u32::MAX),
            default_cpu_millis: limits.default_resources.cpu_millis,
            default_memory_bytes: limits.default_resources.memory_bytes,
            maximum_cpu_millis: limits.maximum_resources.cpu_millis,
            maximum_memory_bytes: limits.maximum_resources.memory_bytes,
            maximum_gpus: limits.maximum_gpus,
            starter_image: site.starter_image.clone(),
            version: site.version.clone(),
            raw_ports: convert::auth::raw_ports(limits.raw_ports).into(),
            presets: site.presets.iter().map(|p| convert::auth::preset(p, language)).collect(),
        }
    }
}
