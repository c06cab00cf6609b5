//! The benchmarks there are. Adding one is a line here and a module beside this one.

use super::{Bench, figures, files, launch, terminal, web};

pub(crate) const BENCHES: &[Bench] = &[
    Bench {
        name: "web",
        about: "what a browser fetches, and how long until somebody can sign in",
        run: web::run,
    },
    Bench {
        name: "terminal",
        about: "keys and floods beside the engine's own exec",
        run: terminal::run,
    },
    Bench {
        name: "files",
        about: "half a gigabyte there and back, beside docker cp",
        run: files::run,
    },
    Bench {
        name: "figures",
        about: "the controller's CPU while it hears what a thousand containers use",
        run: figures::run,
    },
    Bench { name: "launch", about: "creations beside the engine alone", run: launch::run },
];
