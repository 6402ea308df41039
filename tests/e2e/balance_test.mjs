// The rows of a merchant's balance: every movement has one, they add up to what GET /v1/balance says,
// and they are found again. The SDK and the schemas are not ours, so that agreement means something.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test from 'node:test';

import Ajv from 'ajv/dist/2020.js';

import { Stripe } from '../../tools/shop/programs.mjs';
import { control, eventually, florin, kill, pay, request, sdk, signedOn, startBank, startDaemon, temporary } from './support.mjs';

const ajv = new Ajv({ strict: false, allErrors: true });
ajv.addSchema(JSON.parse(readFileSync(new URL('schemas/components.json', import.meta.url))));
function conforms(kind, object) {
    const validate = ajv.getSchema(`components.json#/$defs/${kind}`);
    assert.ok(validate(object), `${kind}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(object, null, 1)}`);
    return object;
}
const sum = (list, of) => list.reduce((all, one) => all + of(one), 0);

// What has to be true of any row.
function isRow(row) {
    conforms('balance_transaction', JSON.parse(JSON.stringify(row)));
    assert.match(row.id, /^txn_[A-Za-z0-9]+$/);
    assert.equal(row.net, row.amount - row.fee);
    assert.equal(sum(row.fee_details, (one) => one.amount), row.fee);
    for (const detail of row.fee_details) assert.equal(detail.currency, row.currency);
    assert.ok(['pending', 'available'].includes(row.status));
    assert.ok(['charge', 'refund', 'payout', 'payout_failure'].includes(row.type));
    return row;
}
async function every(stripe, parameters = {}) {
    const rows = [];
    for await (const row of stripe.balanceTransactions.list({ limit: 7, ...parameters })) rows.push(isRow(row));
    assert.equal(new Set(rows.map((one) => one.id)).size, rows.length);
    return rows;
}
const ids = (rows) => rows.map((one) => one.id);

// The rows that are pending and the rows that are available are the two halves of the balance.
async function addsUp(stripe) {
    const rows = await every(stripe);
    const balance = await stripe.balance.retrieve();
    for (const half of ['pending', 'available']) {
        for (const entry of balance[half]) {
            const own = rows.filter((one) => one.status === half && one.currency === entry.currency);
            assert.equal(sum(own, (one) => one.net), entry.amount, `${half} ${entry.currency}`);
        }
    }
    for (const row of rows) assert.ok(balance.available.some((one) => one.currency === row.currency));
    return rows;
}

function operate(...args) {
    const run = florin(...args, '--format', 'json');
    assert.equal(run.code, 0, `florin ${args.join(' ')}: ${run.err}${run.out}`);
    return JSON.parse(run.out);
}

async function startReceiver(t) {
    const deliveries = [];
    const server = http.createServer((incoming, response) => {
        let body = '';
        incoming.on('data', (bytes) => (body += bytes));
        incoming.on('end', () => {
            deliveries.push({ body, signature: incoming.headers['stripe-signature'] });
            response.end();
        });
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
        server.closeAllConnections();
        server.close();
    });
    return { deliveries, url: `http://127.0.0.1:${server.address().port}/hooks` };
}

test('every movement of the balance has its row', async (t) => {
    const folder = temporary(t);
    const bank = await startBank(t, path.join(folder, 'bank'));
    const data = path.join(folder, 'florin');
    const daemon = await startDaemon(t, data, ['--iso8583', bank.ready.address]);
    const stripe = sdk(daemon);
    await signedOn(daemon);
    const at = ['--data-dir', data];
    const receiver = await startReceiver(t);
    const endpoint = await stripe.webhookEndpoints.create({ url: receiver.url, enabled_events: ['balance.available'] });
    const announced = () => receiver.deliveries.map((one) => Stripe.webhooks.constructEvent(one.body, one.signature, endpoint.secret));

    let charge; // whole
    let part; // captured in part
    let yen;
    await t.test('a charge has none until it is captured', async () => {
        assert.deepEqual(await every(stripe), []);
        const held = await pay(stripe, 3_000, { capture_method: 'manual' });
        assert.equal((await stripe.charges.retrieve(held.latest_charge)).balance_transaction, null);
        const declined = await pay(stripe, 900, { payment_method: 'pm_card_visa_chargeDeclined' }).catch((error) => error);
        assert.equal(declined.code, 'card_declined');
        assert.deepEqual(await every(stripe), []);
        assert.deepEqual(await every(stripe, { source: held.latest_charge }), []);
        part = await stripe.paymentIntents.capture(held.id, { amount_to_capture: 2_000, expand: ['latest_charge.balance_transaction'] });
        const row = isRow(part.latest_charge.balance_transaction);
        assert.equal(row.amount, 2_000);
        assert.equal(row.fee, 55);
        assert.equal(row.status, 'pending');
        assert.deepEqual(await stripe.balanceTransactions.retrieve(row.id), row);
    });

    await t.test('a capture has its gross, its fee and what is left', async () => {
        const before = Math.floor(Date.now() / 1000);
        const intent = await pay(stripe, 10_000, { description: 'Two cups', expand: ['latest_charge.balance_transaction'] });
        charge = intent.latest_charge;
        const row = isRow(charge.balance_transaction);
        assert.deepEqual(
            { amount: row.amount, fee: row.fee, net: row.net, currency: row.currency, source: row.source, description: row.description },
            { amount: 10_000, fee: 175, net: 9_825, currency: 'eur', source: charge.id, description: 'Two cups' },
        );
        assert.deepEqual([row.type, row.reporting_category, row.status, row.balance_type], ['charge', 'charge', 'pending', 'payments']);
        assert.deepEqual(row.fee_details.map((one) => [one.amount, one.type]), [[175, 'stripe_fee']]);
        assert.ok(row.created >= before && row.available_on >= before, JSON.stringify(row));
        yen = await pay(stripe, 1_200, { currency: 'jpy', expand: ['latest_charge'] });
        assert.match(yen.latest_charge.balance_transaction, /^txn_/);
        // The event says the same id.
        const { data: [event] } = await stripe.events.list({ type: 'charge.captured' });
        assert.equal(event.data.object.balance_transaction, (await stripe.charges.retrieve(part.latest_charge.id)).balance_transaction);
        // What is written on the charge later does not change the row.
        await stripe.charges.update(charge.id, { description: 'Three cups' });
        assert.deepEqual(await stripe.balanceTransactions.retrieve(row.id), row);
        assert.equal((await addsUp(stripe)).length, 3);
    });

    let refund;
    await t.test('a refund has a row when it is booked, and not before', async () => {
        refund = await stripe.refunds.create({ charge: charge.id, amount: 1_500, expand: ['balance_transaction'] });
        const row = isRow(refund.balance_transaction);
        assert.deepEqual(
            [row.amount, row.fee, row.net, row.type, row.status, row.source, row.fee_details],
            [-1_500, 0, -1_500, 'refund', 'available', refund.id, []],
        );
        assert.equal((await stripe.refunds.retrieve(refund.id)).balance_transaction, row.id);
        await control(bank, { silence: true, match: { amount_minor: 321 }, times: 1 });
        const waiting = await stripe.refunds.create({ charge: charge.id, amount: 321 });
        assert.equal(waiting.status, 'pending');
        assert.equal(waiting.balance_transaction, null);
        await addsUp(stripe);
        await eventually('the bank has answered', async () => (await stripe.refunds.retrieve(waiting.id)).status === 'succeeded', 40_000);
        const [late] = await every(stripe, { source: waiting.id });
        assert.equal(late.net, -321);
        assert.equal((await stripe.refunds.retrieve(waiting.id)).balance_transaction, late.id);
        assert.equal((await addsUp(stripe)).length, 5);
    });

    await t.test('what a row is about comes in its place', async () => {
        const whole = await stripe.balanceTransactions.retrieve(charge.balance_transaction.id, { expand: ['source.payment_intent'] });
        assert.equal(conforms('charge', whole.source).id, charge.id);
        assert.equal(whole.source.payment_intent.latest_charge, charge.id);
        const back = await stripe.balanceTransactions.retrieve(refund.balance_transaction.id, { expand: ['source.charge'] });
        assert.equal(back.source.id, refund.id);
        assert.equal(back.source.charge.id, charge.id);
        const charges = await stripe.charges.list({ expand: ['data.balance_transaction'] });
        for (const one of charges.data.filter((each) => each.captured)) assert.equal(isRow(one.balance_transaction).source, one.id);
        const refunds = await stripe.refunds.list({ expand: ['data.balance_transaction.source'] });
        for (const one of refunds.data) assert.equal(one.balance_transaction.source.id, one.id);
        const rows = await stripe.balanceTransactions.list({ expand: ['data.source'] });
        assert.deepEqual(new Set(rows.data.map((one) => one.source.object)), new Set(['charge', 'refund']));
        await assert.rejects(stripe.balanceTransactions.list({ expand: ['data.status'] }), { type: 'StripeInvalidRequestError' });
    });

    let batch;
    await t.test('settling makes them available, says so once for each currency, and pays out', async () => {
        const pending = (await stripe.balance.retrieve()).pending;
        batch = operate('settle', 'run', ...at);
        assert.equal(batch.payouts.length, 2);
        const rows = await addsUp(stripe);
        assert.deepEqual(new Set(rows.map((one) => one.status)), new Set(['available']));
        for (const payout of batch.payouts) {
            const [row] = await every(stripe, { source: payout.payout });
            assert.deepEqual(
                [row.type, row.amount, row.fee, row.net, row.currency, row.reporting_category],
                ['payout', -payout.amount_minor, 0, -payout.amount_minor, payout.currency.toLowerCase(), 'payout'],
            );
        }
        const { data: events } = await stripe.events.list({ type: 'balance.available' });
        assert.equal(events.length, 2);
        for (const event of events) {
            conforms('event', JSON.parse(JSON.stringify(event)));
            conforms('balance', event.data.object);
        }
        // The first is of EUR: the currencies go by name.
        const [first, second] = [...events].reverse().map((one) => one.data.object);
        const euro = (list) => list.find((one) => one.currency === 'eur').amount;
        const yens = (list) => list.find((one) => one.currency === 'jpy').amount;
        assert.deepEqual([euro(first.pending), yens(first.pending)], [0, yens(pending)]);
        assert.deepEqual([euro(second.pending), yens(second.pending)], [0, 0]);
        assert.equal(euro(first.available), batch.payouts.find((one) => one.currency === 'EUR').amount_minor);
        assert.equal(yens(second.available), batch.payouts.find((one) => one.currency === 'JPY').amount_minor);
        await eventually('both are delivered', async () => announced().length >= 2);
        assert.deepEqual(new Set(ids(announced())), new Set(ids(events)));
        operate('settle', 'run', ...at);
        assert.equal((await stripe.events.list({ type: 'balance.available' })).data.length, 2);
    });

    await t.test('a payout lists what it is made of', async () => {
        const euro = batch.payouts.find((one) => one.currency === 'EUR');
        const rows = await every(stripe, { payout: euro.payout });
        assert.deepEqual(rows.map((one) => one.type).sort(), ['charge', 'charge', 'payout', 'refund', 'refund']);
        assert.equal(sum(rows, (one) => one.net), 0);
        assert.deepEqual(ids(await every(stripe, { payout: euro.payout, type: 'charge', source: charge.id })), [charge.balance_transaction.id]);
        const yens = batch.payouts.find((one) => one.currency === 'JPY');
        assert.deepEqual((await every(stripe, { payout: yens.payout })).map((one) => one.type), ['payout', 'charge']);
        await assert.rejects(every(stripe, { payout: 'po_none' }), { statusCode: 400, code: 'resource_missing', param: 'payout' });
    });

    await t.test('a payout that comes back has a row of its own', async () => {
        const euro = batch.payouts.find((one) => one.currency === 'EUR');
        const report = async (file) => {
            assert.equal((await control(bank, { report: 'camt053', path: file })).ok, true);
            return file;
        };
        assert.equal((await control(bank, { collect: batch.file })).ok, true);
        const csv = path.join(folder, 'transactions.csv');
        assert.equal((await control(bank, { report: 'transactions', path: csv })).ok, true);
        operate('recon', 'import', csv, ...at);
        const xml = await report(path.join(folder, 'statement.xml'));
        operate('recon', 'import', xml, ...at);
        const before = await addsUp(stripe);
        operate('recon', 'run', ...at);
        // That it is paid changes nothing.
        assert.deepEqual(ids(await addsUp(stripe)), ids(before));
        assert.equal((await control(bank, { return: { end_to_end_id: euro.end_to_end_id } })).ok, true);
        // Another statement, with the return alone: as in settle_test.mjs.
        const text = readFileSync(await report(xml), 'utf8').replace(/<Stmt>\s*<Id>([^<]*)<\/Id>/g, (whole, id) => whole.replace(id, id + '-2'));
        const second = path.join(folder, 'second.xml');
        const entries = text.replace(/<Ntry>(?:(?!<\/Ntry>)[\s\S])*<\/Ntry>/g, (entry) => (entry.includes('<RvslInd>true') ? entry : ''));
        writeFileSync(second, entries.replace(/<Bal>[\s\S]*?<\/Bal>\s*/g, ''));
        operate('recon', 'import', second, ...at);
        operate('recon', 'run', ...at);
        const rows = await addsUp(stripe);
        assert.equal(rows.length, before.length + 1);
        assert.deepEqual(
            [rows[0].type, rows[0].net, rows[0].source, rows[0].reporting_category],
            ['payout_failure', euro.amount_minor, euro.payout, 'payout_reversal'],
        );
        assert.deepEqual((await every(stripe, { source: euro.payout })).map((one) => one.type), ['payout_failure', 'payout']);
        // The next payout pays it again, and says so.
        const next = operate('settle', 'run', ...at);
        assert.deepEqual(next.payouts.map((one) => one.amount_minor), [euro.amount_minor]);
        const made = await every(stripe, { payout: next.payouts[0].payout });
        assert.deepEqual(made.map((one) => one.type), ['payout', 'payout_failure']);
        assert.equal(sum(made, (one) => one.net), 0);
        await addsUp(stripe);
    });

    await t.test('the books agree after a restart', async () => {
        const before = await every(stripe);
        await kill(daemon, 'SIGKILL');
        const again = await startDaemon(t, data, ['--iso8583', bank.ready.address]);
        assert.deepEqual(await addsUp(sdk(again)), before);
        await kill(again, 'SIGTERM');
        assert.equal(florin('ledger', 'verify', ...at).code, 0);
    });
});

// A generator that a seed repeats.
function randomFrom(seed) {
    let state = seed >>> 0;
    return (below) => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return Math.floor((state / 2 ** 32) * below);
    };
}

test('rows and balance agree, whatever happens', async (t) => {
    const folder = temporary(t);
    const bank = await startBank(t, path.join(folder, 'bank'));
    const data = path.join(folder, 'florin');
    const daemon = await startDaemon(t, data, ['--iso8583', bank.ready.address]);
    const stripe = sdk(daemon);
    await signedOn(daemon);
    const seed = Number(process.env.FLORIN_BALANCE_SEED ?? Date.now() % 1_000_000);
    t.diagnostic(`FLORIN_BALANCE_SEED=${seed}`);
    const random = randomFrom(seed);
    const currencies = ['eur', 'usd', 'jpy'];
    const captured = [];
    const held = [];
    const started = Math.floor(Date.now() / 1000);
    const operations = {
        pay: async () => captured.push(await pay(stripe, 500 + random(20_000), { currency: currencies[random(3)] })),
        hold: async () => held.push(await pay(stripe, 500 + random(20_000), { currency: currencies[random(3)], capture_method: 'manual' })),
        capture: async () => {
            const intent = held.pop();
            if (intent) captured.push(await stripe.paymentIntents.capture(intent.id, { amount_to_capture: 100 + random(intent.amount - 100) }));
        },
        cancel: async () => {
            const intent = held.pop();
            if (intent) await stripe.paymentIntents.cancel(intent.id);
        },
        refund: async () => {
            const intent = captured[random(captured.length)];
            if (!intent) return;
            const amount = 1 + random(intent.amount_received);
            await stripe.refunds.create({ payment_intent: intent.id, amount }).catch((error) => assert.match(error.code, /amount_too_large|charge_already_refunded/));
        },
        settle: async () => operate('settle', 'run', '--data-dir', data),
    };
    const names = ['pay', 'pay', 'pay', 'hold', 'capture', 'capture', 'cancel', 'refund', 'refund', 'settle'];
    for (let step = 0; step < 60; ++step) {
        // Several at once, then a look when nothing is under way.
        await Promise.all([0, 1, 2].map(() => operations[names[random(names.length - 1)]]()));
        if (random(6) === 0) await operations.settle();
        if (step % 10 === 9) await addsUp(stripe);
    }
    const rows = await addsUp(stripe);
    assert.ok(rows.length > 60, String(rows.length));

    await t.test('each has one source, and each source its rows', async () => {
        assert.equal(new Set(rows.map((one) => one.source)).size, rows.length);
        for (const row of rows.filter((each, index) => index % 5 === 0)) {
            assert.deepEqual(ids(await every(stripe, { source: row.source })), [row.id]);
        }
        const charges = [];
        for await (const one of stripe.charges.list({ limit: 100 })) charges.push(one);
        const taken = charges.filter((one) => one.captured).map((one) => one.balance_transaction);
        assert.deepEqual(taken.sort(), ids(rows.filter((one) => one.type === 'charge')).sort());
        assert.ok(charges.filter((one) => !one.captured).every((one) => one.balance_transaction === null));
    });

    await t.test('filters find what they say, and all of it', async () => {
        for (const type of ['charge', 'refund', 'payout', 'transfer']) {
            assert.deepEqual(ids(await every(stripe, { type })), ids(rows.filter((one) => one.type === type)));
        }
        for (const currency of ['eur', 'USD', 'jpy', 'gbp']) {
            assert.deepEqual(ids(await every(stripe, { currency })), ids(rows.filter((one) => one.currency === currency.toLowerCase())));
        }
        const middle = rows[Math.floor(rows.length / 2)].created;
        for (const [name, passes] of Object.entries({
            gt: (at) => at > middle, gte: (at) => at >= middle, lt: (at) => at < middle, lte: (at) => at <= middle,
        })) {
            assert.deepEqual(ids(await every(stripe, { created: { [name]: middle } })), ids(rows.filter((one) => passes(one.created))), name);
        }
        assert.deepEqual(ids(await every(stripe, { created: { gte: started }, type: 'refund', currency: 'jpy' })),
            ids(rows.filter((one) => one.type === 'refund' && one.currency === 'jpy')));
        await assert.rejects(every(stripe, { source: 'ch_none' }), { statusCode: 400, code: 'resource_missing', param: 'source' });
        await assert.rejects(every(stripe, { source: 'nothing' }), { statusCode: 400, code: 'resource_missing', param: 'source' });
    });

    await t.test('pages join without a gap, in both directions', async () => {
        assert.deepEqual([...rows].sort((a, b) => (a.id < b.id ? 1 : -1)), rows);
        const last = rows.at(-1).id;
        const pages = [];
        for (let page = await stripe.balanceTransactions.list({ limit: 8, ending_before: last }); ; ) {
            pages.unshift(...page.data);
            if (!page.has_more) break;
            page = await stripe.balanceTransactions.list({ limit: 8, ending_before: page.data[0].id });
        }
        assert.deepEqual(ids(pages), ids(rows.slice(0, -1)));
        const { data: some, has_more: more } = await stripe.balanceTransactions.list({ limit: 3, starting_after: rows[4].id });
        assert.deepEqual(ids(some), ids(rows.slice(5, 8)));
        assert.equal(more, true);
        const one = rows.find((each) => each.type === 'charge');
        const beyond = await stripe.balanceTransactions.list({ source: one.source, starting_after: one.id });
        assert.deepEqual([beyond.data, beyond.has_more], [[], false]);
    });

    await t.test('payouts explain themselves', async () => {
        const of = new Map();
        for (const payout of rows.filter((each) => each.type === 'payout')) {
            const made = await every(stripe, { payout: payout.source });
            assert.ok(made.some((one) => one.id === payout.id));
            assert.ok(made.every((one) => one.currency === payout.currency && one.status === 'available'));
            for (const one of made) {
                assert.ok(!of.has(one.id), 'in one payout only');
                of.set(one.id, payout.source);
            }
            assert.equal(sum(made, (one) => one.net), 0);
        }
        assert.ok(of.size > 0);
    });

    await t.test('what is wrong is refused by name', async () => {
        const refused = async (route, status, param) => {
            const answer = await request(daemon, 'GET', route);
            assert.equal(answer.status, status, answer.text);
            if (param) assert.equal(JSON.parse(answer.text).error.param, param);
        };
        await refused('/v1/balance_transactions/txn_none', 404);
        await refused('/v1/balance_transactions?starting_after=txn_none', 400, 'starting_after');
        await refused('/v1/balance_transactions?type=gift', 400, 'type');
        await refused('/v1/balance_transactions?currency=xyz', 400, 'currency');
        await refused('/v1/balance_transactions?customer=cus_1', 400, 'customer');
        assert.equal((await request(daemon, 'POST', '/v1/balance_transactions', { body: '' })).status, 404);
        // A key looks where its rights say so.
        const keyed = (right) => operate('keys', 'create', '--merchant', 'acct_dev', '--right', right, '--data-dir', data).key;
        const look = async (key) => (await request(daemon, 'GET', '/v1/balance_transactions', { key })).status;
        assert.equal(await look(keyed('balance_transactions=read')), 200);
        assert.equal(await look(keyed('balance=read')), 403);
        assert.equal(await look(daemon.ready.publishable_key), 403);
    });
});
