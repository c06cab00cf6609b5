//! The screen, as `web/lazy/terminal.js` gives it.

use berth_proto::v1::TerminalSize;
use js_sys::{Array, Function, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use web_sys::Element;

use super::{
    engine::{Command, Handle},
    keys::Cursor,
};

/// What the script puts into the page.
const SCRIPT: &str = "berthTerminal";
const SCROLLBACK: u32 = 10_000;
const FONT: &str = "ui-monospace, \"Cascadia Code\", Menlo, \"Noto Sans Mono CJK JP\", monospace";

/// What a person has chosen, and words in their language.
pub(crate) struct Settings {
    pub(crate) font_size: u32,
    pub(crate) screen_reader: ScreenReader,
    pub(crate) label: String,
    pub(crate) too_much: &'static str,
}

/// Whether what is printed is also put where a screen reader finds it. That slows the screen down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScreenReader {
    On,
    Off,
}

/// How what is written stands to what was printed before anybody looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Ordinary,
    EndOfHistory,
}

pub(crate) struct Screen {
    raw: JsValue,
    write: Function,
    // The screen calls them for as long as it is there.
    _typed: Closure<dyn FnMut(Vec<u8>)>,
    _sized: Closure<dyn FnMut(u32, u32)>,
    _parsed: Closure<dyn FnMut(u32)>,
    _left: Closure<dyn FnMut()>,
}

/// `typed` may change what was typed; `left` is called by the key that leaves the terminal.
pub(crate) fn open(
    element: &Element,
    settings: &Settings,
    handle: &Handle,
    typed: impl Fn(Vec<u8>) -> Vec<u8> + 'static,
    left: impl Fn() + 'static,
) -> Option<Screen> {
    let (to_type, to_size, to_draw) = (handle.clone(), handle.clone(), handle.clone());
    let on_typed = Closure::<dyn FnMut(Vec<u8>)>::new(move |bytes| {
        to_type.send(Command::Typed(typed(bytes)));
    });
    let on_sized = Closure::<dyn FnMut(u32, u32)>::new(move |_, _| to_size.send(Command::Sized));
    let on_parsed =
        Closure::<dyn FnMut(u32)>::new(move |bytes| to_draw.send(Command::Drawn(bytes)));
    let on_left = Closure::<dyn FnMut()>::new(left);
    let heard = object(&[
        ("typed", function(&on_typed)),
        ("sized", function(&on_sized)),
        ("parsed", function(&on_parsed)),
        ("left", function(&on_left)),
    ]);
    let settings = object(&[
        ("fontFamily", FONT.into()),
        ("fontSize", settings.font_size.into()),
        ("screenReader", (settings.screen_reader == ScreenReader::On).into()),
        ("scrollback", SCROLLBACK.into()),
        ("label", settings.label.as_str().into()),
        ("tooMuch", settings.too_much.into()),
    ]);
    let script = Reflect::get(&leptos::prelude::window(), &SCRIPT.into()).ok()?;
    let arguments = Array::of3(element, &settings, &heard);
    let raw = method(&script, "open")?.apply(&script, &arguments).ok()?;
    let write = method(&raw, "write")?;
    Some(Screen {
        raw,
        write,
        _typed: on_typed,
        _sized: on_sized,
        _parsed: on_parsed,
        _left: on_left,
    })
}

// None of the methods throws: `web/lazy/terminal.js` is ours.
impl Screen {
    /// Copies: the screen takes its time, and the program's memory moves.
    pub(super) fn write(&self, bytes: &[u8], part: Part) {
        let ends_history = JsValue::from_bool(part == Part::EndOfHistory);
        let _ = self.write.call2(&self.raw, &Uint8Array::from(bytes), &ends_history);
    }

    /// What follows was printed before: questions in it are not answered again.
    pub(super) fn begin_history(&self) {
        self.call("beginHistory", &Array::new());
    }

    pub(super) fn size(&self) -> TerminalSize {
        TerminalSize { columns: self.number("columns"), rows: self.number("rows") }
    }

    pub(crate) fn type_text(&self, text: &str) {
        self.call("type", &Array::of1(&text.into()));
    }

    pub(crate) fn cursor(&self) -> Cursor {
        let application = self.get("applicationCursor").is_truthy();
        if application { Cursor::Application } else { Cursor::Normal }
    }

    pub(crate) fn focus(&self) {
        self.call("focus", &Array::new());
    }

    pub(crate) fn set_font_size(&self, size: u32) {
        self.set("fontSize", &size.into());
    }

    pub(crate) fn set_screen_reader(&self, mode: ScreenReader) {
        self.set("screenReader", &(mode == ScreenReader::On).into());
    }

    /// Nobody reads any more what is typed.
    pub(crate) fn end(&self) {
        self.set("readOnly", &true.into());
    }

    fn call(&self, name: &str, arguments: &Array) {
        if let Some(function) = method(&self.raw, name) {
            let _ = function.apply(&self.raw, arguments);
        }
    }

    fn get(&self, name: &str) -> JsValue {
        Reflect::get(&self.raw, &name.into()).unwrap_or_default()
    }

    fn set(&self, name: &str, value: &JsValue) {
        let _ = Reflect::set(&self.raw, &name.into(), value);
    }

    /// Of columns or rows: within what a terminal may have.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    fn number(&self, name: &str) -> u32 {
        self.get(name).as_f64().unwrap_or(1.0).clamp(1.0, 1000.0) as u32
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.call("dispose", &Array::new());
    }
}

fn method(of: &JsValue, name: &str) -> Option<Function> {
    Reflect::get(of, &name.into()).ok()?.dyn_into().ok()
}

fn function<T: ?Sized>(closure: &Closure<T>) -> JsValue {
    closure.as_ref().unchecked_ref::<Function>().into()
}

fn object(pairs: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (key, value) in pairs {
        // Setting a property of a plain object does not fail.
        let _ = Reflect::set(&object, &JsValue::from_str(key), value);
    }
    object.into()
}
