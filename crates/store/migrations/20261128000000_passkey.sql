-- Cold: passkeys. Since they are second factors too, the secret of the codes by the clock has a table of its own; what is left of
-- second_factor are the wrong codes of a person, whichever kind they were.

-- Nobody confirms one between the copy and the end of what was copied.
/*postgres LOCK TABLE second_factor IN ACCESS EXCLUSIVE MODE;*/
CREATE TABLE totp (
    identity UUID NOT NULL,
    -- Sealed: what the codes are computed from.
    secret BYTEA NOT NULL,
    -- NULL until the person has shown that their device computes the same codes.
    confirmed_at TIMESTAMPTZ,
    -- The time step of the latest code that was used: each is good once.
    last_step BIGINT NOT NULL,
    CONSTRAINT totp_identity_key PRIMARY KEY (identity),
    CONSTRAINT totp_identity_fkey FOREIGN KEY (identity) REFERENCES identity (id) ON DELETE CASCADE
);
INSERT INTO totp (identity, secret, confirmed_at, last_step)
    SELECT identity, secret, confirmed_at, last_step FROM second_factor;
ALTER TABLE second_factor DROP COLUMN secret;
ALTER TABLE second_factor DROP COLUMN confirmed_at;
ALTER TABLE second_factor DROP COLUMN last_step;

CREATE TABLE passkey (
    id UUID NOT NULL,
    identity UUID NOT NULL,
    -- By which the authenticator knows it.
    credential BYTEA NOT NULL,
    -- With what its signatures are verified.
    public_key JSONB NOT NULL,
    -- How often it has signed; 0 where it does not count.
    counter BIGINT NOT NULL,
    -- Where it was made: what its person knows it by.
    name TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    used_at TIMESTAMPTZ,
    CONSTRAINT passkey_id_key PRIMARY KEY (id),
    CONSTRAINT passkey_credential_key UNIQUE (credential),
    CONSTRAINT passkey_identity_fkey FOREIGN KEY (identity) REFERENCES identity (id) ON DELETE CASCADE
);
CREATE INDEX passkey_identity_index ON passkey (identity);

-- What a passkey was asked to sign, once it has: each is good once.
CREATE TABLE spent_challenge (
    challenge UUID NOT NULL,
    -- Whether every challenge before it counts as spent, too: after a restore nobody knows.
    all_before BOOLEAN NOT NULL,
    CONSTRAINT spent_challenge_challenge_key PRIMARY KEY (challenge)
);
