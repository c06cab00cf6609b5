//! Fetches the screen's script and style when a terminal is opened, and not before.

use js_sys::Promise;
use leptos::prelude::*;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Element, HtmlLinkElement, HtmlScriptElement};

use crate::{api::Error, time};

/// Where the start page says that they are.
const PLACES: &str = "meta[name=berth-terminal]";
const ATTEMPTS: u32 = 4;

/// Once per page, however often it is called.
pub(crate) async fn load() -> Result<(), Error> {
    let (script, style) = places().ok_or(Error::Garbled)?;
    for attempt in 1.. {
        match fetch(&script, &style).await {
            // A change of the network cuts off whatever is on its way: once more helps.
            Err(()) if attempt < ATTEMPTS => time::sleep(time::jittered(300 * attempt)).await,
            Err(()) => break,
            Ok(()) => return Ok(()),
        }
    }
    Err(Error::Network)
}

fn places() -> Option<(String, String)> {
    let meta = document().query_selector(PLACES).ok()??;
    let content = meta.get_attribute("content")?;
    let (script, style) = content.split_once(' ')?;
    Some((script.to_owned(), style.to_owned()))
}

async fn fetch(script: &str, style: &str) -> Result<(), ()> {
    let here = |css: String| document().query_selector(&css).ok().flatten().is_some();
    if !here(format!("link[href='{style}']")) {
        let link: HtmlLinkElement = element("link")?;
        link.set_rel("stylesheet");
        link.set_href(style);
        settled(&link).await?;
    }
    if !here(format!("script[src='{script}']")) {
        let element: HtmlScriptElement = element("script")?;
        element.set_src(script);
        settled(&element).await?;
    }
    Ok(())
}

fn element<T: wasm_bindgen::JsCast>(name: &str) -> Result<T, ()> {
    document().create_element(name).map_err(drop)?.dyn_into().map_err(drop)
}

/// Puts it into the page; out again if it cannot be fetched, so that the next attempt is one.
async fn settled(element: &Element) -> Result<(), ()> {
    let loaded = Promise::new(&mut |resolve, reject| {
        for (event, function) in [("load", resolve), ("error", reject)] {
            // The events of an element that has just been made: listening does not fail.
            let _ = element.add_event_listener_with_callback(event, &function);
        }
    });
    let head = document().head().ok_or(())?;
    head.append_child(element).map_err(drop)?;
    JsFuture::from(loaded).await.map(drop).map_err(|_: JsValue| element.remove())
}
