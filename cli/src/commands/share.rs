//! `berth url` and `berth share`: containers' ports in a browser, one's own and others'.

use std::time::Duration;

use anyhow::{Result, bail};
use berth_proto::v1;
use clap::Args;

use crate::{
    client::Client,
    output::{moment, note, printable, say, table},
    text,
};

/// What stands for the port in the addresses that the service gives.
const PLACEHOLDER: &str = "{port}";
const PAGE: u32 = 500;

#[derive(Debug, Args)]
pub(crate) struct Url {
    /// The container's name, or its id
    name: String,
    /// Any port that a program inside listens on; without it all that were asked for
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Whose it is (administrators)
    #[arg(long, default_value = "")]
    owner: String,
}

/// With a port: makes a link that opens it to whoever has the link, and prints it this one time.
#[derive(Debug, Args)]
pub(crate) struct Share {
    /// The container's name, or its id
    name: String,
    /// What the program inside listens on
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// How long the link lives: 30m, 8h, 2d
    #[arg(long = "for", value_parser = humantime::parse_duration)]
    lifetime: Option<Duration>,
    /// Shows the links that there are
    #[arg(short, long, conflicts_with_all = ["port", "lifetime", "delete"])]
    list: bool,
    /// Takes a link back, by the id that --list shows
    #[arg(short, long, value_name = "ID", conflicts_with_all = ["port", "lifetime"])]
    delete: Option<String>,
    /// Whose it is (administrators)
    #[arg(long, default_value = "")]
    owner: String,
}

impl Url {
    pub(crate) async fn run(self) -> Result<()> {
        let Self { name, port, owner } = self;
        let get = v1::GetContainerRequest { name, owner };
        let container = Client::signed_in()?.containers().get_container(get).await?.into_inner();
        let Some(port) = port else {
            for endpoint in &container.endpoints {
                say(&format!("{} {}", endpoint.guest_port, printable(&endpoint.url)))?;
            }
            return Ok(());
        };
        match url(&container, port) {
            Some(url) => say(&printable(&url)),
            None => bail!(text::no_address(port)),
        }
    }
}

/// By the container's own name where the site has such names, and by its port of the blade elsewhere.
fn url(container: &v1::Container, port: u16) -> Option<String> {
    if !container.app_url_template.is_empty() {
        return Some(container.app_url_template.replace(PLACEHOLDER, &port.to_string()));
    }
    let endpoint = container.endpoints.iter().find(|e| e.guest_port == u32::from(port));
    endpoint.map(|endpoint| endpoint.url.clone())
}

impl Share {
    pub(crate) async fn run(self) -> Result<()> {
        let Self { name, port, lifetime, list, delete, owner } = self;
        let mut client = Client::signed_in()?.apps();
        match (port, delete) {
            (_, Some(id)) => {
                let request = v1::DeleteShareLinkRequest { name, owner, id: id.clone() };
                client.delete_share_link(request).await?;
                say(&text::deleted(&id))
            }
            (Some(port), None) => {
                let lifetime = lifetime.map(berth_proto::convert::duration);
                let port = port.into();
                let request = v1::CreateShareLinkRequest { name, owner, port, lifetime };
                let made = client.create_share_link(request).await?.into_inner();
                let ends = made.share_link.and_then(|link| link.expire_time);
                note(&text::link_made(&moment(ends.as_ref())))?;
                say(&printable(&made.url))
            }
            (None, None) if list => {
                let links = links(client, name, owner).await?;
                if links.is_empty() {
                    return note(text::no_links());
                }
                let header = ["ID", "PORT", "ENDS", "MADE BY"];
                let mut lines = vec![header.map(str::to_owned).to_vec()];
                lines.extend(links.iter().map(line));
                say(table(&lines).trim_end())
            }
            (None, None) => bail!(text::which_port()),
        }
    }
}

async fn links(
    mut client: v1::app_service_client::AppServiceClient<crate::client::As>,
    name: String,
    owner: String,
) -> Result<Vec<v1::ShareLink>> {
    let mut links = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListShareLinksRequest {
            name: name.clone(),
            owner: owner.clone(),
            page_size: PAGE,
            page_token,
        };
        let page = client.list_share_links(request).await?.into_inner();
        links.extend(page.share_links);
        if page.next_page_token.is_empty() {
            return Ok(links);
        }
        page_token = page.next_page_token;
    }
}

fn line(link: &v1::ShareLink) -> Vec<String> {
    let port = link.port.to_string();
    [&link.id, &port, &moment(link.expire_time.as_ref()), &link.creator]
        .map(|cell| printable(cell))
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let endpoint = v1::Endpoint {
            guest_port: 80,
            url: "http://blade:20000/".into(),
            ..Default::default()
        };
        let raw = v1::Container { endpoints: vec![endpoint], ..Default::default() };
        assert_eq!(url(&raw, 80).unwrap(), "http://blade:20000/");
        assert_eq!(url(&raw, 81), None);
        let named =
            v1::Container { app_url_template: "https://{port}-web-x.apps.test/".into(), ..raw };
        // Any port, whether it was asked for or not.
        assert_eq!(url(&named, 80).unwrap(), "https://80-web-x.apps.test/");
        assert_eq!(url(&named, 81).unwrap(), "https://81-web-x.apps.test/");
    }
}
