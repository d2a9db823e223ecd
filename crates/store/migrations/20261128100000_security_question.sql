-- Cold: the organisation's security questions, and what people answered.

CREATE TABLE security_questions (
    id SMALLINT NOT NULL,
    document JSONB NOT NULL,
    modified_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT security_questions_id_key PRIMARY KEY (id),
    CONSTRAINT security_questions_only_one CHECK (id = 1)
);

CREATE TABLE security_answers (
    identity UUID NOT NULL,
    -- The questions as they were, in the order in which they were answered: they are asked although the list has changed.
    questions JSONB NOT NULL,
    -- Of all answers together: none can be guessed alone.
    hash BYTEA NOT NULL,
    answered_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT security_answers_identity_key PRIMARY KEY (identity),
    CONSTRAINT security_answers_identity_fkey FOREIGN KEY (identity) REFERENCES identity (id) ON DELETE CASCADE
);

-- When the person last answered them in this session.
ALTER TABLE session ADD COLUMN answered_at TIMESTAMPTZ;
