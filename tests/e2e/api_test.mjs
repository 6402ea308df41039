// The official Stripe SDK against the real daemon over TLS, on the sandbox rail.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { florin, kill, request, sdk, startDaemon, temporary } from './support.mjs';

const card = { number: '4242424242424242', exp_month: 12, exp_year: 2040, cvc: '123' };

test('the sandbox rail serves the SDK from payment to refund', async (t) => {
    const folder = temporary(t);
    const daemon = await startDaemon(t, folder);
    const stripe = sdk(daemon);

    await t.test('a card by number is tokenised, paid with, and never shown again', async () => {
        const method = await stripe.paymentMethods.create({ type: 'card', card });
        assert.match(method.id, /^pm_/);
        assert.equal(method.card.last4, '4242');
        assert.equal(method.card.brand, 'visa');
        const intent = await stripe.paymentIntents.create({
            amount: 4500, currency: 'eur', payment_method: method.id, confirm: true,
            description: 'a book', metadata: { order: '17' }, expand: ['latest_charge'],
        });
        assert.equal(intent.status, 'succeeded');
        assert.equal(intent.amount_received, 4500);
        assert.equal(intent.metadata.order, '17');
        assert.equal(intent.latest_charge.captured, true);
        assert.equal(intent.latest_charge.payment_method_details.card.last4, '4242');
        const again = await stripe.paymentIntents.retrieve(intent.id);
        assert.equal(again.latest_charge, intent.latest_charge.id);
    });

    await t.test('declines carry the codes of the wire convention', async () => {
        const cases = [
            ['pm_card_visa_chargeDeclined', 'card_declined', 'generic_decline'],
            ['pm_card_visa_chargeDeclinedInsufficientFunds', 'card_declined', 'insufficient_funds'],
            ['pm_card_visa_chargeDeclinedLostCard', 'card_declined', 'lost_card'],
            ['pm_card_visa_chargeDeclinedStolenCard', 'card_declined', 'stolen_card'],
            ['pm_card_visa_chargeDeclinedVelocityLimitExceeded', 'card_declined', 'card_velocity_exceeded'],
            ['pm_card_chargeDeclinedExpiredCard', 'expired_card', undefined],
            ['pm_card_chargeDeclinedIncorrectCvc', 'incorrect_cvc', undefined],
            ['pm_card_chargeDeclinedProcessingError', 'processing_error', undefined],
        ];
        for (const [payment_method, code, decline] of cases) {
            await assert.rejects(
                stripe.paymentIntents.create({ amount: 1000, currency: 'usd', payment_method, confirm: true }),
                (error) => {
                    assert.equal(error.type, 'StripeCardError', payment_method);
                    assert.equal(error.statusCode, 402);
                    assert.equal(error.code, code, payment_method);
                    assert.equal(error.decline_code || undefined, decline, payment_method);
                    assert.equal(error.payment_intent.status, 'requires_payment_method');
                    return true;
                },
            );
        }
        await assert.rejects(
            stripe.paymentMethods.create({ type: 'card', card: { ...card, number: '4242424242424241' } }),
            { code: 'incorrect_number' },
        );
    });

    await t.test('manual capture takes a part and releases the rest', async () => {
        const intent = await stripe.paymentIntents.create({
            amount: 2000, currency: 'eur', payment_method: 'pm_card_visa', confirm: true, capture_method: 'manual',
        });
        assert.equal(intent.status, 'requires_capture');
        assert.equal(intent.amount_capturable, 2000);
        await assert.rejects(stripe.paymentIntents.capture(intent.id, { amount_to_capture: 2001 }), { code: 'amount_too_large' });
        const captured = await stripe.paymentIntents.capture(intent.id, { amount_to_capture: 1500 });
        assert.equal(captured.status, 'succeeded');
        assert.equal(captured.amount_received, 1500);
        assert.equal(captured.amount_capturable, 0);
        await assert.rejects(stripe.paymentIntents.capture(intent.id), { code: 'payment_intent_unexpected_state' });
    });

    await t.test('an authorisation and an unconfirmed intent can be canceled', async () => {
        const held = await stripe.paymentIntents.create({
            amount: 700, currency: 'gbp', payment_method: 'pm_card_visa', confirm: true, capture_method: 'manual',
        });
        const canceled = await stripe.paymentIntents.cancel(held.id, { cancellation_reason: 'duplicate' });
        assert.equal(canceled.status, 'canceled');
        assert.equal(canceled.cancellation_reason, 'duplicate');
        const open = await stripe.paymentIntents.create({ amount: 700, currency: 'gbp' });
        assert.equal(open.status, 'requires_payment_method');
        assert.equal((await stripe.paymentIntents.cancel(open.id)).status, 'canceled');
        await assert.rejects(stripe.paymentIntents.confirm(open.id, { payment_method: 'pm_card_visa' }), { code: 'payment_intent_unexpected_state' });
    });

    await t.test('sixty-four refunds of 60.00 on 100.00: exactly one succeeds', async () => {
        const intent = await stripe.paymentIntents.create({ amount: 10000, currency: 'eur', payment_method: 'pm_card_visa', confirm: true });
        const tries = await Promise.allSettled(
            Array.from({ length: 64 }, () => stripe.refunds.create({ payment_intent: intent.id, amount: 6000 })),
        );
        assert.equal(tries.filter((one) => one.status === 'fulfilled').length, 1);
        const rest = await stripe.refunds.create({ payment_intent: intent.id });
        assert.equal(rest.amount, 4000);
        assert.equal(rest.status, 'succeeded');
        await assert.rejects(stripe.refunds.create({ payment_intent: intent.id }), { code: 'charge_already_refunded' });
        assert.equal((await stripe.charges.retrieve(intent.latest_charge)).refunded, true);
    });

    await t.test('the same key is one payment, answered byte for byte', async () => {
        const params = { amount: 1234, currency: 'eur', payment_method: 'pm_card_visa', confirm: true };
        const before = (await stripe.paymentIntents.list({ limit: 100 })).data.length;
        const same = await Promise.all(
            Array.from({ length: 50 }, () => stripe.paymentIntents.create(params, { idempotencyKey: 'fifty' })),
        );
        assert.equal(new Set(same.map((intent) => intent.id)).size, 1);
        assert.equal((await stripe.paymentIntents.list({ limit: 100 })).data.length, before + 1);
        await assert.rejects(
            stripe.paymentIntents.create({ ...params, amount: 1235 }, { idempotencyKey: 'fifty' }),
            { type: 'StripeIdempotencyError' },
        );
        const body = 'amount=900&currency=eur&payment_method=pm_card_visa_chargeDeclined&confirm=true';
        const headers = { 'Idempotency-Key': 'declined' };
        const first = await request(daemon, 'POST', '/v1/payment_intents', { body, headers });
        const second = await request(daemon, 'POST', '/v1/payment_intents', { body, headers });
        assert.equal(first.status, 402);
        assert.equal(second.text, first.text);
        assert.equal(second.headers['idempotent-replayed'], 'true');
    });

    await t.test('bad requests are named', async () => {
        const refused = async (params, code, param) =>
            assert.rejects(stripe.paymentIntents.create(params), (error) => {
                assert.equal(error.statusCode, 400);
                assert.equal(error.code, code);
                assert.equal(error.param, param);
                return true;
            });
        await refused({ currency: 'eur' }, 'parameter_missing', 'amount');
        await refused({ amount: 10, currency: 'eur' }, 'amount_too_small', 'amount');
        await refused({ amount: 1000, currency: 'eur', colour: 'red' }, 'parameter_unknown', 'colour');
        await refused({ amount: 'ten', currency: 'eur' }, 'parameter_invalid_integer', 'amount');
        await refused({ amount: 1000, currency: 'eur', payment_method: 'pm_none', confirm: true }, 'resource_missing', 'payment_method');
        await assert.rejects(stripe.paymentIntents.retrieve('pi_none'), { statusCode: 404, code: 'resource_missing' });
        await assert.rejects(sdk(daemon, { key: 'sk_test_wrong' }).balance.retrieve(), { type: 'StripeAuthenticationError' });
        const unknown = await request(daemon, 'GET', '/v1/nothing');
        assert.equal(unknown.status, 404);
        assert.match(unknown.headers['request-id'], /^req_[A-Za-z0-9]{14,}$/);
    });

    await t.test('lists page in both directions', async () => {
        const all = [];
        for await (const intent of stripe.paymentIntents.list({ limit: 3 })) all.push(intent.id);
        assert.deepEqual(all, [...all].sort().reverse());
        const page = await stripe.paymentIntents.list({ limit: 2, ending_before: all[5] });
        assert.deepEqual(page.data.map((intent) => intent.id), all.slice(3, 5));
        assert.equal(page.has_more, true);
    });

    await t.test('the balance is what was captured less fees', async () => {
        const balance = await stripe.balance.retrieve();
        const eur = balance.pending.find((entry) => entry.currency === 'eur');
        // 45.00 + 15.00 + 100.00 + 12.34 captured, each less 1.5 % (a half goes to the even cent) and 0.25
        const fee = (amount) => {
            const [whole, rest] = [Math.floor((amount * 15) / 1000), (amount * 15) % 1000];
            return whole + (rest > 500 || (rest === 500 && whole % 2 === 1) ? 1 : 0) + 25;
        };
        const captured = [4500, 1500, 10000, 1234];
        assert.equal(eur.amount, captured.reduce((sum, amount) => sum + amount - fee(amount), 0));
        assert.equal(balance.available.find((entry) => entry.currency === 'eur').amount, -10000);
    });

    await t.test('metrics and health are there', async () => {
        const health = await request(daemon, 'GET', '/healthz');
        assert.equal(JSON.parse(health.text).status, 'ok');
        assert.match((await request(daemon, 'GET', '/metrics')).text, /^florin_journal_head \d+/m);
    });

    await t.test('stopping is clean, everything verifies, and a restart has the same keys', async () => {
        const stopped = await kill(daemon, 'SIGTERM');
        assert.equal(stopped.code, 0);
        const verified = florin('ledger', 'verify', '--data-dir', folder);
        assert.equal(verified.code, 0, verified.err);
        assert.equal(florin('ledger', 'trial-balance', '--data-dir', folder).code, 0);
        const again = await startDaemon(t, folder);
        assert.equal(again.ready.secret_key, daemon.ready.secret_key);
        assert.equal(again.ready.url, daemon.ready.url);
        assert.ok((await sdk(again).paymentIntents.list({ limit: 1 })).data.length === 1);
        await kill(again, 'SIGTERM');
    });

    await t.test('no card number is in any log or file', () => {
        const files = (dir) => readdirSync(dir).flatMap((name) => {
            const full = path.join(dir, name);
            return statSync(full).isDirectory() ? files(full) : [full];
        });
        for (const file of files(folder)) {
            assert.equal(readFileSync(file).includes('4242424242424242'), false, file);
        }
        assert.equal(daemon.log.includes('4242424242424242'), false);
    });
});

test('a second daemon on the same directory is refused by the first one\'s pid', async (t) => {
    const folder = temporary(t);
    const daemon = await startDaemon(t, folder);
    await assert.rejects(startDaemon(t, folder), new RegExp(`in use by process ${daemon.child.pid}`));
});
