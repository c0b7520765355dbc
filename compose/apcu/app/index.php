<?php
declare(strict_types=1);

require __DIR__ . '/shop.php';
require __DIR__ . '/cache.php';

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$id = (int) ($_REQUEST['id'] ?? 1);
if ($id < 1 || $id > PRODUCTS) {
    http_response_code(404);
    exit("there is no such product\n");
}

$shop = new Shop();
switch ("{$_SERVER['REQUEST_METHOD']} $path") {
    case 'GET /health':
        header('Content-Type: text/plain');
        exit("ok\n");
    case 'GET /product':
        header('Content-Type: application/json');
        exit(json_encode($shop->product($id) + ['from' => array_search(1, $shop->from), 'task' => this_task()['task']]));
    case 'GET /cache':
        header('Content-Type: application/json');
        exit(json_encode(cached()));
    case 'POST /price':
        $shop->setPrice($id, (int) ($_REQUEST['price'] ?? 0));
        header('Content-Type: text/plain');
        exit("changed\n");
    case 'GET /':
        break;
    default:
        http_response_code(404);
        exit("there is no such page\n");
}

$products = array_map($shop->product(...), range(1, PRODUCTS));
$cached = cached();
$text = fn (string|int $value): string => htmlspecialchars((string) $value);
?>
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Shop</title></head>
<body>
<h1>Shop</h1>
<ul>
<?php foreach ($products as $product) { ?>
<li><?= $text($product['name']) ?>: <?= $text(number_format($product['price'] / 100, 2)) ?></li>
<?php } ?>
</ul>
<p>Of these, <?= $shop->from['apcu'] ?> came from APCu, <?= $shop->from['redis'] ?> from Redis,
<?= $shop->from['mysql'] ?> from the database.</p>
<h2>APCu of task <?= $text($cached['task']) ?> in <?= $text($cached['zone']) ?></h2>
<p><?= $cached['hits'] ?> hits, <?= $cached['misses'] ?> misses</p>
<table>
<tr><th>Entry</th><th>Age in seconds</th><th>Hits</th><th>Bytes</th></tr>
<?php foreach ($cached['entries'] as $entry) { ?>
<tr><td><?= $text($entry['key']) ?></td><td><?= $entry['age'] ?></td><td><?= $entry['hits'] ?></td><td><?= $entry['bytes'] ?></td></tr>
<?php } ?>
</table>
</body>
</html>
