-- +goose Up

-- When the revision was written, by the clock of the server that wrote it: in its
-- first entry, and in none that an older Postern wrote.
ALTER TABLE changes ADD COLUMN written_at INTEGER;
