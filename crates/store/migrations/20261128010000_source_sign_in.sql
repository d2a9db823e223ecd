-- Cold: wrong passwords of people whose password a source keeps, as sign_in_password counts those of everybody else.

-- Whether there is anybody of that kind is asked at every sign-in.
CREATE INDEX identity_sign_in_source ON identity (sign_in_source);

CREATE TABLE source_sign_in (
    identity UUID NOT NULL,
    failures BIGINT NOT NULL,
    failed_at TIMESTAMPTZ,
    CONSTRAINT source_sign_in_identity_key PRIMARY KEY (identity),
    CONSTRAINT source_sign_in_identity_fkey FOREIGN KEY (identity) REFERENCES identity (id) ON DELETE CASCADE
);
