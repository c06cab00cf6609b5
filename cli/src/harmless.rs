//! What programs print, for a terminal: text and colours. What else a terminal obeys (its title, its clipboard, where the
//! cursor is) stays away.

use std::fmt::Write as _;

use anstyle_parse::{Params, Parser, Perform};

/// Of one stream.
#[derive(Default)]
pub(crate) struct Filter {
    parser: Parser,
    shown: Shown,
}

#[derive(Default)]
struct Shown {
    text: String,
    coloured: bool,
}

impl Filter {
    /// A piece of a line, without an end of line.
    pub(crate) fn piece(&mut self, bytes: &[u8]) -> String {
        for byte in bytes {
            self.parser.advance(&mut self.shown, *byte);
        }
        std::mem::take(&mut self.shown.text)
    }

    /// What a line has begun and not ended does not go on in the next. Colours do.
    pub(crate) fn end_of_line(&mut self) {
        self.parser = Parser::default();
    }

    /// Whether the terminal is left with colours.
    pub(crate) fn is_coloured(&self) -> bool {
        self.shown.coloured
    }
}

/// Undoes colours.
pub(crate) const PLAIN: &str = "\x1b[m";

impl Perform for Shown {
    fn print(&mut self, c: char) {
        if !c.is_control() {
            self.text.push(c);
        }
    }

    fn execute(&mut self, byte: u8) {
        // Progress bars return to the beginning of their own line.
        if matches!(byte, b'\t' | b'\r') {
            self.text.push(char::from(byte));
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: u8) {
        if action != b'm' || ignore || !intermediates.is_empty() {
            return;
        }
        self.text.push_str("\x1b[");
        for (index, param) in params.iter().enumerate() {
            if index > 0 {
                self.text.push(';');
            }
            for (index, number) in param.iter().enumerate() {
                let colon = if index > 0 { ":" } else { "" };
                // A string takes everything.
                let _ = write!(self.text, "{colon}{number}");
            }
        }
        self.text.push('m');
        self.coloured = params.iter().any(|param| param != [0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        Filter::default().piece(text.as_bytes())
    }

    #[test]
    fn text_and_colours_pass() {
        for text in
            ["plain", "\ttab 日本語 é", "10%\r20%", "\x1b[1;31mred\x1b[0m", "\x1b[38:2:1:2:3mx"]
        {
            assert_eq!(of(text), text);
        }
        assert_eq!(of("\x1b[mx"), "\x1b[0mx");
    }

    #[test]
    fn nothing_else_is_obeyed() {
        for text in [
            "\x1b[2Jx",
            "\x1b[1;1Hx",
            "\x1b]0;title\x07x",
            "\x1b]52;c;aGk=\x1b\\x",
            "\x1bcx",
            "\x07x",
            "\x08x",
            "\x1b[?1049hx",
            "\x1b[6nx",
            "\x1bP1$qm\x1b\\x",
            "\u{9b}x",
            "\x1b[>4;1mx",
            "\x1b#8x",
        ] {
            assert_eq!(of(text), "x", "{text:?}");
        }
    }

    #[test]
    fn pieces_and_lines() {
        let mut filter = Filter::default();
        assert_eq!(filter.piece(b"a\x1b[3"), "a");
        assert_eq!(filter.piece(b"2mb"), "\x1b[32mb");
        assert!(filter.is_coloured());
        assert_eq!(filter.piece(b"\x1b]0;never ended"), "");
        filter.end_of_line();
        assert_eq!(filter.piece(b"next\x1b[0m"), "next\x1b[0m");
        assert!(!filter.is_coloured());
        // What is no text is nothing.
        assert_eq!(filter.piece(b"a\xffb"), "ab");
    }
}
