//! One statement on SQLite: prepared once a connection, parameters bound by number, rows decoded.

use rusqlite::{CachedStatement, Connection, Error, Statement};

use super::value::{FromSqliteRow, ToSqlite};

/// The parameters of a statement, `$1` first.
type Parameters<'p> = &'p [&'p dyn ToSqlite];

/// Gives the number of rows that the statement touched.
pub(crate) fn execute(connection: &Connection, sql: &str, parameters: Parameters<'_>) -> rusqlite::Result<u64> {
    let touched = prepare(connection, sql, parameters)?.raw_execute()?;
    Ok(touched as u64)
}

/// The first row, which must be there.
pub(crate) fn fetch_one<T: FromSqliteRow>(
    connection: &Connection,
    sql: &str,
    parameters: Parameters<'_>,
) -> rusqlite::Result<T> {
    fetch_optional(connection, sql, parameters)?.ok_or(Error::QueryReturnedNoRows)
}

/// The first row, if there is one.
pub(crate) fn fetch_optional<T: FromSqliteRow>(
    connection: &Connection,
    sql: &str,
    parameters: Parameters<'_>,
) -> rusqlite::Result<Option<T>> {
    let mut statement = prepare(connection, sql, parameters)?;
    let mut rows = statement.raw_query();
    rows.next()?.map(T::from_sqlite_row).transpose()
}

/// Every row.
pub(crate) fn fetch_all<T: FromSqliteRow>(
    connection: &Connection,
    sql: &str,
    parameters: Parameters<'_>,
) -> rusqlite::Result<Vec<T>> {
    all_rows(&mut *prepare(connection, sql, parameters)?)
}

/// Every row, of a statement that is not kept: its text is one of many.
pub(crate) fn fetch_all_once<T: FromSqliteRow>(
    connection: &Connection,
    sql: &str,
    parameters: Parameters<'_>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = connection.prepare(sql)?;
    bind(&mut statement, parameters)?;
    all_rows(&mut statement)
}

fn all_rows<T: FromSqliteRow>(statement: &mut Statement<'_>) -> rusqlite::Result<Vec<T>> {
    let mut rows = statement.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(T::from_sqlite_row(row)?);
    }
    Ok(found)
}

fn prepare<'c>(
    connection: &'c Connection,
    sql: &str,
    parameters: Parameters<'_>,
) -> rusqlite::Result<CachedStatement<'c>> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, parameters)?;
    Ok(statement)
}

fn bind(statement: &mut Statement<'_>, parameters: Parameters<'_>) -> rusqlite::Result<()> {
    for index in 1..=statement.parameter_count() {
        // `$3` is the third parameter wherever it stands, as on PostgreSQL. To SQLite it is a name: it counts names in the
        // order in which it meets them.
        let name = statement.parameter_name(index).unwrap_or_default();
        let number: Option<usize> = name.strip_prefix('$').and_then(|number| number.parse().ok());
        let parameter = number.and_then(|number| parameters.get(number.checked_sub(1)?));
        let parameter = parameter.ok_or_else(|| Error::InvalidParameterName(name.to_owned()))?;
        statement.raw_bind_parameter(index, parameter.to_sqlite()?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE word (number INTEGER, word TEXT)").unwrap();
        connection
    }

    #[test]
    fn a_parameter_is_found_by_its_number_wherever_it_stands() {
        let database = database();
        let insert = "INSERT INTO word (word, number) VALUES ($2, $1)";
        assert_eq!(execute(&database, insert, &[&7_i64, &"seven"]).unwrap(), 1);
        let select = "SELECT number, word, $1 + 0 FROM word WHERE word = $3 AND number = $1 AND $2";
        let row: (i64, String, i64) = fetch_one(&database, select, &[&7_i64, &true, &"seven"]).unwrap();
        assert_eq!(row, (7, "seven".to_owned(), 7));
    }

    #[test]
    fn what_is_not_there_is_an_error_or_none() {
        let database = database();
        let select = "SELECT word FROM word WHERE number = $1";
        assert_eq!(fetch_optional::<(String,)>(&database, select, &[&7_i64]).unwrap(), None);
        assert_eq!(fetch_all::<(String,)>(&database, select, &[&7_i64]).unwrap(), []);
        assert_eq!(fetch_one::<(String,)>(&database, select, &[&7_i64]), Err(Error::QueryReturnedNoRows));
        let missing = execute(&database, "DELETE FROM word WHERE number = $2", &[&7_i64]);
        assert_eq!(missing, Err(Error::InvalidParameterName("$2".to_owned())));
    }

    /// A statement that is left before its last row is begun anew next time.
    #[test]
    fn a_statement_is_used_again() {
        let database = database();
        for number in 0..3_i64 {
            execute(&database, "INSERT INTO word VALUES ($1, $2)", &[&number, &"a"]).unwrap();
        }
        for _ in 0..2 {
            let first: Option<(i64,)> = fetch_optional(&database, "SELECT number FROM word ORDER BY 1", &[]).unwrap();
            assert_eq!(first, Some((0,)));
        }
        assert_eq!(execute(&database, "UPDATE word SET word = $1", &[&"b"]).unwrap(), 3);
    }
}
