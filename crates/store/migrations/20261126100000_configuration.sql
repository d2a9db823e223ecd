-- The version of the configuration: see configuration.rs.

CREATE TABLE configuration (
    id SMALLINT NOT NULL,
    version UUID,
    CONSTRAINT configuration_id_key PRIMARY KEY (id),
    CONSTRAINT configuration_only_one CHECK (id = 1)
);

INSERT INTO configuration (id) VALUES (1);

-- Whoever reads the configuration in order to change it locks this row first: see configuration.rs.
CREATE TABLE configuration_lock (
    id SMALLINT NOT NULL,
    CONSTRAINT configuration_lock_id_key PRIMARY KEY (id)
);

INSERT INTO configuration_lock (id) VALUES (1);
