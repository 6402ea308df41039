// Requests that are released at one instant, each on a connection of its own, with a bank behind: who
// wins, how often, and that the money agrees afterwards. And lists that grow while they are read.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';

import { control, eventually, florin, kill, pay, sdk, signedOn, startBank, startDaemon, temporary } from './support.mjs';
import { dial, head } from './wire.mjs';

// Sends all requests but for their last bytes, then those in one go; answers status and JSON of each.
async function atOnce(daemon, requests) {
    const lines = await Promise.all(requests.map(() => dial(daemon).open));
    const texts = requests.map(({ route, body = '' }) =>
        head(daemon, 'POST', route, { Connection: 'close', 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': body.length }) + body);
    await Promise.all(lines.map((line, i) => new Promise((resolve) => line.socket.write(texts[i].slice(0, -1), resolve))));
    lines.forEach((line, i) => line.socket.write(texts[i].slice(-1)));
    const answers = await Promise.all(lines.map((line) => line.ended));
    return answers.map((text) => ({
        status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1]),
        json: JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)),
    }));
}
// As the terms of the dev merchant say: half a cent goes to the even neighbour.
function feeOf(amount) {
    const [whole, rest] = [Math.floor((amount * 150) / 10_000), (amount * 150) % 10_000];
    return 25 + whole + (rest > 5000 || (rest === 5000 && whole % 2 === 1) ? 1 : 0);
}
const copies = (count, request) => Array.from({ length: count }, () => request);
const codes = (answers) => answers.filter((one) => one.status !== 200).map((one) => `${one.status} ${one.json.error.code}`);

test('released at one instant', async (t) => {
    const folder = temporary(t);
    const bank = await startBank(t, path.join(folder, 'bank'));
    const data = path.join(folder, 'florin');
    const daemon = await startDaemon(t, data, ['--iso8583', bank.ready.address]);
    const stripe = sdk(daemon);
    await signedOn(daemon);
    const counts = () => control(bank, { counts: true });
    const difference = (after, before) => Object.fromEntries(Object.keys(after).filter((key) => after[key] !== before[key]).map((key) => [key, after[key] - before[key]]));
    const pendingBalance = async () => {
        const balance = await stripe.balance.retrieve();
        return [...balance.available, ...balance.pending].filter((one) => one.currency === 'eur').reduce((sum, one) => sum + one.amount, 0);
    };
    const start = { bank: await counts(), balance: await pendingBalance() };

    await t.test('twenty equal requests without a key are twenty payments', async () => {
        const before = await counts();
        const answers = await atOnce(daemon, copies(20, { route: '/v1/payment_intents', body: 'amount=2000&currency=eur&payment_method=pm_card_visa&confirm=true' }));
        assert.deepEqual(codes(answers), []);
        assert.deepEqual(new Set(answers.map((one) => one.json.status)), new Set(['succeeded']));
        assert.equal(new Set(answers.map((one) => one.json.id)).size, 20);
        assert.equal(new Set(answers.map((one) => one.json.latest_charge)).size, 20);
        assert.deepEqual(difference(await counts(), before), { authorisations: 20, authorisation_messages: 20, captures: 20 });
    });

    await t.test('sixty-four refunds of 60.00 on 100.00: one, and none of the others reaches the bank', async () => {
        const intent = await pay(stripe, 10_000);
        const before = await counts();
        const answers = await atOnce(daemon, copies(64, { route: '/v1/refunds', body: `payment_intent=${intent.id}&amount=6000` }));
        assert.deepEqual(codes(answers), Array(63).fill('400 amount_too_large'));
        assert.equal(answers.find((one) => one.status === 200).json.status, 'succeeded');
        assert.deepEqual(difference(await counts(), before), { refunds: 1 });
        const [charge] = (await stripe.charges.list({ payment_intent: intent.id })).data;
        assert.deepEqual([charge.amount_refunded, charge.refunded], [6000, false]);
        assert.equal((await stripe.refunds.list({ payment_intent: intent.id })).data.length, 1);
    });

    await t.test('while the bank keeps silent about a refund, its money is not there for another one', async () => {
        const intent = await pay(stripe, 10_001);
        await control(bank, { silence: true, match: { mti: '020', amount_minor: 6001 } });
        const before = await counts();
        const answers = await atOnce(daemon, copies(16, { route: '/v1/refunds', body: `payment_intent=${intent.id}&amount=6001` }));
        assert.deepEqual(codes(answers), Array(15).fill('400 amount_too_large'));
        const { json: refund } = answers.find((one) => one.status === 200);
        assert.equal(refund.status, 'pending');
        const others = await atOnce(daemon, copies(8, { route: '/v1/refunds', body: `payment_intent=${intent.id}&amount=4000` }));
        assert.deepEqual(codes(others), Array(7).fill('400 charge_already_refunded'));
        await control(bank, { clear: true });
        await eventually('the bank says that it has it', async () => (await stripe.refunds.retrieve(refund.id)).status === 'succeeded');
        assert.deepEqual(difference(await counts(), before), { refunds: 2 });
        const [charge] = (await stripe.charges.list({ payment_intent: intent.id })).data;
        assert.deepEqual([charge.amount_refunded, charge.refunded], [10_001, true]);
    });

    await t.test('one wins of capture and cancel, every time', async () => {
        const rounds = 40;
        const wins = { captured: 0, canceled: 0 };
        const before = await counts();
        for (let i = 0; i < rounds; ++i) {
            const intent = await pay(stripe, 30_000 + i, { capture_method: 'manual' });
            const route = `/v1/payment_intents/${intent.id}`;
            // Who is released first has the better chances: by turns.
            const both = [{ route: `${route}/capture` }, { route: `${route}/cancel` }];
            const answers = await atOnce(daemon, i % 2 ? both : both.reverse());
            const [winner, ...more] = answers.filter((one) => one.status === 200);
            assert.equal(more.length, 0, JSON.stringify(answers));
            assert.deepEqual(codes(answers), ['400 payment_intent_unexpected_state']);
            const seen = await stripe.paymentIntents.retrieve(intent.id, { expand: ['latest_charge'] });
            assert.equal(seen.status, winner.json.status);
            const is_captured = seen.status === 'succeeded';
            assert.ok(is_captured || seen.status === 'canceled', seen.status);
            assert.equal(seen.amount_received, is_captured ? 30_000 + i : 0);
            assert.equal(seen.amount_capturable, 0);
            assert.equal(seen.latest_charge.captured, is_captured);
            ++wins[is_captured ? 'captured' : 'canceled'];
        }
        const now = difference(await counts(), before);
        assert.equal(now.captures ?? 0, wins.captured);
        assert.equal(now.reversals ?? 0, wins.canceled);
        t.diagnostic(`${rounds} rounds: ${wins.captured} captured, ${wins.canceled} canceled`);
    });

    await t.test('confirm against cancel: paid, or never asked for', async () => {
        const before = await counts();
        let paid = 0;
        for (let i = 0; i < 20; ++i) {
            const intent = await stripe.paymentIntents.create({ amount: 40_000 + i, currency: 'eur', payment_method: 'pm_card_visa' });
            const both = [{ route: `/v1/payment_intents/${intent.id}/confirm` }, { route: `/v1/payment_intents/${intent.id}/cancel` }];
            const answers = await atOnce(daemon, i % 2 ? both : both.reverse());
            assert.equal(answers.filter((one) => one.status === 200).length, 1, JSON.stringify(answers));
            const { status } = await stripe.paymentIntents.retrieve(intent.id);
            assert.ok(['succeeded', 'canceled'].includes(status), status);
            paid += status === 'succeeded' ? 1 : 0;
        }
        assert.equal((await counts()).captures - before.captures, paid);
        t.diagnostic(`20 rounds: ${paid} paid`);
    });

    await t.test('the money agrees: API, balance, ledger and bank', async () => {
        const intents = await stripe.paymentIntents.list({ limit: 100 }).autoPagingToArray({ limit: 1000 });
        const refunds = await stripe.refunds.list({ limit: 100 }).autoPagingToArray({ limit: 1000 });
        const sum = (list, of) => list.reduce((all, one) => all + of(one), 0);
        const received = sum(intents, (one) => one.amount_received);
        const given = sum(refunds, (one) => (one.status === 'succeeded' ? one.amount : 0));
        // 1.5 % and 0.25 of each that was captured; fees are not given back.
        const fees = sum(intents.filter((one) => one.amount_received > 0), (one) => feeOf(one.amount_received));
        assert.equal(await pendingBalance() - start.balance, received - given - fees);
        const now = difference(await counts(), start.bank);
        assert.equal(now.captures, intents.filter((one) => one.status === 'succeeded').length);
        assert.equal(now.refunds, refunds.length);
        const { held } = await control(bank, { held: true });
        assert.equal(sum(held, (one) => one.captured_minor), received);
        assert.equal(sum(held, (one) => one.refunded_minor), given);
        assert.equal((await kill(daemon, 'SIGTERM')).code, 0);
        const verified = florin('ledger', 'verify', '--data-dir', data);
        assert.equal(verified.code, 0, verified.err);
        assert.equal(florin('ledger', 'trial-balance', '--data-dir', data).code, 0);
        assert.equal(florin('attempts', 'list', '--unknown', '--data-dir', data).code, 0);
    });
});

test('2,000 payments are paged through in both directions while new ones are made', async (t) => {
    const daemon = await startDaemon(t, temporary(t));
    const stripe = sdk(daemon);
    const made = [];
    const make = async (amount) => made.push((await stripe.paymentIntents.create({ amount, currency: 'eur' })).id);
    const total = 2100;
    await Promise.all(Array.from({ length: 16 }, async (_, lane) => {
        for (let i = lane; i < total; i += 16) await make(1000 + i);
    }));
    const all = async (more) => {
        const ids = [];
        for await (const intent of stripe.paymentIntents.list({ limit: 100, ...more })) ids.push(intent.id);
        return ids;
    };
    const atFirst = await all();
    assert.equal(atFirst.length, total);
    assert.deepEqual(new Set(atFirst), new Set(made));
    // While the pages are read, new ones come, at least one for each page.
    let running = true;
    const busy = (async () => {
        for (let i = 0; running; ++i) await make(5000 + (i % 1000));
    })();
    const [newest, oldest] = [atFirst[0], atFirst.at(-1)];
    const down = await all();
    const below = await all({ starting_after: newest });
    const up = await all({ ending_before: oldest });
    running = false;
    await busy;
    assert.ok(made.length > total + 20, `${made.length - total} were made meanwhile`);
    for (const ids of [down, below, up]) assert.equal(new Set(ids).size, ids.length, 'nothing is there twice');
    // Downwards from wherever it began: all that was older, in order, and nothing that came later.
    const begin = down.indexOf(newest);
    assert.ok(begin >= 0);
    assert.deepEqual(down.slice(begin), atFirst);
    assert.deepEqual(below, atFirst.slice(1));
    // Upwards: all that was newer, and then what came meanwhile, as far as the walk met it.
    assert.deepEqual(up.slice(0, total - 1), atFirst.slice(0, -1).reverse());
    const known = new Set(made);
    for (const id of [...down, ...up]) assert.ok(known.has(id), id);
    const afterwards = await all();
    assert.deepEqual(afterwards.slice(-up.length - 1), [...up].reverse().concat(oldest));
    assert.equal(afterwards.length, made.length);
    t.diagnostic(`${total} payments, ${made.length - total} made meanwhile, ${up.length - total + 1} of them met on the way up`);
});
