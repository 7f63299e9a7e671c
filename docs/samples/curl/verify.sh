#!/bin/sh
# Say whether a notification is ours: verify.sh WEBHOOK_ID TIMESTAMP SIGNATURES < body
set -eu

case "$2" in '' | *[!0-9]*) echo invalid; exit 0 ;; esac
AGE=$(($(date +%s) - $2))
if [ "$AGE" -gt 300 ] || [ "$AGE" -lt -300 ]; then echo invalid; exit 0; fi

# The body is the bytes that came, not JSON written anew.
WANTED="v1,$({ printf '%s.%s.' "$1" "$2"; cat; } | openssl dgst -sha256 -hmac "$PLATFORM_KEY" -binary | openssl base64 -A)"
for GIVEN in $3; do
    if [ "$GIVEN" = "$WANTED" ]; then echo valid; exit 0; fi
done
echo invalid
