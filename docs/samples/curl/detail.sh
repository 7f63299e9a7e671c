#!/bin/sh
# The payment-detail API with curl and openssl: detail.sh detail ORDER_NO | notify ORDER_NO
set -eu

MOMENT=$(date +%s)
# The order number as it stands in an address: letters, digits and - _ . need no change, / is %2F.
ORDER=$(printf %s "$2" | sed 's,%,%25,g; s,/,%2F,g; s,?,%3F,g; s,#,%23,g; s,+,%2B,g; s,:,%3A,g')
TARGET="/payment/$1?outTradeNo=$ORDER"
SIGNATURE=$(printf %s "${MOMENT}GET$TARGET" | openssl dgst -sha256 -hmac "$PAY_SECRET" -binary | openssl base64 -A)

curl -sS --max-time 30 -H "X-PAY-KEY: $PAY_KEY" -H "X-PAY-TIMESTAMP: $MOMENT" -H "X-PAY-SIGN: $SIGNATURE" \
    "$DIAMONDPAY_URL$TARGET"
