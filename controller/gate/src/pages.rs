//! What a browser is shown in place of a container's page. No scripts; nothing from elsewhere.

use std::sync::LazyLock;

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use berth_core::text::Language;
use sha2::{Digest as _, Sha256};

/// What there is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Page {
    /// There is no such thing, or it is not for them: strangers cannot tell.
    Nothing,
    /// A link that was never made, or is over.
    LinkOver,
    NotRunning,
    NothingListens {
        port: u16,
    },
    BladeSilent,
    NoAnswer,
    Busy,
    /// The way through the console was not gone to its end.
    NotEntered,
    SignInFirst,
    /// Another page asked for it.
    Foreign,
    BadRequest,
    NotAllowed,
    /// The console's cookie is sent only to requests that a page of the console makes: this one makes it.
    Onwards,
}

/// A link below the words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    None,
    /// To the console.
    Console(String),
    /// The same once more.
    Again(String),
    /// There, by itself.
    Onwards(String),
}

const STYLE: &str = "body{font:1rem/1.6 system-ui,sans-serif;margin:0;display:grid;min-height:100vh;place-items:center;\
background:#f6f7f9;color:#1b2430}main{max-width:34rem;padding:2rem}h1{font-size:1.4rem;margin:0 0 .5rem}p{margin:.5rem 0}\
a{color:#0b57a4}@media(prefers-color-scheme:dark){body{background:#14181d;color:#e6eaf0}a{color:#8fc1ff}}";

static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("letters, digits and base64")
});

impl Page {
    fn status(&self) -> StatusCode {
        match self {
            Page::Nothing | Page::LinkOver => StatusCode::NOT_FOUND,
            Page::NotRunning | Page::BladeSilent | Page::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Page::NothingListens { .. } | Page::NoAnswer => StatusCode::BAD_GATEWAY,
            Page::NotEntered | Page::BadRequest => StatusCode::BAD_REQUEST,
            Page::SignInFirst => StatusCode::UNAUTHORIZED,
            Page::Foreign => StatusCode::FORBIDDEN,
            Page::NotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Page::Onwards => StatusCode::OK,
        }
    }

    /// A heading, and what would help.
    fn words(&self, language: Language) -> (String, String) {
        let pick = |en: (&str, &str), ja: (&str, &str)| {
            let (heading, help) = match language {
                Language::English => en,
                Language::Japanese => ja,
            };
            (heading.to_owned(), help.to_owned())
        };
        match self {
            Page::Nothing => pick(
                (
                    "There is nothing here",
                    "The address is wrong, or what it shows is not open to you.",
                ),
                ("ページが見つかりません", "アドレスが正しくないか、表示する権限がありません。"),
            ),
            Page::LinkOver => pick(
                (
                    "This link opens nothing",
                    "Its time is over, or it was taken back. Ask for a new one.",
                ),
                (
                    "この共有リンクは使えません",
                    "期限が切れたか取り消されています。新しいリンクを依頼してください。",
                ),
            ),
            Page::NotRunning => pick(
                ("The container is not running", "It has to be started before it can be shown."),
                ("コンテナは実行中ではありません", "表示するにはコンテナを起動してください。"),
            ),
            Page::NothingListens { port } => {
                let (heading, help) = pick(
                    ("Nothing listens on port {}", "Is the program started? It may need a moment."),
                    (
                        "ポート{}で待ち受けているプログラムがありません",
                        "プログラムが起動しているか確認してください(起動に時間がかかる場合もあります)。",
                    ),
                );
                (heading.replace("{}", &port.to_string()), help)
            }
            Page::BladeSilent => pick(
                (
                    "The container cannot be reached at present",
                    "Its blade does not answer. Try again in a moment.",
                ),
                (
                    "現在コンテナに接続できません",
                    "ブレードが応答していません。しばらくしてからもう一度お試しください。",
                ),
            ),
            Page::NoAnswer => pick(
                ("The program gave no answer", "It hung up, or does not speak HTTP on this port."),
                (
                    "プログラムから応答がありません",
                    "接続が切られたか、このポートがHTTPに対応していません。",
                ),
            ),
            Page::Busy => pick(
                (
                    "Too much at once",
                    "The container answers as many requests as it may. Try again in a moment.",
                ),
                ("アクセスが集中しています", "しばらくしてからもう一度お試しください。"),
            ),
            Page::NotEntered => pick(
                (
                    "You could not be let in",
                    "The way here was too slow, or cookies are turned off. Try again.",
                ),
                (
                    "サインインを完了できませんでした",
                    "時間切れか、Cookieが無効です。もう一度お試しください。",
                ),
            ),
            Page::SignInFirst => pick(
                ("Sign in first", "Open the page in a browser to sign in."),
                ("サインインしてください", "ブラウザーでページを開くとサインインできます。"),
            ),
            Page::Foreign => pick(
                (
                    "Another page asked for this",
                    "It was not answered, so that one page cannot act for another.",
                ),
                (
                    "別のページからの要求です",
                    "他のページによる操作を防ぐため、応答しませんでした。",
                ),
            ),
            Page::BadRequest => pick(
                ("The request cannot be understood", "Try again from the console."),
                ("要求を解釈できません", "コンソールからもう一度開いてください。"),
            ),
            Page::NotAllowed => pick(
                ("This cannot be done here", "The method is not one that is passed on."),
                ("この操作はできません", "対応していないメソッドです。"),
            ),
            Page::Onwards => pick(
                ("One moment", "You are being taken to the container."),
                ("お待ちください", "コンテナのページへ移動しています。"),
            ),
        }
    }
}

/// The page as a response. Nothing keeps it.
pub(crate) fn show(page: &Page, way: &Way, language: Language) -> Response {
    let (heading, help) = page.words(language);
    let pick = |english, japanese| match language {
        Language::English => english,
        Language::Japanese => japanese,
    };
    let (head, link) = match way {
        Way::None => (String::new(), String::new()),
        Way::Console(to) => (String::new(), anchor(to, pick("To the console", "コンソールを開く"))),
        Way::Again(to) => (String::new(), anchor(to, pick("Try again", "もう一度試す"))),
        Way::Onwards(to) => {
            let refresh =
                format!("<meta http-equiv=\"refresh\" content=\"0;url={}\">", escaped(to));
            (refresh, anchor(to, pick("Go on", "進む")))
        }
    };
    let (heading, help) = (escaped(&heading), escaped(&help));
    let body = format!(
        "<!doctype html><html lang=\"{}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{heading}</title><style>{STYLE}</style>{head}</head>\
         <body><main><h1>{heading}</h1><p>{help}</p>{link}</main></body></html>\n",
        language.tag()
    );
    let mut response = (page.status(), body).into_response();
    let headers = response.headers_mut();
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, html);
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    guard(headers);
    response
}

/// What every answer of ours carries, at containers' hosts and at the console.
pub(crate) fn guard(headers: &mut HeaderMap) {
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::CACHE_CONTROL, "no-store");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
}

fn anchor(to: &str, words: &str) -> String {
    format!("<p><a href=\"{}\">{words}</a></p>", escaped(to))
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    const ALL: &[Page] = &[
        Page::Nothing,
        Page::LinkOver,
        Page::NotRunning,
        Page::NothingListens { port: 8888 },
        Page::BladeSilent,
        Page::NoAnswer,
        Page::Busy,
        Page::NotEntered,
        Page::SignInFirst,
        Page::Foreign,
        Page::BadRequest,
        Page::NotAllowed,
        Page::Onwards,
    ];

    async fn text(response: Response) -> String {
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn every_page_in_both_languages() {
        for page in ALL {
            let mut seen = Vec::new();
            for language in [Language::English, Language::Japanese] {
                let response = show(page, &Way::Again("/".into()), language);
                let headers = response.headers();
                let policy = headers["content-security-policy"].to_str().unwrap();
                assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
                assert!(!policy.contains("unsafe"), "{policy}");
                assert_eq!(headers["cache-control"], "no-store");
                assert_eq!(headers["referrer-policy"], "no-referrer");
                let text = text(response).await;
                assert!(text.contains(&format!("lang=\"{}\"", language.tag())), "{page:?}");
                assert!(!text.contains("<script") && !text.contains("{}"), "{page:?}");
                seen.push(text);
            }
            assert_ne!(seen[0], seen[1], "{page:?}");
        }
    }

    #[tokio::test]
    async fn nothing_leaves_its_quotes() {
        let evil = "https://x/?a=\"><script>alert('1')</script>&b".to_owned();
        for way in [Way::Console(evil.clone()), Way::Again(evil.clone()), Way::Onwards(evil)] {
            let text = text(show(&Page::Nothing, &way, Language::English)).await;
            assert!(!text.contains("<script"), "{text}");
            assert!(text.contains("&quot;&gt;&lt;script&gt;"), "{text}");
        }
    }
}
