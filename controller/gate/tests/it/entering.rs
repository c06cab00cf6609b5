//! How people come in, and what ends it.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use berth_core::{account::Role, observed::ObservedPhase};

use crate::{
    program::{GARBAGE, LOST, WEB},
    world::{Answer, Browser, CONSOLE, COOKIE, OWN_SCRIPT, Person, TYPED, World, host},
};

async fn one() -> (World, Person, String) {
    let world = World::new().await;
    let ann = world.person("ann", Role::Student).await;
    world.lend(&ann, "web").await;
    let host = host(&ann, "web", WEB);
    (world, ann, host)
}

/// Of a page of ours: nothing of the container's.
fn is_page(answer: &Answer) {
    assert!(answer.body.starts_with("<!doctype html>"), "{answer:?}");
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert_eq!(answer.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn a_person_is_led_through_the_console_and_back() {
    let (world, ann, host) = one().await;
    let browser = Browser::signed_in(&ann);
    let (url, answer) = browser.follow(&world, &format!("https://{host}/lab?x=1&y=%2F")).await;
    assert_eq!(url, format!("https://{host}/lab?x=1&y=%2F"));
    assert_eq!(answer.body, "GET /lab?x=1&y=%2F\n");
    // Once is enough, and the mark is gone.
    assert_eq!(browser.get(&world, &format!("https://{host}/more")).await.body, "GET /more\n");
    assert!(browser.cookie(&host, "__Host-berth-state").is_none());
    // The console's cookie stays the console's.
    assert!(!browser.cookies_for(&host).contains(&ann.token));
}

#[tokio::test]
async fn who_is_not_signed_in_signs_in_and_comes_back() {
    let (world, ann, host) = one().await;
    let browser = Browser::default();
    let to_console = browser.go(&world, &format!("https://{host}/lab")).await.location().to_owned();
    assert!(
        to_console.starts_with(&format!("https://{CONSOLE}/apps/enter?to=80-web-")),
        "{to_console}"
    );
    // A browser does not show a strict cookie to the first request: a page asks for it again.
    let moment = browser.go(&world, &to_console).await;
    is_page(&moment);
    let again = moment.body.split("url=").nth(1).unwrap().split('"').next().unwrap();
    let again = format!("https://{CONSOLE}{}", again.replace("&amp;", "&"));
    let sign_in = browser.go(&world, &again).await.location().to_owned();
    assert!(
        sign_in.starts_with(&format!("https://{CONSOLE}/sign-in?next=%2Fapps%2Fenter%3F")),
        "{sign_in}"
    );

    browser.keep(CONSOLE, COOKIE, &ann.token);
    let (url, answer) = browser.follow(&world, &again).await;
    assert_eq!((url, answer.body), (format!("https://{host}/lab"), "GET /lab\n".to_owned()));
}

#[tokio::test]
async fn what_is_no_person_going_somewhere_is_told_to_sign_in() {
    let (world, _, host) = one().await;
    let browser = Browser::default();
    let url = format!("https://{host}/api");
    let post = browser.ask(&world, Method::POST, &url, &[("accept", "text/html")]).await;
    assert_eq!(post.status, StatusCode::UNAUTHORIZED);
    let script = browser.get(&world, &url).await;
    assert_eq!(script.status, StatusCode::UNAUTHORIZED);
    is_page(&script);
    let websocket = [("connection", "upgrade"), ("upgrade", "websocket")];
    let answer = browser.ask(&world, Method::GET, &url, &websocket).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn strangers_cannot_tell_what_is_there() {
    let (world, _, there) = one().await;
    let ben = world.person("ben", Role::Student).await;
    let never = host(&ben, "never", WEB);
    let mut seen = Vec::new();
    for host in [&there, &never] {
        let browser = Browser::signed_in(&ben);
        let first = browser.go(&world, &format!("https://{host}/")).await;
        let label = host.split('.').next().unwrap();
        let mark = browser.cookie(host, "__Host-berth-state").unwrap();
        let location = first.location().replace(label, "LABEL");
        let location = location.split("state=").next().unwrap().to_owned();
        let last = browser.go(&world, first.location()).await;
        is_page(&last);
        let mut headers = format!("{:?}", first.headers).replace(&mark, "MARK");
        headers = headers.replace(first.location(), "LOCATION");
        seen.push((first.status, location, headers, last.status, last.body));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].3, StatusCode::NOT_FOUND);
    // An administrator may reach what they may reach elsewhere.
    let root = world.person("root", Role::Administrator).await;
    let (_, answer) = Browser::signed_in(&root).follow(&world, &format!("https://{there}/")).await;
    assert_eq!(answer.body, "GET /\n");
}

#[tokio::test]
async fn hosts_that_are_none() {
    let (world, ann, there) = one().await;
    let browser = Browser::signed_in(&ann);
    for below in ["", "a.b.", "jupyter.", "www.", "80-web-aaaaaaaaaaaa.x.", "0-web-aaaaaaaaaaaa."] {
        for path in
            ["/", "/berth.v1.AuthService/GetSelf", "/ca.pem", "/terminal", "/files", "/apps/enter"]
        {
            let answer = browser.go(&world, &format!("https://{below}apps.test:8443{path}")).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{below} {path}");
            is_page(&answer);
        }
    }
    // The console under its own names.
    for host in [CONSOLE, "berth.test", "localhost:8443", "192.0.2.1", "myapps.test"] {
        assert_eq!(browser.go(&world, &format!("https://{host}/x")).await.body, "the console");
    }
    // Upper case and the final dot are the same host.
    let loud = there.to_uppercase().replace(".TEST", ".TEST.");
    let (url, answer) = browser.follow(&world, &format!("https://{loud}/x")).await;
    assert!(answer.body == "GET /x\n" || url.contains("/.berth/enter"), "{url} {answer:?}");
}

#[tokio::test]
async fn it_ends_with_the_session() {
    enum End {
        SignOut,
        Suspension,
        Time,
    }
    for end in [End::SignOut, End::Suspension, End::Time] {
        let (world, ann, host) = one().await;
        let browser = Browser::signed_in(&ann);
        browser.follow(&world, &format!("https://{host}/")).await;
        let url = format!("https://{host}/x");
        assert_eq!(browser.get(&world, &url).await.status, StatusCode::OK);
        match end {
            End::SignOut => world.sign_out(&ann).await,
            End::Suspension => world.suspend(&ann).await,
            End::Time => world.clock.advance(Duration::from_secs(3600)),
        }
        assert_eq!(browser.get(&world, &url).await.status, StatusCode::UNAUTHORIZED);
        // To the console, where nobody is signed in.
        let (_, answer) = browser.follow(&world, &url).await;
        assert!(answer.body.contains("http-equiv=\"refresh\""), "{answer:?}");
    }
}

#[tokio::test]
async fn the_cookie_lives_no_longer_than_the_session() {
    let (world, ann, host) = one().await;
    world.clock.advance(Duration::from_secs(3000));
    let browser = Browser::signed_in(&ann);
    let to_console = browser.go(&world, &format!("https://{host}/")).await.location().to_owned();
    let back = browser.go(&world, &to_console).await.location().to_owned();
    let entered = browser.go(&world, &back).await;
    let cookie = entered.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-berth-app=") && cookie.ends_with("Max-Age=600"), "{cookie}");
}

#[tokio::test]
async fn another_container_of_the_name_is_at_the_same_address() {
    let (world, ann, host) = one().await;
    let browser = Browser::signed_in(&ann);
    browser.follow(&world, &format!("https://{host}/")).await;
    world.delete(&ann, "web").await;
    let gone = browser.go(&world, &format!("https://{host}/")).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
    world.lend(&ann, "web").await;
    assert_eq!(browser.go(&world, &format!("https://{host}/")).await.body, "GET /\n");
}

#[tokio::test]
async fn pages_for_what_cannot_be_shown() {
    let (world, ann, web) = one().await;
    let browser = Browser::signed_in(&ann);
    for (port, status, words) in [
        (81, StatusCode::BAD_GATEWAY, "Nothing listens on port 81"),
        (GARBAGE, StatusCode::BAD_GATEWAY, "gave no answer"),
        (LOST, StatusCode::SERVICE_UNAVAILABLE, "cannot be reached at present"),
    ] {
        let (_, answer) =
            browser.follow(&world, &format!("https://{}/", host(&ann, "web", port))).await;
        assert_eq!(answer.status, status, "{port}");
        assert!(answer.body.contains(words), "{port}: {}", answer.body);
        is_page(&answer);
    }
    browser.follow(&world, &format!("https://{web}/")).await;
    let id = {
        let committed = world.handle.committed();
        committed.state.containers.values().next().unwrap().id
    };
    world.report(id, ObservedPhase::Exited).await;
    let stopped = browser.go(&world, &format!("https://{web}/")).await;
    assert_eq!(stopped.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        stopped.body.contains(&format!("href=\"https://{CONSOLE}/c/web\"")),
        "{}",
        stopped.body
    );
    let mut japanese = TYPED.to_vec();
    japanese.push(("accept-language", "ja,en;q=0.5"));
    let stopped = browser.ask(&world, Method::GET, &format!("https://{web}/"), &japanese).await;
    assert!(stopped.body.contains("コンテナは実行中ではありません"), "{}", stopped.body);
    // Whoever may see others' is led to the very one.
    let root = world.person("root", Role::Administrator).await;
    let (_, stopped) = Browser::signed_in(&root).follow(&world, &format!("https://{web}/")).await;
    assert!(stopped.body.contains("/c/web?owner=ann\""), "{}", stopped.body);
}

#[tokio::test]
async fn connections_are_used_again() {
    let (world, ann, host) = one().await;
    let browser = Browser::signed_in(&ann);
    browser.follow(&world, &format!("https://{host}/")).await;
    for _ in 0..10 {
        let answer =
            browser.ask(&world, Method::GET, &format!("https://{host}/x"), OWN_SCRIPT).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    let opened = world.program.connections.load(std::sync::atomic::Ordering::Relaxed);
    assert!(opened < 11, "{opened} connections for 11 requests");
}
