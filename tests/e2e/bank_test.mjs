// The daemon with a bank at the other end: ISO 8583 over TCP, faults, and what becomes of them.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';

import { conforms } from './schemas.mjs';
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

    await t.test('every declining test card says what the bank said', async () => {
        const cards = [
            // token, last digits, field 39, code, decline_code
            ['pm_card_visa_chargeDeclined', '0002', '05', 'card_declined', 'do_not_honor'],
            ['pm_card_visa_chargeDeclinedInsufficientFunds', '9995', '51', 'card_declined', 'insufficient_funds'],
            ['pm_card_visa_chargeDeclinedLostCard', '9987', '41', 'card_declined', 'lost_card'],
            ['pm_card_visa_chargeDeclinedStolenCard', '9979', '43', 'card_declined', 'stolen_card'],
            ['pm_card_visa_chargeDeclinedVelocityLimitExceeded', '6975', '61', 'card_declined', 'card_velocity_exceeded'],
            ['pm_card_chargeDeclinedExpiredCard', '0069', '54', 'expired_card', undefined],
            ['pm_card_chargeDeclinedIncorrectCvc', '0127', '82', 'incorrect_cvc', undefined],
            ['pm_card_chargeDeclinedProcessingError', '0119', '96', 'processing_error', undefined],
        ];
        const before = await book();
        for (const [payment_method, last4, field39, code, decline_code] of cards) {
            const error = await pay(stripe, 1000, { payment_method }).then(() => assert.fail(payment_method), (refused) => refused);
            const seen = [error.type, error.statusCode, error.code, error.raw.decline_code, error.raw.network_decline_code];
            assert.deepEqual(seen, ['StripeCardError', 402, code, decline_code, field39], payment_method);
            assert.equal(error.payment_method.card.last4, last4);
            assert.ok(['try_again_later', 'do_not_try_again', 'confirm_card_data'].includes(error.raw.advice_code), error.raw.advice_code);
            const intent = await stripe.paymentIntents.retrieve(error.payment_intent.id, { expand: ['latest_charge'] });
            assert.deepEqual([intent.status, intent.payment_method, intent.amount_received], ['requires_payment_method', null, 0]);
            assert.deepEqual([intent.last_payment_error.code, intent.last_payment_error.decline_code], [code, decline_code]);
            const { latest_charge: charge } = intent;
            assert.equal(charge.id, error.charge);
            assert.deepEqual([charge.status, charge.paid, charge.failure_code], ['failed', false, code]);
            assert.equal(charge.outcome.network_decline_code, field39);
            assert.deepEqual([charge.outcome.type, charge.outcome.network_status], ['issuer_declined', 'declined_by_network']);
        }
        const after = await book();
        assert.equal(after.authorisation_messages - before.authorisation_messages, cards.length);
        assert.equal(after.authorisations, before.authorisations);
    });

    await t.test('every code of a bank that declines has its name', async () => {
        // Field 39 as the table of the API's documentation has it.
        const reasons = {
            do_not_honor: ['05'], insufficient_funds: ['51'], lost_card: ['41'], stolen_card: ['43'], pickup_card: ['04', '07'], invalid_account: ['14', '15', '78'],
            invalid_amount: ['13'], transaction_not_allowed: ['12', '57', '58', '93'], fraudulent: ['59'], card_velocity_exceeded: ['61'], restricted_card: ['62'],
            withdrawal_count_limit_exceeded: ['65'], pin_try_exceeded: ['75'], issuer_not_available: ['91', '92'], call_issuer: ['01', '02'],
            authentication_required: ['1A'], stop_payment_order: ['R0'], revocation_of_authorization: ['R1', 'R3'],
        };
        const codes = { expired_card: ['54'], incorrect_cvc: ['82', 'N7'], processing_error: ['96'] };
        const rows = [
            ...Object.entries(reasons).flatMap(([reason, list]) => list.map((field39) => [field39, 'card_declined', reason])),
            ...Object.entries(codes).flatMap(([code, list]) => list.map((field39) => [field39, code, undefined])),
        ];
        for (const [i, [field39, code, decline_code]] of rows.entries()) {
            const amount_minor = 110_000 + i;
            await control(bank, { decline: field39, match: { mti: '0100', amount_minor }, times: 1 });
            await assert.rejects(pay(stripe, amount_minor), (error) => {
                assert.deepEqual([error.statusCode, error.code, error.raw.decline_code, error.raw.network_decline_code], [402, code, decline_code, field39]);
                return true;
            });
        }
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
        const told = (await stripe.events.list({ type: 'payment_intent.processing', limit: 100 })).data.filter((one) => one.data.object.id === intent.id);
        assert.equal(told.length, 1);
        conforms('event', told[0]);
        assert.equal(conforms('payment_intent', told[0].data.object).status, 'processing');
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
