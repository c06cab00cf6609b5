use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use berth_docker::Options;
use berth_reconcile::runtime::Runtime;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{UnixListener, UnixStream},
};

use crate::support::{user, with_bench};

/// Stands between the adapter and the engine and writes down the first line of every request. The adapter opens a
/// connection per request, so the first line of each connection is all there is.
fn listen_in(listener: UnixListener, log: Arc<Mutex<Vec<String>>>) {
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let log = log.clone();
            tokio::spawn(async move {
                let mut engine = UnixStream::connect("/var/run/docker.sock").await.unwrap();
                let mut head = vec![0; 4096];
                let length = client.read(&mut head).await.unwrap();
                let text = String::from_utf8_lossy(&head[..length]).into_owned();
                log.lock().unwrap().extend(text.lines().next().map(str::to_owned));
                engine.write_all(&head[..length]).await.unwrap();
                // Ends with an error when one side hangs up; there is nothing to do then.
                let _ = copy_bidirectional(&mut client, &mut engine).await;
            });
        }
    });
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn a_launch_is_two_calls() {
    with_bench(Options::default(), async |bench| {
        let directory = tempfile::tempdir().unwrap();
        let socket: PathBuf = directory.path().join("engine.sock");
        let log = Arc::new(Mutex::new(Vec::new()));
        listen_in(UnixListener::bind(&socket).unwrap(), log.clone());
        let options = Options { socket, ..bench.options.clone() };
        let identity = bench.identity;
        let docker = berth_docker::connect(
            options,
            bench.docker.storage().clone(),
            identity.cluster,
            identity.node,
        )
        .await
        .unwrap();
        let order = bench.order(user(), &["sleep", "100"]);
        docker.create_network(order.spec.user).await.unwrap();
        assert!(!log.lock().unwrap().is_empty());
        log.lock().unwrap().clear();

        let id = docker.create(&order).await.unwrap();
        docker.start(&id).await.unwrap();
        let calls: Vec<String> = log.lock().unwrap().clone();
        assert_eq!(calls.len(), 2, "{calls:?}");
        assert!(calls[0].contains("/containers/create?"), "{calls:?}");
        assert!(calls[1].contains(&format!("/containers/{}/start", id.as_str())), "{calls:?}");
    });
}
