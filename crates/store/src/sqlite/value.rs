//! Values as SQLite keeps them: ids as 16 bytes, times as text in RFC 3339 (whose order is that of time, as all are in
//! UTC), JSON as text, a boolean as 0 or 1.

use std::error::Error as StdError;

use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::types::{ToSql, ToSqlOutput, Type, ValueRef};
use rusqlite::{Error, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::types::Json;
use uuid::Uuid;

type BoxedError = Box<dyn StdError + Send + Sync>;

/// What can be a parameter.
pub(crate) trait ToSqlite {
    fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>>;
}

/// What a column is read as.
pub(crate) trait FromSqlite: Sized {
    fn from_sqlite(value: ValueRef<'_>) -> Result<Self, BoxedError>;
}

/// What a row is read as: a struct by the names of its columns, a tuple by their places.
pub(crate) trait FromSqliteRow: Sized {
    fn from_sqlite_row(row: &Row<'_>) -> rusqlite::Result<Self>;
}

/// Reads a column by its name, which is looked for from place `next` on: most rows are read in the order of their columns.
pub(crate) fn column<T: FromSqlite>(row: &Row<'_>, next: &mut usize, name: &str) -> rusqlite::Result<T> {
    let statement = row.as_ref();
    let mut places = (*next..statement.column_count()).chain(0..*next);
    let place = places.find(|place| statement.column_name(*place).is_ok_and(|column| column == name));
    let place = place.ok_or_else(|| Error::InvalidColumnName(name.to_owned()))?;
    *next = place + 1;
    column_at(row, place)
}

fn column_at<T: FromSqlite>(row: &Row<'_>, index: usize) -> rusqlite::Result<T> {
    let value = row.get_ref(index)?;
    T::from_sqlite(value).map_err(|error| Error::FromSqlConversionFailure(index, value.data_type(), error))
}

macro_rules! as_rusqlite_does {
    ($($to:ty),*; $($from:ty),*) => {
        $(impl ToSqlite for $to {
            fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                self.to_sql()
            }
        })*
        $(impl FromSqlite for $from {
            fn from_sqlite(value: ValueRef<'_>) -> Result<Self, BoxedError> {
                Ok(rusqlite::types::FromSql::column_result(value)?)
            }
        })*
    };
}

as_rusqlite_does!(i16, i64, bool, str, String, [u8], Vec<u8>; i16, i64, bool, String, Vec<u8>);

impl<T: ToSqlite + ?Sized> ToSqlite for &T {
    fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        (**self).to_sqlite()
    }
}

impl<T: ToSqlite> ToSqlite for Option<T> {
    fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Some(value) => value.to_sqlite(),
            None => Ok(ToSqlOutput::Borrowed(ValueRef::Null)),
        }
    }
}

impl ToSqlite for Uuid {
    fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.as_bytes())))
    }
}

impl ToSqlite for DateTime<Utc> {
    fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.to_rfc3339_opts(SecondsFormat::AutoSi, false).into())
    }
}

impl<T: Serialize> ToSqlite for Json<T> {
    fn to_sqlite(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = serde_json::to_string(&self.0).map_err(|error| Error::ToSqlConversionFailure(error.into()))?;
        Ok(text.into())
    }
}

impl<T: FromSqlite> FromSqlite for Option<T> {
    fn from_sqlite(value: ValueRef<'_>) -> Result<Self, BoxedError> {
        match value.data_type() {
            Type::Null => Ok(None),
            _ => T::from_sqlite(value).map(Some),
        }
    }
}

impl FromSqlite for Uuid {
    fn from_sqlite(value: ValueRef<'_>) -> Result<Self, BoxedError> {
        Ok(Self::from_slice(value.as_blob()?)?)
    }
}

impl FromSqlite for DateTime<Utc> {
    fn from_sqlite(value: ValueRef<'_>) -> Result<Self, BoxedError> {
        Ok(DateTime::parse_from_rfc3339(value.as_str()?)?.to_utc())
    }
}

impl<T: DeserializeOwned> FromSqlite for Json<T> {
    fn from_sqlite(value: ValueRef<'_>) -> Result<Self, BoxedError> {
        Ok(Self(serde_json::from_str(value.as_str()?)?))
    }
}

macro_rules! tuples {
    ($(($($name:ident $place:tt),*))*) => {
        $(impl<$($name: FromSqlite),*> FromSqliteRow for ($($name,)*) {
            fn from_sqlite_row(row: &Row<'_>) -> rusqlite::Result<Self> {
                Ok(($(column_at::<$name>(row, $place)?,)*))
            }
        })*
    };
}

tuples!((A 0) (A 0, B 1) (A 0, B 1, C 2) (A 0, B 1, C 2, D 3));

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::super::statement::fetch_one;
    use super::*;

    fn there_and_back<T: ToSqlite + FromSqlite>(value: &T) -> T {
        let connection = Connection::open_in_memory().unwrap();
        let (read,) = fetch_one(&connection, "SELECT $1", &[value]).unwrap();
        read
    }

    #[test]
    fn what_is_written_is_read() {
        let time: DateTime<Utc> = "2026-11-24T10:00:00.123456Z".parse().unwrap();
        assert_eq!(there_and_back(&time), time);
        assert_eq!(there_and_back(&Some(time)), Some(time));
        assert_eq!(there_and_back(&None::<Uuid>), None);
        let id = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        assert_eq!(there_and_back(&id), id);
        assert!(there_and_back(&true));
        assert_eq!(there_and_back(&vec![0_u8, 255]), [0, 255]);
        assert_eq!(there_and_back(&Json(vec!["a\0b".to_owned()])).0, ["a\0b"]);
        assert_eq!(there_and_back(&"a\0b".to_owned()), "a\0b");
    }

    #[test]
    fn the_order_of_times_as_text_is_that_of_time() {
        let times = ["10:00:00Z", "10:00:00.001Z", "10:00:00.001001Z", "10:00:00.5Z", "10:00:01Z", "10:00:01.000001Z"];
        let mut texts = Vec::new();
        for time in times {
            let time: DateTime<Utc> = format!("2026-11-24T{time}").parse().unwrap();
            let ToSqlOutput::Owned(rusqlite::types::Value::Text(text)) = time.to_sqlite().unwrap() else { panic!() };
            texts.push(text);
        }
        assert!(texts.is_sorted(), "{texts:?}");
    }

    #[test]
    fn columns_are_found_by_their_names_in_any_order() {
        crate::tx::row! {
            #[derive(Debug, PartialEq)]
            struct Pair {
                a: i64,
                b: String,
            }
        }
        let connection = Connection::open_in_memory().unwrap();
        for sql in ["SELECT 1 AS a, 'b' AS b", "SELECT 'b' AS b, 1 AS a", "SELECT 'b' AS b, 0 AS c, 1 AS a"] {
            assert_eq!(fetch_one::<Pair>(&connection, sql, &[]), Ok(Pair { a: 1, b: "b".to_owned() }), "{sql}");
        }
        let missing = fetch_one::<Pair>(&connection, "SELECT 1 AS a", &[]);
        assert_eq!(missing, Err(Error::InvalidColumnName("b".to_owned())));
    }

    #[test]
    fn what_is_of_another_kind_is_an_error() {
        let connection = Connection::open_in_memory().unwrap();
        assert!(fetch_one::<(i64,)>(&connection, "SELECT 'a'", &[]).is_err());
        assert!(fetch_one::<(Uuid,)>(&connection, "SELECT x'00'", &[]).is_err());
        assert!(fetch_one::<(String,)>(&connection, "SELECT NULL", &[]).is_err());
        assert!(fetch_one::<(DateTime<Utc>,)>(&connection, "SELECT 'yesterday'", &[]).is_err());
        assert!(fetch_one::<(i16,)>(&connection, "SELECT 65536", &[]).is_err());
    }
}
