-- Versions of items, the declared serial, accounts by id, what is told of whom and
-- by whom, and room for modules and notices. Foreign keys are off while a migration
-- runs, and checked before it ends: so tables that others refer to can be made anew.

-- Counts what was tracked, moved, forgotten or got other arguments, alone.
ALTER TABLE meta ADD COLUMN declared INTEGER NOT NULL DEFAULT 0;

-- Raised each time an item is written, if only touched.
ALTER TABLE reads ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

-- An account's name stands in one place, so that an account can move: everything
-- else refers to its id. Raws, intents and loss windows referred to words until now,
-- and go on with the same numbers.
CREATE TABLE accounts (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO accounts (id, name) SELECT id, text FROM words
  WHERE id IN (SELECT account FROM raws UNION SELECT account FROM intents UNION SELECT account FROM loss_windows);
INSERT INTO accounts (name) SELECT DISTINCT account FROM scopes WHERE account NOT IN (SELECT name FROM accounts);

CREATE TABLE new_scopes (
  id      INTEGER PRIMARY KEY,
  type    TEXT    NOT NULL,
  account INTEGER NOT NULL REFERENCES accounts,
  UNIQUE (type, account)
) STRICT;
INSERT INTO new_scopes (id, type, account) SELECT s.id, s.type, a.id FROM scopes s JOIN accounts a ON a.name = s.account;
DROP TABLE scopes;
ALTER TABLE new_scopes RENAME TO scopes;

-- A resource block: all of an address but the key. The module is '' for the root.
CREATE TABLE new_blocks (
  id     INTEGER PRIMARY KEY,
  module TEXT NOT NULL DEFAULT '',
  type   TEXT NOT NULL,
  name   TEXT NOT NULL,
  UNIQUE (module, type, name)
) STRICT;
INSERT INTO new_blocks (id, type, name) SELECT id, type, name FROM blocks;
DROP TABLE blocks;
ALTER TABLE new_blocks RENAME TO blocks;

CREATE TABLE new_intents (
  id         TEXT    PRIMARY KEY,
  item       INTEGER NOT NULL,
  block      INTEGER NOT NULL REFERENCES blocks,
  key        ANY     NOT NULL,
  account    INTEGER NOT NULL REFERENCES accounts,
  "limit"    INTEGER NOT NULL,
  started_at INTEGER
) STRICT;
INSERT INTO new_intents (id, item, block, key, account, "limit", started_at)
  SELECT id, item, block, key, account, "limit", started_at FROM intents;
DROP TABLE intents;
ALTER TABLE new_intents RENAME TO intents;

CREATE TABLE new_loss_windows (
  id         INTEGER PRIMARY KEY,
  block      INTEGER REFERENCES blocks, -- NULL where it is no pull policy's
  key        ANY,
  account    INTEGER NOT NULL REFERENCES accounts,
  from_at    INTEGER,
  to_at      INTEGER,
  bound      INTEGER NOT NULL, -- -1: none
  salvaged   INTEGER NOT NULL,
  cause      TEXT    NOT NULL,
  detail     TEXT    NOT NULL,
  raw        INTEGER,
  backfilled INTEGER NOT NULL DEFAULT 0, -- records that came in another way since
  closed_at  INTEGER                     -- NULL while something may be missing
) STRICT;
INSERT INTO new_loss_windows (id, block, key, account, from_at, to_at, bound, salvaged, cause, detail, raw)
  SELECT id, block, key, account, from_at, to_at, bound, salvaged, cause, detail, raw FROM loss_windows;
DROP TABLE loss_windows;
ALTER TABLE new_loss_windows RENAME TO loss_windows;

-- An event is of an item, or (item and block 0) of an account.
ALTER TABLE events ADD COLUMN account INTEGER; -- NULL of an item
ALTER TABLE events ADD COLUMN "by" INTEGER;    -- a word; NULL for the configuration, a vendor, the clock
ALTER TABLE events ADD COLUMN why TEXT;

-- The content of a record is never written over. One that is told otherwise gets
-- status 3 and stays; what is told in its stead has its place.
ALTER TABLE records ADD COLUMN via INTEGER NOT NULL DEFAULT 1; -- 1 pulled, 2 pushed, 3 asked for again
ALTER TABLE records ADD COLUMN place INTEGER;                  -- id of the first record that stood there; NULL: this one
UPDATE records SET via = 2 WHERE raw IN (SELECT id FROM raws WHERE kind = 'callback');
DROP INDEX records_once;
CREATE UNIQUE INDEX records_once ON records (scope, key, digest) WHERE status <> 3;

-- What an agent leaves for its next life.
CREATE TABLE new_notes (
  agent TEXT NOT NULL DEFAULT '', -- '' where one agent at a time has the state
  name  TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (agent, name)
) STRICT;
INSERT INTO new_notes (name, value) SELECT name, value FROM notes;
DROP TABLE notes;
ALTER TABLE new_notes RENAME TO notes;

-- What somebody is to be told, in the same commit as what it tells.
CREATE TABLE outbox (
  id       INTEGER PRIMARY KEY AUTOINCREMENT, -- a notice's id is never another's
  target   TEXT    NOT NULL,
  item     INTEGER,
  event    TEXT    NOT NULL,
  at       INTEGER,
  due      INTEGER,
  attempts INTEGER NOT NULL
) STRICT;

-- Raws in which credentials of ours were overwritten.
CREATE TABLE redacted (
  raw    INTEGER PRIMARY KEY REFERENCES raws,
  digest BLOB    NOT NULL -- SHA-256 of the body as it came
) STRICT;
