//! The file of a database: it comes to be as a whole, or not at all.

use std::fs;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use redb::{Builder, ConcurrencyMode, Database, ReadOnlyDatabase};

use super::failure::{caught, not_opened, unavailable};
use crate::store::StoreError;

/// Opens the file, or makes it where there is none. One that was cut to nothing is damaged, and no new one.
///
/// # Errors
///
/// [`StoreFailure`](crate::store::StoreFailure): `Unavailable` if it cannot be opened, `Corrupt` if it is not such a file or
/// damaged, `Full` if there is no room.
pub(crate) fn open(path: &Path, builder: &Builder) -> Result<Database, StoreError> {
    if !path.try_exists().map_err(unavailable)? {
        make(path)?;
    }
    let database = open_there(path, builder)?;
    // Each time: whoever made it may have died before.
    lasting(path).map_err(unavailable)?;
    Ok(database)
}

/// As [`open`], of a file that has to be there.
pub(super) fn open_there(path: &Path, builder: &Builder) -> Result<Database, StoreError> {
    let there = which(path);
    let database = caught(|| builder.open(path).map_err(not_opened))?;
    // Whoever held it until now may have compacted it in between: this is what was in its place before.
    if which(path) == there { Ok(database) } else { Err(unavailable("another file was put in its place")) }
}

/// Which file lies there.
#[cfg(unix)]
fn which(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;

    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn which(_: &Path) {}

/// Makes it beside its place: a process that dies before the database is one leaves nothing there that would not open
/// again.
fn make(path: &Path) -> Result<(), StoreError> {
    let new = new_name(path)?;
    let made = Database::create(&new).map_err(not_opened).and_then(|database| {
        drop(database);
        // Never over the file of somebody who was faster.
        match fs::hard_link(&new, path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && path.exists() => Ok(()),
            // A file system without links, or a symbolic link to where nothing is yet: made in its place, it can be left
            // half made there.
            Err(_) => Database::create(path).map(drop).map_err(not_opened),
            Ok(()) => Ok(()),
        }
    });
    let _gone = fs::remove_file(&new);
    made
}

/// A name that nobody else takes meanwhile.
fn new_name(path: &Path) -> Result<PathBuf, StoreError> {
    let number = getrandom::u64().map_err(unavailable)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{number:016x}.new"));
    Ok(path.with_file_name(name))
}

/// A new file survives a power cut only when its folder is written, too. A folder that may not be read, or that its file
/// system does not write by itself, is left as it is: databases lie in such folders.
#[cfg(unix)]
pub(super) fn lasting(path: &Path) -> io::Result<()> {
    // Where it lies, not where a link to it does.
    let path = fs::canonicalize(path)?;
    let Some(folder) = path.parent() else { return Ok(()) };
    match fs::File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if CANNOT.contains(&error.kind()) => Ok(()),
        done => done,
    }
}

#[cfg(unix)]
const CANNOT: [ErrorKind; 3] = [ErrorKind::InvalidInput, ErrorKind::Unsupported, ErrorKind::PermissionDenied];

#[cfg(not(unix))]
pub(super) fn lasting(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Opens it as it stands: nothing is mended or checked.
pub(super) fn read_only(path: &Path) -> Result<ReadOnlyDatabase, StoreError> {
    let mut builder = Database::builder();
    // In this mode the engine asks for no list of free pages, which it has after a closing only.
    builder.set_concurrency_mode(ConcurrencyMode::SingleWriter);
    caught(|| builder.open_read_only(path).map_err(not_opened))
}

/// Takes back the mark of a file that was not closed: the engine compares all checksums of such a file, and opens none that
/// is damaged.
pub(super) fn take_for_closed(path: &Path) -> io::Result<()> {
    let mut file = fs::File::options().read(true).write(true).open(path)?;
    let mut marks = [0];
    file.seek(SeekFrom::Start(MARKS))?;
    file.read_exact(&mut marks)?;
    file.seek(SeekFrom::Start(MARKS))?;
    file.write_all(&marks.map(|marks| marks & !NOT_CLOSED))
}

/// Where the engine's format has its marks, after nine bytes of its name, and which of them that is.
const MARKS: u64 = 9;
const NOT_CLOSED: u8 = 2;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// In `/proc`, nothing can be written by itself.
    #[test]
    #[allow(clippy::unwrap_used, reason = "a test")]
    fn a_folder_that_cannot_be_written_by_itself_is_left_as_it_is() {
        let file = Path::new("/proc/self/status");
        let folder = fs::File::open("/proc/self").unwrap();
        assert_eq!(folder.sync_all().unwrap_err().kind(), ErrorKind::InvalidInput);
        assert!(lasting(file).is_ok());
        assert!(lasting(Path::new("/proc/self/no such file")).is_err());
    }
}
