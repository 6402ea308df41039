// Ten thousand connections of clients that do nothing or next to nothing: what they cost, that others
// are served meanwhile, and that more than allowed are turned away.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { eventually, florin, kill, pause, request, run, sdk, startProduction, temporary, writeConfig } from './support.mjs';
import { connect, dial, head } from './wire.mjs';

const wanted = 10_000;
const spare = 60;  // for those that are to be served meanwhile
// Node raises its own limit to the hard one; what it starts has the same.
const files = Number(run('sh', ['-c', 'ulimit -n']).out.trim().replace('unlimited', '1000000'));
const crowd = Math.min(wanted, files - 1000);

const rssKib = (daemon) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.child.pid}/status`, 'utf8'))[1]);

// Opens `count` of them, a few at a time.
async function open(count, one) {
    const lines = [];
    await Promise.all(Array.from({ length: 64 }, async (_, lane) => {
        for (let i = lane; i < count; i += 64) lines.push(await one(i));
    }));
    return lines;
}

test('ten thousand idle and slow connections', { skip: crowd < 500 && `only ${files} files may be open` }, async (t) => {
    if (crowd < wanted) t.diagnostic(`only ${files} files may be open: ${crowd} connections instead of ${wanted}`);
    const folder = temporary(t);
    const config = writeConfig(folder, {
        server: [`connections_max = ${crowd + spare}`, 'handshake_ms = 120000', 'request_ms = 120000', 'idle_ms = 120000'],
        limits: ['test_requests_per_second = 0'],
    });
    const data = path.join(folder, 'data');
    const made = florin('keys', 'create', '--admin', '--name', 'Ada', '--data-dir', data, '--vault-key', path.join(folder, 'vault.key'), '--format', 'json');
    assert.equal(made.code, 0, made.err);
    const keyFile = path.join(folder, 'ada.key');
    writeFileSync(keyFile, JSON.parse(made.out).key, { mode: 0o600 });
    const daemon = await startProduction(t, folder, config);
    const key = florin('keys', 'create', '--merchant', 'acct_shop', '--data-dir', data, '--ca', daemon.ready.ca, '--admin-key-file', keyFile, '--format', 'json');
    assert.equal(key.code, 0, key.err);
    daemon.ready.secret_key = JSON.parse(key.out).key;
    const admin = { ready: { ...daemon.ready, url: daemon.ready.admin_url } };
    const figure = async (name) => {
        const { text } = await request(admin, 'GET', '/metrics', { key: 'x', headers: { Connection: 'close' } });
        return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)[1]);
    };
    const stripe = sdk(daemon, { sockets: 8 });
    const pay = () => stripe.paymentIntents.create({ amount: 1000, currency: 'eur', payment_method: 'pm_card_visa', confirm: true });
    for (let i = 0; i < 200; ++i) await pay();  // what the daemon needs anyway, it has
    const before = rssKib(daemon);

    const part = Math.floor(crowd / 4);
    const slow = (text) => async () => {
        const line = await dial(daemon).open;
        line.socket.write(text);
        return line;
    };
    const kinds = {
        'silent before the TLS hello': () => connect(daemon),
        'idle after the handshake': () => dial(daemon).open,
        'in the middle of a head': slow(head(daemon, 'POST', '/v1/payment_intents').slice(0, -2) + 'X-Slow: '),
        'in the middle of a body': slow(head(daemon, 'POST', '/v1/payment_intents', { 'Content-Length': 4000 }) + 'x'.repeat(500)),
    };
    const everybody = [];
    // Meanwhile somebody pays, one payment after the other.
    const took = [];
    let running = true;
    const customer = (async () => {
        while (running) {
            const from = performance.now();
            assert.equal((await pay()).status, 'succeeded');
            took.push(performance.now() - from);
            await pause(20);
        }
    })();
    const grown = {};
    try {
        for (const [kind, one] of Object.entries(kinds)) {
            const from = rssKib(daemon);
            everybody.push(...await open(part, one));
            grown[kind] = (rssKib(daemon) - from) / part;
        }
    } finally {
        running = false;
        await customer;
    }
    const total = (rssKib(daemon) - before) / everybody.length;
    t.diagnostic(`${everybody.length} connections, KiB each: ${total.toFixed(1)} (${Object.entries(grown).map(([kind, kib]) => `${kind} ${kib.toFixed(1)}`).join(', ')}); ` +
        `${took.length} payments meanwhile, the slowest in ${Math.max(...took).toFixed(0)} ms`);
    assert.equal(everybody.filter((line) => line.socket.destroyed).length, 0);
    assert.ok(total < 64, `${total} KiB for a connection`);
    assert.ok(grown['silent before the TLS hello'] < 24, 'who has not even begun costs little');
    assert.ok(took.length >= 20);
    // The client opens thousands of TLS connections in the same process: this is no measurement.
    assert.ok(Math.max(...took) < 10_000);

    await t.test('with all of them there, payments go on, and so does somebody slow', async () => {
        for (let i = 0; i < 50; ++i) assert.equal((await pay()).status, 'succeeded');
        const [line] = everybody.slice(-1);
        line.socket.write('x'.repeat(3500));
        await eventually('the slow one has an answer', () => line.text.startsWith('HTTP/1.1 400 '));
    });

    await t.test('who is too many is turned away, and takes nobody\'s place', async () => {
        const room = crowd + spare - await figure('florin_http_connections');
        // The admin listener's connections are no part of it.
        const more = await Promise.all(Array.from({ length: room + 100 }, () => connect(daemon)));
        let gone = 0;
        more.forEach((line) => line.ended.then(() => ++gone));
        await eventually('a hundred are gone', () => gone >= 100);
        assert.equal(gone, 100);
        assert.ok(more.every((line) => line.text === ''));
        assert.equal((await pay()).status, 'succeeded');  // on a connection that was there before
        await assert.rejects(dial(daemon).open);
        more.forEach((line) => line.socket.destroy());
    });

    await t.test('when they go, everything is as before', async () => {
        for (const line of everybody) line.socket.destroy();
        await eventually('the daemon has noticed', async () => await figure('florin_http_connections') < 20);
        assert.equal((await request(daemon, 'GET', '/v1/balance')).status, 200);
        const stopped = Date.now();
        assert.equal((await kill(daemon, 'SIGTERM')).code, 0);
        assert.ok(Date.now() - stopped < 10_000);
        assert.equal(daemon.log.includes('session_failed'), false, daemon.log);
    });
});
