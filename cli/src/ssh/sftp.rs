//! sftp for `scp`, `sftp` and editors, on the service's own file calls: the image needs nothing for it, and the container
//! may be stopped.
//!
//! # Caveats
//! A file is written from its beginning to its end and is in its place when it is closed. Whoever writes into the middle of
//! one is told that this cannot be done.

mod handle;

use std::collections::BTreeMap;

use berth_proto::v1;
use russh_sftp::{
    protocol::{Attrs, Data, File, FileAttributes, Handle, Name, OpenFlags, Status, StatusCode},
    server::{Handler, StatusReply},
};
use tonic::Code;

use self::handle::{Open, Reading, Writing};
use super::Target;
use crate::client::Client;

/// Entries in an answer; a packet has 256 KiB.
const NAMES: usize = 100;
/// Files that are open at a time.
const HANDLES: usize = 64;
/// What a directory's listing holds.
const LIST_MAXIMUM: u32 = 100_000;
const FILE: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
const LINK: u32 = 0o120_000;

/// A connection's.
pub(super) struct Sftp {
    files: handle::Files,
    target: Target,
    home: String,
    open: BTreeMap<String, Open>,
    next: u64,
}

/// What ssh is told when it cannot be done.
pub(super) struct Refusal(StatusReply);

impl From<Refusal> for StatusReply {
    fn from(refusal: Refusal) -> Self {
        refusal.0
    }
}

impl From<StatusCode> for Refusal {
    fn from(code: StatusCode) -> Self {
        Self(code.into())
    }
}

impl From<tonic::Status> for Refusal {
    fn from(status: tonic::Status) -> Self {
        let code = match status.code() {
            Code::NotFound => StatusCode::NoSuchFile,
            Code::PermissionDenied => StatusCode::PermissionDenied,
            Code::Unavailable => StatusCode::ConnectionLost,
            _ => StatusCode::Failure,
        };
        Self(code.with_message(crate::output::printable(status.message())))
    }
}

type Answer<T> = Result<T, Refusal>;

impl Sftp {
    /// `home` is where relative paths begin.
    pub(super) fn new(client: &Client, target: Target, home: String) -> Self {
        Self { files: client.files(), target, home, open: BTreeMap::new(), next: 0 }
    }

    fn path(&self, text: &str) -> String {
        absolute(&self.home, text)
    }

    async fn stat_itself(&mut self, path: String) -> Answer<v1::File> {
        let Target { owner, name } = self.target.clone();
        Ok(self.files.stat(v1::StatRequest { owner, name, path }).await?.into_inner())
    }

    /// What a link leads to, as far as it is a file or a folder.
    async fn stat_followed(&mut self, path: String) -> Answer<v1::File> {
        let found = self.stat_itself(path.clone()).await?;
        if found.kind() != v1::FileKind::Link {
            return Ok(found);
        }
        if let Ok(reading) = Reading::begin(&mut self.files, &self.target, path.clone(), 0).await {
            return Ok(reading.file);
        }
        let Target { owner, name } = self.target.clone();
        let list = v1::ListFilesRequest { owner, name, path, limit: 1 };
        self.files.list(list).await?;
        Ok(v1::File { kind: v1::FileKind::Directory.into(), mode: 0o755, ..found })
    }

    /// Permissions and the time; an owner cannot be given away.
    async fn apply(&mut self, path: String, attributes: &FileAttributes) -> Answer<()> {
        let mode = attributes.permissions.map(|mode| mode & 0o777);
        let seconds = attributes.mtime.map(i64::from);
        let modify_time = seconds.map(|seconds| prost_types::Timestamp { seconds, nanos: 0 });
        if mode.is_some() || modify_time.is_some() {
            let Target { owner, name } = self.target.clone();
            let request = v1::SetAttributesRequest { owner, name, path, mode, modify_time };
            self.files.set_attributes(request).await?;
        }
        Ok(())
    }

    fn keep(&mut self, id: u32, open: Open) -> Answer<Handle> {
        if self.open.len() >= HANDLES {
            return Err(StatusCode::Failure.into());
        }
        self.next += 1;
        let handle = self.next.to_string();
        self.open.insert(handle.clone(), open);
        Ok(Handle { id, handle })
    }

    fn find(&mut self, handle: &str) -> Answer<&mut Open> {
        self.open.get_mut(handle).ok_or_else(|| StatusCode::Failure.into())
    }
}

/// Without ".." and "." in it: the service takes none.
fn absolute(home: &str, text: &str) -> String {
    let whole = if text.starts_with('/') { text.to_owned() } else { format!("{home}/{text}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn attributes(file: &v1::File) -> FileAttributes {
    let kind = match file.kind() {
        v1::FileKind::Directory => DIRECTORY,
        v1::FileKind::Link => LINK,
        v1::FileKind::File => FILE,
        v1::FileKind::Other | v1::FileKind::Unspecified => 0,
    };
    let seconds = file.modify_time.map_or(0, |time| time.seconds);
    let time = Some(u32::try_from(seconds).unwrap_or(0));
    FileAttributes {
        size: Some(file.size_bytes),
        uid: Some(file.uid),
        gid: Some(file.gid),
        permissions: Some(kind | file.mode),
        atime: time,
        mtime: time,
        ..FileAttributes::empty()
    }
}

fn done(id: u32) -> Status {
    Status {
        id,
        status_code: StatusCode::Ok,
        error_message: String::new(),
        language_tag: String::new(),
    }
}

impl Handler for Sftp {
    type Error = Refusal;

    fn unimplemented(&self) -> Refusal {
        StatusCode::OpUnsupported.into()
    }

    async fn realpath(&mut self, id: u32, path: String) -> Answer<Name> {
        Ok(Name { id, files: vec![File::dummy(self.path(&path))] })
    }

    async fn stat(&mut self, id: u32, path: String) -> Answer<Attrs> {
        let file = self.stat_followed(self.path(&path)).await?;
        Ok(Attrs { id, attrs: attributes(&file) })
    }

    async fn lstat(&mut self, id: u32, path: String) -> Answer<Attrs> {
        let file = self.stat_itself(self.path(&path)).await?;
        Ok(Attrs { id, attrs: attributes(&file) })
    }

    async fn fstat(&mut self, id: u32, handle: String) -> Answer<Attrs> {
        let attrs = match self.find(&handle)? {
            Open::Reading(reading) => attributes(&reading.file),
            Open::Writing(writing) => {
                FileAttributes { size: Some(writing.position), ..FileAttributes::empty() }
            }
            Open::Listing(_) => return Err(StatusCode::Failure.into()),
        };
        Ok(Attrs { id, attrs })
    }

    async fn opendir(&mut self, id: u32, path: String) -> Answer<Handle> {
        let Target { owner, name } = self.target.clone();
        let path = self.path(&path);
        let list = v1::ListFilesRequest { owner, name, path, limit: LIST_MAXIMUM };
        let mut stream = self.files.list(list).await?.into_inner();
        let mut names = Vec::new();
        while let Some(response) = stream.message().await? {
            let nameable = response.files.into_iter().filter(|file| !file.unnameable);
            names.extend(nameable.map(|file| File::new(file.name.clone(), attributes(&file))));
        }
        self.keep(id, Open::Listing(names))
    }

    async fn readdir(&mut self, id: u32, handle: String) -> Answer<Name> {
        match self.find(&handle)? {
            Open::Listing(names) if !names.is_empty() => {
                let rest = names.split_off(names.len().saturating_sub(NAMES));
                Ok(Name { id, files: rest })
            }
            Open::Listing(_) => Err(StatusCode::Eof.into()),
            Open::Reading(_) | Open::Writing(_) => Err(StatusCode::Failure.into()),
        }
    }

    async fn open(
        &mut self,
        id: u32,
        filename: String,
        flags: OpenFlags,
        attrs: FileAttributes,
    ) -> Answer<Handle> {
        let path = self.path(&filename);
        if !flags.contains(OpenFlags::WRITE) {
            let reading = Reading::begin(&mut self.files, &self.target, path, 0).await?;
            return self.keep(id, Open::Reading(Box::new(reading)));
        }
        if flags.intersects(OpenFlags::READ | OpenFlags::APPEND) {
            return Err(self.unimplemented());
        }
        // What is there stays in part, unless whoever writes says how long it is to be, as scp does in the end.
        let there = match flags.contains(OpenFlags::TRUNCATE) {
            true => 0,
            false => self.stat_followed(path.clone()).await.map_or(0, |file| file.size_bytes),
        };
        let replace = !flags.contains(OpenFlags::EXCLUDE);
        let mode = attrs.permissions.map(|mode| mode & 0o777);
        let writing =
            Writing::begin(&mut self.files, &self.target, path, mode, replace, there).await?;
        self.keep(id, Open::Writing(Box::new(writing)))
    }

    async fn read(&mut self, id: u32, handle: String, offset: u64, len: u32) -> Answer<Data> {
        let Self { files, target, open, .. } = self;
        let Some(Open::Reading(reading)) = open.get_mut(&handle) else {
            return Err(StatusCode::Failure.into());
        };
        let data = reading.read(files, target, offset, len).await?;
        if data.is_empty() { Err(StatusCode::Eof.into()) } else { Ok(Data { id, data }) }
    }

    async fn write(
        &mut self,
        id: u32,
        handle: String,
        offset: u64,
        data: Vec<u8>,
    ) -> Answer<Status> {
        match self.find(&handle)? {
            Open::Writing(writing) if writing.position == offset => {
                writing.write(data).await?;
                Ok(done(id))
            }
            Open::Writing(_) => Err(self.unimplemented()),
            Open::Reading(_) | Open::Listing(_) => Err(StatusCode::Failure.into()),
        }
    }

    async fn close(&mut self, id: u32, handle: String) -> Answer<Status> {
        match self.open.remove(&handle) {
            Some(Open::Writing(writing)) => {
                let (path, attributes) = (writing.path.clone(), writing.attributes.clone());
                writing.finish().await?;
                self.apply(path, &attributes).await?;
            }
            Some(Open::Reading(_) | Open::Listing(_)) => {}
            None => return Err(StatusCode::Failure.into()),
        }
        Ok(done(id))
    }

    async fn setstat(&mut self, id: u32, path: String, attrs: FileAttributes) -> Answer<Status> {
        if attrs.size.is_some() {
            return Err(self.unimplemented());
        }
        self.apply(self.path(&path), &attrs).await?;
        Ok(done(id))
    }

    async fn fsetstat(&mut self, id: u32, handle: String, attrs: FileAttributes) -> Answer<Status> {
        match self.find(&handle)? {
            Open::Writing(writing) => {
                if attrs.size.is_some_and(|size| size != writing.position) {
                    return Err(self.unimplemented());
                }
                writing.set(attrs);
                Ok(done(id))
            }
            Open::Reading(_) | Open::Listing(_) => Err(self.unimplemented()),
        }
    }

    async fn remove(&mut self, id: u32, filename: String) -> Answer<Status> {
        let path = self.path(&filename);
        // `rm` takes no folder.
        if self.stat_itself(path.clone()).await?.kind() == v1::FileKind::Directory {
            return Err(StatusCode::Failure.into());
        }
        let Target { owner, name } = self.target.clone();
        self.files.delete(v1::DeleteFileRequest { owner, name, path }).await?;
        Ok(done(id))
    }

    async fn rmdir(&mut self, id: u32, path: String) -> Answer<Status> {
        let path = self.path(&path);
        let Target { owner, name } = self.target.clone();
        let list = v1::ListFilesRequest {
            owner: owner.clone(),
            name: name.clone(),
            path: path.clone(),
            limit: 1,
        };
        let mut stream = self.files.list(list).await?.into_inner();
        let first = stream.message().await?;
        // Only an empty one goes by this.
        if first.is_some_and(|first| !first.files.is_empty()) {
            return Err(StatusCode::Failure.into());
        }
        self.files.delete(v1::DeleteFileRequest { owner, name, path }).await?;
        Ok(done(id))
    }

    async fn mkdir(&mut self, id: u32, path: String, _: FileAttributes) -> Answer<Status> {
        let path = self.path(&path);
        if self.stat_itself(path.clone()).await.is_ok() {
            return Err(StatusCode::Failure.into());
        }
        let Target { owner, name } = self.target.clone();
        self.files.make_directory(v1::MakeDirectoryRequest { owner, name, path }).await?;
        Ok(done(id))
    }

    async fn rename(&mut self, id: u32, oldpath: String, newpath: String) -> Answer<Status> {
        let (path, destination) = (self.path(&oldpath), self.path(&newpath));
        let Target { owner, name } = self.target.clone();
        let request = v1::MoveRequest { owner, name, path, destination, replace: false };
        self.files.r#move(request).await?;
        Ok(done(id))
    }

    async fn readlink(&mut self, id: u32, path: String) -> Answer<Name> {
        let file = self.stat_itself(self.path(&path)).await?;
        if file.kind() != v1::FileKind::Link {
            return Err(StatusCode::Failure.into());
        }
        Ok(Name { id, files: vec![File::dummy(file.link_target)] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for (text, path) in [
            ("", "/home/ann"),
            (".", "/home/ann"),
            ("a", "/home/ann/a"),
            ("./a/../b", "/home/ann/b"),
            ("/etc//passwd", "/etc/passwd"),
            ("../../../..", "/"),
            ("/..", "/"),
        ] {
            assert_eq!(absolute("/home/ann", text), path, "{text}");
        }
    }
}
