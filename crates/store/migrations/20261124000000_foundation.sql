-- The first schema. One text for SQLite and PostgreSQL: native types, no ALTER COLUMN, no arrays, no now().
--
-- Unique constraints are called table_columns_key, which is how SQLite's own message about them reads too.
-- Hot tables have the bucket in their keys, and nothing in them refers to another table: they are distributed by bucket.
-- A key with an id that is ordered by time begins with that: what is new then lies together, on few pages of the index.
-- Small rows lie in the tree of their key on SQLite: it has one tree the less to write to and to read.

-- Hot: who may judge, deliver and write targets.

CREATE TABLE bucket (
    bucket SMALLINT NOT NULL,
    node UUID,
    epoch BIGINT NOT NULL,
    CONSTRAINT bucket_bucket_key PRIMARY KEY (bucket)
) /*sqlite WITHOUT ROWID*/;

INSERT INTO bucket (bucket, epoch)
WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 255)
SELECT n, 0 FROM numbers;

CREATE TABLE node (
    id UUID NOT NULL,
    name TEXT NOT NULL,
    beat BIGINT NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    stopped BOOLEAN NOT NULL,
    CONSTRAINT node_id_key PRIMARY KEY (id)
);

-- Hot: password changes.

CREATE TABLE change (
    bucket SMALLINT NOT NULL,
    id UUID NOT NULL,
    identity UUID NOT NULL,
    -- Its place in the order of the identity's changes. The newest change of an identity is never removed, so that no
    -- place is given twice.
    seq BIGINT NOT NULL,
    source UUID NOT NULL,
    account UUID NOT NULL,
    -- What the request named the account; empty where it named none.
    account_sent TEXT NOT NULL,
    transport_key UUID NOT NULL,
    caller TEXT NOT NULL,
    -- What the client encrypted, sealed again; NULL once it is erased.
    payload BYTEA,
    -- The current password for an own change, sealed the same way; NULL where there is none or it is erased.
    second_payload BYTEA,
    state TEXT NOT NULL,
    joined UUID,
    refusals JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    settled_at TIMESTAMPTZ,
    CONSTRAINT change_id_bucket_key PRIMARY KEY (id, bucket),
    CONSTRAINT change_bucket_identity_seq_key UNIQUE (bucket, identity, seq)
);

-- By a column that is written once: a change that is judged stays where it is here.
CREATE INDEX change_unfinished ON change (bucket, identity, seq) WHERE settled_at IS NULL;

CREATE TABLE target (
    bucket SMALLINT NOT NULL,
    change UUID NOT NULL,
    account UUID NOT NULL,
    source UUID NOT NULL,
    identity UUID NOT NULL,
    native_id TEXT NOT NULL,
    name TEXT NOT NULL,
    seq BIGINT NOT NULL,
    sign_in BOOLEAN NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    probed BOOLEAN NOT NULL,
    unsure BOOLEAN NOT NULL,
    reason TEXT,
    settled_at TIMESTAMPTZ,
    CONSTRAINT target_change_account_bucket_key PRIMARY KEY (change, account, bucket)
) /*sqlite WITHOUT ROWID*/;

-- Never two connectors at one account.
CREATE UNIQUE INDEX target_bucket_account_key ON target (bucket, account) WHERE state = 'applying';

CREATE TABLE doubt (
    bucket SMALLINT NOT NULL,
    account UUID NOT NULL,
    change UUID NOT NULL,
    identity UUID NOT NULL,
    CONSTRAINT doubt_bucket_account_change_key PRIMARY KEY (bucket, account, change)
) /*sqlite WITHOUT ROWID*/;

CREATE INDEX doubt_identity ON doubt (bucket, identity);

-- One row a ciphertext, in the bucket of its keyed hash: the first change that it became, which says whose it is. These
-- rows come in no order, each on a page of its own: they are short.
CREATE TABLE submission (
    bucket SMALLINT NOT NULL,
    digest BYTEA NOT NULL,
    change UUID NOT NULL,
    CONSTRAINT submission_bucket_digest_key PRIMARY KEY (bucket, digest)
) /*sqlite WITHOUT ROWID*/;

-- One row for each other source or account that was sent with the same ciphertext.
CREATE TABLE submission_again (
    bucket SMALLINT NOT NULL,
    digest BYTEA NOT NULL,
    source UUID NOT NULL,
    account_sent TEXT NOT NULL,
    change UUID NOT NULL,
    CONSTRAINT submission_again_bucket_digest_source_account_sent_key
        PRIMARY KEY (bucket, digest, source, account_sent)
) /*sqlite WITHOUT ROWID*/;

-- Hot: what is known of an identity's own passwords.

CREATE TABLE password_salt (
    bucket SMALLINT NOT NULL,
    identity UUID NOT NULL,
    salt BYTEA NOT NULL,
    CONSTRAINT password_salt_bucket_identity_key PRIMARY KEY (bucket, identity)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE password_history (
    bucket SMALLINT NOT NULL,
    identity UUID NOT NULL,
    holder UUID NOT NULL,
    position BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT password_history_bucket_identity_holder_position_key PRIMARY KEY (bucket, identity, holder, position)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE sign_in_password (
    bucket SMALLINT NOT NULL,
    identity UUID NOT NULL,
    hash BYTEA NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL,
    must_change BOOLEAN NOT NULL,
    failures BIGINT NOT NULL,
    failed_at TIMESTAMPTZ,
    CONSTRAINT sign_in_password_bucket_identity_key PRIMARY KEY (bucket, identity)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE digit_token (
    bucket SMALLINT NOT NULL,
    identity UUID NOT NULL,
    id UUID NOT NULL,
    code_hash BYTEA NOT NULL,
    state TEXT NOT NULL,
    attempts_left SMALLINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT digit_token_bucket_identity_key PRIMARY KEY (bucket, identity)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE audit (
    bucket SMALLINT NOT NULL,
    id UUID NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL,
    actor JSONB NOT NULL,
    identity UUID,
    source UUID,
    account UUID,
    change UUID,
    detail JSONB NOT NULL,
    CONSTRAINT audit_id_bucket_key PRIMARY KEY (id, bucket)
) /*sqlite WITHOUT ROWID*/;

-- Cold: systems and rules.

CREATE TABLE source (
    id UUID NOT NULL,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    description TEXT NOT NULL,
    connector TEXT NOT NULL,
    config JSONB NOT NULL,
    features JSONB NOT NULL,
    policy_holders JSONB NOT NULL,
    concurrency BIGINT NOT NULL,
    aggregation JSONB NOT NULL,
    version BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    modified_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT source_id_key PRIMARY KEY (id),
    CONSTRAINT source_name_key_key UNIQUE (name_key)
);

CREATE TABLE source_secret (
    source UUID NOT NULL,
    name TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    modified_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT source_secret_source_name_key PRIMARY KEY (source, name),
    CONSTRAINT source_secret_source_fkey FOREIGN KEY (source) REFERENCES source (id) ON DELETE CASCADE
);

CREATE TABLE application (
    id UUID NOT NULL,
    name TEXT NOT NULL,
    source UUID NOT NULL,
    document JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    modified_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT application_id_key PRIMARY KEY (id),
    CONSTRAINT application_name_key UNIQUE (name),
    CONSTRAINT application_source_fkey FOREIGN KEY (source) REFERENCES source (id)
);

CREATE TABLE password_policy (
    id UUID NOT NULL,
    name TEXT NOT NULL,
    document JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    modified_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT password_policy_id_key PRIMARY KEY (id),
    CONSTRAINT password_policy_name_key UNIQUE (name)
);

CREATE TABLE sync_group (
    id UUID NOT NULL,
    name TEXT NOT NULL,
    policy UUID NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    modified_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT sync_group_id_key PRIMARY KEY (id),
    CONSTRAINT sync_group_name_key UNIQUE (name),
    CONSTRAINT sync_group_policy_fkey FOREIGN KEY (policy) REFERENCES password_policy (id)
);

-- A source is in one group only.
CREATE TABLE sync_group_member (
    source UUID NOT NULL,
    sync_group UUID NOT NULL,
    position BIGINT NOT NULL,
    CONSTRAINT sync_group_member_source_key PRIMARY KEY (source),
    CONSTRAINT sync_group_member_source_fkey FOREIGN KEY (source) REFERENCES source (id),
    CONSTRAINT sync_group_member_sync_group_fkey FOREIGN KEY (sync_group) REFERENCES sync_group (id) ON DELETE CASCADE
);

CREATE TABLE dictionary (
    id SMALLINT NOT NULL,
    words TEXT NOT NULL,
    modified_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT dictionary_id_key PRIMARY KEY (id),
    CONSTRAINT dictionary_only_one CHECK (id = 1)
);

CREATE TABLE org_config (
    id SMALLINT NOT NULL,
    document JSONB NOT NULL,
    modified_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT org_config_id_key PRIMARY KEY (id),
    CONSTRAINT org_config_only_one CHECK (id = 1)
);

-- Cold: people.

CREATE TABLE identity (
    id UUID NOT NULL,
    alias TEXT NOT NULL,
    alias_key TEXT /*postgres COLLATE "C"*/ NOT NULL,
    display_name TEXT NOT NULL,
    email TEXT,
    -- What lists of people are filtered and sorted by, where case does not count: see identity.rs.
    name_key TEXT /*postgres COLLATE "C"*/ NOT NULL,
    email_key TEXT /*postgres COLLATE "C"*/,
    firstname_key TEXT /*postgres COLLATE "C"*/,
    lastname_key TEXT /*postgres COLLATE "C"*/,
    attributes JSONB NOT NULL,
    sign_in_source UUID NOT NULL,
    enabled BOOLEAN NOT NULL,
    -- The account of an authoritative source that says who this is; NULL where none does.
    authority UUID,
    -- Whether it was disabled because its account there is gone.
    retired BOOLEAN NOT NULL,
    levels JSONB NOT NULL,
    -- Tokens that were issued before it are dead.
    tokens_valid_from TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    modified_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT identity_id_key PRIMARY KEY (id),
    CONSTRAINT identity_alias_key_key UNIQUE (alias_key),
    CONSTRAINT identity_sign_in_source_fkey FOREIGN KEY (sign_in_source) REFERENCES source (id)
);

-- Those who are more than users: few among many.
CREATE INDEX identity_levels ON identity (id) WHERE levels <> '[]';
-- Lists of people. Each is one more tree that a new person is written to; an old one only where the value changes. The id
-- stands in each: pages far inside a list are found in the index alone. By login name, the unique index does.
CREATE INDEX identity_name ON identity (name_key, id);
CREATE INDEX identity_email ON identity (email_key, id);
CREATE INDEX identity_firstname ON identity (firstname_key, id);
CREATE INDEX identity_lastname ON identity (lastname_key, id);
-- Those who are enabled come first.
CREATE INDEX identity_enabled ON identity (enabled DESC, id);

CREATE TABLE account (
    id UUID NOT NULL,
    identity UUID,
    source UUID NOT NULL,
    stable_id TEXT NOT NULL,
    native_id TEXT NOT NULL,
    -- NULL while another account of the source is known under that one.
    native_key TEXT,
    name TEXT NOT NULL,
    -- What lists of accounts are filtered and sorted by, where case does not count: see account.rs.
    name_key TEXT /*postgres COLLATE "C"*/ NOT NULL,
    native_id_key TEXT /*postgres COLLATE "C"*/ NOT NULL,
    -- Whether its source lets it sign in; NULL where that is not known.
    enabled BOOLEAN,
    -- Who said whose it is.
    correlated TEXT NOT NULL,
    password_sync BOOLEAN NOT NULL,
    attributes JSONB NOT NULL,
    vanished BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    modified_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT account_id_key PRIMARY KEY (id),
    CONSTRAINT account_source_stable_id_key UNIQUE (source, stable_id),
    CONSTRAINT account_identity_fkey FOREIGN KEY (identity) REFERENCES identity (id),
    CONSTRAINT account_source_fkey FOREIGN KEY (source) REFERENCES source (id)
);

CREATE UNIQUE INDEX account_source_native_key_key ON account (source, native_key) WHERE NOT vanished;
-- The accounts of a person, tombstones too; and the list of accounts by person, and of those that are nobody's, in which
-- they are not.
CREATE INDEX account_identity ON account (identity /*postgres NULLS FIRST*/, id, vanished);
-- Lists of accounts, in which tombstones are not. Each is one more tree that a new account is written to; an old one only
-- where the value changes. The id stands in each, as in those of people; SQLite looks into the table for a column of the
-- condition that the index has not. By id, for the list as it is asked for most
-- and for its length:
CREATE INDEX account_listed ON account (id /*sqlite , vanished*/) WHERE NOT vanished;
-- what is looked for by people:
CREATE INDEX account_name ON account (name_key, id /*sqlite , vanished*/) WHERE NOT vanished;
CREATE INDEX account_native_id ON account (native_id_key, id /*sqlite , vanished*/) WHERE NOT vanished;
-- what is on one source:
CREATE INDEX account_source ON account (source, id /*sqlite , vanished*/) WHERE NOT vanished;
-- what is new since another system looked:
CREATE INDEX account_created ON account (created_at, id /*sqlite , vanished*/) WHERE NOT vanished;
CREATE INDEX account_modified ON account (modified_at, id /*sqlite , vanished*/) WHERE NOT vanished;

-- Cold: callers and keys.

CREATE TABLE api_client (
    id UUID NOT NULL,
    name TEXT NOT NULL,
    secret_hash BYTEA NOT NULL,
    scopes JSONB NOT NULL,
    levels JSONB NOT NULL,
    enabled BOOLEAN NOT NULL,
    token_seconds BIGINT NOT NULL,
    settings JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    modified_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT api_client_id_key PRIMARY KEY (id)
);

CREATE TABLE personal_access_token (
    id UUID NOT NULL,
    identity UUID NOT NULL,
    name TEXT NOT NULL,
    secret_hash BYTEA NOT NULL,
    scopes JSONB NOT NULL,
    token_seconds BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    -- NULL where it never expires.
    expires_at TIMESTAMPTZ,
    last_used_at TIMESTAMPTZ,
    CONSTRAINT personal_access_token_id_key PRIMARY KEY (id),
    CONSTRAINT personal_access_token_identity_fkey FOREIGN KEY (identity) REFERENCES identity (id) ON DELETE CASCADE
);

CREATE INDEX personal_access_token_identity ON personal_access_token (identity);

CREATE TABLE transport_key (
    id UUID NOT NULL,
    padding TEXT NOT NULL,
    size BIGINT NOT NULL,
    public_key TEXT NOT NULL,
    -- NULL once it is destroyed.
    sealed_private BYTEA,
    state TEXT NOT NULL,
    since TIMESTAMPTZ NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    -- NULL as long as nobody was told of it.
    published_at TIMESTAMPTZ,
    CONSTRAINT transport_key_id_key PRIMARY KEY (id)
);

-- New changes are encrypted with one key a padding.
CREATE UNIQUE INDEX transport_key_padding_key ON transport_key (padding) WHERE state = 'published';

CREATE TABLE signing_key (
    id UUID NOT NULL,
    sealed BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT signing_key_id_key PRIMARY KEY (id)
);

CREATE TABLE data_key (
    id UUID NOT NULL,
    purpose TEXT NOT NULL,
    generation BIGINT NOT NULL,
    master_key TEXT NOT NULL,
    wrapped BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT data_key_id_key PRIMARY KEY (id),
    CONSTRAINT data_key_purpose_generation_key UNIQUE (purpose, generation)
);
