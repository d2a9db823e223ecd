-- Cold: what people show besides a password, and where they are signed in.

CREATE TABLE second_factor (
    identity UUID NOT NULL,
    -- Sealed: what the codes are computed from.
    secret BYTEA NOT NULL,
    -- NULL until the person has shown that their device computes the same codes.
    confirmed_at TIMESTAMPTZ,
    -- The time step of the latest code that was used: each is good once.
    last_step BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    failed_at TIMESTAMPTZ,
    CONSTRAINT second_factor_identity_key PRIMARY KEY (identity),
    CONSTRAINT second_factor_identity_fkey FOREIGN KEY (identity) REFERENCES identity (id) ON DELETE CASCADE
);

CREATE TABLE recovery_code (
    identity UUID NOT NULL,
    hash BYTEA NOT NULL,
    CONSTRAINT recovery_code_identity_hash_key PRIMARY KEY (identity, hash),
    CONSTRAINT recovery_code_identity_fkey FOREIGN KEY (identity) REFERENCES identity (id) ON DELETE CASCADE
);

-- Whether only the password was shown so far: nobody is signed in by such a session.
ALTER TABLE session ADD COLUMN half_open BOOLEAN NOT NULL DEFAULT FALSE;
-- What the person is told of it: the address and the browser that it began from.
ALTER TABLE session ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN browser TEXT NOT NULL DEFAULT '';
-- Whether it leads to nothing but a new sign-in password: the one that it began with must be changed.
ALTER TABLE session ADD COLUMN must_change BOOLEAN NOT NULL DEFAULT FALSE;
