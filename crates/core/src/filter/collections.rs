//! What each list can be chosen and sorted by.
//!
//! The names and the operators are those of the contract, and a few more where they cost nothing. A field of the contract
//! that means nothing in Lockstep has the value that it has for every entry.

use super::Operator::{
    Above, AtLeast, AtMost, Below, Contains, ContainsAll, Equal, In, NotEqual, Null, Present, StartsWith,
};
use super::{Collection, Constant, Field, Kind, Operator};

const IS: &[Operator] = &[Equal];
const ONE_OF: &[Operator] = &[Equal, In];
const BEGINS: &[Operator] = &[Equal, In, StartsWith];
const TEXT: &[Operator] = &[Equal, NotEqual, Contains, StartsWith, In];
const TEXT_OR_NULL: &[Operator] = &[Equal, NotEqual, Contains, StartsWith, In, Present, Null];
const BEGINS_OR_NULL: &[Operator] = &[Equal, In, StartsWith, Present, Null];
const TIME: &[Operator] = &[Equal, AtLeast, Above, AtMost, Below];
const ANYTHING: &[Operator] =
    &[Equal, NotEqual, Contains, StartsWith, In, AtLeast, Above, AtMost, Below, Present, Null];
const ORDERED: &[Operator] = &[Equal, NotEqual, In, AtLeast, Above, AtMost, Below, Present, Null];
const SORT_ONLY: &[Operator] = &[];

/// People.
pub static IDENTITIES: Collection = Collection {
    name: "identities",
    fields: &[
        Field::new("id", Kind::Id, ONE_OF),
        Field::new("name", Kind::Name, TEXT).sorted(),
        Field::new("alias", Kind::Name, TEXT).sorted(),
        Field::new("firstname", Kind::Name, BEGINS_OR_NULL).found_in_order(),
        Field::new("lastname", Kind::Name, BEGINS_OR_NULL).found_in_order(),
        Field::new("email", Kind::Name, TEXT_OR_NULL).found_in_order(),
        Field::new("cloudStatus", Kind::Text, ONE_OF).sorted(),
        Field::new("processingState", Kind::Text, BEGINS_OR_NULL).always(Constant::Null),
        Field::new("correlated", Kind::Bool, IS).always(Constant::Bool(true)),
        Field::new("protected", Kind::Bool, IS).always(Constant::Bool(false)),
    ],
};

/// The same people, as everybody may see them.
pub static PUBLIC_IDENTITIES: Collection = Collection {
    name: "public identities",
    fields: &[
        Field::new("id", Kind::Id, ONE_OF),
        Field::new("alias", Kind::Name, TEXT).found_in_order(),
        Field::new("email", Kind::Name, TEXT_OR_NULL).found_in_order(),
        Field::new("firstname", Kind::Name, BEGINS_OR_NULL).found_in_order(),
        Field::new("lastname", Kind::Name, BEGINS_OR_NULL).found_in_order(),
        Field::new("name", Kind::Name, SORT_ONLY).sorted(),
    ],
};

/// What people have on sources.
pub static ACCOUNTS: Collection = Collection {
    name: "accounts",
    fields: &[
        Field::new("id", Kind::Id, BEGINS).sorted(),
        Field::new("identityId", Kind::Id, BEGINS_OR_NULL).sorted(),
        Field::new("name", Kind::Name, TEXT).sorted(),
        Field::new("nativeIdentity", Kind::Name, TEXT).sorted(),
        Field::new("sourceId", Kind::Id, BEGINS).sorted(),
        Field::new("created", Kind::Instant, TIME).sorted(),
        Field::new("modified", Kind::Instant, TIME).sorted(),
        Field::new("uncorrelated", Kind::Bool, IS),
        Field::new("identity.name", Kind::Name, BEGINS),
        Field::new("identity.identityState", Kind::Text, ONE_OF),
        Field::new("identity.correlated", Kind::Bool, IS),
        Field::new("source.displayableName", Kind::Text, ONE_OF),
        Field::new("hasEntitlements", Kind::Bool, IS).always(Constant::Bool(false)),
        Field::new("entitlements", Kind::Text, IS).sorted().always(Constant::Null),
        Field::new("origin", Kind::Text, ONE_OF).sorted().always(Constant::Text("AGGREGATED")),
        Field::new("source.connectionType", Kind::Text, ONE_OF).sorted().always(Constant::Text("direct")),
        Field::new("recommendation.method", Kind::Text, &[Equal, In, Null]).always(Constant::Null),
    ],
};

/// Systems.
pub static SOURCES: Collection = Collection {
    name: "sources",
    fields: &[
        Field::new("id", Kind::Id, &[Equal, NotEqual, In, StartsWith, AtLeast, Above, AtMost, Below, Null]).sorted(),
        Field::new("name", Kind::Name, ANYTHING).sorted(),
        Field::new("type", Kind::Text, ANYTHING).sorted(),
        Field::new("description", Kind::Name, ANYTHING).sorted(),
        Field::new("features", Kind::Words, &[Contains, ContainsAll]),
        Field::new("created", Kind::Instant, ORDERED).sorted(),
        Field::new("modified", Kind::Instant, ORDERED).sorted(),
        Field::new("status", Kind::Text, ANYTHING).sorted(),
        Field::new("healthy", Kind::Bool, &[Equal, Null]).sorted(),
        Field::new("connectorName", Kind::Name, ANYTHING).sorted(),
        Field::new("connectionType", Kind::Text, ANYTHING).sorted().always(Constant::Text("direct")),
        Field::new("authoritative", Kind::Bool, &[Equal, NotEqual, Null]).sorted(),
        Field::new("owner.id", Kind::Id, ORDERED).sorted(),
        Field::new("owner.name", Kind::Name, SORT_ONLY).sorted(),
        Field::new("category", Kind::Text, ANYTHING).always(Constant::Null),
        Field::new("managementWorkgroup.id", Kind::Id, ORDERED).sorted().always(Constant::Null),
        Field::new("accountCorrelationConfig.id", Kind::Id, SORT_ONLY).sorted().always(Constant::Null),
        Field::new("accountCorrelationConfig.name", Kind::Text, SORT_ONLY).sorted().always(Constant::Null),
        Field::new("managerCorrelationRule.type", Kind::Text, SORT_ONLY).sorted().always(Constant::Null),
        Field::new("managerCorrelationRule.id", Kind::Id, SORT_ONLY).sorted().always(Constant::Null),
        Field::new("managerCorrelationRule.name", Kind::Text, SORT_ONLY).sorted().always(Constant::Null),
    ],
};

/// Applications.
pub static SOURCE_APPS: Collection = Collection {
    name: "applications",
    fields: &[
        Field::new("id", Kind::Id, ONE_OF).sorted(),
        Field::new("name", Kind::Name, TEXT).sorted(),
        Field::new("created", Kind::Instant, TIME).sorted(),
        Field::new("modified", Kind::Instant, TIME).sorted(),
        Field::new("accountSource.id", Kind::Id, ONE_OF).sorted(),
        Field::new("owner.id", Kind::Id, ONE_OF).sorted(),
        Field::new("enabled", Kind::Bool, IS),
    ],
};

/// What one person has of the applications.
pub static USER_APPS: Collection = Collection {
    name: "applications of a person",
    fields: &[
        Field::new("id", Kind::Id, ONE_OF),
        Field::new("ownerId", Kind::Id, ONE_OF),
        Field::new("ownerName", Kind::Name, BEGINS),
        Field::new("ownerAlias", Kind::Name, BEGINS),
        Field::new("accountId", Kind::Id, ONE_OF),
        Field::new("sourceAppId", Kind::Id, ONE_OF),
    ],
};

/// API clients.
pub static OAUTH_CLIENTS: Collection =
    Collection { name: "API clients", fields: &[Field::new("lastUsed", Kind::Instant, LAST_USED)] };

/// Personal access tokens.
pub static PERSONAL_ACCESS_TOKENS: Collection =
    Collection { name: "personal access tokens", fields: &[Field::new("lastUsed", Kind::Instant, LAST_USED)] };

const LAST_USED: &[Operator] = &[AtMost, Null];
