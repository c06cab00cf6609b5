//! A line to the service that breaks after so many bytes, as often as it is told.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

pub(crate) struct Line {
    pub(crate) address: SocketAddr,
    up: Arc<Cuts>,
    down: Arc<Cuts>,
}

/// Of one direction.
struct Cuts {
    after: Vec<u64>,
    passed: AtomicU64,
    done: AtomicUsize,
}

impl Cuts {
    fn new(after: &[u64]) -> Arc<Self> {
        let (passed, done) = (AtomicU64::new(0), AtomicUsize::new(0));
        Arc::new(Self { after: after.to_vec(), passed, done })
    }

    /// Whether the line breaks now.
    fn pass(&self, bytes: usize) -> bool {
        let passed = self.passed.fetch_add(bytes as u64, Ordering::SeqCst) + bytes as u64;
        let done = self.done.load(Ordering::SeqCst);
        let is_due = self.after.get(done).is_some_and(|after| passed >= *after);
        is_due
            && self
                .done
                .compare_exchange(done, done + 1, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
    }
}

impl Line {
    /// To `service`; broken when so many bytes have gone up or down.
    pub(crate) fn new(service: SocketAddr, up: &[u64], down: &[u64]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (up, down) = (Cuts::new(up), Cuts::new(down));
        let (going, coming) = (Arc::clone(&up), Arc::clone(&down));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let Ok(server) = TcpStream::connect(service) else { return };
                let (again, back) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let (going, coming) = (Arc::clone(&going), Arc::clone(&coming));
                std::thread::spawn(move || copy(client, server, &going));
                std::thread::spawn(move || copy(back, again, &coming));
            }
        });
        Self { address, up, down }
    }

    /// How often it was broken on the way up, and on the way down.
    pub(crate) fn cuts(&self) -> (usize, usize) {
        (self.up.done.load(Ordering::SeqCst), self.down.done.load(Ordering::SeqCst))
    }
}

/// Until one of both hangs up, or it is cut: then for both directions, and without a word.
fn copy(mut from: TcpStream, mut to: TcpStream, cuts: &Cuts) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let passed = from.read(&mut buffer).and_then(|read| {
            if read == 0 || cuts.pass(read) {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            to.write_all(&buffer[..read])
        });
        if passed.is_err() {
            // Closed already is as good.
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
    }
}
