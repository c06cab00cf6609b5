//! The keys that a phone's keyboard lacks.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Escape,
    Tab,
    Up,
    Down,
    Right,
    Left,
}

impl Key {
    pub(crate) const ALL: [Key; 6] =
        [Key::Escape, Key::Tab, Key::Left, Key::Up, Key::Down, Key::Right];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Key::Escape => "Esc",
            Key::Tab => "Tab",
            Key::Up => "\u{2191}",
            Key::Down => "\u{2193}",
            Key::Right => "\u{2192}",
            Key::Left => "\u{2190}",
        }
    }

    /// What a terminal sends for it. Full-screen programs ask for another kind of arrow (DECCKM).
    pub(crate) fn sends(self, ctrl: Ctrl, cursor: Cursor) -> String {
        let arrow = |letter: char| match (ctrl, cursor) {
            (Ctrl::Held, Cursor::Normal | Cursor::Application) => format!("\x1b[1;5{letter}"),
            (Ctrl::Up, Cursor::Application) => format!("\x1bO{letter}"),
            (Ctrl::Up, Cursor::Normal) => format!("\x1b[{letter}"),
        };
        match self {
            Key::Escape => "\x1b".to_owned(),
            Key::Tab => "\t".to_owned(),
            Key::Up => arrow('A'),
            Key::Down => arrow('B'),
            Key::Right => arrow('C'),
            Key::Left => arrow('D'),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ctrl {
    Up,
    Held,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cursor {
    Normal,
    Application,
}

/// What a key sends while Ctrl is held: `None` where that is the key itself, as for a pasted text.
pub(crate) fn controlled(typed: &[u8]) -> Option<u8> {
    match typed {
        [letter @ (b'a'..=b'z' | b'A'..=b'Z')] => Some(letter.to_ascii_uppercase() - b'@'),
        [sign @ (b'@' | b'['..=b'_')] => Some(sign - b'@'),
        [b' ' | b'2'] => Some(0),
        [figure @ b'3'..=b'7'] => Some(figure - b'3' + 0x1b),
        [b'8' | b'?'] => Some(0x7f),
        [b'/'] => Some(0x1f),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_follow_the_mode() {
        assert_eq!(Key::Up.sends(Ctrl::Up, Cursor::Normal), "\x1b[A");
        assert_eq!(Key::Left.sends(Ctrl::Up, Cursor::Application), "\x1bOD");
        assert_eq!(Key::Right.sends(Ctrl::Held, Cursor::Normal), "\x1b[1;5C");
        assert_eq!(Key::Tab.sends(Ctrl::Held, Cursor::Normal), "\t");
        assert_eq!(Key::Escape.sends(Ctrl::Up, Cursor::Normal), "\x1b");
    }

    #[test]
    fn control_keys() {
        for (typed, expected) in [
            ("c", Some(3)),
            ("C", Some(3)),
            ("z", Some(26)),
            ("[", Some(27)),
            ("\\", Some(28)),
            (" ", Some(0)),
            ("@", Some(0)),
            ("3", Some(27)),
            ("7", Some(31)),
            ("?", Some(127)),
            ("/", Some(31)),
            ("1", None),
            ("あ", None),
            ("cd", None),
            ("", None),
            ("\x1b[A", None),
        ] {
            assert_eq!(controlled(typed.as_bytes()), expected, "{typed:?}");
        }
    }
}
