-- Cold: links that sign somebody in once, for who runs a command on the host.

CREATE TABLE sign_in_link (
    hash BYTEA NOT NULL,
    identity UUID NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT sign_in_link_hash_key PRIMARY KEY (hash),
    CONSTRAINT sign_in_link_identity_fkey FOREIGN KEY (identity) REFERENCES identity (id) ON DELETE CASCADE
);

CREATE INDEX sign_in_link_identity ON sign_in_link (identity);
