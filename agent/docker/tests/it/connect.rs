//! Connections from inside a container's network.

use berth_docker::{
    Options,
    exec::{ConnectError, Error, Exec},
};
use berth_reconcile::runtime::{EngineId, Runtime};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use crate::support::{Bench, PATIENCE, user, with_bench};

/// Says hello to whoever connects, on the container's loopback and nowhere else.
const SERVER: &str = "mkdir /w; echo hello > /w/index.html; exec httpd -f -p 127.0.0.1:8080 -h /w";

async fn serving(bench: &Bench) -> EngineId {
    bench.run(&bench.order(user(), &["sh", "-c", SERVER])).await
}

async fn get(exec: &Exec, id: &EngineId) -> Result<String, ConnectError> {
    let mut stream = exec.connect(id, 8080).await?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("it answers").unwrap();
    Ok(answer)
}

#[test]
#[ignore = "needs a Docker engine: BERTH_TEST_DOCKER"]
fn what_listens_on_the_loopback_inside_is_reached() {
    with_bench(Options::default(), async |bench| {
        let id = serving(&bench).await;
        let other = bench.run(&bench.order(user(), &["sleep", "1000"])).await;
        let exec = Exec::new(&bench.options.socket);
        let answering = async {
            loop {
                match get(&exec, &id).await {
                    Ok(answer) => return answer,
                    // The server has not begun to listen.
                    Err(ConnectError::Refused) => tokio::task::yield_now().await,
                    Err(error) => panic!("{error}"),
                }
            }
        };
        let answer = timeout(PATIENCE, answering).await.expect("the server comes up");
        assert!(answer.ends_with("hello\n"), "{answer}");
        // Our own network is ours again, and a neighbour's is theirs.
        assert!(matches!(exec.connect(&other, 8080).await, Err(ConnectError::Refused)));
        bench.stop(&id, std::time::Duration::ZERO).await.unwrap();
        assert!(matches!(
            exec.connect(&id, 8080).await,
            Err(ConnectError::Container(Error::NotRunning))
        ));
        for id in [id, other] {
            bench.remove(&id).await.unwrap();
        }
    });
}
