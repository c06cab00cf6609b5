//! The lines on the page, put there by hand: so many at most, in parts that come and go as a whole.

use std::collections::VecDeque;

use leptos::prelude::document;
use wasm_bindgen::JsCast as _;
use web_sys::{
    Element, HtmlCollection, HtmlDivElement, ScrollIntoViewOptions, ScrollLogicalPosition,
};

use super::rows::{append, element, row};
use crate::logs::Buffer;

/// Lines in one part.
const PART: u64 = 100;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Look {
    pub(super) times: bool,
    pub(super) only: bool,
    pub(super) search: String,
}

#[derive(Default)]
pub(super) struct Sheet {
    /// What is shown.
    pub(super) held: Buffer,
    /// What has come since.
    pub(super) waiting: Buffer,
    look: Look,
    element: Option<HtmlDivElement>,
    parts: VecDeque<(u64, Element)>,
    /// The number of the first line that is not drawn.
    next: u64,
    /// Where the end was when it was last gone to, in pixels.
    pub(super) top: i32,
}

impl Sheet {
    pub(super) fn show_in(&mut self, element: HtmlDivElement) {
        self.element = Some(element);
        self.draw_anew();
    }

    pub(super) fn look_like(&mut self, look: Look) {
        self.look = look;
        self.draw_anew();
    }

    pub(super) fn clear(&mut self) {
        self.held.clear();
        self.waiting.clear();
        self.draw_anew();
    }

    /// What waited comes behind what is there, and the oldest go.
    pub(super) fn draw(&mut self) {
        self.held.take(&mut self.waiting);
        let gone = self.held.gone();
        if self.next < gone {
            self.remove_parts();
            self.next = gone;
        }
        while let Some((_, part)) = self.parts.pop_front_if(|(part, _)| (*part + 1) * PART <= gone)
        {
            part.remove();
        }
        let Some(element) = &self.element else { return };
        for entry in self.held.starting_at(self.next) {
            let number = self.next / PART;
            if self.parts.back().is_none_or(|(last, _)| *last != number) {
                let Some(part) = self::element("div", "log-part") else { return };
                append(element, &part);
                self.parts.push_back((number, part));
            }
            if let Some((_, part)) = self.parts.back()
                && let Some(row) = row(entry, &self.look)
            {
                append(part, &row);
            }
            self.next += 1;
        }
    }

    fn draw_anew(&mut self) {
        self.remove_parts();
        self.next = self.held.gone();
        let mut waiting = std::mem::take(&mut self.waiting);
        self.draw();
        std::mem::swap(&mut self.waiting, &mut waiting);
    }

    fn remove_parts(&mut self) {
        for (_, part) in self.parts.drain(..) {
            part.remove();
        }
    }

    pub(super) fn go_to_end(&mut self) {
        if let Some(element) = &self.element {
            element.set_scroll_top(element.scroll_height());
            self.top = element.scroll_top();
        }
    }

    fn marks(&self) -> Option<HtmlCollection> {
        self.element.as_ref().map(|element| element.get_elements_by_tag_name("mark"))
    }

    pub(super) fn matches(&self) -> usize {
        self.marks().map_or(0, |marks| marks.length() as usize)
    }

    /// The newest, which is the nearest to where one is; it is not gone to. From 1, of how many.
    pub(super) fn first_match(&mut self) -> (usize, usize) {
        let count = self.matches();
        self.mark_current(count);
        (count, count)
    }

    /// So many matches on, around the end.
    pub(super) fn go(&mut self, by: isize) -> (usize, usize) {
        let Some(marks) = self.marks() else { return (0, 0) };
        let count = marks.length() as usize;
        if count == 0 {
            return (0, 0);
        }
        let here =
            (0..marks.length()).find(|at| is_current(&marks, *at)).map_or(0, |at| at as usize);
        let at = (here + count).saturating_add_signed(by) % count;
        self.mark_current(at + 1);
        if let Some(mark) = u32::try_from(at).ok().and_then(|at| marks.item(at)) {
            let options = ScrollIntoViewOptions::new();
            options.set_block(ScrollLogicalPosition::Center);
            options.set_inline(ScrollLogicalPosition::Nearest);
            mark.scroll_into_view_with_scroll_into_view_options(&options);
        }
        (at + 1, count)
    }

    fn mark_current(&self, number: usize) {
        let Some(marks) = self.marks() else { return };
        for at in 0..marks.length() {
            if let Some(mark) = marks.item(at) {
                // Changing a class by a well-formed word does not fail.
                let _ = mark.class_list().toggle_with_force("here", at as usize + 1 == number);
            }
        }
    }
}

fn is_current(marks: &HtmlCollection, at: u32) -> bool {
    marks.item(at).is_some_and(|mark| mark.class_list().contains("here"))
}

/// Without the page's help, as text: a browser saves it.
pub(super) fn save(name: &str, address: &str) {
    let Some(link) = element("a", "") else { return };
    let link: web_sys::HtmlAnchorElement = link.unchecked_into();
    link.set_href(address);
    link.set_download(name);
    if let Some(body) = document().body() {
        append(&body, &link);
        link.click();
        link.remove();
    }
}
