-- The hash of the password that a session began with and that must be changed: it is no new one.
ALTER TABLE session ADD COLUMN worn BYTEA;
