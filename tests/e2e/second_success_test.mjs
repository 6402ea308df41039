// Two banks: the first one refuses or is silent, the payment is made with the second, and then the
// first one approves it after all. It must not keep the payer's money, and everybody can see that.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { control, eventually, florin, kill, pay, request, sdk, signedOn, startBank, startProduction, temporary, writeConfig } from './support.mjs';

const kTimeoutMs = 2_000;

// A daemon that tries `north` first and `south` second.
async function between(t, north, south) {
    const folder = temporary(t);
    const connector = (name, bank, priority) => [
        `name = "${name}"`, 'rail = "iso8583"', `priority = ${priority}`, `port = ${bank.ready.address.split(':')[1]}`,
        `timeout_ms = ${kTimeoutMs}`, 'acquirer_id = "400001"',
    ];
    const config = writeConfig(folder, {
        flow: ['retry_first_ms = 200', 'retry_most_ms = 1000', 'unknown_alarm_minutes = 1'],
        '[connector]': [...connector('north', north, 10), '', '[[connector]]', ...connector('south', south, 20)],
    });
    const data = path.join(folder, 'data');
    const admin = florin('keys', 'create', '--admin', '--name', 'Ada', '--data-dir', data, '--vault-key', path.join(folder, 'vault.key'), '--format', 'json');
    assert.equal(admin.code, 0, admin.err);
    const { key } = JSON.parse(admin.out);
    writeFileSync(path.join(folder, 'ada.key'), key, { mode: 0o600 });
    const daemon = await startProduction(t, folder, config);
    const where = ['--data-dir', data, '--ca', path.join(folder, 'server.pem'), '--admin-key-file', path.join(folder, 'ada.key')];
    const made = florin('keys', 'create', '--merchant', 'acct_shop', ...where, '--format', 'json');
    assert.equal(made.code, 0, made.err);
    const operators = { ready: { ...daemon.ready, url: daemon.ready.admin_url } };
    await signedOn(operators, 'north');
    await signedOn(operators, 'south');
    const ask = async (route) => (await request(operators, 'GET', route, { key })).text;
    return {
        daemon,
        data,
        stripe: sdk(daemon, { key: JSON.parse(made.out).key }),
        attempts: async (payment) => JSON.parse(await ask('/admin/v1/test/attempts?limit=100')).attempts.filter((one) => one.payment_intent === payment),
        tool: (...args) => florin(...args, '--url', daemon.ready.admin_url, '--ca', path.join(folder, 'server.pem'), '--admin-key-file', path.join(folder, 'ada.key')),
        metric: async (name) => {
            const found = (await ask('/metrics')).split('\n').find((line) => line.startsWith(`${name} `));
            assert.ok(found, `no metric ${name}`);
            return Number(found.slice(name.length + 1));
        },
    };
}

const holds = async (bank, amount) =>
    (await control(bank, { held: true })).held.filter((one) => one.amount_minor === amount);

test('the first bank approves after all', async (t) => {
    const folder = temporary(t);
    const north = await startBank(t, path.join(folder, 'north'));
    const south = await startBank(t, path.join(folder, 'south'));
    const world = await between(t, north, south);
    const { daemon, stripe, attempts, metric } = world;

    await t.test('after a decline that is not the card\'s fault, and the payment with the other one', async () => {
        const amount = 4310;
        await control(north, { refuse_first: '91', delay_ms: 1_500, match: { mti: '0100', amount_minor: amount }, times: 1 });
        const intent = await pay(stripe, amount);
        assert.equal(intent.status, 'succeeded');
        assert.equal((await holds(north, amount)).length, 0);
        await eventually('the first bank has approved it too', async () => (await control(north, { counts: true })).authorisation_messages === 1);
        const [reversal] = await eventually('that is reversed', async () => {
            const found = (await attempts(intent.id)).filter((one) => one.operation === 'void');
            return found.length === 1 && found[0].state === 'approved' && found;
        });
        assert.deepEqual([reversal.connector, reversal.reason], ['north', 'late_approval']);
        assert.equal((await holds(north, amount)).length, 0);
        assert.deepEqual((await holds(south, amount)).map((one) => one.captured_minor), [amount]);
        assert.equal((await stripe.paymentIntents.retrieve(intent.id)).status, 'succeeded');
        assert.equal(await metric('florin_second_successes_total{connector="north",given_back_by="reversal"}'), 1);
        assert.equal(await metric('florin_second_successes_total{connector="south",given_back_by="reversal"}'), 0);
        const line = daemon.log.split('\n').find((one) => one.includes('"attempt.second_success"'));
        assert.ok(line, 'the log says so');
        const event = JSON.parse(line);
        assert.deepEqual(
            [event.connector, event.payment, event.payment_status, event.payment_connector, event.given_back_by, event.by_attempt],
            ['north', intent.id, 'succeeded', 'south', 'reversal', reversal.attempt],
        );
        // The merchant's money can be given back as ever, and by the bank that has it.
        assert.equal((await stripe.refunds.create({ payment_intent: intent.id, amount: 310 })).status, 'succeeded');
        assert.deepEqual((await holds(south, amount)).map((one) => one.refunded_minor), [310]);
    });

    await t.test('after a reversal that it answered with "not found", twice', async () => {
        const amount = 4320;
        await control(north, { delay_ms: 5_000, forget_reversal: true, match: { mti: '0100', amount_minor: amount }, times: 1 });
        const intent = await pay(stripe, amount);
        assert.equal(intent.status, 'processing');
        await eventually('it is given up', async () => (await stripe.paymentIntents.retrieve(intent.id)).status === 'requires_payment_method', 40_000);
        const paid = await stripe.paymentIntents.update(intent.id, { metadata: { florin_route: 'south' } })
            .then(() => stripe.paymentIntents.confirm(intent.id, { payment_method: 'pm_card_visa' }));
        assert.equal(paid.status, 'succeeded');
        await eventually('the reversal of the late approval is through', async () => {
            const voids = (await attempts(intent.id)).filter((one) => one.operation === 'void');
            return voids.some((one) => one.reason === 'late_approval' && one.state === 'approved');
        }, 40_000);
        assert.equal((await holds(north, amount)).length, 0);
        assert.deepEqual((await holds(south, amount)).map((one) => one.captured_minor), [amount]);
        assert.equal((await stripe.paymentIntents.retrieve(intent.id)).status, 'succeeded');
        assert.equal(await metric('florin_second_successes_total{connector="north",given_back_by="reversal"}'), 2);
        assert.equal(await metric('florin_second_successes_total{connector="north",given_back_by="refund"}'), 0);
    });

    await t.test('less than was asked for is reversed, and held by nobody', async () => {
        const amount = 4330;
        await control(north, { partial_minor: 4000, match: { mti: '0100', amount_minor: amount }, times: 1 });
        const intent = await pay(stripe, amount);
        assert.equal(intent.status, 'processing');
        await eventually('it is given back', async () => (await stripe.paymentIntents.retrieve(intent.id)).status === 'requires_payment_method');
        assert.equal((await holds(north, amount)).length, 0);
        assert.equal((await holds(south, amount)).length, 0);
        const [reversal] = (await attempts(intent.id)).filter((one) => one.operation === 'void');
        assert.equal(reversal.reason, 'partial_approval');
    });

    await t.test('an unknown attempt shows its age, and raises the alarm', async () => {
        await control(north, { silence: true, match: { mti: '022', amount_minor: 4340 } });
        const intent = await pay(stripe, 4340);
        assert.equal(intent.status, 'processing');
        const listed = world.tool('attempts', 'list', '--unknown', '--format', 'json');
        assert.equal(listed.code, 1, listed.err);
        const [row] = JSON.parse(listed.out).filter((one) => one.payment === intent.id);
        assert.match(row.age, /^\d+s$/);
        const shown = world.tool('attempts', 'show', row.attempt);
        assert.match(shown.out, /^age +\d+s$/m);
        const name = '{connector="north",operation="capture"}';
        await eventually('the alarm is on', async () => (await metric(`florin_unknown_alarm${name}`)) === 1, 120_000);
        assert.equal(await metric(`florin_unknown_attempts${name}`), 1);
        assert.ok(await metric(`florin_unknown_oldest_seconds${name}`) >= 60);
        assert.equal(await metric('florin_unknown_attempts_by_age{connector="north",operation="capture",age="under_15m"}'), 1);
        const line = daemon.log.split('\n').find((one) => one.includes('"attempts.unknown_alarm"'));
        assert.equal(JSON.parse(line).oldest, row.attempt);
        await control(north, { clear: true });
        await eventually('the capture is booked', async () => (await stripe.paymentIntents.retrieve(intent.id)).status === 'succeeded', 90_000);
        await eventually('the alarm is off', async () => (await metric(`florin_unknown_alarm${name}`)) === 0);
        await eventually('the log says so', () => daemon.log.includes('"attempts.unknown_alarm_over"'));
    });

    assert.equal((await kill(daemon, 'SIGTERM')).code, 0);
    assert.equal(florin('ledger', 'trial-balance', '--data-dir', world.data).code, 0);
    assert.equal(florin('ledger', 'verify', '--data-dir', world.data).code, 0);
});
