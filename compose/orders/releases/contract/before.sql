-- Tasks of the first release have written without it, and run no more.
UPDATE orders SET amount = total WHERE amount IS NULL;
