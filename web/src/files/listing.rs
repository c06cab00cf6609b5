use berth_proto::v1::{File, ListFilesResponse};

use super::Whose;
use crate::api::{self, Error};

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Listing {
    pub(crate) files: Vec<File>,
    /// There are more than are listed.
    pub(crate) truncated: bool,
}

pub(crate) async fn list(whose: &Whose, path: &str) -> Result<Listing, Error> {
    let mut stream =
        api::list_files(whose.owner.clone(), whose.name.clone(), path.to_owned()).await?;
    let mut listing = Listing::default();
    while let Some(part) = stream.next::<ListFilesResponse>().await? {
        listing.files.extend(part.files);
        listing.truncated |= part.truncated;
    }
    Ok(listing)
}
