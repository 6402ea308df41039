// Totals after the cut-over of the business date, between florind and florin-banksim. Nobody waits for
// midnight: the daemon works yesterday, by a shifted clock, and comes back today.
import assert from 'node:assert/strict';
import { appendFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import Ajv from 'ajv/dist/2020.js';

import { control, eventually, florin, kill, openShop, pay, request, sdk, signedOn, startBank, startProduction, temporary, writeConfig } from './support.mjs';

const DAY_S = 86_400;
const yesterday = {
    LD_PRELOAD: path.join(process.env.FLORIN_BUILD_DIR, 'tests', 'e2e', 'libclock_shift.so'),
    FLORIN_TEST_CLOCK_SHIFT_S: String(-DAY_S),
    // Of the builds with sanitizers: the clock comes before their library.
    ASAN_OPTIONS: [process.env.ASAN_OPTIONS, 'verify_asan_link_order=0'].filter(Boolean).join(':'),
};
const packagingOf = (name) => new URL(`../../conf/iso8583/${name}`, import.meta.url).pathname;

class World {
    // A bank of today, and a daemon that compares totals with it and works yesterday.
    static async open(t, { packaging = '1987_ascii.toml', totals = 'request' } = {}) {
        const world = new World();
        world.t = t;
        world.folder = temporary(t);
        world.bank = await startBank(t, path.join(world.folder, 'bank'), '127.0.0.1:0', ['--packaging', packagingOf(packaging)]);
        world.config = writeConfig(world.folder, { flow: ['retry_first_ms = 200', 'retry_most_ms = 1000'] });
        appendFileSync(world.config, [
            '[[connector]]', 'name = "bank"', 'rail = "iso8583"', 'priority = 1', 'timeout_ms = 500',
            `port = ${world.bank.ready.address.split(':')[1]}`, 'acquirer_id = "400001"',
            `packaging = "${packagingOf(packaging)}"`, `totals = "${totals}"`, 'totals_delay_minutes = 0', '',
        ].join('\n'));
        const { daemon, key, operators } = await openShop(t, world.folder, world.config, yesterday);
        Object.assign(world, { daemon, shopKey: key, admin: operators });
        world.adminKey = readFileSync(path.join(world.folder, 'admin.key'), 'utf8');
        await signedOn(world.admin);
        world.date = new Date(Date.now() - DAY_S * 1000).toISOString().slice(0, 10);
        return world;
    }

    async startDaemon(env = {}) {
        this.daemon = await startProduction(this.t, this.folder, this.config, env);
        this.admin = { ...this.daemon, ready: { ...this.daemon.ready, url: this.daemon.ready.admin_url } };
        await signedOn(this.admin);
    }

    // The same daemon, today.
    async cutOver() {
        assert.equal((await kill(this.daemon, 'SIGTERM')).code, 0);
        await this.startDaemon();
    }

    get stripe() {
        return sdk(this.daemon, { key: this.shopKey });
    }

    florin(...args) {
        return florin(...args, '--data-dir', path.join(this.folder, 'data'), '--ca', this.daemon.ready.ca,
            '--admin-key-file', path.join(this.folder, 'admin.key'), '--mode', 'test');
    }

    ask(route) {
        return request(this.admin, 'GET', `/admin/v1${route}`, { key: this.adminKey });
    }

    // Every answer is as the operators' document says.
    async listed(query = '') {
        if (!this.validate) {
            const document = JSON.parse((await this.ask('/openapi.json')).text);
            const ajv = new Ajv({ strict: false, allErrors: true }).addSchema({ $id: 'doc', ...document });
            this.validate = ajv.getSchema('doc#/paths/~1admin~1v1~1%7Bmode%7D~1totals/get/responses/200/content/application~1json/schema');
        }
        const answer = await this.ask(`/test/totals${query}`);
        assert.equal(answer.status, 200, answer.text);
        const list = JSON.parse(answer.text);
        assert.ok(this.validate(list), `${JSON.stringify(this.validate.errors)}: ${answer.text}`);
        return list;
    }

    // Waits until so many comparisons have their answer.
    answered(count) {
        return eventually(`${count} answers`, async () => {
            const list = await this.listed();
            return list.length === count && list.every((one) => one.state === 'answered') && list;
        });
    }

    async metric(name, labels) {
        const text = (await request(this.admin, 'GET', '/metrics', { key: 'x' })).text;
        const line = text.split('\n').find((one) => one.startsWith(`${name}{`) && labels.every((label) => one.includes(label)));
        assert.ok(line, `${name} in ${text}`);
        return Number(line.split(' ').at(-1));
    }

    // The log's lines of one event.
    events(name) {
        return this.daemon.log.split('\n').filter(Boolean).map((line) => JSON.parse(line)).filter((one) => one.event === name);
    }

    async atBank() {
        return (await control(this.bank, { totals: true })).totals;
    }
}

for (const link of [
    { packaging: '1987_ascii.toml', totals: 'request', mti: '0500', code: '1' },
    { packaging: '1987_bcd.toml', totals: 'advice', mti: '0520', code: '1' },
    { packaging: '1993_ascii.toml', totals: 'request', mti: '0500', code: '500' },
]) {
    test(`yesterday is in balance: ${link.totals} over ${link.packaging}`, async (t) => {
        const world = await World.open(t, link);
        const intent = await pay(world.stripe, 4500);
        assert.equal(intent.status, 'succeeded');
        assert.equal((await pay(world.stripe, 300)).status, 'succeeded');
        assert.equal((await pay(world.stripe, 77, { currency: 'jpy' })).status, 'succeeded');
        assert.equal((await world.stripe.refunds.create({ payment_intent: intent.id, amount: 500 })).status, 'succeeded');
        await pay(world.stripe, 999, { payment_method: 'pm_card_visa_chargeDeclined' }).catch(() => {});
        assert.deepEqual(await world.listed(), []);
        await world.cutOver();
        // Of today: it is in nobody's totals yet.
        assert.equal((await pay(world.stripe, 1234)).status, 'succeeded');

        const [euros, yen] = await world.answered(2);
        assert.deepEqual([euros.currency, yen.currency], ['EUR', 'JPY']);
        assert.equal(euros.date, world.date);
        assert.equal(euros.message, link.totals);
        assert.equal(euros.result, 'in_balance');
        assert.equal(euros.claim, 'in_balance');
        assert.equal(euros.code, link.code);
        assert.equal(euros.open, 0);
        assert.deepEqual(euros.ours, {
            credits_number: 1, credits_reversal_number: 0, debits_number: 2, debits_reversal_number: 0,
            credits_amount: 500, credits_reversal_amount: 0, debits_amount: 4800, debits_reversal_amount: 0, net: 4300,
        });
        assert.deepEqual(euros.theirs, euros.ours);
        assert.deepEqual([yen.ours.debits_number, yen.ours.debits_amount, yen.result], [1, 77, 'in_balance']);
        assert.deepEqual(await world.listed(`?before=${world.date}`), []);
        assert.deepEqual(await world.listed('?connector=sandbox'), []);
        assert.equal((await world.listed('?limit=1')).length, 1);
        assert.equal((await world.ask('/test/totals?before=yesterday')).status, 400);

        const bank = await world.atBank();
        assert.deepEqual(bank.map((one) => [one.mti, one.currency, one.in_balance, one.repeats]),
            [[link.mti, 'EUR', true, 0], [link.mti, 'JPY', true, 0]]);
        assert.deepEqual(bank.map((one) => one.stan), [euros.stan, yen.stan]);
        assert.equal(await world.metric('florin_totals_compared_total', ['connector="bank"', 'result="in_balance"']), 2);
        assert.equal(await world.metric('florin_totals_out_of_balance', ['connector="bank"']), 0);
        assert.equal(await world.metric('florin_totals_waiting', ['connector="bank"']), 0);
        assert.equal(world.events('totals.compared').length, 2);
        const list = world.florin('totals', 'list');
        assert.equal(list.code, 0, list.err);
        assert.match(list.out, new RegExp(`${world.date} +bank +EUR +answered +in_balance +2 / 48.00 +1 / 5.00 +2 / 48.00 +1 / 5.00 +0`));

        // Once is enough, also for another start.
        assert.equal((await kill(world.daemon, 'SIGTERM')).code, 0);
        await world.startDaemon();
        assert.equal((await pay(world.stripe, 55)).status, 'succeeded');
        assert.equal((await world.atBank()).length, 2);
        assert.equal((await kill(world.daemon, 'SIGTERM')).code, 0);
        assert.equal(florin('ledger', 'verify', '--data-dir', path.join(world.folder, 'data')).code, 0);
    });
}

test('a bank that is off by one is seen by everybody who looks', async (t) => {
    const world = await World.open(t);
    assert.equal((await pay(world.stripe, 4500)).status, 'succeeded');
    await control(world.bank, { off_minor: 1, match: { mti: '0500' } });
    await world.cutOver();
    const [totals] = await world.answered(1);
    assert.equal(totals.result, 'out_of_balance');
    assert.deepEqual(totals.differing, ['debits_amount', 'net']);
    assert.equal(totals.ours.debits_amount, 4500);
    assert.equal(totals.theirs.debits_amount, 4501);
    assert.equal(await world.metric('florin_totals_out_of_balance', ['connector="bank"']), 1);
    assert.equal(await world.metric('florin_totals_compared_total', ['connector="bank"', 'result="out_of_balance"']), 1);
    const [event] = world.events('totals.compared');
    assert.equal(event.level, 'warning');
    assert.match(event.ours, /debits_amount=4500/);
    assert.match(event.theirs, /debits_amount=4501/);
    assert.equal(event.open, 0);
    const table = world.florin('totals', 'list');
    assert.equal(table.code, 1, table.err);
    assert.match(table.out, /out_of_balance +1 \/ 45\.00 +0 \/ 0\.00 +1 \/ 45\.01 +0 \/ 0\.00 +0 +debits_amount net/);
    const json = world.florin('totals', 'list', '--connector', 'bank', '--format', 'json');
    assert.equal(json.code, 1);
    assert.deepEqual(JSON.parse(json.out), [totals]);
});

test('a capture that nobody answered puts the day out of balance, and is counted beside it', async (t) => {
    const world = await World.open(t);
    assert.equal((await pay(world.stripe, 1000)).status, 'succeeded');
    // Booked by the bank; until the cut-over it answers none of the repeats.
    await control(world.bank, { silence: true, match: { mti: '022', amount_minor: 2000, currency: 'EUR' } });
    assert.equal((await pay(world.stripe, 2000)).status, 'processing');
    await world.cutOver();
    const [totals] = await world.answered(1);
    assert.equal(totals.result, 'out_of_balance');
    assert.equal(totals.open, 1);
    assert.equal(totals.ours.debits_amount, 1000);
    assert.equal(totals.theirs.debits_amount, 3000);
    // The capture finds its end by itself; the comparison stays what it was.
    await control(world.bank, { clear: true });
    await eventually('the capture is answered', async () =>
        (await world.stripe.paymentIntents.list()).data.every((one) => one.status === 'succeeded'));
    assert.deepEqual(await world.listed(), [totals]);
    assert.equal((await world.atBank()).length, 1);
});

test('killed between intent and answer, the daemon asks again under the same number', async (t) => {
    const world = await World.open(t);
    assert.equal((await pay(world.stripe, 4500)).status, 'succeeded');
    await control(world.bank, { silence: true, match: { mti: '050' } });
    await world.cutOver();
    const [first] = await eventually('the bank has seen our totals', async () => {
        const seen = await world.atBank();
        return seen.length === 1 && seen;
    });
    await kill(world.daemon, 'SIGKILL');
    await world.startDaemon();
    const repeats = (await world.atBank())[0].repeats;
    await eventually('it is repeated', async () => (await world.atBank())[0].repeats > repeats);
    const [waiting] = await world.listed();
    assert.deepEqual([waiting.state, waiting.theirs, waiting.stan], ['waiting', null, first.stan]);
    assert.equal(await world.metric('florin_totals_waiting', ['connector="bank"']), 1);
    await kill(world.daemon, 'SIGKILL');
    await control(world.bank, { clear: true });
    await world.startDaemon();
    const [totals] = await world.answered(1);
    assert.equal(totals.result, 'in_balance');
    assert.equal(totals.stan, first.stan);
    assert.ok(totals.sends >= 3, `${totals.sends} sends`);
    // Other totals or another number would be a second row, or refused.
    const seen = await world.atBank();
    assert.equal(seen.length, 1);
    assert.deepEqual([seen[0].stan, seen[0].rrn], [first.stan, first.rrn]);
    assert.ok(seen[0].repeats >= 2);
    assert.equal((await kill(world.daemon, 'SIGTERM')).code, 0);
    assert.equal(florin('ledger', 'verify', '--data-dir', path.join(world.folder, 'data')).code, 0);
});
