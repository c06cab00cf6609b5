//! A connection to the service, as somebody.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use berth_proto::v1::{
    app_service_client::AppServiceClient, auth_service_client::AuthServiceClient,
    container_service_client::ContainerServiceClient, exec_service_client::ExecServiceClient,
    file_service_client::FileServiceClient, forward_service_client::ForwardServiceClient,
    log_service_client::LogServiceClient, node_service_client::NodeServiceClient,
    usage_service_client::UsageServiceClient, volume_service_client::VolumeServiceClient,
};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

use crate::{
    NotSignedIn,
    settings::{Folder, Settings},
    text::LANGUAGE,
};

const CONNECT: Duration = Duration::from_secs(10);
/// A service that is gone without a word is noticed while `run` waits.
const KEEPALIVE: Duration = Duration::from_secs(20);

pub(crate) type As = InterceptedService<Channel, Metadata>;

/// What every call carries: the language, and the session if there is one.
#[derive(Clone)]
pub(crate) struct Metadata {
    authorization: Option<MetadataValue<Ascii>>,
}

impl Interceptor for Metadata {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        metadata.insert("accept-language", MetadataValue::from_static(LANGUAGE.tag()));
        if let Some(authorization) = &self.authorization {
            metadata.insert("authorization", authorization.clone());
        }
        Ok(request)
    }
}

#[derive(Clone)]
pub(crate) struct Client {
    channel: Channel,
    metadata: Metadata,
}

impl Client {
    /// To the service that was signed in to.
    pub(crate) fn signed_in() -> Result<Self> {
        let folder = Folder::find()?;
        let credentials = folder.credentials()?;
        let settings = folder.settings()?.ok_or(NotSignedIn)?;
        let authority = folder.authority()?.ok_or(NotSignedIn)?;
        Self::new(&settings, &authority, Some(&credentials.token))
    }

    pub(crate) fn new(settings: &Settings, authority: &str, token: Option<&str>) -> Result<Self> {
        let (host, _) = host_and_port(&settings.url)?;
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(authority))
            .domain_name(host);
        let channel = Endpoint::from_shared(settings.url.clone())
            .context("the service's address cannot be used")?
            .user_agent(concat!("berth/", env!("CARGO_PKG_VERSION")))?
            .tls_config(tls)
            .context("the service's certificate authority cannot be used")?
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(KEEPALIVE)
            .connect_lazy();
        let authorization = token
            .map(|token| MetadataValue::try_from(format!("Bearer {token}")))
            .transpose()
            .context("the saved session is damaged: sign in again")?;
        Ok(Self { channel, metadata: Metadata { authorization } })
    }

    pub(crate) fn apps(&self) -> AppServiceClient<As> {
        AppServiceClient::with_interceptor(self.channel.clone(), self.metadata.clone())
    }

    pub(crate) fn auth(&self) -> AuthServiceClient<As> {
        AuthServiceClient::with_interceptor(self.channel.clone(), self.metadata.clone())
    }

    pub(crate) fn containers(&self) -> ContainerServiceClient<As> {
        ContainerServiceClient::with_interceptor(self.channel.clone(), self.metadata.clone())
    }

    pub(crate) fn exec(&self) -> ExecServiceClient<As> {
        ExecServiceClient::with_interceptor(self.channel.clone(), self.metadata.clone())
    }

    pub(crate) fn files(&self) -> FileServiceClient<As> {
        FileServiceClient::with_interceptor(self.channel.clone(), self.metadata.clone())
    }

    pub(crate) fn forward(&self) -> ForwardServiceClient<As> {
        ForwardServiceClient::with_interceptor(self.channel.clone(), self.metadata.clone())
    }

    pub(crate) fn logs(&self) -> LogServiceClient<As> {
        LogServiceClient::with_interceptor(self.channel.clone(), self.metadata.clone())
    }

    pub(crate) fn usage(&self) -> UsageServiceClient<As> {
        UsageServiceClient::with_interceptor(self.channel.clone(), self.metadata.clone())
    }

    pub(crate) fn volumes(&self) -> VolumeServiceClient<As> {
        VolumeServiceClient::with_interceptor(self.channel.clone(), self.metadata.clone())
    }

    pub(crate) fn nodes(&self) -> NodeServiceClient<As> {
        NodeServiceClient::with_interceptor(self.channel.clone(), self.metadata.clone())
    }
}

/// What people type to what is kept: HTTPS, and our port where none is said.
pub(crate) fn normalize(url: &str) -> Result<String> {
    let url = url.trim().trim_end_matches('/');
    let rest = match url.split_once("://") {
        None => url,
        Some(("https", rest)) => rest,
        Some((scheme, _)) => bail!("the service speaks https, not {scheme}"),
    };
    let has_port = rest.rsplit_once(':').is_some_and(|(host, port)| {
        port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']'))
    });
    let url = if has_port { format!("https://{rest}") } else { format!("https://{rest}:8443") };
    host_and_port(&url)?;
    Ok(url)
}

pub(crate) fn host_and_port(url: &str) -> Result<(String, u16)> {
    let parsed = url
        .parse::<tonic::codegen::http::Uri>()
        .ok()
        .filter(|uri| {
            matches!(uri.path(), "" | "/") && uri.host().is_some_and(|host| !host.is_empty())
        })
        .and_then(|uri| Some((uri.host()?.trim_matches(['[', ']']).to_owned(), uri.port_u16()?)));
    parsed.with_context(|| format!("{url:?} is no address such as https://berth.example.edu:8443"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_people_type_them() {
        for (typed, kept) in [
            ("berth.example.edu", "https://berth.example.edu:8443"),
            (" https://berth.example.edu/ ", "https://berth.example.edu:8443"),
            ("https://berth.example.edu:443", "https://berth.example.edu:443"),
            ("127.0.0.1:18443", "https://127.0.0.1:18443"),
            ("[::1]:8443", "https://[::1]:8443"),
            ("[::1]", "https://[::1]:8443"),
        ] {
            assert_eq!(normalize(typed).unwrap(), kept);
        }
        for bad in ["", "http://berth.example.edu", "https://", "a b", "host/path"] {
            assert!(normalize(bad).is_err(), "{bad}");
        }
        assert_eq!(host_and_port("https://[::1]:1").unwrap(), ("::1".to_owned(), 1));
    }
}
