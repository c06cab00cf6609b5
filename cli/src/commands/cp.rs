//! `berth cp`

use anyhow::{Result, bail};
use clap::Args;

use crate::{
    client::Client,
    text,
    transfer::{Place, Remote, Transfer},
};

/// In capitals, which no container's name has; a shell would make something else of `~:`.
const HOME: &str = "HOME";

/// NAME:PATH is in a container and HOME:PATH in the home, everything else on this machine; a local path with a colon is written ./a:b.
///
/// Folders are copied with everything in them. A copy that is interrupted goes on when the same command is typed again.
#[derive(Debug, Args)]
pub(crate) struct Cp {
    /// Whose the container is (administrators)
    #[arg(long, default_value = "")]
    owner: String,
    /// What is copied; the last one is where to
    #[arg(required = true, num_args = 2.., value_name = "PATH")]
    places: Vec<Place>,
}

impl Cp {
    pub(crate) async fn run(self) -> Result<()> {
        let Some((last, sources)) = self.places.split_last() else { bail!(text::copies_nowhere()) };
        let remote = |name: &str, path: &str| Remote {
            owner: self.owner.clone(),
            // It needs no container.
            name: if name == HOME { String::new() } else { name.to_owned() },
            path: path.to_owned(),
        };
        let transfer = Transfer::new(Client::signed_in()?.files());
        let copied = async {
            for source in sources {
                match (source, last) {
                    (Place::Here(here), Place::There { name, path }) => {
                        // Several need a folder to be put into.
                        let slash =
                            if sources.len() > 1 && !path.ends_with('/') { "/" } else { "" };
                        transfer.send(here, &remote(name, &format!("{path}{slash}"))).await?;
                    }
                    (Place::There { name, path }, Place::Here(here)) => {
                        if sources.len() > 1 && !here.is_dir() {
                            bail!(text::is_no_folder(&here.display().to_string()));
                        }
                        transfer.receive(&remote(name, path), here).await?;
                    }
                    (Place::Here(_), Place::Here(_))
                    | (Place::There { .. }, Place::There { .. }) => {
                        bail!(text::copies_nowhere())
                    }
                }
            }
            Ok(())
        }
        .await;
        transfer.end();
        copied
    }
}
