-- Tasks of the release before wrote it, and run no more.
ALTER TABLE orders DROP COLUMN total;
