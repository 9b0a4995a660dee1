-- The floor of the benchmark: what a competent engineer writes first. Plain tables, each rule in one place, a counter
-- with a row lock; none of this project's triggers. Made afresh by scripts/bench-floor.
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS textbook CASCADE;
CREATE SCHEMA textbook;
SET search_path = textbook;

CREATE TABLE operators (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL,
    is_active    boolean NOT NULL DEFAULT true,
    max_load     integer NOT NULL CHECK (max_load >= 1),
    current_load integer NOT NULL DEFAULT 0 CHECK (current_load BETWEEN 0 AND max_load)
) WITH (fillfactor = 50);

CREATE TABLE sources (
    id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

CREATE TABLE operator_source_weights (
    source_id   bigint NOT NULL REFERENCES sources,
    operator_id bigint NOT NULL REFERENCES operators,
    weight      integer NOT NULL CHECK (weight >= 1),
    PRIMARY KEY (source_id, operator_id)
);

CREATE TABLE leads (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    phone      text NOT NULL UNIQUE,
    name       text,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE contacts (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lead_id     bigint NOT NULL REFERENCES leads,
    source_id   bigint NOT NULL REFERENCES sources,
    operator_id bigint REFERENCES operators,
    status      text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'closed')),
    message     text,
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON contacts (lead_id);
CREATE INDEX ON contacts (source_id);
CREATE INDEX ON contacts (operator_id, status);

INSERT INTO operators (name, max_load) SELECT 'Operator ' || n, :max_load FROM generate_series(1, 20) AS n;
INSERT INTO sources (name) VALUES ('Hot');
INSERT INTO operator_source_weights (source_id, operator_id, weight)
SELECT 1, n, 1 + n % 5 FROM generate_series(1, 20) AS n;
ANALYZE;
