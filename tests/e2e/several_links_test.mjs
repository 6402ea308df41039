// A bank with two links of two connections each: one connection ends again and again under load, and
// later the daemon dies with captures unanswered. Nothing is lost or booked twice, and no number is
// ever used for two messages that could be taken for each other.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { Cable } from './cable.mjs';
import { control, eventually, florin, kill, pause, pay, request, run, sdk, signedOn, startBank, startProduction, temporary, writeConfig } from './support.mjs';

const kClients = 12;
const kLoadMs = 8_000;
const kLinkHours = 24;  // by which retrieval references tell links apart

async function open(t) {
    const folder = temporary(t);
    const bank = await startBank(t, path.join(folder, 'bank'));
    const cable = await Cable.lay(t, bank.ready.address);
    const port = (address) => address.split(':')[1];
    const config = writeConfig(folder, {
        flow: ['retry_first_ms = 200', 'retry_most_ms = 1000'],
        limits: ['test_requests_per_second = 0'],
        '[connector]': [
            'name = "bank"', 'rail = "iso8583"', 'priority = 10', 'timeout_ms = 3000', 'acquirer_id = "400001"', 'breaker_failure_percent = 0',
            `links = [{ port = ${port(cable.address)}, connections = 2 }, { port = ${port(bank.ready.address)}, connections = 2 }]`,
        ],
    });
    const data = path.join(folder, 'data');
    const admin = florin('keys', 'create', '--admin', '--name', 'Ada', '--data-dir', data, '--vault-key', path.join(folder, 'vault.key'), '--format', 'json');
    assert.equal(admin.code, 0, admin.err);
    const { key } = JSON.parse(admin.out);
    const keyFile = path.join(folder, 'ada.key');
    writeFileSync(keyFile, key, { mode: 0o600 });
    const world = { bank, cable, data, folder };
    world.startDaemon = async () => {
        world.daemon = await startProduction(t, folder, config);
        world.operators = { ready: { ...world.daemon.ready, url: world.daemon.ready.admin_url } };
        await eventually('all four connections are signed on', async () =>
            (await world.links()).every((link) => link.connections_ready === 2));
    };
    world.ask = async (route) => (await request(world.operators, 'GET', route, { key })).text;
    world.links = async () =>
        JSON.parse(await world.ask('/admin/v1/health')).connectors.find((one) => one.connector === 'bank').links;
    world.metric = async (name, link) => {
        const found = (await world.ask('/metrics')).split('\n').find((line) => line.startsWith(`${name}{connector="bank",link="${link}"} `));
        assert.ok(found, `no metric ${name} of link ${link}`);
        return Number(found.split(' ').at(-1));
    };
    await world.startDaemon();
    const shop = florin('keys', 'create', '--merchant', 'acct_shop', '--data-dir', data, '--ca', world.daemon.ready.ca, '--admin-key-file', keyFile, '--format', 'json');
    assert.equal(shop.code, 0, shop.err);
    world.sdk = () => sdk(world.daemon, { key: JSON.parse(shop.out).key });
    return world;
}

// A message that was not sent at all proves that another rail may be tried: here there is none.
const payAtBank = (stripe, amount) => pay(stripe, amount, { metadata: { florin_route: 'bank' } });

// Every message that the bank has booked, once each.
function messages(folder) {
    const script = 'import json,sqlite3,sys\nd=sqlite3.connect(sys.argv[1])\nprint(json.dumps(list(d.execute("select class, stan, time, rrn, minor, repeats from messages"))))';
    const read = run('python3', ['-c', script, path.join(folder, 'bank', 'bank.sqlite')]);
    assert.equal(read.code, 0, read.err);
    return JSON.parse(read.out).map(([type, stan, time, rrn, minor, repeats]) =>
        ({ type, stan, time, rrn, minor, repeats, link: 1 + Math.floor(Number(rrn.slice(4, 6)) / kLinkHours) }));
}

// Of the load there are far fewer than a counter has numbers: each is of one message.
function assertNumbersAreUsedOnce(list) {
    const byNumber = new Map();
    const byTime = new Map();
    for (const { stan, time, rrn, link } of list) {
        const number = `${link}/${stan}`;
        assert.equal(byNumber.get(number) ?? rrn, rrn, `number ${number} has two references`);
        byNumber.set(number, rrn);
        // What field 90 says of an original.
        assert.equal(byTime.get(`${stan}/${time}`) ?? rrn, rrn, `${stan} at ${time} is of two links`);
        byTime.set(`${stan}/${time}`, rrn);
    }
    assert.equal(byNumber.size, list.length);
}

// Each payment is at the bank as the merchant was told, once.
async function assertBooksAgree(world, payments) {
    const stripe = world.sdk();
    await eventually('no payment is open', async () => {
        const pages = await Promise.all(payments.map(({ id }) => stripe.paymentIntents.retrieve(id)));
        for (const [i, intent] of pages.entries()) payments[i].status = intent.status;
        return payments.every(({ status }) => status === 'succeeded' || status === 'requires_payment_method');
    }, 60_000);
    const { held } = await eventually('the bank holds what was captured', async () => {
        const now = await control(world.bank, { held: true });
        return now.held.every((one) => one.captured_minor === one.amount_minor) && now;
    }, 60_000);
    const booked = held.map((one) => one.amount_minor).sort((a, b) => a - b);
    const told = payments.filter(({ status }) => status === 'succeeded').map(({ amount }) => amount).sort((a, b) => a - b);
    assert.deepEqual(booked, told);
    assert.equal((await control(world.bank, { counts: true })).captures, told.length);
}

test('two links with two connections each', async (t) => {
    const world = await open(t);
    const payments = [];

    await t.test('a connection ends again and again under load', async () => {
        await control(world.bank, { delay_ms: 20 });
        const stripe = world.sdk();
        const until = Date.now() + kLoadMs;
        let amount = 1_000;
        const client = async () => {
            while (Date.now() < until) {
                const mine = ++amount;
                const made = await payAtBank(stripe, mine).catch((error) => error.raw?.payment_intent ?? Promise.reject(error));
                payments.push({ id: made.id, amount: mine });
            }
        };
        let cuts = 0;
        const cutter = async () => {
            while (Date.now() < until) {
                await pause(120);
                cuts += world.cable.cutOne() ? 1 : 0;
            }
        };
        await Promise.all([cutter(), ...Array.from({ length: kClients }, client)]);
        assert.ok(cuts >= 10, `${cuts} cuts`);
        assert.ok(payments.length >= 50, `${payments.length} payments`);
        await assertBooksAgree(world, payments);
        const links = await eventually('all connections are back', async () => {
            const now = await world.links();
            return now.every((link) => link.connections_ready === 2) && now;
        });
        assert.ok(links[0].disconnected >= cuts - 2, `${links[0].disconnected} of ${cuts}`);
        assert.ok(links[0].cut_off > 0, 'a cut that hits nothing shows nothing');
        assert.equal(links[1].disconnected, 0);
        assert.ok(links[1].answered > links[0].answered / 10);
        assert.equal(await world.metric('florin_link_disconnected_total', 1), links[0].disconnected);
        assert.equal(await world.metric('florin_link_connections_ready', 2), 2);
        assert.equal(await world.metric('florin_link_outstanding', 2), 0);

        const list = messages(world.folder);
        assertNumbersAreUsedOnce(list);
        assert.deepEqual([...new Set(list.map(({ link }) => link))].sort(), [1, 2]);
        const failed = payments.filter(({ status }) => status !== 'succeeded').length;
        t.diagnostic(`${payments.length} payments, ${failed} given up, ${cuts} cuts, ${list.filter(({ repeats }) => repeats > 0).length} messages repeated`);
    });

    await t.test('numbers stay held when the daemon dies, and a line that is gone is not waited for', async () => {
        await control(world.bank, { clear: true });
        await control(world.bank, { silence: true, match: { mti: '0220' } });
        const stripe = world.sdk();
        const amounts = Array.from({ length: 16 }, (_, i) => 500_000 + i);
        const captures = async () => (await control(world.bank, { counts: true })).captures;
        const before = await captures();
        const lost = amounts.map((amount) => payAtBank(stripe, amount).catch(() => {}));
        await eventually('the bank has them', async () => (await captures()) === before + amounts.length);
        await kill(world.daemon, 'SIGKILL');
        await Promise.all(lost);
        const sent = messages(world.folder).filter(({ type, minor }) => type.startsWith('02') && minor >= 500_000);
        assert.equal(sent.length, amounts.length);
        assert.deepEqual([...new Set(sent.map(({ link }) => link))].sort(), [1, 2]);

        await world.startDaemon();
        world.cable.close();  // link 1 does not come back
        await eventually('link 1 is down', async () => (await world.links())[0].ready === false);
        const restarted = world.sdk();
        const fresh = await Promise.all(Array.from({ length: 16 }, (_, i) => payAtBank(restarted, 600_000 + i)));
        for (const intent of fresh) assert.equal(intent.status, 'processing');
        await control(world.bank, { clear: true });
        const { data } = await restarted.paymentIntents.list({ limit: 32 });
        assert.equal(data.length, 32);
        payments.push(...data.map(({ id, amount }) => ({ id, amount })));
        await assertBooksAgree(world, payments);
        const list = messages(world.folder);
        assertNumbersAreUsedOnce(list);
        const again = list.filter(({ rrn }) => sent.some((one) => one.rrn === rrn));
        assert.ok(again.every(({ repeats }) => repeats >= 1), 'each was repeated under its identity');
        assert.equal((await world.links())[0].signed_on <= 2, true);
        assert.ok(await signedOn(world.operators));
    });

    assert.equal((await kill(world.daemon, 'SIGTERM')).code, 0);
    assert.equal(florin('ledger', 'verify', '--data-dir', world.data).code, 0);
});
