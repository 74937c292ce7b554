//! A file in the making: a temporary one beside its target, whose place it takes when it is complete.
//!
//! A process that is killed leaves its temporary file behind. Writers hold a lock on theirs, which the system releases
//! when they end, so the next writer to the folder knows which files nobody is writing any more, and removes them.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Temporary files are named so, with 16 hexadecimal digits in between.
const BEFORE: &str = ".rbe-";
const AFTER: &str = ".tmp";

/// Longest chain of symbolic links that is followed, as in Linux.
const MOST_LINKS: usize = 40;

/// A temporary file, removed on drop unless it has taken the place of its target.
pub(super) struct Draft {
    file: File,
    path: PathBuf,
    target: PathBuf,
    old: Option<Metadata>,
    done: bool,
}

impl Draft {
    /// An empty file beside `target`, or beside the file that `target` is a symbolic link to.
    pub(super) fn create(target: &Path) -> io::Result<Draft> {
        let target = resolve(target)?;
        let old = match fs::metadata(&target) {
            Ok(about) if about.is_file() => {
                OpenOptions::new().write(true).open(&target)?; // refuses what its owner has protected
                Some(about)
            }
            Ok(_) => return Err(io::Error::new(ErrorKind::InvalidInput, "no regular file is there")),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        sweep(folder(&target));
        loop {
            let path = folder(&target).join(format!("{BEFORE}{:016x}{AFTER}", RandomState::new().hash_one(std::process::id())));
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true);
            #[cfg(unix)]
            if old.is_some() {
                // Until it has the permissions of the old file, only its owner may read it.
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            }
            let file = match options.open(&path) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => continue,
                other => other?,
            };
            let draft = Draft { file, path, target: target.clone(), old: old.clone(), done: false };
            match draft.file.try_lock() {
                // A sweep may have come before the lock.
                Ok(()) if draft.path.exists() => return Ok(draft),
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                // File systems without locks: sweeps leave their files alone.
                Err(TryLockError::Error(_)) => return Ok(draft),
            }
        }
    }

    /// The file, to write.
    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Puts the file in the place of its target, durably: its contents before its name.
    pub(super) fn commit(mut self) -> io::Result<()> {
        if let Some(old) = &self.old {
            take_over(&self.file, old)?;
        }
        self.file.sync_all()?;
        fs::rename(&self.path, &self.target)?;
        self.done = true;
        sync_folder(folder(&self.target))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_file(&self.path); // what cannot be removed now is swept later
        }
    }
}

/// The folder of a file.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The file that `path` names after its symbolic links, which need not exist.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        if path.file_name().is_none() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(io::Error::new(ErrorKind::InvalidInput, "no name of a file"));
        }
        match fs::symlink_metadata(&path) {
            Ok(about) if about.is_symlink() => path = folder(&path).join(fs::read_link(&path)?),
            Ok(_) => return Ok(path),
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(path),
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::new(ErrorKind::InvalidInput, "too many symbolic links"))
}

/// Removes temporary files of writers that have ended. What cannot be read or removed stays.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if !is_temporary(&entry.file_name()) || !entry.file_type().is_ok_and(|t| t.is_file()) {
            continue;
        }
        let mut options = OpenOptions::new();
        options.read(true);
        #[cfg(target_os = "linux")]
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK | libc::O_NOFOLLOW);
        if let Ok(file) = options.open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_temporary(name: &OsStr) -> bool {
    let digits = name.to_str().and_then(|name| name.strip_prefix(BEFORE)?.strip_suffix(AFTER));
    digits.is_some_and(|digits| digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Gives a new file the owner and permissions of the old one.
#[cfg(unix)]
fn take_over(file: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let mut mode = old.mode() & 0o777;
    let new = file.metadata()?;
    let _ = (new.uid() != old.uid()).then(|| fchown(file, Some(old.uid()), None)); // only the superuser may
    if new.gid() != old.gid() && fchown(file, None, Some(old.gid())).is_err() {
        mode &= 0o707 | (mode & 0o007) << 3; // another group gets no more than everybody
    }
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn take_over(file: &File, old: &Metadata) -> io::Result<()> {
    file.set_permissions(old.permissions())
}

/// Makes a change of names in a folder durable, where the file system can.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder).and_then(|f| f.sync_all()) {
        Err(e) if matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        other => other,
    }
}
