//! How a line looks: its colours and what was searched for.

use leptos::prelude::document;
use web_sys::{Element, Node};

use crate::{
    i18n,
    logs::{Entry, Line, Note, Stream, Style, matches},
    text, time,
};

use super::sheet::Look;

/// Nothing where the line is not looked for.
pub(super) fn row(entry: &Entry, look: &Look) -> Option<Element> {
    match entry {
        Entry::Line(line) => line_row(line, look),
        Entry::Note(note) => note_row(*note),
    }
}

fn note_row(note: Note) -> Option<Element> {
    let (class, words) = match note {
        Note::Back(after) => ("log-note ok", text::logs_back(time::span(after.into()))),
        Note::Skipped => ("log-note wait", text::logs_skipped().to_owned()),
        Note::Ended => ("log-note", text::logs_ended_here().to_owned()),
    };
    let row = element("div", class)?;
    row.set_text_content(Some(&words));
    Some(row)
}

fn line_row(line: &Line, look: &Look) -> Option<Element> {
    let found = matches(&line.text, &look.search);
    if look.only && found.is_empty() && !look.search.is_empty() {
        return None;
    }
    let is_error = line.stream == Stream::Error;
    let row = element("div", if is_error { "log-line error" } else { "log-line" })?;
    if look.times
        && let Some(at) = &line.time
    {
        let cell = element("span", "log-time")?;
        cell.set_text_content(Some(&time::stamp(at)));
        append(&row, &cell);
    }
    if is_error {
        let mark = element("span", "log-mark")?;
        // Setting well-formed attributes does not fail.
        let _ = mark.set_attribute("title", text::logs_error_stream());
        append(&row, &mark);
    }
    let words = element("span", "log-text")?;
    if line.styles.is_empty() && found.is_empty() {
        words.set_text_content(Some(&line.text));
    } else {
        for segment in segments(&line.text, &line.styles, &found) {
            append(&words, &piece(&line.text, segment)?);
        }
    }
    if line.cut {
        let cut = element("span", "log-cut")?;
        cut.set_text_content(Some(text::logs_cut()));
        append(&words, &cut);
    }
    append(&row, &words);
    Some(row)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    from: usize,
    to: usize,
    style: Style,
    found: bool,
}

/// The line cut wherever its style changes or a match begins or ends. Matches with more than one style come in pieces.
fn segments(text: &str, styles: &[(usize, Style)], found: &[(usize, usize)]) -> Vec<Segment> {
    let mut cuts: Vec<usize> = styles.iter().map(|(at, _)| *at).collect();
    cuts.extend(found.iter().flat_map(|(from, to)| [*from, *to]));
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    cuts.dedup();
    cuts.windows(2)
        .filter_map(|cut| match *cut {
            [from, to] => Some((from, to)),
            _ => None,
        })
        .map(|(from, to)| Segment {
            from,
            to,
            style: styles
                .iter()
                .rev()
                .find(|(at, _)| *at <= from)
                .map_or_else(Style::default, |(_, style)| *style),
            found: found.iter().any(|(begin, end)| *begin <= from && to <= *end),
        })
        .collect()
}

fn piece(text: &str, segment: Segment) -> Option<Node> {
    // Cuts are where characters begin: styles begin between them, and what was found is whole characters.
    let words = text.get(segment.from..segment.to).unwrap_or_default();
    let class = class(segment.style);
    if class.is_empty() && !segment.found {
        return Some(document().create_text_node(words).into());
    }
    let piece = element(if segment.found { "mark" } else { "span" }, &class)?;
    piece.set_text_content(Some(words));
    Some(piece.into())
}

/// By classes: the page's policy knows no styles in the text.
fn class(style: Style) -> String {
    let mut class = style.colour.map_or_else(String::new, |colour| format!("c{colour} "));
    for (is_so, word) in
        [(style.bold, "b "), (style.faint, "f "), (style.italic, "i "), (style.underlined, "u ")]
    {
        if is_so {
            class.push_str(word);
        }
    }
    class
}

pub(super) fn element(name: &str, class: &str) -> Option<Element> {
    // Elements with a known name can always be made.
    let element = document().create_element(name).ok()?;
    if !class.is_empty() {
        element.set_class_name(class);
    }
    if name == "div" && class.starts_with("log-note") {
        // A voice for its language: the lines around it have none.
        let _ = element.set_attribute("lang", i18n::language_untracked().tag());
    }
    Some(element)
}

pub(super) fn append(to: &Element, what: &Node) {
    // An element takes what is not above it.
    let _ = to.append_child(what);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(styles: &[(usize, Style)], found: &[(usize, usize)]) -> Vec<(usize, usize, bool, bool)> {
        segments("0123456789", styles, found)
            .into_iter()
            .map(|s| (s.from, s.to, s.style.bold, s.found))
            .collect()
    }

    #[test]
    fn colours_and_matches() {
        let bold = Style { bold: true, ..Style::default() };
        let styles = [(2, bold), (6, Style::default())];
        assert_eq!(
            cut(&styles, &[]),
            [(0, 2, false, false), (2, 6, true, false), (6, 10, false, false)]
        );
        assert_eq!(
            cut(&styles, &[(4, 8)]),
            [
                (0, 2, false, false),
                (2, 4, true, false),
                (4, 6, true, true),
                (6, 8, false, true),
                (8, 10, false, false)
            ]
        );
        assert_eq!(cut(&[], &[(0, 10)]), [(0, 10, false, true)]);
        assert_eq!(segments("", &[(0, bold)], &[]), []);
    }

    #[test]
    fn classes() {
        let style = Style { colour: Some(9), bold: true, underlined: true, ..Style::default() };
        assert_eq!(class(style), "c9 b u ");
        assert_eq!(class(Style::default()), "");
    }
}
