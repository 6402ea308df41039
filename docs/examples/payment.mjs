// Takes a payment with the official SDK, meets a decline, and walks through the list.
//
//   npm install stripe
//   FLORIN_URL=https://127.0.0.1:8443 FLORIN_CA=D/tls/ca.pem FLORIN_KEY=sk_test_… node payment.mjs
import fs from 'node:fs';
import https from 'node:https';
import Stripe from 'stripe';

const url = new URL(process.env.FLORIN_URL);
const stripe = new Stripe(process.env.FLORIN_KEY, {
    host: url.hostname,
    port: Number(url.port),
    protocol: 'https',
    httpAgent: new https.Agent({ ca: fs.readFileSync(process.env.FLORIN_CA), keepAlive: true }),
    telemetry: false,
});

const payment = await stripe.paymentIntents.create({
    amount: 4500,
    currency: 'eur',
    payment_method: 'pm_card_visa',
    confirm: true,
    expand: ['latest_charge'],
});
console.log(payment.id, payment.status, payment.latest_charge.payment_method_details.card.last4);

try {
    await stripe.paymentIntents.create({
        amount: 4500,
        currency: 'eur',
        payment_method: 'pm_card_visa_chargeDeclinedInsufficientFunds',
        confirm: true,
    });
} catch (error) {
    if (!(error instanceof Stripe.errors.StripeCardError)) throw error;
    console.log('declined:', error.decline_code);
}

// The bank may stay silent. Then the answer is `processing`: it is not known yet, and asking later
// tells. It never becomes a failure by waiting.
if (payment.status === 'processing') {
    console.log('not known yet; retrieve', payment.id, 'later');
}

let seen = 0;
for await (const each of stripe.paymentIntents.list({ limit: 100 })) {
    seen += each.object === 'payment_intent' ? 1 : 0;
}
console.log('payments so far:', seen);
