//! The console: a page in the browser that speaks gRPC-web to the controller it was served by.
#![allow(unreachable_pub, reason = "the component macro makes its items public")]

mod api;
mod app;
mod components;
mod erased;
mod files;
mod graphs;
mod i18n;
mod logs;
mod pages;
mod parts;
mod routes;
mod state;
mod terminal;
mod text;
mod time;

fn main() {
    std::panic::set_hook(Box::new(|panic| {
        web_sys::console::error_1(&panic.to_string().into());
    }));
    state::preferences::apply();
    if let Some(placeholder) =
        web_sys::window().and_then(|w| w.document()).and_then(|d| d.get_element_by_id("boot"))
    {
        placeholder.remove();
    }
    leptos::mount::mount_to_body(app::App);
}
