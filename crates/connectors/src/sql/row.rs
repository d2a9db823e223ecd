//! A row as text, in each of the three databases: how a value of each type is written down.
//!
//! A value is written so that the database reads it again where it is bound as text, and times so that the later one is
//! also the greater text. And how a time is read back out of what was written down.

use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, Utc};
use sqlx::mysql::MySqlRow;
use sqlx::postgres::{PgRow, PgTypeKind};
use sqlx::sqlite::SqliteRow;
use sqlx::types::Uuid;
use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _};

use crate::account;

/// A row.
pub(super) struct Row {
    /// The names of the columns, shared by all rows of a statement.
    pub(super) columns: Arc<[String]>,
    pub(super) cells: Vec<Cell>,
}

/// The value of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Text(String),
    /// Bytes that are no text.
    Binary,
    /// A value of a type, named here, that is not written down.
    Other(String),
}

/// A database's own row.
pub(super) trait Cells {
    fn names(&self) -> Arc<[String]>;
    fn cell(&self, index: usize) -> Result<Cell, sqlx::Error>;
}

impl Row {
    /// `columns` are those of the rows before.
    pub(super) fn of(row: &impl Cells, columns: &mut Option<Arc<[String]>>) -> Result<Self, sqlx::Error> {
        let columns = columns.get_or_insert_with(|| row.names()).clone();
        let cells = (0..columns.len()).map(|index| row.cell(index)).collect::<Result<_, _>>()?;
        Ok(Self { columns, cells })
    }
}

impl Cell {
    fn of_bytes(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or(Self::Binary, Self::Text)
    }

    fn of_time(time: Option<NaiveDateTime>, zone: &str) -> Self {
        time.map_or(Self::Null, |time| Self::Text(format!("{}{zone}", time.format("%Y-%m-%d %H:%M:%S%.6f"))))
    }

    fn of_date(date: Option<NaiveDate>) -> Self {
        date.map_or(Self::Null, |date| Self::Text(date.to_string()))
    }
}

/// The time that is written down like this: with a zone, or in UTC where none is named; or in seconds since 1970. A day alone is
/// none.
pub(super) fn time(text: &str) -> Option<DateTime<Utc>> {
    const ZONED: [&str; 2] = ["%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f%#z"];
    const PLAIN: [&str; 2] = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"];
    let text = text.trim();
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    if let Ok(seconds) = whole.parse() {
        return account::time(seconds);
    }
    let zoned = || ZONED.iter().find_map(|form| DateTime::parse_from_str(text, form).ok()).map(|at| at.timestamp());
    let plain = || PLAIN.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    account::time(zoned().or_else(|| plain().map(|at| at.and_utc().timestamp()))?)
}

macro_rules! names {
    () => {
        fn names(&self) -> Arc<[String]> {
            self.columns().iter().map(|column| column.name().to_owned()).collect()
        }
    };
}

impl Cells for PgRow {
    names!();

    fn cell(&self, index: usize) -> Result<Cell, sqlx::Error> {
        /// PostgreSQL counts from 2000-01-01, in microseconds or days.
        const EPOCH: i64 = 946_684_800_000_000;
        let value = self.try_get_raw(index)?;
        if value.is_null() {
            return Ok(Cell::Null);
        }
        let info = value.type_info();
        // Times as numbers: `infinity` is none that the driver can tell.
        let time = || -> Result<Option<NaiveDateTime>, sqlx::Error> {
            let micros = self.try_get_unchecked::<i64, _>(index)?;
            let micros = micros.checked_add(EPOCH).and_then(DateTime::from_timestamp_micros);
            Ok(micros.map(|time| time.naive_utc()))
        };
        Ok(match info.name() {
            "BOOL" => Cell::Text(self.try_get_unchecked::<bool, _>(index)?.to_string()),
            "INT2" | "INT4" | "INT8" => Cell::Text(self.try_get_unchecked::<i64, _>(index)?.to_string()),
            "FLOAT4" => Cell::Text(self.try_get_unchecked::<f32, _>(index)?.to_string()),
            "FLOAT8" => Cell::Text(self.try_get_unchecked::<f64, _>(index)?.to_string()),
            "UUID" => Cell::Text(self.try_get_unchecked::<Uuid, _>(index)?.to_string()),
            "TIMESTAMP" => Cell::of_time(time()?, ""),
            "TIMESTAMPTZ" => Cell::of_time(time()?, "+00"),
            "DATE" => {
                let days = self.try_get_unchecked::<i64, _>(index)?;
                let first = NaiveDate::from_ymd_opt(2000, 1, 1);
                let distance = Days::new(days.unsigned_abs());
                Cell::of_date(first.and_then(|first| {
                    if days < 0 { first.checked_sub_days(distance) } else { first.checked_add_days(distance) }
                }))
            }
            // Padded with spaces that do not count.
            "CHAR" => Cell::Text(self.try_get_unchecked::<&str, _>(index)?.trim_end_matches(' ').to_owned()),
            "TEXT" | "VARCHAR" | "NAME" | "JSON" | "UNKNOWN" => Cell::Text(self.try_get_unchecked(index)?),
            "BYTEA" => Cell::of_bytes(self.try_get_unchecked(index)?),
            name if name.eq_ignore_ascii_case("citext") || matches!(info.kind(), PgTypeKind::Enum(_)) => {
                Cell::Text(self.try_get_unchecked(index)?)
            }
            name => Cell::Other(name.to_owned()),
        })
    }
}

impl Cells for MySqlRow {
    names!();

    fn cell(&self, index: usize) -> Result<Cell, sqlx::Error> {
        let value = self.try_get_raw(index)?;
        if value.is_null() {
            return Ok(Cell::Null);
        }
        let info = value.type_info();
        Ok(match info.name() {
            "BOOLEAN" | "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" => {
                Cell::Text(self.try_get_unchecked::<i64, _>(index)?.to_string())
            }
            "YEAR" | "TINYINT UNSIGNED" | "SMALLINT UNSIGNED" | "MEDIUMINT UNSIGNED" | "INT UNSIGNED"
            | "BIGINT UNSIGNED" => Cell::Text(self.try_get_unchecked::<u64, _>(index)?.to_string()),
            "FLOAT" => Cell::Text(self.try_get_unchecked::<f32, _>(index)?.to_string()),
            "DOUBLE" => Cell::Text(self.try_get_unchecked::<f64, _>(index)?.to_string()),
            // `0000-00-00` is no date.
            "DATE" => Cell::of_date(self.try_get_unchecked(index).ok()),
            // Without a zone: the database reads it again in the zone in which it wrote it.
            "DATETIME" | "TIMESTAMP" => Cell::of_time(self.try_get_unchecked(index).ok(), ""),
            "BIT" => {
                let bits = self.try_get_unchecked::<Vec<u8>, _>(index)?;
                let number = bits.into_iter().fold(0_u64, |number, byte| number << 8 | u64::from(byte));
                Cell::Text(number.to_string())
            }
            "TIME" | "GEOMETRY" => Cell::Other(info.name().to_owned()),
            // What is left comes as the bytes of its text, decimals too.
            _ => Cell::of_bytes(self.try_get_unchecked(index)?),
        })
    }
}

impl Cells for SqliteRow {
    names!();

    /// SQLite itself writes numbers as text where bytes are asked for.
    fn cell(&self, index: usize) -> Result<Cell, sqlx::Error> {
        Ok(self.try_get_unchecked::<Option<Vec<u8>>, _>(index)?.map_or(Cell::Null, Cell::of_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_zone_or_is_in_utc() {
        for (text, expected) in [
            ("2024-10-04 02:00:05.500000+02", Some("2024-10-04T00:00:05+00:00")),
            ("2024-10-04T02:00:05+02:00", Some("2024-10-04T00:00:05+00:00")),
            ("2024-10-04T00:00:05Z", Some("2024-10-04T00:00:05+00:00")),
            ("2024-10-04 00:00:05.999999", Some("2024-10-04T00:00:05+00:00")),
            (" 2024-10-04T00:00:05 ", Some("2024-10-04T00:00:05+00:00")),
            ("1728000005", Some("2024-10-04T00:00:05+00:00")),
            ("1728000005.123456", Some("2024-10-04T00:00:05+00:00")),
            ("2024-10-04", None),
            ("00:00:05", None),
            ("soon", None),
            ("", None),
            ("0", None),
            ("-5", None),
            ("1970-01-01 00:00:00", None),
            ("9999999999999999", None),
        ] {
            assert_eq!(time(text).map(|at| at.to_rfc3339()).as_deref(), expected, "{text}");
        }
    }
}
