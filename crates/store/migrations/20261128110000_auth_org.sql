-- Cold: the organisation's sign-in settings. No row before anything was set: then the defaults hold.

CREATE TABLE auth_org (
    id SMALLINT NOT NULL,
    document JSONB NOT NULL,
    modified_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT auth_org_id_key PRIMARY KEY (id),
    CONSTRAINT auth_org_only_one CHECK (id = 1)
);
