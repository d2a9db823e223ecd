-- The version of the configuration: see configuration.rs.

CREATE TABLE configuration (
    id SMALLINT NOT NULL,
    version UUID,
    CONSTRAINT configuration_id_key PRIMARY KEY (id),
    CONSTRAINT configuration_only_one CHECK (id = 1)
);

INSERT INTO configuration (id) VALUES (1);
