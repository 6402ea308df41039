# Takes a payment, captures a part of it, and gives a part of that back (Debian's python3-stripe 5.0).
#
#   apt install python3-stripe
#   FLORIN_URL=https://127.0.0.1:8443 FLORIN_CA=D/tls/ca.pem FLORIN_KEY=sk_test_… python3 payment.py
import os

import stripe

stripe.api_base = os.environ["FLORIN_URL"]
stripe.ca_bundle_path = os.environ["FLORIN_CA"]
stripe.api_key = os.environ["FLORIN_KEY"]
stripe.max_network_retries = 2

payment = stripe.PaymentIntent.create(
    amount=4500,
    currency="eur",
    payment_method="pm_card_mastercard",
    confirm=True,
    capture_method="manual",
    metadata={"order": "17"},
)
print(payment.id, payment.status, payment.amount_capturable)

captured = stripe.PaymentIntent.capture(payment.id, amount_to_capture=4000)
print(captured.status, captured.amount_received)

refund = stripe.Refund.create(payment_intent=payment.id, amount=1000)
print(refund.status, refund.amount)

try:
    stripe.Refund.create(payment_intent=payment.id, amount=3001)
except stripe.error.InvalidRequestError as error:
    print("refused:", error.code)
