// What an answer expands is what the operation left, at every depth; and where lists go on.
import assert from 'node:assert/strict';
import test from 'node:test';

import { conforms } from './schemas.mjs';
import { pay, request, sdk, startDaemon, temporary } from './support.mjs';

test('expansions and lists', async (t) => {
    const daemon = await startDaemon(t, temporary(t));
    const stripe = sdk(daemon);

    await t.test('a confirmed payment knows its charge, and the charge its payment, as they are now', async () => {
        const made = conforms('payment_intent', await pay(stripe, 1000, {
            expand: ['latest_charge.payment_intent', 'latest_charge.balance_transaction.source'],
        }));
        assert.equal(made.status, 'succeeded');
        const charge = made.latest_charge;
        assert.deepEqual([charge.status, charge.captured], ['succeeded', true]);
        assert.deepEqual([charge.payment_intent.status, charge.payment_intent.amount_received], ['succeeded', 1000]);
        const source = charge.balance_transaction.source;
        assert.deepEqual([source.id, source.status, source.captured], [charge.id, 'succeeded', true]);
        const stored = await stripe.paymentIntents.retrieve(made.id, {
            expand: ['latest_charge.payment_intent', 'latest_charge.balance_transaction.source'],
        });
        assert.deepEqual(JSON.parse(JSON.stringify(made)), JSON.parse(JSON.stringify(stored)));
    });

    await t.test('so does a capture', async () => {
        const held = await pay(stripe, 2000, { capture_method: 'manual' });
        const captured = await stripe.paymentIntents.capture(held.id, { expand: ['latest_charge.payment_intent'] });
        assert.equal(captured.latest_charge.payment_intent.status, 'succeeded');
    });

    await t.test('a refund shows what it did to its charge and payment', async () => {
        const paid = await pay(stripe, 1000);
        await stripe.refunds.create({ payment_intent: paid.id, amount: 100 });
        const expand = ['charge', 'charge.refunds', 'payment_intent.latest_charge', 'balance_transaction.source'];
        const refund = conforms('refund', await stripe.refunds.create({ payment_intent: paid.id, expand }));
        assert.deepEqual([refund.status, refund.amount], ['succeeded', 900]);
        assert.deepEqual([refund.charge.amount_refunded, refund.charge.refunded], [1000, true]);
        assert.deepEqual(refund.charge.refunds.data.map((one) => [one.amount, one.status]), [[900, 'succeeded'], [100, 'succeeded']]);
        assert.equal(refund.payment_intent.latest_charge.amount_refunded, 1000);
        assert.deepEqual([refund.balance_transaction.source.id, refund.balance_transaction.source.status], [refund.id, 'succeeded']);
        const stored = await stripe.refunds.retrieve(refund.id, { expand });
        assert.deepEqual(JSON.parse(JSON.stringify(refund)), JSON.parse(JSON.stringify(stored)));
    });

    await t.test('a new customer is the customer of its new method', async () => {
        const made = await stripe.customers.create({
            payment_method: 'pm_card_visa', invoice_settings: { default_payment_method: 'pm_card_visa' }, name: 'Ann',
            expand: ['invoice_settings.default_payment_method.customer'],
        });
        const nested = made.invoice_settings.default_payment_method.customer;
        assert.deepEqual([nested.id, nested.name], [made.id, 'Ann']);
    });

    await t.test('the refunds of a charge go on under the url that the charge gives', async () => {
        const paid = await pay(stripe, 1200);
        for (let i = 0; i < 12; ++i) await stripe.refunds.create({ payment_intent: paid.id, amount: 10 + i });
        const charge = await stripe.charges.retrieve(paid.latest_charge, { expand: ['refunds'] });
        assert.equal(charge.refunds.data.length, 10);
        assert.equal(charge.refunds.has_more, true);
        const rest = JSON.parse((await request(daemon, 'GET', `${charge.refunds.url}?starting_after=${charge.refunds.data.at(-1).id}`)).text);
        assert.deepEqual(rest.data.map((one) => one.amount), [11, 10]);
        assert.equal(rest.has_more, false);
        assert.equal(rest.url, charge.refunds.url);
        assert.equal((await request(daemon, 'GET', '/v1/charges/ch_none/refunds')).status, 404);
    });

    await t.test('an endpoint that was deleted still is a place in the list', async () => {
        const make = () => stripe.webhookEndpoints.create({ url: 'http://127.0.0.1:9/hooks', enabled_events: ['*'] });
        const [old, middle, young] = [await make(), await make(), await make()];
        await stripe.webhookEndpoints.del(middle.id);
        const after = await stripe.webhookEndpoints.list({ starting_after: middle.id });
        assert.deepEqual(after.data.map((one) => one.id), [old.id]);
        const before = await stripe.webhookEndpoints.list({ ending_before: middle.id });
        assert.deepEqual(before.data.map((one) => one.id), [young.id]);
        for (const never of ['we_none', middle.id.replace('we_', 'cus_'), `we_z${middle.id.slice(4)}`]) {
            const refused = await request(daemon, 'GET', `/v1/webhook_endpoints?starting_after=${never}`);
            assert.equal(refused.status, 400, never);
        }
    });
});
