#!/bin/sh
# The transaction-request API with curl and openssl: orders.sh deposit ORDER_NO AMOUNT WEBHOOK_URL | status ORDER_NO
set -eu

MOMENT=$(date +%s%3N)
SIGNATURE=$(printf %s "${ACCESS_KEY}_$MOMENT" | openssl dgst -sha256 -hmac "$SECRET_KEY" -r | cut -d' ' -f1 | tr a-f A-F)

call() {
    curl -sS --max-time 30 -H "access-key: $ACCESS_KEY" -H "timestamp: $MOMENT" -H "signature: $SIGNATURE" "$@"
}

if [ "$1" = deposit ]; then
    call "$DIAMONDPAY_URL/api/v2/merchant/deposit" -H 'Content-Type: application/json' --data-binary "{
        \"client\": {\"realName\": \"TEST_USER\"}, \"depositCurrency\": \"CNY\", \"fiatCurrency\": \"CNY\",
        \"depositAmount\": $3, \"merchantOrderNo\": \"$2\", \"webhookUrl\": \"$4\", \"paymentMethod\": {\"method\": 1}}"
else
    call --get "$DIAMONDPAY_URL/api/v2/merchant/transaction-request" --data-urlencode "merchantOrderNo=$2"
fi
