-- What is to become of an identity or an account once nothing is under way there; in the identity's bucket.

CREATE TABLE intent (
    bucket SMALLINT NOT NULL,
    id UUID NOT NULL,
    identity UUID NOT NULL,
    kind TEXT NOT NULL,
    -- The account that it concerns; NULL where it is every account of the identity.
    account UUID,
    -- Whose the account will be; NULL for nobody's.
    heir UUID,
    created_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT intent_bucket_id_key PRIMARY KEY (bucket, id)
) /*sqlite WITHOUT ROWID*/;

CREATE INDEX intent_identity ON intent (bucket, identity, created_at);
-- An account goes one way at a time.
CREATE UNIQUE INDEX intent_bucket_account_key ON intent (bucket, account) WHERE account IS NOT NULL;
