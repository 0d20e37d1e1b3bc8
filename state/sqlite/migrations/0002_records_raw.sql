-- Replay asks which records were made of a raw.
CREATE INDEX records_raw ON records (raw) WHERE raw IS NOT NULL;
