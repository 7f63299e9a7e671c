#!/bin/sh
# The gateway API with curl and openssl.
set -eu

API="$DIAMONDPAY_URL/gateway/api"
NOW=$(date +%s)

# The parameters stand sorted by name, as they are signed; values as they are sent.
sign() {
    printf %s "$1" | openssl dgst -sha256 -hmac "$PLATFORM_KEY" -r | cut -d' ' -f1
}

get() {
    curl -sS --max-time 30 "$API$1" -H "Authorization: $AUTHORIZATION"
}

post() {
    curl -sS --max-time 30 "$API$1" -H 'Content-Type: application/json' --data-binary "$2"
}

case "${1:-}" in
deposit) # ORDER_NO AMOUNT_X100 NOTIFY_URL
    STRING="amount=$3&notify_url=$4&payment_cl_id=$2&platform_id=$PLATFORM_ID&request_time=$NOW&service_id=SVC0001"
    post /v2/payments "{\"amount\": $3, \"notify_url\": \"$4\", \"payment_cl_id\": \"$2\",
        \"platform_id\": \"$PLATFORM_ID\", \"request_time\": $NOW, \"service_id\": \"SVC0001\",
        \"sign_type\": \"HMAC-SHA256\", \"sign\": \"$(sign "$STRING")\"}" ;;
payout) # ORDER_NO AMOUNT_X100 NAME ACCOUNT_NO
    STRING="amount=$3&name=$4&number=$5&payout_cl_id=$2&platform_id=$PLATFORM_ID&request_time=$NOW&service_id=SVC0004"
    post /v2/payouts "{\"amount\": $3, \"name\": \"$4\", \"number\": \"$5\", \"payout_cl_id\": \"$2\",
        \"platform_id\": \"$PLATFORM_ID\", \"request_time\": $NOW, \"service_id\": \"SVC0004\",
        \"sign_type\": \"HMAC-SHA256\", \"sign\": \"$(sign "$STRING")\"}" ;;
deposit-status) get "/v2/payments/$2" ;;
payout-status) get "/v2/payouts/$2" ;;
balance) get /v2/platforms/balance ;;
*)
    echo "usage: gateway.sh deposit ORDER_NO AMOUNT_X100 NOTIFY_URL
       gateway.sh deposit-status ORDER_NO
       gateway.sh payout ORDER_NO AMOUNT_X100 NAME ACCOUNT_NO
       gateway.sh payout-status ORDER_NO
       gateway.sh balance" >&2
    exit 1 ;;
esac
