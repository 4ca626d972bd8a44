//! The file itself: made readable by its owner alone (definitions hold passwords), locked
//! against a second server, checked when opened, given its tables and the fleet's identity.

use super::super::{FleetIdentity, OpenError, StoreError};
use super::tables::{self, counter};
use redb::{Database, DatabaseError};
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Memory that redb may use to cache pages.
const CACHE_BYTES: usize = 64 << 20;

pub(super) fn open(path: &Path) -> Result<Database, OpenError> {
    make(path).map_err(|source| OpenError::Create { path: path.to_owned(), source })?;
    let unreadable = |source| OpenError::Unreadable { path: path.to_owned(), source };
    let opened = Database::builder()
        .set_cache_size(CACHE_BYTES)
        .set_check_integrity_on_open(true)
        .create(path);
    let database = opened.map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            OpenError::InUse { path: path.to_owned() }
        }
        other => unreadable(other.into()),
    })?;
    let found = prepare(&database).map_err(|error| unreadable(error.into()))?;
    if found == tables::FORMAT {
        Ok(database)
    } else {
        Err(OpenError::Format { path: path.to_owned(), found, expected: tables::FORMAT })
    }
}

fn make(path: &Path) -> io::Result<()> {
    if let Some(directory) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))
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
