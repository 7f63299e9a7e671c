<?php
// The transaction-request API in PHP 8: orders.php deposit ORDER_NO AMOUNT WEBHOOK_URL | status ORDER_NO
declare(strict_types=1);

function call(string $method, string $path, ?array $body = null): string
{
    $accessKey = getenv('ACCESS_KEY');
    $moment = (string) intdiv((int) (microtime(true) * 1000000), 1000);
    $signature = strtoupper(hash_hmac('sha256', "{$accessKey}_$moment", getenv('SECRET_KEY')));
    $context = stream_context_create(['http' => [
        'method' => $method,
        'header' => [
            "access-key: $accessKey", "timestamp: $moment", "signature: $signature", 'Content-Type: application/json',
        ],
        'content' => $body === null ? '' : json_encode($body, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES),
        'timeout' => 30,
        'ignore_errors' => true,
    ]]);
    $answer = file_get_contents(getenv('DIAMONDPAY_URL') . "/api/v2/merchant/$path", false, $context);
    return $answer === false ? throw new RuntimeException('no answer') : $answer;
}

[, $command, $order, $amount, $webhook] = $argv + array_fill(0, 5, '');
// The amount is sent as its digits, which keeps every decimal.
echo $command === 'deposit'
    ? call('POST', 'deposit', [
        'client' => ['realName' => 'TEST_USER'], 'depositCurrency' => 'CNY', 'fiatCurrency' => 'CNY',
        'depositAmount' => $amount, 'merchantOrderNo' => $order, 'webhookUrl' => $webhook,
        'paymentMethod' => ['method' => 1],
    ])
    : call('GET', 'transaction-request?merchantOrderNo=' . rawurlencode($order)), "\n";
