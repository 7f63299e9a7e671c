-- The sandbox's own book. Amounts are texts of decimals in major units, times are Unix seconds.

CREATE TABLE IF NOT EXISTS orders (
    channel_order_no TEXT PRIMARY KEY,
    account          TEXT NOT NULL,
    direction        TEXT NOT NULL CHECK (direction IN ('deposit', 'payout')),
    reference        TEXT NOT NULL,
    -- A digest of the ordered content: a repeat is compared with it, so nobody's account number is kept.
    fingerprint      TEXT NOT NULL,
    service          TEXT NOT NULL,
    amount           TEXT NOT NULL,
    currency         TEXT NOT NULL,
    display_amount   TEXT NOT NULL,
    callback_url     TEXT NOT NULL,
    expires_at       TEXT NOT NULL,
    remark_code      TEXT NOT NULL,
    -- The recipient whose name is FAIL.
    is_doomed        INTEGER NOT NULL,
    state            TEXT NOT NULL CHECK (state IN ('pending', 'paid', 'failed')),
    amount_paid      TEXT,
    reason           TEXT NOT NULL DEFAULT '',
    created_at       REAL NOT NULL,
    -- When a payout ends by itself; null for what a person or a test decides.
    due_at           REAL,
    UNIQUE (account, direction, reference),
    CHECK ((state = 'paid') = (amount_paid IS NOT NULL))
);
CREATE INDEX IF NOT EXISTS orders_by_reference ON orders (reference);
CREATE INDEX IF NOT EXISTS orders_by_time ON orders (created_at);
CREATE INDEX IF NOT EXISTS orders_due ON orders (due_at) WHERE due_at IS NOT NULL AND state = 'pending';

CREATE TABLE IF NOT EXISTS callbacks (
    id               INTEGER PRIMARY KEY,
    channel_order_no TEXT NOT NULL REFERENCES orders,
    event_id         TEXT NOT NULL,
    body             BLOB NOT NULL,
    -- Signed wrongly on purpose.
    is_forged        INTEGER NOT NULL,
    attempt_count    INTEGER NOT NULL DEFAULT 0,
    -- When it is sent next; null once it was answered, or given up.
    next_at          REAL,
    is_in_hand       INTEGER NOT NULL DEFAULT 0,
    is_received      INTEGER NOT NULL DEFAULT 0,
    last_answer      TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS callbacks_due ON callbacks (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS callbacks_by_order ON callbacks (channel_order_no);

CREATE TABLE IF NOT EXISTS behaviours (
    account              TEXT PRIMARY KEY,
    mode                 TEXT NOT NULL,
    delay_seconds        REAL,
    payout_delay_seconds REAL,
    display_amount_add   INTEGER NOT NULL
);
