//! Where the fields of a collection are in the database.

/// A table that is listed.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) id: &'static str,
    /// Which of its rows are in the list.
    pub(super) listed: &'static str,
    /// What a row of the list is read from.
    pub(super) columns: &'static str,
    /// What is joined to each row of the list.
    pub(super) beside: &'static str,
    /// The fields, without those that are constant.
    pub(super) places: &'static [(&'static str, Place)],
    /// What is done, as the rest of the sentence "cannot …".
    pub(super) list: &'static str,
    pub(super) count: &'static str,
}

/// Where a field is.
#[derive(Debug)]
pub(super) enum Place {
    /// In a column, in the form in which it is compared.
    Column(&'static str),
    /// In a column in which no two rows have the same.
    Unique(&'static str),
    /// In a column that may be null and that lists are sorted by.
    Nullable(&'static str),
    /// One text where a column is true, and another, which comes after it, where it is false.
    Switch(&'static str, [&'static str; 2]),
    /// Whether a column is null.
    IsNull(&'static str),
    /// True where a column is not null, and null where it is.
    TrueUnlessNull(&'static str),
    /// In the row of another table that a column refers to.
    Of { column: &'static str, ids: &'static str, place: &'static Place },
}

impl Table {
    pub(super) fn place(&self, field: &str) -> Option<&'static Place> {
        self.places.iter().find(|(name, _)| *name == field).map(|(_, place)| place)
    }
}

pub(super) static IDENTITY: Table = Table {
    name: "identity",
    id: "identity.id",
    listed: "TRUE",
    columns: "identity.id, identity.alias, identity.display_name, identity.email, identity.attributes,
        identity.sign_in_source, identity.enabled, identity.created_at, identity.modified_at, identity.alias_key,
        identity.name_key, identity.email_key, identity.firstname_key, identity.lastname_key",
    beside: "",
    places: &[
        ("id", Place::Column("identity.id")),
        ("name", Place::Column("identity.name_key")),
        ("alias", Place::Unique("identity.alias_key")),
        ("firstname", Place::Column("identity.firstname_key")),
        ("lastname", Place::Column("identity.lastname_key")),
        ("email", Place::Column("identity.email_key")),
        ("cloudStatus", Place::Switch("identity.enabled", ["ACTIVE", "DISABLED"])),
    ],
    list: "list the identities",
    count: "count the identities",
};

pub(super) static ACCOUNT: Table = Table {
    name: "account",
    id: "account.id",
    // As the indexes have it.
    listed: "NOT account.vanished",
    columns: "account.id, account.identity, account.source, account.stable_id, account.native_id, account.name,
        account.password_sync, account.attributes, account.vanished, account.created_at, account.modified_at,
        account.name_key, account.native_id_key, account.enabled, account.correlated, person.display_name AS person_name, person.enabled AS person_enabled",
    beside: " LEFT JOIN identity AS person ON person.id = account.identity",
    places: &[
        ("id", Place::Column("account.id")),
        ("identityId", Place::Nullable("account.identity")),
        ("name", Place::Column("account.name_key")),
        ("nativeIdentity", Place::Column("account.native_id_key")),
        ("sourceId", Place::Column("account.source")),
        ("created", Place::Column("account.created_at")),
        ("modified", Place::Column("account.modified_at")),
        ("uncorrelated", Place::IsNull("account.identity")),
        ("identity.correlated", Place::TrueUnlessNull("account.identity")),
        ("identity.name", of_identity(&Place::Column("identity.name_key"))),
        ("identity.identityState", of_identity(&Place::Switch("identity.enabled", ["ACTIVE", "INACTIVE_SHORT_TERM"]))),
        (
            "source.displayableName",
            Place::Of {
                column: "account.source",
                ids: "SELECT source.id FROM source WHERE ",
                place: &Place::Column("source.name"),
            },
        ),
    ],
    list: "list the accounts",
    count: "count the accounts",
};

const fn of_identity(place: &'static Place) -> Place {
    Place::Of { column: "account.identity", ids: "SELECT identity.id FROM identity WHERE ", place }
}

#[cfg(test)]
mod tests {
    use lockstep_core::filter::Order;
    use lockstep_core::filter::collections::{ACCOUNTS, IDENTITIES, PUBLIC_IDENTITIES};

    use super::super::order::Key;
    use super::*;

    #[test]
    fn every_field_has_a_place_and_can_be_sorted_by_where_it_says_so() {
        for (table, collection) in [(&IDENTITY, &IDENTITIES), (&IDENTITY, &PUBLIC_IDENTITIES), (&ACCOUNT, &ACCOUNTS)] {
            for field in collection.fields.iter().filter(|field| field.constant.is_none()) {
                assert!(table.place(field.name).is_some(), "{}", field.name);
                let is_sorted = field.order != Order::None;
                assert!(!is_sorted || Key::of(table, field.name, false).is_some(), "{}", field.name);
            }
        }
    }
}
