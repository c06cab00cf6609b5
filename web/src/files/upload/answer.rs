//! What the controller says to a slice.

/// The few answers that there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is in its place.
    Done,
    /// So much of it is there; also where another position was expected.
    Position(u64),
    /// Nothing was said, or nothing that decides anything: once more, a little later.
    Broken,
    /// What came together is not what was sent.
    Garbled(String),
    /// It will not be taken; and why.
    Refused(String),
    SignedOut,
}

pub(super) fn read(status: u16, body: &str) -> Answer {
    let body = body.trim();
    match status {
        200 | 409 => match (number(body, "position"), body.contains("\"done\":true")) {
            (_, true) => Answer::Done,
            (Some(position), false) => Answer::Position(position),
            // Something between the two that is not the controller.
            (None, false) if status == 200 => Answer::Broken,
            (None, false) => Answer::Refused(body.to_owned()),
        },
        401 => Answer::SignedOut,
        422 => Answer::Garbled(body.to_owned()),
        400..=499 if status != 408 && status != 429 => Answer::Refused(body.to_owned()),
        507 => Answer::Refused(body.to_owned()),
        _ => Answer::Broken,
    }
}

/// `{"position":5,"done":false}` is all that there is to read.
fn number(body: &str, field: &str) -> Option<u64> {
    let (_, rest) = body.split_once(&format!("\"{field}\":"))?;
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let refused = |text: &str| Answer::Refused(text.to_owned());
        for (status, body, expected) in [
            (200, r#"{"position":8388608,"done":false}"#, Answer::Position(8_388_608)),
            (200, r#"{"position":9,"done":true}"#, Answer::Done),
            (409, r#"{"position":0,"done":false}"#, Answer::Position(0)),
            (409, "\"web\" is there already.\n", refused("\"web\" is there already.")),
            (200, "<html>", Answer::Broken),
            (0, "", Answer::Broken),
            (503, "later", Answer::Broken),
            (500, "", Answer::Broken),
            (429, "", Answer::Broken),
            (401, "", Answer::SignedOut),
            (404, "gone", refused("gone")),
            (412, "no", refused("no")),
            (507, "full", refused("full")),
            (422, "differs", Answer::Garbled("differs".to_owned())),
        ] {
            assert_eq!(read(status, body), expected, "{status} {body}");
        }
    }
}
