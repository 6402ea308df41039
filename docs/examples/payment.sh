#!/bin/sh
# Takes a payment with curl, looks at it, and gives a part of it back.
#
#   FLORIN_URL=https://127.0.0.1:8443 FLORIN_CA=D/tls/ca.pem FLORIN_KEY=sk_test_… sh payment.sh
#
# Needs curl and python3 (to pick an id out of an answer).
set -eu

florin() {
    curl --silent --show-error --cacert "$FLORIN_CA" --user "$FLORIN_KEY:" "$@"
}
member() {
    python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"
}

# A key of your own makes it safe to send the same again when the line breaks: it stays one payment.
payment=$(florin "$FLORIN_URL/v1/payment_intents" \
    --header "Idempotency-Key: order-$$" \
    --data amount=4500 --data currency=eur \
    --data payment_method=pm_card_visa --data confirm=true \
    --data-urlencode "description=A bag of beans" | member id)

florin "$FLORIN_URL/v1/payment_intents/$payment" | member status

florin "$FLORIN_URL/v1/refunds" \
    --data "payment_intent=$payment" --data amount=500 --data reason=requested_by_customer | member status

echo "$payment"
