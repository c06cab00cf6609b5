//! Links: whoever has one, for one port, until its end.

use std::time::Duration;

use axum::http::StatusCode;
use berth_core::{account::Role, observed::ObservedPhase};

use crate::{
    program::WEB,
    world::{Browser, Person, World, host},
};

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn one() -> (World, Person, String) {
    let world = World::new().await;
    let ann = world.person("ann", Role::Student).await;
    world.lend(&ann, "web").await;
    let host = host(&ann, "web", WEB);
    (world, ann, host)
}

fn link(host: &str, token: &str) -> String {
    format!("https://{host}/.berth/link/{token}")
}

#[tokio::test]
async fn a_link_opens_one_port_to_whoever_has_it() {
    let (world, ann, host) = one().await;
    let (_, token) = world.share(&ann, "web", WEB, DAY).await;
    for _ in 0..2 {
        let stranger = Browser::default();
        let entered = stranger.go(&world, &link(&host, &token)).await;
        // The token is gone from the address at once, and leaks to nobody.
        assert_eq!(entered.location(), format!("https://{host}/"));
        assert_eq!(entered.headers["referrer-policy"], "no-referrer");
        assert_eq!(entered.headers["cache-control"], "no-store");
        let cookie = entered.headers["set-cookie"].to_str().unwrap();
        assert!(cookie.ends_with("Max-Age=86400") && !cookie.contains(&token), "{cookie}");
        assert_eq!(stranger.get(&world, &format!("https://{host}/x")).await.body, "GET /x\n");
        // The container learns nothing of it.
        let seen = stranger.get(&world, &format!("https://{host}/headers")).await.body;
        assert!(!seen.contains("cookie"), "{seen}");
        // Not the next port, not by the same cookie.
        let next = crate::world::host(&ann, "web", 81);
        let value = stranger.cookie(&host, "__Host-berth-link").unwrap();
        stranger.keep(&next, "__Host-berth-link", &value);
        assert_eq!(
            stranger.get(&world, &format!("https://{next}/")).await.status,
            StatusCode::UNAUTHORIZED
        );
    }
}

#[tokio::test]
async fn links_that_open_nothing() {
    let (world, ann, host) = one().await;
    let ben = world.person("ben", Role::Student).await;
    world.lend(&ben, "web").await;
    let bens = crate::world::host(&ben, "web", WEB);
    let (_, token) = world.share(&ann, "web", WEB, DAY).await;
    for url in [
        link(&host, ""),
        link(&host, "berth_l_guess"),
        link(&bens, &token),
        link(&crate::world::host(&ann, "web", 81), &token),
        link(&crate::world::host(&ann, "never", WEB), &token),
        link(&host, &format!("{token}x")),
        link(&host, &format!("{token}/")),
        link(&host, &ann.token),
    ] {
        let answer = Browser::default().go(&world, &url).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{url}");
        assert!(!answer.headers.contains_key("set-cookie"), "{url}");
        assert!(answer.body.contains("This link opens nothing"), "{url}");
    }
}

#[tokio::test]
async fn a_link_ends_also_for_those_who_have_come_in() {
    enum End {
        Time,
        TakenBack,
        Suspended,
        Deleted,
    }
    for end in [End::Time, End::TakenBack, End::Suspended, End::Deleted] {
        let (world, ann, host) = one().await;
        let (id, token) = world.share(&ann, "web", WEB, DAY).await;
        let visitor = Browser::default();
        let (_, answer) = visitor.follow(&world, &link(&host, &token)).await;
        assert_eq!(answer.status, StatusCode::OK);
        match end {
            End::Time => world.clock.advance(DAY),
            End::TakenBack => world.unshare(&ann, "web", id).await,
            End::Suspended => world.suspend(&ann).await,
            End::Deleted => {
                world.delete(&ann, "web").await;
                // Another one of the name is another one.
                world.lend(&ann, "web").await;
            }
        }
        let answer = visitor.get(&world, &format!("https://{host}/x")).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        let answer = Browser::default().go(&world, &link(&host, &token)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn the_owner_at_their_own_link_stays_the_owner() {
    let (world, ann, host) = one().await;
    let browser = Browser::signed_in(&ann);
    browser.follow(&world, &format!("https://{host}/")).await;
    let (id, token) = world.share(&ann, "web", WEB, DAY).await;
    browser.follow(&world, &link(&host, &token)).await;
    world.unshare(&ann, "web", id).await;
    assert_eq!(browser.get(&world, &format!("https://{host}/x")).await.body, "GET /x\n");
}

#[tokio::test]
async fn who_came_by_a_link_is_not_led_into_the_console() {
    let (world, ann, host) = one().await;
    let (_, token) = world.share(&ann, "web", WEB, DAY).await;
    let visitor = Browser::default();
    visitor.follow(&world, &link(&host, &token)).await;
    let id = world.handle.committed().state.containers.values().next().unwrap().id;
    world.report(id, ObservedPhase::Exited).await;
    let stopped = visitor.go(&world, &format!("https://{host}/")).await;
    assert_eq!(stopped.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!stopped.body.contains("href"), "{}", stopped.body);
}
