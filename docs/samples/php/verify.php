<?php
// Say whether a notification is ours: verify.php WEBHOOK_ID TIMESTAMP SIGNATURES < body
declare(strict_types=1);

/** The body is the bytes that came, not JSON written anew. */
function is_ours(string $webhookId, string $timestamp, string $signatures, string $body): bool
{
    if (!ctype_digit($timestamp) || abs(time() - (int) $timestamp) > 300) {
        return false;
    }
    $mac = hash_hmac('sha256', "$webhookId.$timestamp.$body", getenv('PLATFORM_KEY'), true);
    $found = false;
    foreach (explode(' ', $signatures) as $given) {
        $found = hash_equals('v1,' . base64_encode($mac), $given) || $found;
    }
    return $found;
}

echo is_ours($argv[1], $argv[2], $argv[3], stream_get_contents(STDIN)) ? "valid\n" : "invalid\n";
