//! Sessions.

use std::time::Duration;

use berth_proto::v1;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::world::{PASSWORD, Who, World};

#[tokio::test]
async fn in_and_out() {
    let world = World::new().await;
    let session = world.sign_in("ann", PASSWORD).await.unwrap();
    assert!(session.token.starts_with("berth_s_"));
    assert_eq!(session.user.unwrap().role(), v1::Role::Student);

    let mut auth = world.auth(Some(session.token));
    let me = auth.get_self(v1::GetSelfRequest {}).await.unwrap().into_inner();
    assert_eq!(me.user.unwrap().account, "ann");
    let site = me.site.unwrap();
    assert_eq!((site.name.as_str(), site.containers_per_person), ("Test", 5));
    assert_eq!(site.default_lease.unwrap().seconds, 8 * 3600);

    auth.sign_out(v1::SignOutRequest {}).await.unwrap();
    let status = auth.get_self(v1::GetSelfRequest {}).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    let world = World::new().await;
    let mut auth = world.auth(world.token(Who::Ann).await);
    auth.get_self(v1::GetSelfRequest {}).await.unwrap();
    world.clock.advance(Duration::from_secs(3600));
    let status = auth.get_self(v1::GetSelfRequest {}).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn refusals_tell_nothing() {
    let world = World::new().await;
    let mut seen = Vec::new();
    let long = "x".repeat(5000);
    for (account, password) in [
        ("ann", "wrong"),
        ("nobody", PASSWORD),
        ("ann", ""),
        ("", ""),
        ("", PASSWORD),
        ("*", PASSWORD),
        (")(uid=*", PASSWORD),
        ("ann\0", PASSWORD),
        (&long, PASSWORD),
        ("ann", &long),
    ] {
        let status = world.sign_in(account, password).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{account}");
        seen.push((status.message().to_owned(), status.details().to_vec()));
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
}

#[tokio::test]
async fn guessing_is_slowed_down_for_accounts_that_exist_and_that_do_not() {
    for account in ["ann", "nobody"] {
        let world = World::new().await;
        let mut refused = 0;
        let status = loop {
            let status = world.sign_in(account, "wrong").await.unwrap_err();
            if status.code() != Code::Unauthenticated {
                break status;
            }
            refused += 1;
            assert!(refused <= 12, "{account} may be guessed at for ever");
        };
        assert!(refused >= 10, "{account}: {refused}");
        assert_eq!(status.code(), Code::ResourceExhausted);
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "TOO_MANY_ATTEMPTS");
        assert!(details.retry_info().unwrap().retry_delay.is_some());
        // Somebody else is not held up.
        world.sign_in("ben", PASSWORD).await.unwrap();
    }
}
