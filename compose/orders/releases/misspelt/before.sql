ALTER TABLE orders ADD COLUMN amount INTEGER;
UPDATE orders SET amount = totl;
