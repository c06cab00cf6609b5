//! Colours of a terminal in text. What else a terminal obeys (its title, its clipboard, where the cursor is) goes.

use anstyle_parse::{Params, Parser, Perform};

/// The sixteen that every terminal has; finer ones are shown as the nearest of them, which can be read on light and dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Style {
    pub(crate) colour: Option<u8>,
    pub(crate) bold: bool,
    pub(crate) faint: bool,
    pub(crate) italic: bool,
    pub(crate) underlined: bool,
}

/// Of one stream: colours go on from line to line.
#[derive(Debug, Default)]
pub(crate) struct Painter {
    style: Style,
}

/// Text, and from which byte on it has which style.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Painted {
    pub(crate) text: String,
    pub(crate) styles: Vec<(usize, Style)>,
}

impl Painter {
    pub(crate) fn line(&mut self, bytes: &[u8]) -> Painted {
        let mut page = Page { style: self.style, painted: Painted::default() };
        if self.style != Style::default() {
            page.painted.styles.push((0, self.style));
        }
        // What a line has begun and not ended does not go on in the next.
        let mut parser = Parser::<anstyle_parse::Utf8Parser>::default();
        // What is no text is seen as such; the parser would leave it out.
        for byte in String::from_utf8_lossy(bytes).bytes() {
            parser.advance(&mut page, byte);
        }
        self.style = page.style;
        page.painted
    }
}

struct Page {
    style: Style,
    painted: Painted,
}

impl Page {
    fn paint(&mut self, style: Style) {
        if style == self.style {
            return;
        }
        self.style = style;
        let at = self.painted.text.len();
        self.painted.styles.retain(|(from, _)| *from < at);
        self.painted.styles.push((at, style));
    }
}

impl Perform for Page {
    fn print(&mut self, c: char) {
        if !c.is_control() && !is_turning(c) {
            self.painted.text.push(c);
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\t' => self.painted.text.push('\t'),
            // Progress bars write over their own line: what was there is gone.
            b'\r' => {
                let style = self.style;
                self.painted = Painted::default();
                if style != Style::default() {
                    self.painted.styles.push((0, style));
                }
            }
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: u8) {
        if action != b'm' || ignore || !intermediates.is_empty() {
            return;
        }
        // "38;2;1;2;3" and "38:2::1:2:3" say the same.
        let numbers: Vec<u16> = params.iter().flatten().copied().collect();
        let mut style = self.style;
        let mut rest = numbers.as_slice();
        while let Some((&number, after)) = rest.split_first() {
            rest = after;
            match number {
                0 => style = Style::default(),
                1 => style.bold = true,
                2 => style.faint = true,
                3 => style.italic = true,
                4 => style.underlined = true,
                22 => (style.bold, style.faint) = (false, false),
                23 => style.italic = false,
                24 => style.underlined = false,
                30..=37 => style.colour = small(number - 30),
                38 => style.colour = extended(&mut rest).or(style.colour),
                39 => style.colour = None,
                // A background of its own would need an own colour of text as well.
                48 => drop(extended(&mut rest)),
                90..=97 => style.colour = small(number - 90 + 8),
                _ => {}
            }
        }
        self.paint(style);
    }
}

/// Marks that turn the direction of what follows make a line say what it does not.
fn is_turning(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{061c}')
}

fn small(number: u16) -> Option<u8> {
    u8::try_from(number).ok()
}

fn extended(rest: &mut &[u16]) -> Option<u8> {
    match **rest {
        [5, number, ..] => {
            *rest = &rest[2..];
            Some(of_256(u8::try_from(number).ok()?))
        }
        [2, red, green, blue, ..] => {
            *rest = &rest[4..];
            Some(nearest([red, green, blue]))
        }
        _ => {
            *rest = &[];
            None
        }
    }
}

fn of_256(number: u8) -> u8 {
    match number {
        0..=15 => number,
        16..=231 => {
            let cube = u16::from(number - 16);
            nearest([cube / 36, cube / 6 % 6, cube % 6].map(|part| part * 51))
        }
        // Greys, of which there are few here.
        232..=243 => 8,
        244..=255 => 7,
    }
}

/// By which of red, green and blue are strong.
fn nearest(colour: [u16; 3]) -> u8 {
    let most = colour.into_iter().max().unwrap_or(0);
    let least = colour.into_iter().min().unwrap_or(0);
    if most < least + 40 {
        return if most < 128 { 8 } else { 7 };
    }
    let middle = u16::midpoint(most, least);
    let bit = |index: usize| u8::from(colour[index] > middle) << index;
    let named = bit(0) | bit(1) | bit(2);
    if most > 192 { named + 8 } else { named }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paint(text: &str) -> Painted {
        Painter::default().line(text.as_bytes())
    }

    fn coloured(colour: u8) -> Style {
        Style { colour: Some(colour), ..Style::default() }
    }

    #[test]
    fn colours() {
        let painted = paint("a\x1b[31mred\x1b[0m b \x1b[1;4mbold\x1b[22;24m.");
        assert_eq!(painted.text, "ared b bold.");
        let bold = Style { bold: true, underlined: true, ..Style::default() };
        assert_eq!(
            painted.styles,
            [(1, coloured(1)), (4, Style::default()), (7, bold), (11, Style::default())]
        );
        assert_eq!(paint("plain").styles, []);
        assert_eq!(paint("\x1b[91mx").styles, [(0, coloured(9))]);
    }

    #[test]
    fn finer_colours_are_the_nearest() {
        for (code, colour) in [
            ("38;5;1", 1),
            ("38;5;196", 9),
            ("38;5;22", 2),
            ("38;5;240", 8),
            ("38;2;200;60;60", 9),
            ("38:2:60:60:180", 4),
            ("38;2;230;230;60", 11),
            ("48;5;3;32", 2),
            ("48;2;1;2;3;32", 2),
        ] {
            assert_eq!(paint(&format!("\x1b[{code}mx")).styles, [(0, coloured(colour))], "{code}");
        }
        for bad in ["38", "38;5", "38;2;1", "38;9;1"] {
            assert_eq!(paint(&format!("\x1b[{bad}mx")).styles, [], "{bad}");
        }
    }

    #[test]
    fn they_go_on_in_the_next_line() {
        let mut painter = Painter::default();
        painter.line(b"\x1b[32mgreen");
        assert_eq!(painter.line(b"still").styles, [(0, coloured(2))]);
        assert_eq!(painter.line(b"\x1b[mno more").styles, [(0, Style::default())]);
        assert_eq!(painter.line(b"plain").styles, []);
    }

    #[test]
    fn nothing_else_is_obeyed() {
        for text in [
            "\x1b[2Jx",
            "\x1b[1;1Hx",
            "\x1b]0;title\x07x",
            "\x1b]52;c;aGk=\x1b\\x",
            "\x1b]8;;http://example.org\x1b\\x",
            "\x1bcx",
            "\x07x",
            "\x08x",
            "\x1b[?1049hx",
            "\u{9b}x",
            "\u{202e}x",
            "gone\rx",
        ] {
            assert_eq!(paint(text).text, "x", "{text:?}");
        }
        assert_eq!(paint("日本\t語 é").text, "日本\t語 é");
        assert_eq!(Painter::default().line(b"\xffx").text, "\u{fffd}x");
    }
}
