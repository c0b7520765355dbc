<?php
// What APCu of this php-fpm holds, and which machine that is.
declare(strict_types=1);

/** @return array{task: string, zone: string, hits: int, misses: int, entries: list<array>} */
function cached(): array
{
    $info = apcu_cache_info();
    $task = this_task();
    $entries = array_map(
        fn (array $entry): array => [
            'key' => $entry['info'],
            'age' => time() - $entry['creation_time'],
            'hits' => (int) $entry['num_hits'],
            'bytes' => $entry['mem_size'],
        ],
        $info['cache_list'],
    );
    usort($entries, fn (array $one, array $other): int => strnatcmp($one['key'], $other['key']));
    return $task + ['hits' => (int) $info['num_hits'], 'misses' => (int) $info['num_misses'], 'entries' => $entries];
}

/** ECS's metadata of the task; asked for once in a container's life. */
function this_task(): array
{
    $file = sys_get_temp_dir() . '/task.json';
    $known = is_file($file) ? json_decode((string) file_get_contents($file), true) : null;
    if ($known === null) {
        $text = @file_get_contents(getenv('ECS_CONTAINER_METADATA_URI_V4') . '/task');
        $metadata = $text === false ? [] : json_decode($text, true);
        $known = [
            'task' => basename($metadata['TaskARN'] ?? 'unknown'),
            'zone' => $metadata['AvailabilityZone'] ?? 'unknown',
        ];
        if ($text !== false) {
            file_put_contents($file, json_encode($known), LOCK_EX);
        }
    }
    return $known;
}
