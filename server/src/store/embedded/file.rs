//! The file itself: made readable by its owner alone (definitions hold passwords), locked
//! against a second server, checked when opened, given its tables and the fleet's identity.

use super::super::{FleetIdentity, OpenError, StoreError};
use super::tables::{self, counter};
use redb::{Database, DatabaseError};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Memory that redb may use to cache pages.
const CACHE_BYTES: usize = 64 << 20;

pub(super) fn open(path: &Path) -> Result<Database, OpenError> {
    if !path.exists() {
        make(path)?;
    }
    let private = fs::set_permissions(path, Permissions::from_mode(0o600));
    private.map_err(|error| unreadable(path, error))?;
    open_file(path)
}

/// Makes the file under another name and renames it when it is complete: a server killed
/// meanwhile leaves no file that is neither empty nor a store.
fn make(path: &Path) -> Result<(), OpenError> {
    let create = |source| OpenError::Create { path: path.to_owned(), source };
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(create)?;
    let (turn, new) = (path.with_added_extension("lock"), path.with_added_extension("new"));
    let private = || OpenOptions::new().create(true).append(true).mode(0o600).to_owned();
    let lock = private().open(&turn).map_err(create)?;
    lock.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => OpenError::InUse { path: path.to_owned() },
        TryLockError::Error(error) => create(error),
    })?;
    if !path.exists() {
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(create(error)),
            _ => private().open(&new).map_err(create)?,
        };
        drop(open_file(&new)?);
        fs::rename(&new, path).map_err(create)?;
        File::open(directory).and_then(|it| it.sync_all()).map_err(create)?;
    }
    fs::remove_file(&turn).map_err(create)
}

fn open_file(path: &Path) -> Result<Database, OpenError> {
    let opened = Database::builder()
        .set_cache_size(CACHE_BYTES)
        .set_check_integrity_on_open(true)
        .create(path);
    let database = opened.map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            OpenError::InUse { path: path.to_owned() }
        }
        other => unreadable(path, other),
    })?;
    let found = prepare(&database).map_err(|error| unreadable(path, error))?;
    if found == tables::FORMAT {
        Ok(database)
    } else {
        Err(OpenError::Format { path: path.to_owned(), found, expected: tables::FORMAT })
    }
}

fn unreadable(
    path: &Path,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> OpenError {
    OpenError::Unreadable { path: path.to_owned(), source: source.into() }
}

/// Makes what a new file lacks. Returns the format of the file.
fn prepare(database: &Database) -> Result<u64, StoreError> {
    prepare_in(database).map_err(|error| StoreError::failed("prepare its tables", error))
}

fn prepare_in(database: &Database) -> Result<u64, redb::Error> {
    let transaction = database.begin_write()?;
    let format = {
        let mut counters = transaction.open_table(tables::COUNTERS)?;
        let found = tables::number(&counters, counter::FORMAT)?;
        if found != 0 {
            found
        } else {
            counters.insert(counter::FORMAT, tables::FORMAT)?;
            for table in tables::DOCUMENTS {
                transaction.open_table(table)?;
            }
            for table in tables::NUMBERS {
                transaction.open_table(table)?;
            }
            for table in tables::LOGS {
                transaction.open_table(table)?;
            }
            let fleet = FleetIdentity { id: uuid::Uuid::new_v4().to_string(), epoch: 1 };
            let fleet = serde_json::json!(fleet).to_string();
            transaction.open_table(tables::META)?.insert(tables::FLEET, fleet.as_bytes())?;
            tables::FORMAT
        }
    };
    transaction.commit()?;
    Ok(format)
}
