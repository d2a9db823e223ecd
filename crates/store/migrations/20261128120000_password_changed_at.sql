-- When the password of an account was last changed, as its source itself says; NULL where it does not say.
ALTER TABLE account ADD COLUMN password_changed_at TIMESTAMPTZ;

-- When the latest delivery ended that wrote the password or may have, also where it was the same one again; NULL: at set_at.
ALTER TABLE password_set ADD COLUMN written_at TIMESTAMPTZ;

-- As far as the changes of the last weeks tell.
INSERT INTO password_set (bucket, identity, account, set_at, written_at)
    SELECT bucket, identity, account, max(settled_at), max(settled_at) FROM target
    WHERE (state = 'applied' OR unsure) AND settled_at IS NOT NULL
        AND EXISTS (SELECT 1 FROM password_set known WHERE known.bucket = target.bucket
            AND known.identity = target.identity AND known.account = target.account)
    GROUP BY bucket, identity, account
    ON CONFLICT (bucket, identity, account) DO UPDATE SET written_at = excluded.written_at;
