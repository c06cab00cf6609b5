//! Times for people: relative ones that follow the clock, absolute ones for the hover, and timers.

use std::{sync::LazyLock, time::Duration};

use berth_core::text::Language;
use js_sys::{Array, Date, Intl, Object, Promise, Reflect};
use leptos::prelude::*;
use prost_types::Timestamp;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use crate::{i18n, text};

const TICK: Duration = Duration::from_secs(10);
const MINUTE: f64 = 60.0;
const HOUR: f64 = 3600.0;
const DAY: f64 = 86400.0;

static NOW: LazyLock<ArcRwSignal<f64>> = LazyLock::new(|| ArcRwSignal::new(Date::now()));

/// Starts the clock that relative times follow.
pub(crate) fn tick() {
    set_interval(|| NOW.set(Date::now()), TICK);
}

/// "in 3 hours", "2 minutes ago". Follows the clock and the language.
pub(crate) fn relative(at: &Timestamp) -> String {
    let seconds = seconds(at) - NOW.get() / 1000.0;
    let (amount, unit) = match seconds.abs() {
        s if s < 45.0 => (0.0, "second"),
        s if s < 90.0 * MINUTE => (seconds / MINUTE, "minute"),
        s if s < 36.0 * HOUR => (seconds / HOUR, "hour"),
        _ => (seconds / DAY, "day"),
    };
    let options = options(&[("numeric", if unit == "second" { "auto" } else { "always" })]);
    let format = Intl::RelativeTimeFormat::new(&locales(), &options);
    tidy(String::from(format.format(amount.round(), unit)))
}

/// "Wed, Jul 1, 2026, 18:00". Follows the language.
pub(crate) fn absolute(at: &Timestamp) -> String {
    let format = options(&[
        ("weekday", "short"),
        ("year", "numeric"),
        ("month", "short"),
        ("day", "numeric"),
        ("hour", "2-digit"),
        ("minute", "2-digit"),
        ("hourCycle", "h23"),
    ]);
    date(at).to_locale_string(i18n::language().tag(), &format).into()
}

/// How exactly a point in time is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    Day,
    DayAndMinute,
    Minute,
    Second,
}

/// "Nov 23, 18:00", "18:00:05": of milliseconds since 1970. Follows the language.
pub(crate) fn point(at: f64, detail: Detail) -> String {
    let day = [("month", "numeric"), ("day", "numeric")];
    let minute = [("hour", "2-digit"), ("minute", "2-digit"), ("hourCycle", "h23")];
    let pairs = match detail {
        Detail::Day => day.to_vec(),
        Detail::DayAndMinute => [day.as_slice(), &minute].concat(),
        Detail::Minute => minute.to_vec(),
        Detail::Second => [minute.as_slice(), &[("second", "2-digit")]].concat(),
    };
    let date = Date::new(&JsValue::from_f64(at));
    date.to_locale_string(i18n::language().tag(), &options(&pairs)).into()
}

/// "11-23 18:00:05", where the browser is: for lines of a log.
pub(crate) fn stamp(at: &Timestamp) -> String {
    let date = date(at);
    format!(
        "{:02}-{:02} {:02}:{:02}:{:02}",
        date.get_month() + 1,
        date.get_date(),
        date.get_hours(),
        date.get_minutes(),
        date.get_seconds()
    )
}

/// Milliseconds since 1970.
pub(crate) fn milliseconds(at: &Timestamp) -> f64 {
    seconds(at) * 1000.0 + f64::from(at.nanos) / 1e6
}

/// For `<time datetime>`.
pub(crate) fn machine(at: &Timestamp) -> String {
    date(at).to_iso_string().into()
}

/// The time so many seconds from now. Follows the clock.
pub(crate) fn from_now(after: i64) -> Timestamp {
    // A lease of at most years: far below what f64 holds exactly.
    #[allow(clippy::cast_possible_truncation)]
    let now = (NOW.get() / 1000.0) as i64;
    Timestamp { seconds: now.saturating_add(after), nanos: 0 }
}

/// The time so many seconds ago.
pub(crate) fn ago(seconds: u32) -> Timestamp {
    // Whole seconds since 1970: far below what f64 holds exactly.
    #[allow(clippy::cast_possible_truncation)]
    let now = (Date::now() / 1000.0) as i64;
    Timestamp { seconds: now.saturating_sub(seconds.into()), nanos: 0 }
}

/// "8 hours", "2 days".
pub(crate) fn span(seconds: i64) -> String {
    match seconds {
        s if s % 86400 == 0 && s >= 86400 => match s / 86400 {
            1 => text::one_day().to_owned(),
            days => text::days(days),
        },
        s if s % 3600 == 0 && s >= 3600 => match s / 3600 {
            1 => text::one_hour().to_owned(),
            hours => text::hours(hours),
        },
        s if s >= 60 => text::minutes(s / 60),
        s => text::seconds(s),
    }
}

/// Whether it comes within so many seconds. Follows the clock.
pub(crate) fn is_within(at: &Timestamp, after: f64) -> bool {
    seconds(at) - NOW.get() / 1000.0 < after
}

pub(crate) async fn sleep(milliseconds: u32) {
    let promise = Promise::new(&mut |resolve, _| {
        set_timeout(
            move || {
                // The promise's own function does not throw.
                let _ = resolve.call0(&JsValue::UNDEFINED);
            },
            Duration::from_millis(milliseconds.into()),
        );
    });
    // It is only ever resolved.
    let _ = JsFuture::from(promise).await;
}

/// When the browser is about to draw. A page that nobody sees draws nothing, and goes on a little later.
pub(crate) async fn next_frame() {
    if document().hidden() {
        return sleep(250).await;
    }
    let promise = Promise::new(&mut |resolve, _| {
        request_animation_frame(move || {
            // The promise's own function does not throw.
            let _ = resolve.call0(&JsValue::UNDEFINED);
        });
    });
    // It is only ever resolved.
    let _ = JsFuture::from(promise).await;
}

/// Between half of it and one and a half: callers that were cut off together do not come back together.
pub(crate) fn jittered(milliseconds: u32) -> u32 {
    // Non-negative and at most 1.5 x the input.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let jittered = (f64::from(milliseconds) * (0.5 + js_sys::Math::random())) as u32;
    jittered
}

// Whole seconds since 1970 and below 2^53.
#[allow(clippy::cast_precision_loss)]
fn seconds(at: &Timestamp) -> f64 {
    at.seconds as f64
}

fn date(at: &Timestamp) -> Date {
    Date::new(&JsValue::from_f64(seconds(at) * 1000.0))
}

fn locales() -> Array {
    Array::of1(&JsValue::from_str(i18n::language().tag()))
}

fn options(pairs: &[(&str, &str)]) -> Object {
    let object = Object::new();
    for (key, value) in pairs {
        // Setting a property of a plain object does not fail.
        let _ = Reflect::set(&object, &JsValue::from_str(key), &JsValue::from_str(value));
    }
    object
}

/// Intl puts a space between figure and unit where our Japanese has none.
fn tidy(text: String) -> String {
    match i18n::language() {
        Language::English => text,
        Language::Japanese => text.replace(' ', ""),
    }
}
