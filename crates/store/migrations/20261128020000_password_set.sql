-- Hot: when each password was last set, for as long as its identity is known; changes are forgotten after a while, and not every
-- policy keeps a history.

CREATE TABLE password_set (
    bucket SMALLINT NOT NULL,
    identity UUID NOT NULL,
    -- The sync group, or the source that is in none.
    holder UUID NOT NULL,
    set_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT password_set_bucket_identity_holder_key PRIMARY KEY (bucket, identity, holder)
) /*sqlite WITHOUT ROWID*/;

INSERT INTO password_set (bucket, identity, holder, set_at)
    SELECT bucket, identity, holder, max(created_at) FROM password_history GROUP BY bucket, identity, holder;
