//! The calls about homes, volumes and share links.

use berth_proto::{method, v1::*};

use super::{
    error::Error,
    transport::{
        Retry::{Never, Once},
        unary,
    },
};

pub(crate) async fn list_volumes(owner: String) -> Result<Vec<Volume>, Error> {
    let answer: ListVolumesResponse =
        unary(method::VOLUME_LIST_VOLUMES, &ListVolumesRequest { owner }, Once).await?;
    Ok(answer.volumes)
}

/// Not sent twice: the second time its name would be taken.
pub(crate) async fn create_volume(name: String, scope: VolumeScope) -> Result<Volume, Error> {
    let request = CreateVolumeRequest { name, scope: scope.into() };
    unary(method::VOLUME_CREATE_VOLUME, &request, Never).await
}

pub(crate) async fn delete_volume(name: String, owner: String) -> Result<(), Error> {
    let request = DeleteVolumeRequest { name, owner };
    let DeleteVolumeResponse {} = unary(method::VOLUME_DELETE_VOLUME, &request, Never).await?;
    Ok(())
}

pub(crate) async fn get_home(owner: String) -> Result<Home, Error> {
    unary(method::VOLUME_GET_HOME, &GetHomeRequest { owner }, Once).await
}

/// A person has few.
pub(crate) async fn list_share_links(name: String, owner: String) -> Result<Vec<ShareLink>, Error> {
    let request = ListShareLinksRequest { name, owner, page_size: 500, page_token: String::new() };
    let answer: ListShareLinksResponse =
        unary(method::APP_LIST_SHARE_LINKS, &request, Once).await?;
    Ok(answer.share_links)
}

/// For so many seconds; 0 for what the site says. Not made twice: each is another link.
pub(crate) async fn create_share_link(
    name: String,
    owner: String,
    port: u32,
    seconds: i64,
) -> Result<CreateShareLinkResponse, Error> {
    let lifetime = (seconds > 0).then_some(prost_types::Duration { seconds, nanos: 0 });
    let request = CreateShareLinkRequest { name, owner, port, lifetime };
    unary(method::APP_CREATE_SHARE_LINK, &request, Never).await
}

pub(crate) async fn delete_share_link(
    name: String,
    owner: String,
    id: String,
) -> Result<(), Error> {
    let request = DeleteShareLinkRequest { name, owner, id };
    let DeleteShareLinkResponse {} = unary(method::APP_DELETE_SHARE_LINK, &request, Never).await?;
    Ok(())
}
