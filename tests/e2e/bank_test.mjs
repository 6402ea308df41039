// The daemon with a bank at the other end: ISO 8583 over TCP, faults, and what becomes of them.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';

import { control, eventually, florin, kill, pay, sdk, signedOn, startBank, startDaemon, temporary } from './support.mjs';

const reaches = (stripe, id, status) =>
    eventually(`${id} is ${status}`, async () => {
        const intent = await stripe.paymentIntents.retrieve(id, { expand: ['latest_charge'] });
        return intent.status === status && intent;
    }, 40_000);

test('payments through a bank', async (t) => {
    const folder = temporary(t);
    const bank = await startBank(t, path.join(folder, 'bank'));
    const data = path.join(folder, 'florin');
    const daemon = await startDaemon(t, data, ['--iso8583', bank.ready.address]);
    const stripe = sdk(daemon);
    await signedOn(daemon);
    const book = async () => (await control(bank, { counts: true }));

    await t.test('authorise, capture and refund reach the bank\'s own book', async () => {
        const intent = await pay(stripe, 4500, { expand: ['latest_charge'] });
        assert.equal(intent.status, 'succeeded');
        assert.match(intent.latest_charge.payment_method_details.card.authorization_code, /^[A-Z0-9]{6}$/);
        const held = await pay(stripe, 3000, { capture_method: 'manual' });
        assert.equal(held.status, 'requires_capture');
        assert.equal((await stripe.paymentIntents.capture(held.id, { amount_to_capture: 1000 })).amount_received, 1000);
        const refund = await stripe.refunds.create({ payment_intent: intent.id, amount: 500 });
        assert.equal(refund.status, 'succeeded');
        const yen = await pay(stripe, 1200, { currency: 'jpy' });
        assert.equal(yen.status, 'succeeded');
        const counts = await book();
        assert.equal(counts.authorisations, 3);
        assert.equal(counts.captures, 3);
        assert.equal(counts.refunds, 1);
    });

    await t.test('the bank\'s refusals carry its code', async () => {
        await assert.rejects(pay(stripe, 1000, { payment_method: 'pm_card_visa_chargeDeclinedInsufficientFunds' }), {
            code: 'card_declined', decline_code: 'insufficient_funds',
        });
        await assert.rejects(pay(stripe, 1000, { payment_method: 'pm_card_visa_chargeDeclined' }), {
            code: 'card_declined', decline_code: 'do_not_honor',
        });
    });

    await t.test('cancelling gives the authorisation back at the bank', async () => {
        const before = await book();
        const held = await pay(stripe, 800, { capture_method: 'manual' });
        assert.equal((await stripe.paymentIntents.cancel(held.id)).status, 'canceled');
        assert.equal((await book()).reversals, before.reversals + 1);
    });

    await t.test('silence is processing, and leaves that on the bank\'s word only', async () => {
        await control(bank, { silence: true, match: { mti: '0100', amount_minor: 4242 }, times: 1 });
        const intent = await pay(stripe, 4242);
        assert.equal(intent.status, 'processing');
        const after = await reaches(stripe, intent.id, 'requires_payment_method');
        assert.equal(after.last_payment_error.code, 'processing_error');
        assert.equal(after.latest_charge.status, 'failed');
        const paid = await stripe.paymentIntents.confirm(intent.id, { payment_method: 'pm_card_visa' });
        assert.equal(paid.status, 'succeeded');
    });

    await t.test('a capture that is not answered is repeated until it is', async () => {
        await control(bank, { silence: true, match: { mti: '022', amount_minor: 777 }, times: 2 });
        const before = await book();
        const intent = await pay(stripe, 777);
        assert.equal(intent.status, 'processing');
        assert.equal((await reaches(stripe, intent.id, 'succeeded')).amount_received, 777);
        assert.equal((await book()).captures, before.captures + 1);
    });

    await t.test('a message that was lost on the way is found missing, twice, and given up', async () => {
        await control(bank, { lose: true, match: { mti: '0100', amount_minor: 888 }, times: 1 });
        const intent = await pay(stripe, 888);
        assert.equal(intent.status, 'processing');
        await reaches(stripe, intent.id, 'requires_payment_method');
    });

    await t.test('a refund without an answer is pending, then succeeds once', async () => {
        const intent = await pay(stripe, 5000);
        await control(bank, { silence: true, match: { mti: '020', amount_minor: 600 }, times: 1 });
        const before = await book();
        const refund = await stripe.refunds.create({ payment_intent: intent.id, amount: 600 });
        assert.equal(refund.status, 'pending');
        await eventually('the refund succeeds', async () => (await stripe.refunds.retrieve(refund.id)).status === 'succeeded');
        assert.equal((await book()).refunds, before.refunds + 1);
    });

    await t.test('a payment may name its route, and then takes no other', async () => {
        const before = await book();
        const sandboxed = await pay(stripe, 1500, { metadata: { florin_route: 'sandbox' } });
        assert.equal(sandboxed.status, 'succeeded');
        assert.deepEqual(await book(), before);
        await assert.rejects(pay(stripe, 1500, { metadata: { florin_route: 'nowhere' } }), {
            type: 'StripeInvalidRequestError', param: 'metadata[florin_route]',
        });
        const refund = await stripe.refunds.create({ payment_intent: sandboxed.id, amount: 100 });
        assert.equal(refund.status, 'succeeded');
        assert.deepEqual(await book(), before);
        assert.equal((await pay(stripe, 1500, { metadata: { florin_route: 'bank' } })).status, 'succeeded');
        assert.equal((await book()).captures, before.captures + 1);
    });

    await t.test('less than was asked for is given back', async () => {
        await control(bank, { partial_minor: 1100, match: { mti: '0100', amount_minor: 3100 }, times: 1 });
        const before = await book();
        const intent = await pay(stripe, 3100);
        assert.equal(intent.status, 'processing');
        await reaches(stripe, intent.id, 'requires_payment_method');
        assert.equal((await book()).authorisations, before.authorisations);
        assert.equal((await book()).captures, before.captures);
    });

    await t.test('an approval after \"not found, not found\" is reversed, whenever it comes', async () => {
        const amount_minor = 8642;
        const before = await book();
        await control(bank, { delay_ms: 6500, forget_reversal: true, match: { mti: '0100', amount_minor }, times: 1 });
        const held = async () => (await control(bank, { held: true })).held.some((one) => one.amount_minor === amount_minor);
        const intent = await pay(stripe, amount_minor);
        assert.equal(intent.status, 'processing');
        await reaches(stripe, intent.id, 'requires_payment_method');
        assert.equal((await book()).reversals, before.reversals + 1);
        await eventually('the bank approves it after all', async () => (await book()).authorisation_messages > before.authorisation_messages, 10_000);
        await eventually('the bank holds nothing for it', async () => !(await held()));
        assert.equal((await stripe.paymentIntents.retrieve(intent.id)).status, 'requires_payment_method');
        assert.equal((await book()).captures, before.captures);
    });

    await t.test('killed while the bank is silent, the daemon comes back and finds out', async () => {
        await control(bank, { silence: true, match: { mti: '0100', amount_minor: 999 }, times: 1 });
        const key = 'killed-in-between';
        const lost = pay(stripe, 999).catch((error) => error);
        const keyed = stripe.paymentIntents.create(
            { amount: 998, currency: 'eur', payment_method: 'pm_card_visa', confirm: true }, { idempotencyKey: key },
        ).catch((error) => error);
        await keyed;
        await eventually('the payment is under way', async () => {
            const list = await stripe.paymentIntents.list({ limit: 5 });
            return list.data.some((intent) => intent.amount === 999);
        });
        await kill(daemon, 'SIGKILL');
        await lost;
        const again = await startDaemon(t, data);
        await signedOn(again);
        const second = sdk(again);
        const [intent] = (await second.paymentIntents.list({ limit: 5 })).data.filter((one) => one.amount === 999);
        await reaches(second, intent.id, 'requires_payment_method');
        await kill(again, 'SIGTERM');
        const verified = florin('ledger', 'verify', '--data-dir', data);
        assert.equal(verified.code, 0, verified.err);
        assert.equal(florin('ledger', 'trial-balance', '--data-dir', data).code, 0);
        const unknown = florin('attempts', 'list', '--unknown', '--format', 'json', '--data-dir', data);
        assert.equal(unknown.code, 0, unknown.out);
        const all = JSON.parse(florin('attempts', 'list', '--format', 'json', '--data-dir', data).out);
        const recovered = all.find((one) => one.payment === intent.id && one.operation === 'authorise');
        assert.equal(recovered.state, 'reversed');
        const shown = florin('attempts', 'show', recovered.attempt, '--data-dir', data);
        assert.match(shown.out, /reversal_ack +reversed +00/);
    });
});

test('a bank that cannot be reached was not sent anything', async (t) => {
    const folder = temporary(t);
    const bank = await startBank(t, path.join(folder, 'bank'));
    const address = bank.ready.address;
    await kill(bank, 'SIGKILL');
    const daemon = await startDaemon(t, path.join(folder, 'florin'), ['--iso8583', address]);
    const stripe = sdk(daemon);
    await assert.rejects(pay(stripe, 1000), { code: 'processing_error' });
    const back = await startBank(t, path.join(folder, 'bank'), address);
    await signedOn(daemon);
    assert.equal((await pay(stripe, 1000)).status, 'succeeded');
    assert.equal((await control(back, { counts: true })).authorisations, 1);
});
