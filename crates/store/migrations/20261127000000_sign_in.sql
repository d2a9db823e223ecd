-- Cold: people's sign-ins at clients, and the tokens that came from them.

-- Beside the clients: those are kept in memory under a version that this must not change.
CREATE TABLE api_client_use (
    client UUID NOT NULL,
    last_used_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT api_client_use_client_key PRIMARY KEY (client),
    CONSTRAINT api_client_use_client_fkey FOREIGN KEY (client) REFERENCES api_client (id) ON DELETE CASCADE
);

-- One sign-in of a person at a client: what came from it is dead once it has ended.
CREATE TABLE token_family (
    id UUID NOT NULL,
    client UUID NOT NULL,
    identity UUID NOT NULL,
    scopes JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    -- No refresh token is good for longer.
    expires_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ,
    CONSTRAINT token_family_id_key PRIMARY KEY (id),
    CONSTRAINT token_family_client_fkey FOREIGN KEY (client) REFERENCES api_client (id) ON DELETE CASCADE,
    CONSTRAINT token_family_identity_fkey FOREIGN KEY (identity) REFERENCES identity (id) ON DELETE CASCADE
);

CREATE INDEX token_family_identity ON token_family (identity);
CREATE INDEX token_family_expires_at ON token_family (expires_at);

-- Those that were used stay as long as their family: one that comes again was stolen.
CREATE TABLE refresh_token (
    hash BYTEA NOT NULL,
    family UUID NOT NULL,
    used_at TIMESTAMPTZ,
    CONSTRAINT refresh_token_hash_key PRIMARY KEY (hash),
    CONSTRAINT refresh_token_family_fkey FOREIGN KEY (family) REFERENCES token_family (id) ON DELETE CASCADE
);

CREATE INDEX refresh_token_family ON refresh_token (family);

CREATE TABLE authorization_code (
    hash BYTEA NOT NULL,
    client UUID NOT NULL,
    identity UUID NOT NULL,
    redirect_uri TEXT NOT NULL,
    challenge TEXT NOT NULL,
    scopes JSONB NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    -- What it was exchanged for; NULL before.
    family UUID,
    CONSTRAINT authorization_code_hash_key PRIMARY KEY (hash),
    CONSTRAINT authorization_code_client_fkey FOREIGN KEY (client) REFERENCES api_client (id) ON DELETE CASCADE,
    CONSTRAINT authorization_code_identity_fkey FOREIGN KEY (identity) REFERENCES identity (id) ON DELETE CASCADE
);

CREATE INDEX authorization_code_identity ON authorization_code (identity);
CREATE INDEX authorization_code_expires_at ON authorization_code (expires_at);

-- Access tokens that were ended one by one, until they would have ended by themselves.
CREATE TABLE revoked_token (
    id UUID NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT revoked_token_id_key PRIMARY KEY (id)
);

CREATE INDEX revoked_token_expires_at ON revoked_token (expires_at);

-- With what a person who has no password yet sets one: one code a person.
CREATE TABLE enrolment (
    identity UUID NOT NULL,
    hash BYTEA NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT enrolment_identity_key PRIMARY KEY (identity),
    CONSTRAINT enrolment_hash_key UNIQUE (hash),
    CONSTRAINT enrolment_identity_fkey FOREIGN KEY (identity) REFERENCES identity (id) ON DELETE CASCADE
);
