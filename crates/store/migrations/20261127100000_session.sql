-- Cold: people who signed in on the pages.

CREATE TABLE session (
    id UUID NOT NULL,
    -- The keyed hash of what the browser has: another one after each proof of who the person is, and after each change.
    token BYTEA NOT NULL,
    identity UUID NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    used_at TIMESTAMPTZ NOT NULL,
    proved_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ,
    CONSTRAINT session_id_key PRIMARY KEY (id),
    CONSTRAINT session_token_key UNIQUE (token),
    CONSTRAINT session_identity_fkey FOREIGN KEY (identity) REFERENCES identity (id) ON DELETE CASCADE
);

CREATE INDEX session_identity ON session (identity, created_at);
CREATE INDEX session_created_at ON session (created_at);

-- The session in which a change was asked for; NULL where it was asked for otherwise. A new sign-in password ends every session of its person
-- but that one. No reference: a change is hot.
ALTER TABLE change ADD COLUMN session UUID;
