//! Where a container answers.

use berth_proto::v1::Endpoint;
use leptos::prelude::*;

use super::{
    copy::CopyButton,
    icon::{Glyph, Icon},
};
use crate::text;

/// The port of a blade; empty where the site gives none.
fn address(endpoint: &Endpoint) -> String {
    if endpoint.host.is_empty() {
        return String::new();
    }
    // An IPv6 address is bracketed beside a port.
    if endpoint.host.contains(':') {
        format!("[{}]:{}", endpoint.host, endpoint.host_port)
    } else {
        format!("{}:{}", endpoint.host, endpoint.host_port)
    }
}

/// A link where a browser can open it, else the address.
#[component]
pub(crate) fn EndpointLink(endpoint: Endpoint) -> impl IntoView {
    let address = address(&endpoint);
    if endpoint.url.is_empty() {
        view! { <code>{address}</code> }.into_any()
    } else {
        let port = endpoint.guest_port;
        view! {
            <a
                class="endpoint"
                href=endpoint.url
                target="_blank"
                rel="noopener noreferrer"
                aria-label=move || text::open_port(port)
            >
                <span>{format!(":{port}")}</span>
                <Glyph icon=Icon::External />
            </a>
        }
        .into_any()
    }
}

#[component]
pub(crate) fn EndpointList(#[prop(into)] endpoints: Signal<Vec<Endpoint>>) -> impl IntoView {
    view! {
        <ul class="endpoints">
            {move || {
                endpoints
                    .get()
                    .into_iter()
                    .map(|endpoint| {
                        let address = address(&endpoint);
                        let copied =
                            if endpoint.url.is_empty() { address.clone() } else { endpoint.url.clone() };
                        // Beside an https name, what does not speak HTTP is reached so.
                        let raw = (!address.is_empty() && !endpoint.url.contains(&address)
                            && !endpoint.url.is_empty())
                        .then(|| view! { <code class="muted">{address}</code> });
                        let shown = if endpoint.url.is_empty() {
                            view! { <code>{copied.clone()}</code> }.into_any()
                        } else {
                            view! {
                                <a
                                    href=endpoint.url.clone()
                                    target="_blank"
                                    rel="noopener noreferrer"
                                >
                                    <span>{endpoint.url.clone()}</span>
                                    <Glyph icon=Icon::External />
                                    <span class="unseen">{text::new_tab}</span>
                                </a>
                            }
                            .into_any()
                        };
                        view! {
                            <li>
                                <span class="muted">
                                    {move || text::guest_port_number(endpoint.guest_port)}
                                </span>
                                {shown}
                                {raw}
                                <CopyButton value=Signal::stored(copied.clone()) what=Signal::stored(copied) />
                            </li>
                        }
                    })
                    .collect_view()
            }}
        </ul>
    }
}
