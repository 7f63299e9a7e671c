-- The practice chain's own book. Units are texts of whole numbers, times are Unix seconds.

CREATE TABLE IF NOT EXISTS chain (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    -- Goes into every hash, so that another sandbox's chain is another chain.
    seed TEXT NOT NULL,
    -- The newest block that anybody was told of: nothing may be put into it or before it any more.
    head INTEGER NOT NULL
);

-- The chain stands still while the sandbox does, so that nobody has to read a night of empty blocks.
CREATE TABLE IF NOT EXISTS sittings (
    first_block INTEGER PRIMARY KEY,
    started_at  REAL NOT NULL
);

CREATE TABLE IF NOT EXISTS transfers (
    id           INTEGER PRIMARY KEY,
    -- Of the form it was sent with: a form that is sent twice pays once.
    key          TEXT NOT NULL UNIQUE,
    tx_hash      TEXT NOT NULL UNIQUE,
    contract     TEXT NOT NULL,
    to_address   TEXT NOT NULL,
    units        TEXT NOT NULL,
    block_number INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS transfers_by_block ON transfers (block_number);
CREATE INDEX IF NOT EXISTS transfers_by_address ON transfers (to_address);
