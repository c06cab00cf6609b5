use berth_core::relay::LogStream::{Stderr, Stdout};
use proptest::prelude::*;

use super::*;

const BASE: i64 = 1_795_000_000_000_000_000;

fn stamp(nanos: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(BASE + nanos)).unwrap();
    let (date, time) = (moment.date(), moment.time());
    format!(
        "{}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z ",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        moment.nanosecond()
    )
}

fn message(nanos: i64, text: &[u8]) -> Vec<u8> {
    [stamp(nanos).as_bytes(), text].concat()
}

/// Each message as a whole, with its end known.
fn framed(messages: &[(LogStream, Vec<u8>)]) -> Vec<LogLine> {
    let (mut splitter, mut lines) = (Splitter::default(), VecDeque::new());
    for (stream, bytes) in messages {
        splitter.push(*stream, bytes, &mut lines);
        splitter.end(*stream, &mut lines);
    }
    lines.into()
}

/// As a terminal's: messages are known by their moments alone.
fn raw(pieces: &[&[u8]]) -> Vec<LogLine> {
    let (mut splitter, mut lines) = (Splitter::default(), VecDeque::new());
    for piece in pieces {
        splitter.may_begin(Stdout);
        splitter.push(Stdout, piece, &mut lines);
    }
    splitter.end(Stdout, &mut lines);
    lines.into()
}

fn shown(lines: &[LogLine]) -> Vec<(i64, u32, LogStream, usize, Rest)> {
    let of = |line: &LogLine| {
        let LogPosition { moment, index } = line.position;
        (moment.0 - BASE, index, line.stream, line.text.len(), line.rest)
    };
    lines.iter().map(of).collect()
}

#[test]
fn moments() {
    assert_eq!(moment(b"1970-01-01T00:00:01.000000002Z"), Some(Moment(1_000_000_002)));
    assert_eq!(moment(b"1970-01-01T09:00:01.5+09:00"), Some(Moment(1_500_000_000)));
    for bad in ["", "1970-01-01", "1970-13-01T00:00:00Z", "9999-01-01T00:00:00Z"] {
        assert_eq!(moment(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn a_long_line_with_both_drivers() {
    let full = vec![b'x'; TEXT_MAXIMUM];
    for last in [&b"tail\n"[..], b"tail"] {
        let lines = framed(&[
            (Stdout, message(5, &full)),
            (Stdout, message(5, &full)),
            (Stderr, message(4, b"err\n")),
            (Stdout, message(5, last)),
            (Stdout, message(9, b"next\n")),
        ]);
        assert_eq!(
            shown(&lines),
            [
                (5, 0, Stdout, TEXT_MAXIMUM, Rest::Follows),
                (5, 1, Stdout, TEXT_MAXIMUM, Rest::Follows),
                (5, 2, Stderr, 3, Rest::Whole),
                (5, 3, Stdout, 4, Rest::Whole),
                (9, 0, Stdout, 4, Rest::Whole),
            ]
        );
    }
    // Its length is that of its pieces, to the byte.
    for last in [&b"\n"[..], b""] {
        let lines = framed(&[(Stdout, message(5, &full)), (Stdout, message(5, last))]);
        let expected =
            [(5, 0, Stdout, TEXT_MAXIMUM, Rest::Follows), (5, 1, Stdout, 0, Rest::Whole)];
        assert_eq!(shown(&lines), expected);
        let first = message(5, &full);
        assert_eq!(shown(&raw(&[&first, &message(5, last)])), expected);
    }
}

#[test]
fn what_is_no_message_is_text() {
    let lines = framed(&[(Stdout, b"2026-11-22 no moment".to_vec()), (Stdout, message(1, b"x\n"))]);
    assert_eq!(lines[0].text, "2026-11-22 no moment");
    assert_eq!(lines[1].text, "x");
    let lines = raw(&[b"12", b"34 five", b"6\n7"]);
    let texts: Vec<_> = lines.iter().map(|line| line.text.clone()).collect();
    assert_eq!(texts, ["1234 five6", "7"]);
}

#[test]
fn a_program_that_ends_within_a_line_and_is_started_again() {
    let whole = [message(1, b"$ "), message(2, b"again\r\n")];
    let pieces = [&whole[0][..], &whole[1]];
    let expected = [(1, 0, Stdout, 2, Rest::Whole), (2, 0, Stdout, 6, Rest::Whole)];
    assert_eq!(shown(&raw(&pieces)), expected);
    assert_eq!(shown(&framed(&whole.clone().map(|bytes| (Stdout, bytes)))), expected);
}

#[test]
fn what_is_said_twice_while_it_is_followed() {
    let log = [1, 2, 5, 6, 7, 5, 6, 7, 9, 9, 3]
        .map(|nanos| message(nanos, format!("{nanos}\n").as_bytes()));
    let of = |since: Option<i64>, now: i64| -> Vec<String> {
        let (mut splitter, mut lines) = (Splitter::default(), VecDeque::new());
        since.into_iter().chain(since.map(|_| now)).for_each(|at| splitter.live(Moment(BASE + at)));
        for bytes in &log {
            splitter.push(Stdout, bytes, &mut lines);
            splitter.end(Stdout, &mut lines);
        }
        lines.iter().map(|line| String::from_utf8(line.text.to_vec()).unwrap()).collect()
    };
    assert_eq!(of(Some(4), 100).join(" "), "1 2 5 6 7 9");
    // It was read from the files; or the clock is put back, so that what is newer has not been yet.
    let all = "1 2 5 6 7 5 6 7 9 9 3";
    assert_eq!(of(None, 0).join(" "), all);
    assert_eq!(of(Some(50), 100).join(" "), all);
    assert_eq!(of(Some(4), 4).join(" "), all);
}

#[test]
fn pieces_of_a_line_are_not_said_twice() {
    let full = vec![b'x'; TEXT_MAXIMUM];
    let (mut splitter, mut lines) = (Splitter::default(), VecDeque::new());
    splitter.live(Moment(BASE));
    splitter.live(Moment(BASE + 100));
    for text in [&full[..], &full, b"tail\n"] {
        splitter.push(Stdout, &message(5, text), &mut lines);
        splitter.end(Stdout, &mut lines);
    }
    assert_eq!(lines.len(), 3);
}

#[test]
fn nothing_is_held_of_a_line_without_end() {
    let (mut splitter, mut lines) = (Splitter::default(), VecDeque::new());
    splitter.push(Stdout, &message(1, b""), &mut lines);
    let mut total = 0;
    for _ in 0..10_000 {
        splitter.push(Stdout, &[b'x'; 1000], &mut lines);
        total += lines.drain(..).map(|line| line.text.len()).sum::<usize>();
        assert!(splitter.stdout.text.capacity() <= 2 * TEXT_MAXIMUM);
    }
    assert!(10_000_000 - total < TEXT_MAXIMUM);
}

fn stream() -> impl Strategy<Value = LogStream> {
    prop::sample::select(vec![Stdout, Stderr])
}

/// Text without its end of line: any bytes, also such as moments are made of.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let any = prop::collection::vec(any::<u8>(), 0..60)
        .prop_map(|bytes| bytes.into_iter().filter(|byte| *byte != b'\n').collect());
    prop_oneof![any, "[0-9T:. Z-]{0,60}".prop_map(String::into_bytes)]
}

proptest! {
    #[test]
    fn however_messages_are_cut(
        messages in prop::collection::vec((stream(), 0_i64..50, text()), 0..12),
        cuts in prop::collection::vec(1_usize..20, 1..40),
    ) {
        let messages: Vec<_> = messages
            .into_iter()
            .map(|(stream, nanos, text)| (stream, message(nanos, &[&text[..], b"\n"].concat()), text))
            .collect();
        let whole: Vec<_> =
            messages.iter().map(|(stream, bytes, _)| (*stream, bytes.clone())).collect();
        let expected = framed(&whole);
        let texts: Vec<_> = expected.iter().map(|line| line.text.to_vec()).collect();
        let meant: Vec<_> = messages.iter().map(|(_, _, text)| text.clone()).collect();
        prop_assert_eq!(texts, meant);
        prop_assert!(expected.is_sorted_by(|a, b| a.position < b.position));

        let (mut splitter, mut lines) = (Splitter::default(), VecDeque::new());
        let mut cuts = cuts.into_iter().cycle();
        for (stream, bytes) in &whole {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(cuts.next().unwrap()));
                splitter.push(*stream, piece, &mut lines);
                rest = after;
            }
            splitter.end(*stream, &mut lines);
        }
        prop_assert_eq!(Vec::from(lines), expected);
    }

    #[test]
    fn however_a_terminals_are_cut(
        texts in prop::collection::vec("[a-z0-9 \t\r]{0,60}", 0..12),
        cuts in prop::collection::vec(1_usize..40, 1..40),
    ) {
        let whole: Vec<u8> = texts.iter().zip(0..).flat_map(|(text, nanos)| {
            message(nanos, format!("{text}\n").as_bytes())
        }).collect();
        let (mut pieces, mut rest) = (Vec::new(), &whole[..]);
        for cut in cuts.into_iter().cycle() {
            if rest.is_empty() { break }
            let (piece, after) = rest.split_at(rest.len().min(cut));
            pieces.push(piece);
            rest = after;
        }
        let lines = raw(&pieces);
        let found: Vec<_> = lines.iter().map(|line| line.text.to_vec()).collect();
        let meant: Vec<_> = texts.iter().map(|text| text.clone().into_bytes()).collect();
        prop_assert_eq!(found, meant);
    }

    #[test]
    fn no_bytes_are_lost(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..20)) {
        let (mut splitter, mut lines) = (Splitter::default(), VecDeque::new());
        for piece in &pieces {
            splitter.may_begin(Stderr);
            splitter.push(Stderr, piece, &mut lines);
        }
        splitter.end(Stderr, &mut lines);
        let found: Vec<u8> = lines.iter().flat_map(|line| line.text.to_vec()).collect();
        let meant: Vec<u8> = pieces.concat().into_iter().filter(|byte| *byte != b'\n').collect();
        prop_assert_eq!(found, meant);
    }
}
