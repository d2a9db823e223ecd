-- Where the database stands, for the file beside the master key: a file that is ahead says that the database was restored.

CREATE TABLE restore_mark (
    id SMALLINT NOT NULL,
    -- The same in every copy of this database, and in no other.
    origin UUID NOT NULL,
    -- 0 until somebody has served from it.
    value BIGINT NOT NULL,
    CONSTRAINT restore_mark_id_key PRIMARY KEY (id),
    CONSTRAINT restore_mark_only_one CHECK (id = 1)
);
