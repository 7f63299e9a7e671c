#!/bin/sh
# The payment-detail API with curl and openssl: detail.sh
# create ORDER_NO CHAIN_ID TOKEN AMOUNT NOTIFY_URL | detail ORDER_NO | notify ORDER_NO
set -eu

MOMENT=$(date +%s)
if [ "$1" = create ]; then
    METHOD=POST
    TARGET=/payment/createPaymentOrder
    BODY=$(printf '{"chainId":%d,"description":"A sample order","outTradeNo":"%s","isLegalTender":0,%s}' "$3" "$2" \
        "\"quoteCurrencySymbol\":\"$4\",\"quoteAmount\":\"$5\",\"notifyUrl\":\"$6\"")
else
    METHOD=GET
    # The order number as it stands in an address: letters, digits and - _ . need no change, / is %2F.
    ORDER=$(printf %s "$2" | sed 's,%,%25,g; s,/,%2F,g; s,?,%3F,g; s,#,%23,g; s,+,%2B,g; s,:,%3A,g')
    TARGET="/payment/$1?outTradeNo=$ORDER"
    BODY=
fi
SIGNATURE=$(printf %s "$MOMENT$METHOD$TARGET$BODY" | openssl dgst -sha256 -hmac "$PAY_SECRET" -binary | openssl base64 -A)

set -- -H "X-PAY-KEY: $PAY_KEY" -H "X-PAY-TIMESTAMP: $MOMENT" -H "X-PAY-SIGN: $SIGNATURE"
if [ -n "$BODY" ]; then
    set -- "$@" -H "Content-Type: application/json" --data-binary "$BODY"
fi
curl -sS --max-time 30 "$@" "$DIAMONDPAY_URL$TARGET"
