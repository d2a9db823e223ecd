-- What aggregation needs: how far each source was read, work that takes its time, and the values by which the identity of an
-- account is found.

-- Not in the source's own row: it is no configuration.
CREATE TABLE aggregation_state (
    source UUID NOT NULL,
    -- Where the source said that its reading ended; NULL where it cannot say.
    mark TEXT,
    -- The version of the source that was read. With another one the mark says nothing.
    version BIGINT NOT NULL,
    -- When the latest reading of everything began.
    full_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT aggregation_state_source_key PRIMARY KEY (source),
    CONSTRAINT aggregation_state_source_fkey FOREIGN KEY (source) REFERENCES source (id) ON DELETE CASCADE
);

CREATE TABLE task (
    id UUID NOT NULL,
    kind TEXT NOT NULL,
    source UUID NOT NULL,
    state TEXT NOT NULL,
    -- Whether everything is read.
    whole BOOLEAN NOT NULL,
    -- How many accounts, and how many identities, somebody has agreed to lose.
    allowance BIGINT NOT NULL,
    launcher TEXT NOT NULL,
    counters JSONB NOT NULL,
    reports JSONB NOT NULL,
    -- Who is at work.
    node UUID,
    created_at TIMESTAMPTZ NOT NULL,
    started_at TIMESTAMPTZ,
    modified_at TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ,
    CONSTRAINT task_id_key PRIMARY KEY (id),
    CONSTRAINT task_source_fkey FOREIGN KEY (source) REFERENCES source (id) ON DELETE CASCADE
);

-- One at work with a source, and one that waits for it.
CREATE UNIQUE INDEX task_source_running ON task (source) WHERE state = 'running';
CREATE UNIQUE INDEX task_source_waiting ON task (source) WHERE state = 'waiting';
CREATE INDEX task_source ON task (source, created_at);
CREATE INDEX task_created ON task (created_at);

-- The fields and attributes of identities that a rule of correlation has ever named, and whether every identity is in
-- identity_value with it.
CREATE TABLE identity_value_name (
    name TEXT NOT NULL,
    filled BOOLEAN NOT NULL,
    CONSTRAINT identity_value_name_name_key PRIMARY KEY (name)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE identity_value (
    name TEXT NOT NULL,
    value_key TEXT NOT NULL,
    identity UUID NOT NULL,
    CONSTRAINT identity_value_name_value_key_identity_key PRIMARY KEY (name, value_key, identity),
    CONSTRAINT identity_value_identity_fkey FOREIGN KEY (identity) REFERENCES identity (id) ON DELETE CASCADE
) /*sqlite WITHOUT ROWID*/;

CREATE INDEX identity_value_identity ON identity_value (identity);
