<?php
// Products and where they come from: APCu in this machine's php-fpm, else Redis, else the database. What is found farther
// away is kept nearer. Without a database (MYSQL_HOST is empty) Redis has them for good.
declare(strict_types=1);

const PRODUCTS = 12;
const KEPT_IN_REDIS = 3600; // seconds; APCu keeps until it is cleared

final class Shop
{
    /** @var array<string, int> products by where they came from, in this request */
    public array $from = ['apcu' => 0, 'redis' => 0, 'mysql' => 0];
    private readonly bool $usesApcu;
    private ?Redis $redis = null;
    private ?PDO $database = null;

    public function __construct()
    {
        $this->usesApcu = getenv('APCU') !== 'off';
    }

    /** @return array{name: string, price: int, description: string} */
    public function product(int $id): array
    {
        $key = "product:$id";
        $found = $this->usesApcu ? apcu_fetch($key) : false;
        if ($found !== false) {
            $this->from['apcu']++;
            return $found;
        }
        $found = $this->far($key, $id);
        if ($this->usesApcu) {
            apcu_store($key, $found);
        }
        return $found;
    }

    /** What a change in the back office does: the database, and Redis beside it. No machine's APCu hears of it. */
    public function setPrice(int $id, int $price): void
    {
        if ($this->hasDatabase()) {
            $this->database()->prepare('UPDATE product SET price = ? WHERE id = ?')->execute([$price, $id]);
            $this->redis()->del("product:$id");
        } else {
            $this->redis()->set("product:$id", json_encode(['price' => $price] + $this->far("product:$id", $id)));
        }
    }

    private function far(string $key, int $id): array
    {
        $text = $this->redis()->get($key);
        if ($text !== false) {
            $this->from['redis']++;
            return json_decode($text, true);
        }
        if (!$this->hasDatabase()) {
            $made = ['name' => "Product $id", 'price' => 1000, 'description' => str_repeat("About product $id. ", 100)];
            $this->redis()->set($key, json_encode($made));
            return $made;
        }
        $asked = $this->database()->prepare('SELECT name, price, description FROM product WHERE id = ?');
        $asked->execute([$id]);
        $row = $asked->fetch(PDO::FETCH_ASSOC);
        $this->from['mysql']++;
        $this->redis()->setex($key, KEPT_IN_REDIS, json_encode($row));
        return $row;
    }

    private function hasDatabase(): bool
    {
        return (string) getenv('MYSQL_HOST') !== '';
    }

    private function redis(): Redis
    {
        if ($this->redis === null) {
            $this->redis = new Redis();
            $this->redis->connect((string) getenv('REDIS_HOST'), 6379, 2.0);
        }
        return $this->redis;
    }

    private function database(): PDO
    {
        return $this->database ??= new PDO(
            'mysql:dbname=shop;host=' . getenv('MYSQL_HOST'),
            'shop',
            (string) getenv('MYSQL_PASSWORD'),
            [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_EMULATE_PREPARES => false],
        );
    }
}
