-- Cold: the icons of applications, each by what it is made of: one that changes has another address.

CREATE TABLE application_icon (
    application UUID NOT NULL,
    digest TEXT NOT NULL,
    picture BYTEA NOT NULL,
    CONSTRAINT application_icon_application_key PRIMARY KEY (application),
    CONSTRAINT application_icon_application_fkey FOREIGN KEY (application) REFERENCES application (id) ON DELETE CASCADE
);
CREATE INDEX application_icon_digest_index ON application_icon (digest);
