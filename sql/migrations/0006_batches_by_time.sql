-- Serves the removal of old batches: at a thousand transactions a second an hour's batches are millions.
CREATE INDEX assignment_batches_created_at_idx ON assignment_batches (created_at);
