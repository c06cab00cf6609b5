//! What somebody who means harm tries.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use berth_core::account::Role;

use crate::{
    program::WEB,
    world::{Browser, CONSOLE, COOKIE, Pairs, Person, TYPED, World, host},
};

const TICKET: &str = "__Host-berth-app";
const MARK: &str = "__Host-berth-state";

struct Two {
    world: World,
    ann: Person,
    ben: Person,
    anns: String,
    bens: String,
}

async fn two() -> Two {
    let world = World::new().await;
    let ann = world.person("ann", Role::Student).await;
    let ben = world.person("ben", Role::Student).await;
    world.lend(&ann, "web").await;
    world.lend(&ben, "web").await;
    let (anns, bens) = (host(&ann, "web", WEB), host(&ben, "web", WEB));
    Two { world, ann, ben, anns, bens }
}

async fn entered(world: &World, person: &Person, host: &str) -> Browser {
    let browser = Browser::signed_in(person);
    let (_, answer) = browser.follow(world, &format!("https://{host}/")).await;
    assert_eq!(answer.status, StatusCode::OK);
    browser
}

#[tokio::test]
async fn a_ticket_opens_no_other_host() {
    let Two { world, ann, ben, anns, bens } = two().await;
    let browser = entered(&world, &ben, &bens).await;
    let ticket = browser.cookie(&bens, TICKET).unwrap();
    let other_port = host(&ann, "web", 81);
    for there in [&anns, &other_port, &host(&ben, "web", 81), &host(&ben, "other", WEB)] {
        let thief = Browser::default();
        thief.keep(there, TICKET, &ticket);
        thief.keep(there, "__Host-berth-link", &ticket);
        let answer = thief.get(&world, &format!("https://{there}/")).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{there}");
    }
    // Neither does the console's token, nor a ticket at the console.
    let thief = Browser::default();
    thief.keep(&anns, COOKIE, &ann.token);
    thief.keep(&anns, TICKET, &ann.token);
    assert_eq!(
        thief.get(&world, &format!("https://{anns}/")).await.status,
        StatusCode::UNAUTHORIZED
    );
    let bearer = format!("Bearer {}", ann.token);
    let answer = thief
        .ask(&world, Method::GET, &format!("https://{anns}/"), &[("authorization", &bearer)])
        .await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_code_is_for_one_browser_one_host_once_and_soon() {
    let Two { world, ann, anns, bens, .. } = two().await;
    let start = async |browser: &Browser| {
        let first = browser.go(&world, &format!("https://{anns}/x")).await;
        browser.go(&world, first.location()).await.location().to_owned()
    };
    let refused = async |browser: &Browser, url: &str| {
        let answer = browser.go(&world, url).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{url} {answer:?}");
        assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
        assert!(answer.body.contains("href=\"/\""), "it leads back: {answer:?}");
    };
    // In another browser, with no mark or with one of its own: nobody works in somebody else's session unawares.
    let (browser, victim) = (Browser::signed_in(&ann), Browser::default());
    let back = start(&browser).await;
    refused(&victim, &back).await;
    refused(&browser, &back).await;
    let back = start(&browser).await;
    victim.go(&world, &format!("https://{anns}/")).await;
    assert!(victim.cookie(&anns, MARK).is_some());
    refused(&victim, &back).await;
    // At another host.
    let back = start(&browser).await.replace(&anns, &bens);
    browser.keep(&bens, MARK, &browser.cookie(&anns, MARK).unwrap());
    refused(&browser, &back).await;
    // Twice.
    let back = start(&browser).await;
    let mark = browser.cookie(&anns, MARK).unwrap();
    assert_eq!(browser.go(&world, &back).await.location(), format!("https://{anns}/x"));
    browser.keep(&anns, MARK, &mark);
    refused(&browser, &back).await;
    // Late.
    let browser = Browser::signed_in(&ann);
    let back = start(&browser).await;
    world.clock.advance(Duration::from_secs(30));
    refused(&browser, &back).await;
    // After signing out in between.
    let back = start(&browser).await;
    world.sign_out(&ann).await;
    refused(&browser, &back).await;
    for nonsense in ["", "?code=", "?code=x", "?code=x&code=y", "?x"] {
        refused(&browser, &format!("https://{anns}/.berth/enter{nonsense}")).await;
    }
}

#[tokio::test]
async fn nobody_is_sent_elsewhere() {
    let Two { world, ann, anns, .. } = two().await;
    let browser = Browser::signed_in(&ann);
    let label = anns.split('.').next().unwrap();
    let state = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for query in [
        "to=evil.example&path=/",
        "to=80-web-aaaaaaaaaaaa.evil.example&path=/",
        "to=//evil.example&path=/",
        "to=https://evil.example&path=/",
        &format!("to={label}.evil.example&path=/"),
        &format!("to={label}@evil.example&path=/"),
        &format!("to={label}&path=.evil.example/"),
        &format!("to={label}&path=@evil.example/"),
        &format!("to={label}&path=:1@evil.example/"),
        &format!("to={label}&path="),
        &format!("to={label}&path=/%0d%0aset-cookie:x"),
        &format!("to={label}&path=/.berth/enter?code=x"),
    ] {
        for again in ["", "&again=1"] {
            let url = format!("https://{CONSOLE}/apps/enter?{query}&state={state}{again}");
            let answer = browser.go(&world, &url).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{query}");
            let stranger = Browser::default().go(&world, &url).await;
            assert_eq!(stranger.status, StatusCode::NOT_FOUND, "{query}");
        }
    }
    // Paths that look like hosts stay behind this one.
    for path in ["//evil.example/", "/\\evil.example/", "///evil.example"] {
        let url = format!("https://{anns}{path}");
        let (last, _) = Browser::signed_in(&ann).follow(&world, &url).await;
        assert!(last.starts_with(&format!("https://{anns}/")), "{path}: {last}");
    }
    // The other way: to the console and nowhere else, whatever a request says of itself.
    for pairs in [
        &[("x-forwarded-host", "evil.example")][..],
        &[("forwarded", "host=evil.example")],
        &[("origin", "null")],
    ] {
        let mut all = TYPED.to_vec();
        all.extend(pairs);
        let answer =
            Browser::default().ask(&world, Method::GET, &format!("https://{anns}/"), &all).await;
        assert!(answer.location().starts_with(&format!("https://{CONSOLE}/")), "{answer:?}");
    }
}

#[tokio::test]
async fn one_containers_page_does_not_drive_another() {
    let Two { world, ann, anns, bens, .. } = two().await;
    let browser = entered(&world, &ann, &anns).await;
    let bens_origin = format!("https://{bens}");
    let own_origin = format!("https://{anns}");
    let sibling = format!("https://{}", host(&ann, "web", 3000));
    let site = |site: &'static str| [("sec-fetch-site", site)];
    let foreign: &[(Method, Vec<(&'static str, &str)>)] = &[
        (Method::POST, vec![("origin", &bens_origin)]),
        (Method::POST, vec![("origin", "null")]),
        (
            Method::GET,
            [&site("same-site")[..], &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")]]
                .concat(),
        ),
        (
            Method::GET,
            [&site("same-site")[..], &[("sec-fetch-mode", "cors"), ("origin", &bens_origin)]]
                .concat(),
        ),
        (
            Method::GET,
            [
                &site("same-site")[..],
                &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
            ]
            .concat(),
        ),
        (
            Method::POST,
            [
                &site("same-site")[..],
                &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")],
            ]
            .concat(),
        ),
        (Method::DELETE, [&site("cross-site")[..], &[("sec-fetch-mode", "cors")]].concat()),
        (
            Method::OPTIONS,
            [&site("same-site")[..], &[("sec-fetch-mode", "cors"), ("origin", &bens_origin)]]
                .concat(),
        ),
        (
            Method::GET,
            vec![("connection", "upgrade"), ("upgrade", "websocket"), ("origin", &bens_origin)],
        ),
        (
            Method::GET,
            vec![("connection", "upgrade"), ("upgrade", "websocket"), ("origin", "null")],
        ),
        (
            Method::GET,
            vec![
                ("connection", "upgrade"),
                ("upgrade", "websocket"),
                ("origin", "https://berth.test:8443"),
            ],
        ),
    ];
    for (method, pairs) in foreign {
        let url = format!("https://{anns}/x");
        let answer = browser.ask(&world, method.clone(), &url, pairs).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {pairs:?}");
    }
    let own: &[(Method, Pairs<'_>)] = &[
        (Method::POST, &[("origin", &own_origin)]),
        (Method::POST, &[("sec-fetch-site", "same-site"), ("origin", &sibling)]),
        (
            Method::GET,
            &[
                ("sec-fetch-site", "same-site"),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "document"),
            ],
        ),
    ];
    for (method, pairs) in own {
        let answer = browser.ask(&world, method.clone(), &format!("https://{anns}/x"), pairs).await;
        assert_eq!(answer.status, StatusCode::OK, "{method} {pairs:?}");
    }
    // The console lets nobody frame or fetch the way in.
    for (mode, dest) in [("navigate", "iframe"), ("cors", "empty"), ("no-cors", "image")] {
        let url = format!("https://{CONSOLE}/apps/enter?to=x&path=/&state=x");
        let pairs = [("sec-fetch-mode", mode), ("sec-fetch-dest", dest)];
        let answer = browser.ask(&world, Method::GET, &url, &pairs).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn a_container_sees_none_of_our_cookies() {
    let Two { world, ann, anns, .. } = two().await;
    let browser = entered(&world, &ann, &anns).await;
    browser.keep(&anns, "own", "1");
    // As if the console's had come along.
    browser.keep(&anns, COOKIE, &ann.token);
    browser.keep(&anns, MARK, "mark");
    let answer = browser
        .ask(
            &world,
            Method::GET,
            &format!("https://{anns}/headers"),
            &[
                ("sec-fetch-site", "same-origin"),
                ("x-forwarded-for", "10.0.0.1"),
                ("x-forwarded-user", "root"),
                ("forwarded", "for=10.0.0.1"),
                ("connection", "x-drop"),
                ("x-drop", "1"),
                ("referer", "https://x/.berth/link/secret"),
            ],
        )
        .await;
    let expected = format!(
        "cookie: own=1\nforwarded: for=192.0.2.99;host=\"{anns}\";proto=https\nhost: {anns}\n\
         sec-fetch-site: same-origin\nx-forwarded-for: 192.0.2.99\nx-forwarded-host: {anns}\n\
         x-forwarded-proto: https\n"
    );
    assert_eq!(answer.body, expected);
}

#[tokio::test]
async fn a_container_sets_no_cookie_but_its_own() {
    let Two { world, ann, anns, .. } = two().await;
    let browser = entered(&world, &ann, &anns).await;
    let ticket = browser.cookie(&anns, TICKET).unwrap();
    let answer = browser.get(&world, &format!("https://{anns}/cookies")).await;
    let set: Vec<_> =
        answer.headers.get_all("set-cookie").iter().map(|v| v.to_str().unwrap()).collect();
    assert_eq!(set, ["own=1; Path=/", "wide=1; Path=/"]);
    assert!(!answer.headers.contains_key("clear-site-data"));
    assert_eq!(answer.headers["origin-agent-cluster"], "?1");
    assert_eq!(browser.cookie(&anns, TICKET).unwrap(), ticket);
}

#[tokio::test]
async fn two_hosts_in_one_request() {
    let Two { world, ann, anns, .. } = two().await;
    let browser = entered(&world, &ann, &anns).await;
    let ticket = format!("{TICKET}={}", browser.cookie(&anns, TICKET).unwrap());
    for (url, second) in [
        (format!("https://{CONSOLE}/"), anns.as_str()),
        (format!("https://{anns}/"), CONSOLE),
        (format!("https://{anns}/"), anns.as_str()),
    ] {
        let answer = Browser::default()
            .ask(&world, Method::GET, &url, &[("host", second), ("cookie", &ticket)])
            .await;
        let same = url.contains(second);
        let expected = if same { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        assert_eq!(answer.status, expected, "{url} {second}");
        assert_ne!(answer.body, "the console");
    }
    // Methods that mean another connection.
    for method in [Method::TRACE, Method::CONNECT] {
        let answer = browser.ask(&world, method.clone(), &format!("https://{anns}/"), &[]).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    // Our own paths are nobody else's, however they are written.
    for path in ["/.berth", "/.berth/", "/.berth/x", "/.berth/link", "/.berth/enter/"] {
        let answer = browser.get(&world, &format!("https://{anns}{path}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    let posted =
        browser.ask(&world, Method::POST, &format!("https://{anns}/.berth/enter"), &[]).await;
    assert_eq!(posted.status, StatusCode::METHOD_NOT_ALLOWED);
}
