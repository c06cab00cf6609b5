//! The calls about homes and volumes.

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
