//! The calls about files in containers. Their bytes go over plain HTTP (`files::upload`), which a browser can save from and
//! send from disk.

use berth_proto::{method, v1::*};

use super::{
    error::Error,
    transport::{Retry::Once, Stream, server_stream, unary},
};

pub(crate) async fn stat_file(owner: String, name: String, path: String) -> Result<File, Error> {
    unary(method::FILE_STAT, &StatRequest { owner, name, path }, Once).await
}

/// Of `ListFilesResponse`.
pub(crate) async fn list_files(owner: String, name: String, path: String) -> Result<Stream, Error> {
    let request = ListFilesRequest { owner, name, path, limit: 0 };
    server_stream(method::FILE_LIST, &request).await
}

/// One that is there already is fine.
pub(crate) async fn make_directory(
    owner: String,
    name: String,
    path: String,
) -> Result<File, Error> {
    unary(method::FILE_MAKE_DIRECTORY, &MakeDirectoryRequest { owner, name, path }, Once).await
}

/// To a name that is free.
pub(crate) async fn move_file(
    owner: String,
    name: String,
    path: String,
    destination: String,
) -> Result<File, Error> {
    let request = MoveRequest { owner, name, path, destination, replace: false };
    unary(method::FILE_MOVE, &request, Once).await
}

pub(crate) async fn delete_file(owner: String, name: String, path: String) -> Result<(), Error> {
    let request = DeleteFileRequest { owner, name, path };
    let DeleteFileResponse {} = unary(method::FILE_DELETE, &request, Once).await?;
    Ok(())
}

pub(crate) async fn discard_upload(
    owner: String,
    name: String,
    path: String,
    upload_id: String,
) -> Result<(), Error> {
    let request = DiscardUploadRequest { owner, name, path, upload_id };
    let DiscardUploadResponse {} = unary(method::FILE_DISCARD_UPLOAD, &request, Once).await?;
    Ok(())
}
