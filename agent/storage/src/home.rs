//! A directory that is an account's own: its home, or a volume.

use std::{
    os::fd::OwnedFd,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use berth_core::storage::Holder;
use rustix::{
    fs::{
        AtFlags, Gid, Mode, OFlags, RenameFlags, Uid, fchmod, fchown, fstat, mkdirat, openat,
        renameat, renameat_with, statat, unlinkat,
    },
    io::Errno,
};

use crate::{Error, root::Open};

/// One that is being made. No account and no volume's id begins with a dot.
const NEW: &str = ".new";

#[derive(Debug)]
pub struct Home {
    pub path: PathBuf,
    /// For names to be looked up in.
    pub directory: OwnedFd,
}

/// Made if it is not there. One that is there must be the account's own.
pub(crate) fn ensure(root: &Open, name: &str, holder: &Holder) -> Result<Home, Error> {
    let path = root.path.join(name);
    let failed = |what: &str| {
        let what = format!("{}: {what}", path.display());
        move |error: Errno| Error::io(what)(error.into())
    };
    let owner = |why: String| Error::Owner { path: path.clone(), why };
    // Somebody else may make it at the same time, on this blade or another one; then it is there.
    for _ in 0..2 {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&root.directory, name, flags, Mode::empty()) {
            Ok(directory) => {
                let uid = fstat(&directory).map_err(failed("it cannot be looked at"))?.st_uid;
                if uid != holder.posix.uid {
                    return Err(owner(format!(
                        "belongs to the number {uid}, and the account's is {}",
                        holder.posix.uid
                    )));
                }
                return Ok(Home { path, directory });
            }
            Err(Errno::NOENT) => make(root, name, holder).map_err(failed("it cannot be made"))?,
            Err(Errno::LOOP | Errno::NOTDIR) => return Err(owner("is no directory".to_owned())),
            Err(error) => return Err(failed("it cannot be opened")(error)),
        }
    }
    Err(failed("it was made and is not there")(Errno::NOENT))
}

/// Under another name until it is the account's: whoever is killed half way leaves nothing that looks like a home.
fn make(root: &Open, name: &str, holder: &Holder) -> Result<(), Errno> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let new = format!("{NEW}-{name}-{}-{number}", std::process::id());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // Left by one that was killed and had our number; empty, since nobody has been in it.
    match unlinkat(&root.directory, &new, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error),
    }
    mkdirat(&root.directory, &new, Mode::RWXU)?;
    let made = || {
        let directory = openat(&root.directory, &new, flags, Mode::empty())?;
        let (uid, gid) = (Uid::from_raw(holder.posix.uid), Gid::from_raw(holder.posix.gid));
        fchown(&directory, Some(uid), Some(gid))?;
        // Whatever our umask is.
        fchmod(&directory, Mode::RWXU)?;
        rename_new(root, &new, name)
    };
    match made() {
        Ok(()) => {
            tracing::info!(user.account = %holder.account, name, "directory made");
            Ok(())
        }
        Err(error) => {
            // What is left of it is empty, and the error says more.
            let _ = unlinkat(&root.directory, &new, AtFlags::REMOVEDIR);
            if error == Errno::EXIST { Ok(()) } else { Err(error) }
        }
    }
}

fn rename_new(root: &Open, new: &str, name: &str) -> Result<(), Errno> {
    let directory = &root.directory;
    match renameat_with(directory, new, directory, name, RenameFlags::NOREPLACE) {
        // NFS cannot promise it. Two blades that make one home in the same moment then make it twice, empty both times.
        Err(Errno::INVAL) => match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Err(Errno::EXIST),
            Err(Errno::NOENT) => renameat(directory, new, directory, name),
            Err(error) => Err(error),
        },
        result => result,
    }
}
