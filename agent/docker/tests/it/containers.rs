use berth_core::{
    clock::Timestamp, container::PortBinding, fault::FaultKind, image::ImageRef, resources::GpuId,
};
use berth_docker::{Options, names::Identity};
use berth_reconcile::runtime::{EngineState, Error, Event, Runtime};
use futures::StreamExt;
use std::{net::TcpListener, time::Duration};
use tokio::sync::watch;

use crate::support::{PATIENCE, free_port, get, user, with_bench};

fn kind(error: &Error) -> Option<FaultKind> {
    match error {
        Error::Fault { kind, .. } => Some(*kind),
        Error::ImageMissing
        | Error::NetworkMissing
        | Error::NoSuchContainer
        | Error::Unavailable(_) => None,
    }
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn a_life() {
    with_bench(Options::default(), async |bench| {
        let order = bench.order(user(), &["sleep", "1000"]);
        let id = bench.run(&order).await;
        let found = bench.until(&id, |state| matches!(state, EngineState::Running { .. })).await;
        assert_eq!(found.container, order.container);
        assert_eq!(found.spec_digest, order.spec.digest());
        assert!(found.image_digest.as_ref().unwrap().starts_with("sha256:"));
        assert_eq!(bench.list().await.unwrap().len(), 1);
        let EngineState::Running { started_at } = found.state else { panic!("{found:?}") };
        let up_since = bench.up_since().await.unwrap();
        assert!(up_since > Timestamp(0) && up_since < started_at, "{up_since:?} {started_at:?}");

        // Everything again, as after answers that were lost.
        assert_eq!(bench.create(&order).await.unwrap(), id);
        bench.start(&id).await.unwrap();
        bench.create_network(order.spec.user).await.unwrap();

        assert_eq!(bench.exec(&id, "echo $GREETING; hostname; id -u").0, "hello world\nweb\n0");
        assert_eq!(bench.exec(&id, "echo $NVIDIA_VISIBLE_DEVICES").0, "void");
        assert_eq!(bench.exec(&id, "grep NoNewPrivs /proc/self/status | cut -f2").0, "1");
        assert_eq!(bench.exec(&id, "ulimit -c; [ $(ulimit -n) -le 65536 ] && echo ok").0, "0\nok");

        bench.stop(&id, Duration::from_secs(5)).await.unwrap();
        bench.stop(&id, Duration::ZERO).await.unwrap();
        let found = bench.inspect(&id).await.unwrap().unwrap();
        assert!(
            matches!(found.state, EngineState::Exited { out_of_memory: false, .. }),
            "{found:?}"
        );
        bench.start(&id).await.unwrap();
        bench.remove(&id).await.unwrap();
        bench.remove(&id).await.unwrap();
        bench.stop(&id, Duration::ZERO).await.unwrap();
        assert_eq!(bench.inspect(&id).await.unwrap(), None);
        assert_eq!(bench.start(&id).await, Err(Error::NoSuchContainer));
        assert_eq!(bench.list().await.unwrap(), []);
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn what_is_missing_is_named() {
    with_bench(Options::default(), async |bench| {
        let mut order = bench.order(user(), &[]);
        // Made, but with nothing to run: the image has no command.
        let made = bench.create(&order).await;
        assert_eq!(kind(&made.unwrap_err()), Some(FaultKind::CommandNotFound));
        order.spec.command = vec!["sleep".to_owned(), "9".to_owned()];
        order.spec.image = ImageRef::parse("berth-test/none:1").unwrap();
        assert_eq!(bench.create(&order).await, Err(Error::ImageMissing));

        // Which of the two calls notices a missing network depends on the engine.
        let order = bench.order(user(), &["sleep", "9"]);
        let error = match bench.create(&order).await {
            Err(error) => error,
            Ok(id) => bench.start(&id).await.unwrap_err(),
        };
        assert_eq!(error, Error::NetworkMissing);

        let order = bench.order(user(), &["/no/such/program"]);
        bench.create_network(order.spec.user).await.unwrap();
        // The engine's init starts, and does not find the program: by convention that is 127.
        let id = bench.create(&order).await.unwrap();
        bench.start(&id).await.unwrap();
        let found = bench.until(&id, |state| matches!(state, EngineState::Exited { .. })).await;
        assert!(matches!(found.state, EngineState::Exited { exit_code: 127, .. }), "{found:?}");

        if !bench.has_gpu_runtime() {
            let mut order = bench.order(order.spec.user, &["true"]);
            order.spec.gpus = vec![GpuId::parse("GPU-1").unwrap()];
            let id = bench.create(&order).await.unwrap();
            assert_eq!(kind(&bench.start(&id).await.unwrap_err()), Some(FaultKind::NoGpuRuntime));
        }
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn a_network_removed_under_a_container() {
    with_bench(Options::default(), async |bench| {
        let order = bench.order(user(), &["sleep", "1000"]);
        let id = bench.run(&order).await;
        bench.stop(&id, Duration::ZERO).await.unwrap();
        bench.remove_network(order.spec.user).await.unwrap();
        assert_eq!(bench.start(&id).await, Err(Error::NetworkMissing));
        bench.create_network(order.spec.user).await.unwrap();
        bench.start(&id).await.unwrap();
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn ends_are_explained() {
    with_bench(Options::default(), async |bench| {
        let user = user();
        let id = bench.run(&bench.order(user, &["sh", "-c", "exit 3"])).await;
        let found = bench.until(&id, |state| matches!(state, EngineState::Exited { .. })).await;
        assert!(matches!(
            found.state,
            EngineState::Exited { exit_code: 3, out_of_memory: false, .. }
        ));

        let greedy =
            bench.order(user, &["sh", "-c", "dd if=/dev/zero of=/dev/null bs=1000M count=9"]);
        let id = bench.run(&greedy).await;
        let found = bench.until(&id, |state| matches!(state, EngineState::Exited { .. })).await;
        assert!(
            matches!(found.state, EngineState::Exited { out_of_memory: true, .. }),
            "{found:?}"
        );
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn a_terminal() {
    with_bench(Options::default(), async |bench| {
        // Without a terminal and open input, a shell ends at once.
        let mut order = bench.order(user(), &["sh"]);
        let id = bench.run(&order).await;
        bench.until(&id, |state| matches!(state, EngineState::Exited { exit_code: 0, .. })).await;
        order = bench.order(order.spec.user, &["sh"]);
        (order.spec.tty, order.spec.stdin) = (true, true);
        let id = bench.run(&order).await;
        let answer = bench.client.inspect_container(id.as_str(), None).await.unwrap();
        assert!(answer.config.unwrap().tty.unwrap());
        assert_eq!(bench.exec(&id, "readlink /proc/$(pidof -s sh)/fd/0 | cut -d/ -f1-3").1, 0);
        bench.until(&id, |state| matches!(state, EngineState::Running { .. })).await;
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn ports() {
    with_bench(Options::default(), async |bench| {
        let held = TcpListener::bind(("0.0.0.0", 0)).unwrap();
        let taken = held.local_addr().unwrap().port();
        let user = user();
        let order = bench.web(user, "hello", Some(taken));
        bench.create_network(user).await.unwrap();
        let id = bench.create(&order).await.unwrap();
        let error = bench.start(&id).await.unwrap_err();
        assert_eq!(kind(&error), Some(FaultKind::PortInUse { port: taken }), "{error}");
        // The foreign program ends: the same container starts.
        drop(held);
        bench.start(&id).await.unwrap();

        // Held by another container.
        let second = bench.create(&bench.web(user, "second", Some(taken))).await.unwrap();
        let error = bench.start(&second).await.unwrap_err();
        assert_eq!(kind(&error), Some(FaultKind::PortInUse { port: taken }), "{error}");

        let mut answer = String::new();
        let ready = tokio::time::timeout(PATIENCE, async {
            while !answer.contains("hello") {
                tokio::task::yield_now().await;
                answer = get("127.0.0.1", taken).await;
            }
        });
        ready.await.expect("the container answers on its port");
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn a_foreign_container_with_our_name() {
    with_bench(Options::default(), async |bench| {
        let order = bench.order(user(), &["sleep", "9"]);
        let id = bench.create(&order).await.unwrap();
        // Ours, but made for another order.
        let mut other = order.clone();
        other.spec.ports = vec![PortBinding { guest: 80, host: free_port() }];
        let refused = bench.create(&other).await.unwrap_err();
        assert_eq!(kind(&refused), Some(FaultKind::ForeignContainer));
        bench.remove(&id).await.unwrap();

        // Not ours at all; and it is not touched by anything.
        let name = Identity::container_name(order.container, order.incarnation);
        let options = bollard::query_parameters::CreateContainerOptions {
            name: Some(name),
            ..Default::default()
        };
        let body = bollard::models::ContainerCreateBody {
            image: Some(crate::support::IMAGE.to_owned()),
            cmd: Some(vec!["true".to_owned()]),
            ..Default::default()
        };
        let foreign = bench.client.create_container(Some(options), body).await.unwrap();
        let refused = bench.create(&order).await.unwrap_err();
        assert_eq!(kind(&refused), Some(FaultKind::ForeignContainer));
        assert_eq!(bench.list().await.unwrap(), []);
        let removed =
            berth_docker::cleanup(&bench.options, bench.identity.cluster, bench.identity.node)
                .await
                .unwrap();
        assert_eq!(removed.containers, 0);
        bench.client.remove_container(&foreign.id, None).await.expect("it is still there");
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn labels_that_cannot_be_understood_are_left_alone() {
    with_bench(Options::default(), async |bench| {
        let mut labels = bench.identity.network_labels(user());
        labels.insert("io.berth.container".to_owned(), "../x".to_owned());
        let body = bollard::models::ContainerCreateBody {
            image: Some(crate::support::IMAGE.to_owned()),
            cmd: Some(vec!["true".to_owned()]),
            labels: Some(labels),
            ..Default::default()
        };
        let none = None::<bollard::query_parameters::CreateContainerOptions>;
        bench.client.create_container(none, body).await.unwrap();
        assert_eq!(bench.list().await.unwrap(), []);
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn pulls_that_cannot_succeed() {
    with_bench(Options::default(), async |bench| {
        let (progress, _) = watch::channel(None);
        // Nothing listens on port 1.
        let image = ImageRef::parse("localhost:1/x/y:1").unwrap();
        let error = bench.pull(&image, &progress).await.unwrap_err();
        assert_eq!(kind(&error), Some(FaultKind::RegistryUnreachable), "{error}");
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn events_tell_of_ours_alone() {
    with_bench(Options::default(), async |bench| {
        let mut events = bench.events();
        assert_eq!(events.next().await, Some(Event::Resync));
        let id = bench.run(&bench.order(user(), &["true"])).await;
        let heard = async {
            loop {
                match events.next().await {
                    Some(Event::Changed(changed)) => return changed,
                    Some(Event::Resync) | None => {}
                }
            }
        };
        assert_eq!(tokio::time::timeout(PATIENCE, heard).await.unwrap(), id);
    });
}
