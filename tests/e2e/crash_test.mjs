// kill -9 under load, again and again: every payment that was acknowledged is there, unchanged.
import assert from 'node:assert/strict';
import test from 'node:test';

import { florin, kill, pause, sdk, startDaemon, temporary } from './support.mjs';

const rounds = Number(process.env.FLORIN_SOAK ? 100 : 20);
const clients = 8;

test(`${rounds} times kill -9 under load loses no acknowledged payment`, async (t) => {
    const folder = temporary(t);
    const acknowledged = new Map();
    for (let round = 0; round < rounds; ++round) {
        const daemon = await startDaemon(t, folder);
        const stripe = sdk(daemon);
        let running = true;
        const client = async (number) => {
            for (let i = 0; running; ++i) {
                const declined = (i + number) % 5 === 0;
                try {
                    const intent = await stripe.paymentIntents.create({
                        amount: 1000 + i, currency: 'eur', confirm: true,
                        payment_method: declined ? 'pm_card_visa_chargeDeclined' : 'pm_card_visa',
                    });
                    acknowledged.set(intent.id, intent.status);
                } catch (error) {
                    if (error.type === 'StripeCardError') {
                        acknowledged.set(error.payment_intent.id, 'requires_payment_method');
                    }
                }
            }
        };
        const load = Array.from({ length: clients }, (_, number) => client(number));
        await pause(200 + (round % 5) * 60);
        await kill(daemon, 'SIGKILL');
        running = false;
        await Promise.all(load);
    }
    assert.ok(acknowledged.size > rounds, `only ${acknowledged.size} payments`);
    const verified = florin('ledger', 'verify', '--data-dir', folder);
    assert.equal(verified.code, 0, verified.err);
    const daemon = await startDaemon(t, folder);
    const stripe = sdk(daemon);
    const found = new Map();
    for await (const intent of stripe.paymentIntents.list({ limit: 100 })) found.set(intent.id, intent.status);
    for (const [id, status] of acknowledged) assert.equal(found.get(id), status, id);
    await kill(daemon, 'SIGTERM');
    assert.equal(florin('ledger', 'verify', '--data-dir', folder).code, 0);
    assert.equal(florin('ledger', 'trial-balance', '--data-dir', folder).code, 0);
    t.diagnostic(`${acknowledged.size} payments acknowledged over ${rounds} crashes`);
});
