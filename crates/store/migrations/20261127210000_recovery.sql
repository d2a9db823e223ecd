-- Cold: people on the way from a code in place of a forgotten password to a new one.

CREATE TABLE recovery (
    -- The keyed hash of what the page brings back.
    token BYTEA NOT NULL,
    identity UUID NOT NULL,
    stage TEXT NOT NULL,
    -- The change that was asked for. No reference: a change is hot.
    change UUID,
    begun_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT recovery_token_key PRIMARY KEY (token),
    CONSTRAINT recovery_identity_fkey FOREIGN KEY (identity) REFERENCES identity (id) ON DELETE CASCADE
);

CREATE INDEX recovery_identity ON recovery (identity);
CREATE INDEX recovery_begun_at ON recovery (begun_at);
