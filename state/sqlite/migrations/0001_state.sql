-- The first schema of Waybill's state.
--
-- Times are whole nanoseconds since 1970-01-01 UTC, NULL for none. Amounts are
-- decimals as text. Outcomes are small numbers: 0 pending, 1 succeeded,
-- 2 failed, 3 partial, 4 unknown. Nothing here is a REAL.
--
-- Records, raws and events refer to rows of other tables without declaring it:
-- the one writer makes these ids itself, and each check would cost a look-up in
-- the tables that grow fastest.

CREATE TABLE meta (
  one     INTEGER PRIMARY KEY CHECK (one = 1),
  lineage TEXT    NOT NULL, -- made once, tells states apart
  serial  INTEGER NOT NULL  -- counts commits that changed declared or observed values
) STRICT;

-- Texts that come back by the million, kept once: accounts, files, revisions.
CREATE TABLE words (
  id   INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE
) STRICT;

-- A resource block: the first two parts of an address.
CREATE TABLE blocks (
  id   INTEGER PRIMARY KEY,
  type TEXT NOT NULL,
  name TEXT NOT NULL,
  UNIQUE (type, name)
) STRICT;

-- A resource type at an account: what makes a vendor identity unique.
CREATE TABLE scopes (
  id      INTEGER PRIMARY KEY,
  type    TEXT NOT NULL,
  account TEXT NOT NULL,
  UNIQUE (type, account)
) STRICT;

-- What is, or was, declared. The key is the smallest integer for none, an
-- integer for count, a text for for_each: so they sort as addresses do.
CREATE TABLE items (
  id           INTEGER PRIMARY KEY,
  block        INTEGER NOT NULL REFERENCES blocks,
  key          ANY     NOT NULL,
  scope        INTEGER NOT NULL REFERENCES scopes,
  identity     TEXT    NOT NULL,
  args         TEXT,
  file         INTEGER NOT NULL REFERENCES words,
  line         INTEGER NOT NULL,
  revision     INTEGER NOT NULL REFERENCES words,
  tracked_at   INTEGER,
  forgotten_at INTEGER -- NULL while tracked
) STRICT;
CREATE UNIQUE INDEX items_address  ON items (block, key)      WHERE forgotten_at IS NULL;
CREATE UNIQUE INDEX items_identity ON items (scope, identity) WHERE forgotten_at IS NULL;
CREATE INDEX items_forgotten ON items (scope, identity, forgotten_at) WHERE forgotten_at IS NOT NULL;

-- The bookkeeping of each item's reads, narrow because it changes most often.
CREATE TABLE reads (
  item            INTEGER PRIMARY KEY REFERENCES items,
  scope           INTEGER NOT NULL, -- of the item
  tracked         INTEGER NOT NULL, -- 1 while the item is
  outcome         INTEGER NOT NULL,
  settled         INTEGER NOT NULL,
  expect_pending  INTEGER NOT NULL, -- how many of the item's expectations stand so
  expect_met      INTEGER NOT NULL,
  expect_failed   INTEGER NOT NULL,
  expect_met_late INTEGER NOT NULL,
  not_found       INTEGER NOT NULL,
  first_read_at   INTEGER,
  read_at         INTEGER,
  observed_at     INTEGER,
  due             INTEGER,
  failures        INTEGER NOT NULL,
  unchanged       INTEGER NOT NULL,
  last_error      TEXT,
  body_digest     BLOB,
  raw             INTEGER,
  pull_success_at INTEGER,
  pulled_total    INTEGER,
  loss_windows    INTEGER
) STRICT;
CREATE INDEX reads_counts ON reads (scope, outcome, expect_pending, expect_met, expect_failed, expect_met_late) WHERE tracked = 1;
CREATE INDEX reads_unsettled ON reads (item) WHERE tracked = 1 AND settled = 0;

-- What each item was last seen as.
CREATE TABLE observed (
  item         INTEGER PRIMARY KEY REFERENCES items,
  seen         TEXT,
  "values"     TEXT,
  expectations TEXT
) STRICT;

-- A vendor identity that records arrived for, declared or not; '' for records
-- whose identity could not be read. Matching is subjects.item, so that declaring
-- and forgetting rewrite no record.
CREATE TABLE subjects (
  id        INTEGER PRIMARY KEY,
  scope     INTEGER NOT NULL REFERENCES scopes,
  identity  TEXT    NOT NULL,
  item      INTEGER REFERENCES items, -- that tracks it now
  mark      INTEGER NOT NULL,         -- newest record that changed what it comes to
  folder    INTEGER REFERENCES items, -- whose values folded_to speaks of
  folded_to INTEGER NOT NULL,         -- mark up to which those values count
  records   INTEGER NOT NULL,         -- how many, without quarantined ones
  UNIQUE (scope, identity)
) STRICT;
CREATE INDEX subjects_item     ON subjects (item) WHERE item IS NOT NULL;
CREATE INDEX subjects_unfolded ON subjects (item) WHERE item IS NOT NULL AND mark > folded_to;

-- What was pulled and pushed.
CREATE TABLE records (
  id          INTEGER PRIMARY KEY,
  scope       INTEGER NOT NULL,
  key         TEXT    NOT NULL,
  digest      BLOB    NOT NULL,
  subject     INTEGER NOT NULL,
  outcome     INTEGER NOT NULL,
  code        TEXT    NOT NULL,
  amount      TEXT,
  currency    TEXT    NOT NULL,
  parts       INTEGER NOT NULL,
  event_at    INTEGER,
  received_at INTEGER,
  status      INTEGER NOT NULL, -- 0 counts, 1 another content of the key counts, 2 quarantined
  quarantined TEXT,             -- why it could not be understood
  raw         INTEGER,
  attributes  TEXT
) STRICT;
CREATE UNIQUE INDEX records_once ON records (scope, key, digest);
CREATE INDEX records_tally ON records (subject, outcome, code, currency, amount, parts, event_at, received_at)
  WHERE status = 0;
CREATE INDEX records_quarantined ON records (id, scope) WHERE status = 2;
CREATE INDEX records_received ON records (received_at);

-- The vendors' own bytes. The body is last: the columns before it are read without it.
CREATE TABLE raws (
  id       INTEGER PRIMARY KEY,
  kind     TEXT    NOT NULL,
  account  INTEGER NOT NULL,
  item     INTEGER,
  at       INTEGER,
  status   INTEGER NOT NULL,
  complete INTEGER NOT NULL,
  size     INTEGER NOT NULL, -- of the body as it arrived
  packed   INTEGER NOT NULL, -- 1: the body is compressed with Zstandard
  body     BLOB    NOT NULL
) STRICT;

-- Raws that landed and whose contents were not derived yet.
CREATE TABLE underived (
  raw INTEGER PRIMARY KEY REFERENCES raws
) STRICT;

-- Pulls that were begun and not concluded.
CREATE TABLE intents (
  id         TEXT    PRIMARY KEY,
  item       INTEGER NOT NULL,
  block      INTEGER NOT NULL REFERENCES blocks,
  key        ANY     NOT NULL,
  account    INTEGER NOT NULL REFERENCES words,
  "limit"    INTEGER NOT NULL,
  started_at INTEGER
) STRICT;

-- The history: every recorded difference.
CREATE TABLE events (
  seq      INTEGER PRIMARY KEY,
  at       INTEGER,
  item     INTEGER NOT NULL,
  block    INTEGER NOT NULL,
  key      ANY     NOT NULL,
  action   TEXT    NOT NULL,
  revision INTEGER NOT NULL,
  raw      INTEGER,
  changes  TEXT -- a list of {path, before, after}
) STRICT;
CREATE INDEX events_item ON events (item);
CREATE INDEX events_at ON events (at);

CREATE TABLE loss_windows (
  id       INTEGER PRIMARY KEY,
  block    INTEGER REFERENCES blocks, -- NULL for an outage of the receiver
  key      ANY,
  account  INTEGER NOT NULL REFERENCES words,
  from_at  INTEGER,
  to_at    INTEGER,
  bound    INTEGER NOT NULL, -- -1: none
  salvaged INTEGER NOT NULL,
  cause    TEXT    NOT NULL,
  detail   TEXT    NOT NULL,
  raw      INTEGER
) STRICT;

CREATE TABLE outputs (
  place     INTEGER PRIMARY KEY,
  name      TEXT    NOT NULL UNIQUE,
  sensitive INTEGER NOT NULL,
  known     INTEGER NOT NULL,
  type      TEXT,
  value     TEXT
) STRICT;

CREATE TABLE checks (
  place    INTEGER PRIMARY KEY,
  name     TEXT NOT NULL UNIQUE,
  state    TEXT NOT NULL,
  messages TEXT -- a list of texts
) STRICT;

CREATE TABLE notes (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;
