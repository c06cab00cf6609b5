//! The best shell that an image has, found without running anything of the image.

use berth_reconcile::runtime::EngineId;
use bollard::query_parameters::ContainerArchiveInfoOptions;

use super::{Error, Exec};

const SHELLS: [&str; 4] = ["/bin/bash", "/bin/zsh", "/bin/ash", "/bin/sh"];
/// A link to a link; more than this is a ring.
const LINKS: usize = 8;

// Of Go's `os.FileMode`, which the engine answers with.
const DIRECTORY: u32 = 1 << 31;
const LINK: u32 = 1 << 27;
const EXECUTABLE: u32 = 0o111;

impl Exec {
    /// The one that the image's environment names, or the first of the usual ones that is there.
    pub async fn shell(&self, container: &EngineId) -> Result<String, Error> {
        let facts = self.container(container).await?;
        if !facts.is_running {
            return Err(Error::NotRunning);
        }
        for path in candidates(&facts.environment) {
            if self.is_program(container, &path).await? {
                return Ok(path);
            }
        }
        Err(Error::NoShell)
    }

    async fn is_program(&self, container: &EngineId, path: &str) -> Result<bool, Error> {
        let mut path = path.to_owned();
        for _ in 0..LINKS {
            let options = ContainerArchiveInfoOptions { path: path.clone() };
            let client = self.client().await?;
            let found = client.get_container_archive_info(container.as_str(), Some(options));
            let found = match super::quick(found).await {
                Ok(found) => found,
                // An answer to HEAD has no sentence, so a container that is gone looks the same: what follows will say so.
                Err(Error::Unavailable(detail)) => return Err(Error::Unavailable(detail)),
                Err(_) => return Ok(false),
            };
            if found.file_mode & LINK == 0 {
                return Ok(found.file_mode & DIRECTORY == 0 && found.file_mode & EXECUTABLE != 0);
            }
            // The engine has resolved it within the container.
            path = found.link_target;
        }
        Ok(false)
    }
}

fn candidates(environment: &[String]) -> Vec<String> {
    let named = environment
        .iter()
        .find_map(|entry| entry.strip_prefix("SHELL="))
        .filter(|path| path.starts_with('/'));
    named.into_iter().chain(SHELLS).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_images_own_comes_first() {
        let of = |entry: &str| candidates(&["PATH=/bin".to_owned(), entry.to_owned()]);
        assert_eq!(of("SHELL=/usr/bin/fish")[0], "/usr/bin/fish");
        assert_eq!(of("SHELL=fish"), SHELLS);
        assert_eq!(of("X=1"), SHELLS);
    }
}
