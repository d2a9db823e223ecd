-- The number of the configuration: see configuration.rs.

CREATE TABLE configuration (
    id SMALLINT NOT NULL,
    number BIGINT NOT NULL,
    CONSTRAINT configuration_id_key PRIMARY KEY (id),
    CONSTRAINT configuration_only_one CHECK (id = 1)
);

INSERT INTO configuration (id, number) VALUES (1, 0);
