CREATE TABLE product (
    id INT PRIMARY KEY,
    name VARCHAR(80) NOT NULL,
    price INT NOT NULL,
    description TEXT NOT NULL
);
INSERT INTO product SELECT seq, CONCAT('Product ', seq), 1000, REPEAT(CONCAT('About product ', seq, '. '), 100) FROM seq_1_to_12;
