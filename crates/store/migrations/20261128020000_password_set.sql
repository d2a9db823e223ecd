-- Hot: when the password of each account was last set, for as long as the account is known; changes are forgotten after a while,
-- and not every policy keeps a history.

CREATE TABLE password_set (
    bucket SMALLINT NOT NULL,
    identity UUID NOT NULL,
    account UUID NOT NULL,
    set_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT password_set_bucket_identity_account_key PRIMARY KEY (bucket, identity, account)
) /*sqlite WITHOUT ROWID*/;

-- As far as the changes of the last weeks tell.
INSERT INTO password_set (bucket, identity, account, set_at)
    SELECT bucket, identity, account, max(settled_at) FROM target WHERE state = 'applied'
    GROUP BY bucket, identity, account;
