// Two banks: while one is silent or down, payments go over the other without waiting for it, and come
// back when it is well. What was promised to the sick one is kept, and nothing is booked twice.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { control, eventually, florin, kill, pay, request, sdk, signedOn, startBank, startProduction, temporary, writeConfig } from './support.mjs';

const kTimeoutMs = 2_000;
const kOpenMs = 15_000;  // long enough for what is to be seen while it is open, on a slow machine too
const kSilent = 5;       // breaker_min_calls

// A daemon that tries `north` first and `south` second, and its keys.
async function between(t, north, south) {
    const folder = temporary(t);
    const connector = (name, bank, priority) => [
        `name = "${name}"`, 'rail = "iso8583"', `priority = ${priority}`, `port = ${bank.ready.address.split(':')[1]}`,
        `timeout_ms = ${kTimeoutMs}`, 'acquirer_id = "400001"', `breaker_min_calls = ${kSilent}`,
        `breaker_open_ms = ${kOpenMs}`, `breaker_open_ms_max = ${kOpenMs}`, 'breaker_probes = 1',
    ];
    const config = writeConfig(folder, {
        flow: ['retry_first_ms = 200', 'retry_most_ms = 1000'],
        '[connector]': [...connector('north', north, 10), '', '[[connector]]', ...connector('south', south, 20)],
    });
    const data = path.join(folder, 'data');
    const admin = florin('keys', 'create', '--admin', '--name', 'Ada', '--data-dir', data, '--vault-key', path.join(folder, 'vault.key'), '--format', 'json');
    assert.equal(admin.code, 0, admin.err);
    const { key } = JSON.parse(admin.out);
    writeFileSync(path.join(folder, 'ada.key'), key, { mode: 0o600 });
    const daemon = await startProduction(t, folder, config);
    const where = ['--data-dir', data, '--ca', path.join(folder, 'server.pem'), '--admin-key-file', path.join(folder, 'ada.key')];
    const tool = (...args) => {
        const done = florin(...args, ...where, '--format', 'json');
        assert.equal(done.code, 0, done.err);
        return JSON.parse(done.out);
    };
    const { key: secret } = tool('keys', 'create', '--merchant', 'acct_shop');
    const operators = { ready: { ...daemon.ready, url: daemon.ready.admin_url } };
    const ask = async (route) => (await request(operators, 'GET', route, { key })).text;
    await signedOn(operators, 'north');
    await signedOn(operators, 'south');
    return {
        daemon,
        tool,
        stripe: sdk(daemon, { key: secret }),
        route: async (name) => JSON.parse(await ask('/admin/v1/test/routes')).routes.find((one) => one.connector === name),
        health: async () => JSON.parse(await ask('/admin/v1/health')),
        metric: async (name) => {
            const found = (await ask('/metrics')).split('\n').find((line) => line.startsWith(`${name} `));
            assert.ok(found, `no metric ${name}`);
            return Number(found.slice(name.length + 1));
        },
    };
}

// What a bank holds that was not reversed, by its amount.
async function book(bank) {
    const { held } = await control(bank, { held: true });
    return held.map((one) => [one.amount_minor, one.captured_minor]).sort(([a], [b]) => a - b);
}

test('a bank that is silent', async (t) => {
    const folder = temporary(t);
    const north = await startBank(t, path.join(folder, 'north'));
    const south = await startBank(t, path.join(folder, 'south'));
    const { daemon, tool, stripe, route, health, metric } = await between(t, north, south);
    const asked = async (bank) => (await control(bank, { counts: true })).authorisation_messages;

    const promised = await pay(stripe, 7000, { capture_method: 'manual' });
    assert.equal(promised.status, 'requires_capture');
    assert.equal((await route('north')).guard.breaker, 'closed');
    assert.equal((await route('sandbox')).guard, null);

    // It books what comes, and says nothing.
    await control(north, { silence: true });
    const unanswered = await Promise.all(Array.from({ length: kSilent }, (_, i) => pay(stripe, 1000 + i)));
    for (const intent of unanswered) assert.equal(intent.status, 'processing');

    await t.test('its breaker opens, and everybody can see it', async () => {
        const open = await eventually('the breaker is open', async () => {
            const found = await route('north');
            return found.guard.breaker === 'open' && found;
        });
        assert.equal(open.ready, false);
        assert.match(open.guard.last_error, /^unknown: no answer within/);
        assert.ok(open.guard.failures >= kSilent);
        assert.ok(Math.abs(open.guard.since - Date.now() / 1000) < 60);
        const state = await health();
        assert.equal(state.status, 'ok');
        assert.deepEqual(state.connectors.map((one) => [one.connector, one.ready, one.guard?.breaker ?? null]).sort(),
            [['north', false, 'open'], ['sandbox', true, null], ['south', true, 'closed']]);
        assert.match(daemon.log, /"connector.breaker".*"north".*"open"/);
        assert.equal(await metric('florin_connector_breaker_state{connector="north"}'), 2);
        assert.equal(await metric('florin_connector_breaker_state{connector="south"}'), 0);
        assert.ok(await metric('florin_connector_failures_total{connector="north"}') >= kSilent);
        const listed = tool('route', 'list').find((one) => one.connector === 'north');
        assert.equal(listed.breaker, 'open');
    });

    await t.test('payments take the other bank, and wait for nothing', async () => {
        const before = await asked(north);
        const rejected = await metric('florin_connector_rejected_total{connector="north",reason="breaker_open"}');
        const begin = Date.now();
        for (let i = 0; i < 8; ++i) assert.equal((await pay(stripe, 2000 + i)).status, 'succeeded');
        assert.ok(Date.now() - begin < 8 * kTimeoutMs, `${Date.now() - begin} ms`);
        assert.equal(await asked(north), before);
        assert.equal(await asked(south), 8);
        assert.ok(await metric('florin_connector_rejected_total{connector="north",reason="breaker_open"}') >= rejected + 8);
    });

    await t.test('a capture that was promised waits', async () => {
        assert.equal((await stripe.paymentIntents.capture(promised.id)).status, 'processing');
    });

    await t.test('when it is well again it is found well, and nothing is booked twice', async () => {
        await control(north, { clear: true });
        await eventually('the breaker is closed', async () => (await route('north')).guard.breaker === 'closed', 60_000);
        for (const { id } of unanswered) {
            await eventually(`${id} is given up`, async () => (await stripe.paymentIntents.retrieve(id)).status === 'requires_payment_method', 60_000);
        }
        await eventually('the capture is booked', async () => (await stripe.paymentIntents.retrieve(promised.id)).status === 'succeeded', 60_000);
        assert.equal((await pay(stripe, 9000)).status, 'succeeded');
        assert.deepEqual(await book(north), [[7000, 7000], [9000, 9000]]);
        assert.deepEqual(await book(south), Array.from({ length: 8 }, (_, i) => [2000 + i, 2000 + i]));
        const counts = await control(north, { counts: true });
        assert.deepEqual([counts.captures, counts.reversals], [2, kSilent]);
    });

    assert.equal((await kill(daemon, 'SIGTERM')).code, 0);
});

test('a bank that is down', async (t) => {
    const folder = temporary(t);
    const north = await startBank(t, path.join(folder, 'north'));
    const south = await startBank(t, path.join(folder, 'south'));
    const { stripe, route } = await between(t, north, south);
    assert.equal((await pay(stripe, 100)).status, 'succeeded');

    await kill(north, 'SIGKILL');
    await eventually('the link is down', async () => !(await route('north')).ready);
    const paid = await Promise.all(Array.from({ length: 12 }, (_, i) => pay(stripe, 3000 + i)));
    for (const intent of paid) assert.equal(intent.status, 'succeeded');
    assert.equal((await route('north')).guard.breaker, 'open');

    const again = await startBank(t, path.join(folder, 'north'), north.ready.address);
    let amount = 5000;
    await eventually('a payment goes over the first bank again', async () => {
        assert.equal((await pay(stripe, ++amount)).status, 'succeeded');
        return (await book(again)).length === 2;
    }, 60_000);
    assert.equal((await route('north')).guard.breaker, 'closed');
    assert.deepEqual(await book(again), [[100, 100], [amount, amount]]);
    const elsewhere = Array.from({ length: amount - 5001 }, (_, i) => 5001 + i);
    assert.deepEqual((await book(south)).map(([held]) => held), [...paid.map((one) => one.amount), ...elsewhere]);
});
