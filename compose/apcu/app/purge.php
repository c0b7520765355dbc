<?php
// Empties APCu of the php-fpm that runs this. nginx lets only 127.0.0.1 ask for it.
declare(strict_types=1);

$entries = apcu_cache_info(true)['num_entries'];
header('Content-Type: text/plain');
if (!apcu_clear_cache()) {
    http_response_code(500);
    exit("APCu could not be cleared\n");
}
echo 'cleared ', $entries, $entries === 1 ? ' entry' : ' entries', "\n";
