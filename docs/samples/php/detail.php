<?php
// The payment-detail API in PHP 8: php detail.php
// create ORDER_NO CHAIN_ID TOKEN AMOUNT NOTIFY_URL | detail ORDER_NO | notify ORDER_NO

function call(string $method, string $path, string $body = ''): string
{
    $moment = (string) time();
    $signature = base64_encode(hash_hmac('sha256', $moment . $method . $path . $body, getenv('PAY_SECRET'), true));
    $headers = ['X-PAY-KEY: ' . getenv('PAY_KEY'), "X-PAY-TIMESTAMP: $moment", "X-PAY-SIGN: $signature"];
    if ($body !== '') {
        $headers[] = 'Content-Type: application/json';
    }
    $context = stream_context_create(['http' => [
        'method' => $method, 'header' => $headers, 'content' => $body, 'timeout' => 30, 'ignore_errors' => true,
    ]]);
    return file_get_contents(getenv('DIAMONDPAY_URL') . $path, false, $context);
}

[, $command, $order] = $argv;
if ($command === 'create') {
    [, , , $chain, $token, $amount, $notifyUrl] = $argv;
    $wanted = [
        'chainId' => (int) $chain, 'description' => 'A sample order', 'outTradeNo' => $order, 'isLegalTender' => 0,
        'quoteCurrencySymbol' => $token, 'quoteAmount' => $amount, 'notifyUrl' => $notifyUrl,
    ];
    echo call('POST', '/payment/createPaymentOrder', json_encode($wanted, JSON_UNESCAPED_SLASHES)), "\n";
} else {
    echo call('GET', "/payment/$command?outTradeNo=" . rawurlencode($order)), "\n";
}
