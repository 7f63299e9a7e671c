<?php
// The gateway API in PHP 8, without packages.
declare(strict_types=1);

const USAGE = "usage:
  gateway.php deposit ORDER_NO AMOUNT_X100 NOTIFY_URL
  gateway.php deposit-status ORDER_NO
  gateway.php payout ORDER_NO AMOUNT_X100 NAME ACCOUNT_NO
  gateway.php payout-status ORDER_NO
  gateway.php balance\n";
const AS_IS = JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES;

/** The string that is signed. Texts stand as they are, everything else as compact JSON. */
function canonical(array $params): string
{
    unset($params['sign'], $params['sign_type']);
    $params = array_filter($params, fn ($value) => $value !== '' && $value !== null);
    ksort($params, SORT_STRING);
    $pairs = [];
    foreach ($params as $name => $value) {
        $pairs[] = $name . '=' . (is_string($value) ? $value : json_encode($value, AS_IS));
    }
    return implode('&', $pairs);
}

function call(string $method, string $path, ?array $body = null): string
{
    $header = $body === null ? 'Authorization: ' . getenv('AUTHORIZATION') : 'Content-Type: application/json';
    $context = stream_context_create(['http' => [
        'method' => $method,
        'header' => $header,
        'content' => $body === null ? '' : json_encode($body, AS_IS),
        'timeout' => 30,
        'ignore_errors' => true,
    ]]);
    $answer = file_get_contents(getenv('DIAMONDPAY_URL') . '/gateway/api' . $path, false, $context);
    return $answer === false ? throw new RuntimeException('no answer') : $answer;
}

function create(string $path, array $params): string
{
    $params += ['platform_id' => getenv('PLATFORM_ID'), 'request_time' => time()];
    $sign = hash_hmac('sha256', canonical($params), getenv('PLATFORM_KEY'));
    return call('POST', $path, $params + ['sign_type' => 'HMAC-SHA256', 'sign' => $sign]);
}

[, $command, $order, $amount, $third, $fourth] = $argv + array_fill(0, 6, '');
echo match ($command) {
    'deposit' => create('/v2/payments', [
        'service_id' => 'SVC0001', 'payment_cl_id' => $order, 'amount' => (int) $amount, 'notify_url' => $third,
    ]),
    'payout' => create('/v2/payouts', [
        'service_id' => 'SVC0004', 'payout_cl_id' => $order, 'amount' => (int) $amount, 'name' => $third,
        'number' => $fourth,
    ]),
    'deposit-status' => call('GET', '/v2/payments/' . rawurlencode($order)),
    'payout-status' => call('GET', '/v2/payouts/' . rawurlencode($order)),
    'balance' => call('GET', '/v2/platforms/balance'),
    default => exit(USAGE),
}, "\n";
