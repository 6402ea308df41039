// Everything that can break between a merchant, the daemon and the bank breaks, under load; then the
// books have to agree with the bank's own (world.mjs).
import assert from 'node:assert/strict';
import test from 'node:test';

import { control, eventually, florin, kill, pause, request, temporary } from './support.mjs';
import { World, agree, bankEntries, comeToRest, differences, form, tally, till } from './world.mjs';

const soak = Boolean(process.env.FLORIN_SOAK);
const cycles = soak ? 12 : 1;
const clients = 10;

// What is broken in one cycle, one after the other; each leaves the world whole but for fault rules.
const rounds = [
    ['the daemon is killed, twice', async (world) => {
        await pause(800);
        await world.killDaemon();
        await pause(900);
        await world.killDaemon();
    }],
    ['the bank is killed', async (world) => {
        await pause(600);
        await world.killBank(500);
        await pause(1200);
        await world.killBank();
    }],
    ['the cable is cut again and again', async (world) => {
        for (let i = 0; i < 12; ++i) {
            await pause(130 + 20 * i);
            world.cut();
        }
    }],
    ['the cable stalls for longer than anybody waits', async (world) => {
        await pause(300);
        world.cable.stall();
        await pause(3600);
        world.cable.resume();
        await pause(800);
    }],
    ['the bank loses messages and answers', async (world) => {
        await world.faults({ silence: 0.15, lose: 0.15, duplicate: 0.3, seed: 7 });
        await pause(4000);
        await world.killDaemon();
        await world.signedOn();
        await pause(1500);
    }],
    ['the bank answers after everybody has gone', async (world) => {
        await world.faults(
            { late_ms: 3600, match: { mti: '0100' }, times: 8 }, { delay_ms: 3400, match: { mti: '0100' }, times: 6 },
            { late_ms: 3300, match: { mti: '02' }, times: 6 }, { late_ms: 3300, match: { mti: '04' }, times: 4, duplicate: true },
        );
        await pause(6500);
    }],
    ['the bank hangs up in the middle', async (world) => {
        await world.faults({ disconnect: 0.08, seed: 11 });
        await pause(3500);
    }],
    ['the bank is silent, and everything is killed', async (world) => {
        await world.faults({ silence: 0.8, seed: 3 });
        await pause(1500);
        world.cut();
        await world.killDaemon();
        await pause(300);
        await world.killBank();
        await pause(1000);
    }],
];

test(`under fire the books agree with the bank's (${cycles} cycles)`, async (t) => {
    const from = Date.now();
    const world = new World(t, temporary(t));
    await world.open();
    await world.signedOn();
    const seen = [];
    const counter = { payments: 0, refunds: 0 };
    const tills = Array.from({ length: clients }, (_, number) => till(world, number, seen, counter));
    const failed = Promise.all(tills).then(() => {}, (error) => error);
    for (let cycle = 0; cycle < cycles; ++cycle) {
        for (const [what, round] of rounds) {
            const before = counter.payments;
            await round(world);
            await world.faults({ clear: true });
            t.diagnostic(`${what}: ${counter.payments - before} payments`);
        }
    }
    await world.faults({ clear: true });
    await world.signedOn();
    world.running = false;
    assert.ifError(await failed);

    const unknown = await comeToRest(world, 90_000);
    assert.deepEqual(unknown, []);
    await world.startDaemon();
    const { intents, refunds, sums } = await agree(world, seen, from);
    t.diagnostic(`${intents.length} payments, ${refunds.length} refunds, ${world.writes.length} writes in ${world.tries} tries; ` +
        `at the bank ${JSON.stringify(sums)}; kills ${JSON.stringify(world.kills)}`);
    assert.ok(sums.captures > 20 && sums.refunds > 5 && sums.reversals > 5, 'there was something to compare');
});

test('hundreds of payments that a crash left open are taken up, with and without a bank', async (t) => {
    const from = Date.now();
    const open = soak ? 1500 : 300;
    const world = new World(t, temporary(t));
    await world.open();
    await world.signedOn();
    const params = (serial) => ({ amount: 1_000_000 + serial * 100, currency: 'eur', payment_method: 'pm_card_visa', confirm: true, metadata: { serial } });
    const ask = (serial) => request(world.daemon, 'POST', '/v1/payment_intents', {
        body: form(params(serial)), headers: { 'Idempotency-Key': `open-${serial}` },
    });
    // The bank books half of them and loses the others; nobody hears of any.
    await world.faults({ silence: true, lose: 0.5, seed: 5 });
    const asked = Promise.all(Array.from({ length: open }, (_, serial) => ask(serial).catch(() => null)));
    await eventually('the bank has seen enough', async () => (await control(world.bank, { counts: true })).authorisations > open / 4, 30_000);
    await kill(world.daemon, 'SIGKILL');
    const answered = (await asked).filter(Boolean);
    await kill(world.bank, 'SIGKILL');
    const before = JSON.parse(florin('attempts', 'list', '--unknown', '--format', 'json', '--data-dir', world.data).out);
    assert.ok(before.filter((one) => one.operation === 'authorise' && one.state === 'intent').length > open / 4, 'the crash left payments open');

    // There is no bank: the daemon starts all the same, and says what is true.
    const started = Date.now();
    await world.startDaemon();
    const took = Date.now() - started;
    const intents = await world.list('/v1/payment_intents?');
    assert.ok(intents.length >= open / 2);
    assert.deepEqual(new Set(intents.map((one) => one.status)), new Set(['processing']));
    const first = await Promise.all(intents.map((one) => ask(one.metadata.serial)));
    for (const one of first) assert.equal(JSON.parse(one.text).status, 'processing');
    await world.killBank();
    await world.signedOn();
    assert.deepEqual(await comeToRest(world, 60_000), []);
    await world.startDaemon();
    const after = await world.list('/v1/payment_intents?');
    assert.equal(after.length, intents.length, 'recovery started no payment');
    assert.deepEqual(new Set(after.map((one) => one.status)), new Set(['requires_payment_method']));
    const second = await Promise.all(intents.map((one) => ask(one.metadata.serial)));
    assert.deepEqual(second.map((one) => one.text), first.map((one) => one.text));
    await kill(world.daemon, 'SIGTERM');
    assert.deepEqual(await bankEntries(world, from), []);
    assert.deepEqual((await control(world.bank, { held: true })).held, []);
    t.diagnostic(`${before.length} attempts left open, ${answered.length} answered before; started in ${took} ms`);
});

// ---- many at once ------------------------------------------------------------------------------

const outcome = (promise) => promise.then((object) => ({ object }), (error) => ({ error }));

test('many at once never take more than there is', async (t) => {
    const from = Date.now();
    const world = new World(t, temporary(t));
    await world.open();
    await world.signedOn();
    const { stripe } = world;
    const pay = (amount, more = {}) => stripe.paymentIntents.create({ amount, currency: 'eur', payment_method: 'pm_card_visa', confirm: true, ...more });
    const counts = () => control(world.bank, { counts: true });
    // None of the refusals may be a breakdown.
    const refused = (results) => results.filter((one) => one.error).map((one) => {
        assert.equal(one.error.statusCode, 400, `${one.error}`);
        return one.error.code;
    });

    await t.test('64 refunds of 60.00 on 100.00: one', async () => {
        const intent = await pay(10_000);
        const before = await counts();
        const results = await Promise.all(Array.from({ length: 64 }, () =>
            outcome(stripe.refunds.create({ payment_intent: intent.id, amount: 6000 }))));
        assert.equal(results.filter((one) => one.object?.status === 'succeeded').length, 1);
        assert.deepEqual(new Set(refused(results)), new Set(['amount_too_large']));
        assert.equal((await counts()).refunds, before.refunds + 1);
    });

    await t.test('64 captures of one authorisation: one', async () => {
        const intent = await pay(10_100, { capture_method: 'manual' });
        const before = await counts();
        const results = await Promise.all(Array.from({ length: 64 }, (_, i) =>
            outcome(stripe.paymentIntents.capture(intent.id, { amount_to_capture: 6000 + i }))));
        assert.equal(results.filter((one) => one.object?.status === 'succeeded').length, 1);
        assert.deepEqual(new Set(refused(results)), new Set(['payment_intent_unexpected_state']));
        assert.equal((await counts()).captures, before.captures + 1);
    });

    await t.test('cancel against capture: one or the other, eight times', async () => {
        for (let i = 0; i < 8; ++i) {
            const intent = await pay(20_000 + 100 * i, { capture_method: 'manual' });
            const results = await Promise.all(Array.from({ length: 16 }, (_, n) => outcome(
                n % 2 ? stripe.paymentIntents.capture(intent.id) : stripe.paymentIntents.cancel(intent.id))));
            const [done, ...more] = results.filter((one) => one.object);
            assert.equal(more.length, 0);
            refused(results);
            assert.equal((await stripe.paymentIntents.retrieve(intent.id)).status, done.object.status);
        }
    });

    await t.test('refunds that fit together all succeed', async () => {
        const intent = await pay(30_000);
        const results = await Promise.all(Array.from({ length: 64 }, () =>
            outcome(stripe.refunds.create({ payment_intent: intent.id, amount: 1000 }))));
        assert.equal(results.filter((one) => one.object?.status === 'succeeded').length, 30);
        refused(results);
    });

    await t.test('200 duplicates of one confirm: one message, 200 answers that are the same', async () => {
        const intent = await stripe.paymentIntents.create({ amount: 40_000, currency: 'eur', payment_method: 'pm_card_visa' });
        const before = await counts();
        // The bank takes its time, so that everybody is there before the first has an answer.
        await world.faults({ delay_ms: 700, match: { mti: '0100', amount_minor: 40_000 }, times: 1 });
        const answers = await Promise.all(Array.from({ length: 200 }, () =>
            request(world.daemon, 'POST', `/v1/payment_intents/${intent.id}/confirm`, { body: '', headers: { 'Idempotency-Key': 'two-hundred' } })));
        assert.deepEqual(new Set(answers.map((one) => one.status)), new Set([200]));
        assert.equal(new Set(answers.map((one) => one.text)).size, 1);
        assert.equal(JSON.parse(answers[0].text).status, 'succeeded');
        assert.equal((await counts()).authorisation_messages, before.authorisation_messages + 1);
    });

    const intents = await world.list('/v1/payment_intents?');
    const refunds = await world.list('/v1/refunds?');
    await kill(world.daemon, 'SIGTERM');
    const bank = tally(await bankEntries(world, from));
    const here = tally([
        ...intents.filter((one) => one.status === 'succeeded').map((one) => ({ type: 'capture', minor: one.amount_received, currency: one.currency })),
        ...refunds.filter((one) => one.status === 'succeeded').map((one) => ({ type: 'refund', minor: one.amount, currency: one.currency })),
    ]);
    assert.deepEqual(differences(here, bank), []);
    assert.equal(florin('attempts', 'list', '--unknown', '--data-dir', world.data).code, 0);
});
