//! The database's errors as the three kinds that the writer tells apart.

use berth_app::ports::StoreError;
use sea_orm::{DbErr, RuntimeErr, SqlxError, SqlxSqliteError};

/// SQLITE_CORRUPT and SQLITE_NOTADB.
const SQLITE_DAMAGE: [u32; 2] = [11, 26];
/// data_corrupted and index_corrupted.
const POSTGRES_DAMAGE: [&str; 2] = ["XX001", "XX002"];

/// For statements: what is not damage may go away by itself (locked, disk full, connection lost).
pub(super) fn from_db(error: DbErr) -> StoreError {
    if is_damage(&error) {
        StoreError::Corrupt { what: error.to_string() }
    } else {
        StoreError::Unavailable(Box::new(error))
    }
}

/// For reading rows of a table: there, a value of an unexpected type is damage too.
pub(super) fn from_read(table: &'static str, error: DbErr) -> StoreError {
    if is_damage(&error) || is_misfit(&error) {
        StoreError::Corrupt { what: format!("{table}: {error}") }
    } else {
        StoreError::Unavailable(Box::new(error))
    }
}

fn is_damage(error: &DbErr) -> bool {
    let Some(SqlxError::Database(error)) = sqlx_error(error) else { return false };
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<SqlxSqliteError>().is_some() {
        // The low byte is the kind, the others say more.
        code.parse::<u32>().is_ok_and(|code| SQLITE_DAMAGE.contains(&(code & 0xff)))
    } else {
        POSTGRES_DAMAGE.contains(&&*code)
    }
}

fn is_misfit(error: &DbErr) -> bool {
    matches!(error, DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. })
        || matches!(
            sqlx_error(error),
            Some(
                SqlxError::ColumnDecode { .. }
                    | SqlxError::Decode(_)
                    | SqlxError::ColumnNotFound(_)
                    | SqlxError::TypeNotFound { .. }
            )
        )
}

fn sqlx_error(error: &DbErr) -> Option<&SqlxError> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}
