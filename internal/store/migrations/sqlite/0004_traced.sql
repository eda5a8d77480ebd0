-- +goose Up

-- The traceparent of the request that caused a message, and NULL where that
-- belonged to no trace.
ALTER TABLE outbox ADD COLUMN traceparent TEXT;
