// florind in mode ledger, spoken to by a client that was written from the documentation alone.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { promisify } from 'node:util';
import test from 'node:test';

import { LedgerClient, LedgerError, operations } from './ledger_client.mjs';
import { eventually, florin, kill, pause, programs, run, start, startDaemon, temporary, writeConfig } from './support.mjs';

const example = path.join(process.env.FLORIN_BUILD_DIR, 'tests', 'ledger_server', 'ledger_client_example');

// A configuration of mode ledger in `folder`; answers its file.
function configure(folder, { data = 'data', socket = 'ledger.sock', server = [], more = [] } = {}) {
    const file = path.join(folder, `${data}.toml`);
    writeFileSync(file, [
        'mode = "ledger"', `data_dir = "${path.join(folder, data)}"`,
        '[ledger_server]', `socket = "${path.join(folder, socket)}"`, ...server, ...more, '',
    ].join('\n'));
    return file;
}
const startLedger = (t, config) => start(t, programs.florind, ['--config', config]);
const connect = (daemon) => LedgerClient.connect({ path: daemon.ready.socket });

// The page's tables of statuses: number by name.
const page = readFileSync(new URL('../../docs/ledger-protocol.md', import.meta.url), 'utf8');
const statuses = (operation) => {
    const section = page.split(`### ${operation}\n`)[1].split('###')[0];
    return Object.fromEntries([...section.matchAll(/^\| (\d+) \| `(\w+)` \|$/gm)].map(([, number, name]) => [name, Number(number)]));
};
const transferStatus = statuses('create_transfers');
const accountStatus = statuses('create_accounts');

const account = (id, more = {}) => ({ id, ledger: 1, code: 1, ...more });
const transfer = (id, more = {}) => ({ id, debit_account_id: 1, credit_account_id: 2, amount: 1, ledger: 1, code: 1, ...more });

test('every operation works for a client that knows the documentation only', async (t) => {
    const folder = temporary(t);
    const daemon = await startLedger(t, configure(folder));
    assert.equal(statSync(daemon.ready.socket).mode & 0o777, 0o600);
    const client = await connect(daemon);
    assert.equal(client.server.version, 1);
    assert.equal(client.server.events_max, 8189);
    assert.equal(client.server.in_flight_max, 8);
    assert.match(client.server.software, /^florind \d+\.\d+\.\d+$/);

    const opened = await client.call('create_accounts', [
        account(1, { flags: 8, user_data_64: 2n ** 63n }), account(2, { user_data_128: 2n ** 127n + 5n }), account(2), account(0),
    ]);
    assert.deepEqual(opened.map((one) => one.status),
        ['created', 'created', 'exists_with_different_user_data_128', 'id_must_not_be_zero'].map((name) => accountStatus[name]));

    const large = 2n ** 100n + 3n;
    const made = await client.call('create_transfers', [
        transfer(large, { amount: 2n ** 90n, user_data_32: 0xfffffffe }), transfer(11, { flags: 1 }), transfer(12, { amount: 5, ledger: 2 }),
        transfer(13, { amount: 30, flags: 2, timeout: 3600 }), transfer(14, { debit_account_id: 99 }),
    ]);
    assert.deepEqual(made.map((one) => one.status),
        ['created', 'linked_event_failed', 'transfer_must_have_the_same_ledger_as_accounts', 'created', 'debit_account_not_found']
            .map((name) => transferStatus[name]));
    const [posted] = await client.call('create_transfers', [{ id: 15, pending_id: 13, amount: 10, flags: 4 }]);
    assert.equal(posted.status, transferStatus.created);
    const [late] = await client.call('create_transfers', [transfer(14)]);
    assert.equal(late.status, transferStatus.id_already_failed);

    const found = await client.call('lookup_accounts', [{ id: 2 }, { id: 77 }, { id: 1 }]);
    assert.deepEqual(found.map((one) => [one.id, one.credits_posted, one.debits_posted, one.debits_pending]),
        [[2n, 2n ** 90n + 10n, 0n, 0n], [1n, 0n, 2n ** 90n + 10n, 0n]]);
    assert.equal(found[0].user_data_128, 2n ** 127n + 5n);
    assert.equal(found[1].user_data_64, 2n ** 63n);
    const [stored, ...none] = await client.call('lookup_transfers', [{ id: large }, { id: 12 }]);
    assert.equal(none.length, 0);
    assert.equal(stored.timestamp, made[0].timestamp);
    assert.equal(stored.user_data_32, 0xfffffffe);

    const history = await client.call('get_account_transfers', [{ account_id: 1, limit: 2, flags: 1 | 2 | 4 }]);
    assert.deepEqual(history.map((one) => one.id), [15n, 13n]);
    const rest = await client.call('get_account_transfers', [{ account_id: 1, limit: 2, flags: 7, timestamp_max: history[1].timestamp - 1n }]);
    assert.deepEqual(rest.map((one) => one.id), [large]);
    const balances = await client.call('get_account_balances', [{ account_id: 1, limit: 10, flags: 3 }]);
    assert.deepEqual(balances.map((one) => [one.debits_pending, one.debits_posted]), [[0n, 2n ** 90n], [30n, 2n ** 90n], [0n, 2n ** 90n + 10n]]);
    assert.deepEqual((await client.call('query_accounts', [{ user_data_64: 2n ** 63n, limit: 5 }])).map((one) => one.id), [1n]);
    assert.deepEqual((await client.call('query_transfers', [{ code: 1, limit: 5, flags: 1 }])).map((one) => one.id), [15n, 13n, large]);
    assert.deepEqual(await client.call('query_transfers', [{ code: 1, limit: 0 }]), []);
    const [head] = await client.call('head');
    assert.ok(head.sequence > 1n);

    // Errors by number; the connection lives on.
    const refused = (promise, code) => assert.rejects(promise, (error) => error instanceof LedgerError && error.code === code);
    await refused(client.exchange(99, 0, Buffer.alloc(0)), 3);
    await refused(client.exchange(operations.lookup_accounts, 8190, Buffer.alloc(8190 * 16)), 4);
    await refused(client.exchange(operations.lookup_accounts, 2, Buffer.alloc(16)), 1);
    assert.equal((await client.call('lookup_accounts', [{ id: 1 }])).length, 1);
    await client.end();

    const stopped = await kill(daemon, 'SIGTERM');
    assert.equal(stopped.code, 0);
    assert.ok(!existsSync(daemon.ready.socket));
    assert.equal(florin('ledger', 'verify', '--data-dir', path.join(folder, 'data')).code, 0);
});

test("the documentation's program works, and may run twice", async (t) => {
    const daemon = await startLedger(t, configure(temporary(t)));
    for (let i = 0; i < 2; ++i) {
        const done = run(example, [`unix:${daemon.ready.socket}`]);
        assert.equal(done.code, 0, done.err);
        assert.match(done.out, /2000 of 2000 transfers are in the ledger\naccount 1: debits 500000, credits 0\naccount 2: debits 0, credits 500000\n/);
        assert.match(done.out, /one of the newest: transfer 2000\n/);
    }
    await kill(daemon, 'SIGTERM');
    const nobody = run(example, [`unix:${daemon.ready.socket}`]);
    assert.equal(nobody.code, 1);
    assert.match(nobody.err, /^closed: /);
});

test('kill -9 loses nothing that was answered, and a repeat books nothing twice', async (t) => {
    const rounds = process.env.FLORIN_SOAK ? 60 : 5;
    const size = 200;
    const folder = temporary(t);
    const config = configure(folder);
    const answered = new Set();
    let open = [];  // batches whose outcome is not known
    let next = 1;
    const batchFrom = (first) => Array.from({ length: size }, (_, i) => transfer(first + i));
    const isBooked = (one) => one.status === transferStatus.created || one.status === transferStatus.exists;
    for (let round = 0; round <= rounds; ++round) {
        const daemon = await startLedger(t, config);
        const client = await connect(daemon);
        await client.call('create_accounts', [account(1), account(2)]);
        const book = async (first) => {
            const results = await client.call('create_transfers', batchFrom(first));
            assert.ok(results.every(isBooked));
            answered.add(first);
        };
        // What the last crash left open, with the same ids.
        for (const first of open) await book(first);
        open = [];
        for (const first of answered) {
            const found = await client.call('lookup_transfers', batchFrom(first));
            assert.equal(found.length, size, `batch ${first} was answered`);
        }
        const [debited] = await client.call('lookup_accounts', [{ id: 1 }]);
        assert.equal(debited.debits_posted, BigInt(answered.size * size));
        if (round === rounds) {
            await client.end();
            await kill(daemon, 'SIGTERM');
            break;
        }
        let running = true;
        const senders = Array.from({ length: 6 }, async () => {
            while (running) {
                const first = next;
                next += size;
                open.push(first);
                try {
                    await book(first);
                    open.splice(open.indexOf(first), 1);
                } catch (error) {
                    assert.ok(!(error instanceof assert.AssertionError), error);
                    return;
                }
            }
        });
        const before = answered.size;
        await eventually('some batches are answered', () => answered.size > before + 5);
        if (round + 1 === rounds) {
            // Verified while it is being written, and no worse off for it. Once: the more is
            // written meanwhile, the longer the looking up takes in each round after.
            const live = await promisify(execFile)(programs.florin, ['ledger', 'verify', '--data-dir', path.join(folder, 'data')]);
            assert.match(live.stderr, new RegExp(`process ${daemon.child.pid} writes`));
            assert.match(live.stdout, /everything agrees/);
        }
        await pause(20 * (round % 5));
        await kill(daemon, 'SIGKILL');
        running = false;
        await Promise.all(senders);
        assert.ok(existsSync(daemon.ready.socket), 'kill -9 leaves the socket; the next start replaces it');
    }
    const data = path.join(folder, 'data');
    assert.equal(florin('ledger', 'verify', '--data-dir', data).code, 0);
    assert.equal(florin('ledger', 'trial-balance', '--data-dir', data).code, 0);
    t.diagnostic(`${answered.size * size} transfers answered over ${rounds} crashes`);
});

test('one daemon for a directory, one for a socket', async (t) => {
    const folder = temporary(t);
    const config = configure(folder);
    const daemon = await startLedger(t, config);
    const sameData = run(programs.florind, ['--config', config]);
    assert.equal(sameData.code, 2);
    assert.match(sameData.out, new RegExp(`in use by process ${daemon.child.pid}`));
    const sameSocket = run(programs.florind, ['--config', configure(folder, { data: 'other' })]);
    assert.equal(sameSocket.code, 2);
    assert.match(sameSocket.out, /ledger\.sock: another process listens on it/);
    const client = await connect(daemon);
    assert.equal((await client.call('head')).length, 1);
    writeFileSync(path.join(folder, 'file'), 'mine');
    const file = run(programs.florind, ['--config', configure(folder, { data: 'third', socket: 'file' })]);
    assert.equal(file.code, 2);
    assert.match(file.out, /is there and is no socket/);
    assert.equal(readFileSync(path.join(folder, 'file'), 'utf8'), 'mine');
});

test('a directory is of one kind for life', async (t) => {
    const folder = temporary(t);
    const payments = path.join(folder, 'switch');
    const dev = await startDaemon(t, payments);
    await kill(dev, 'SIGTERM');
    const refused = run(programs.florind, ['--config', configure(folder, { data: 'switch' })]);
    assert.equal(refused.code, 2);
    assert.match(refused.out, /holds the books of a payment switch/);
    const daemon = await startLedger(t, configure(folder));
    await kill(daemon, 'SIGTERM');
    const other = run(programs.florind, ['--dev', '--data-dir', path.join(folder, 'data')]);
    assert.equal(other.code, 2);
    assert.match(other.out, /holds a kernel's books only/);
    // It is one for the tool, and keeps its identity.
    const exec = run(programs.florin, ['ledger', 'exec', '--data-dir', path.join(folder, 'data')], { input: '{"lookup_accounts":["1"]}\n' });
    assert.equal(exec.out, '{"accounts":[]}\n');
});

test('TLS and a token, and the pages for operators', async (t) => {
    const folder = temporary(t);
    writeConfig(folder);
    const token = 'a token of this test, long enough';
    const tokenFile = path.join(folder, 'token');
    writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 });
    const second = 'another token, as long as that one';
    const config = configure(folder, {
        data: 'ledger',
        server: ['listen = "127.0.0.1:0"', `token_file = "${tokenFile}"`, `token_sha256 = "${createHash('sha256').update(second).digest('hex')}"`],
        more: ['[server]', 'admin_listen = "127.0.0.1:0"', `tls_certificate = "${path.join(folder, 'server.pem')}"`, `tls_key = "${path.join(folder, 'server.key')}"`],
    });
    const daemon = await startLedger(t, config);
    const [host, port] = daemon.ready.address.split(':');
    const ca = readFileSync(path.join(folder, 'server.pem'));
    const over = (given) => LedgerClient.connect({ host, port: Number(port), ca, token: given });
    const client = await over(token);
    await client.call('create_accounts', [account(1), account(2)]);
    const many = await Promise.all(Array.from({ length: 20 }, (_, i) =>
        client.call('create_transfers', Array.from({ length: 1000 }, (_, j) => transfer(1 + i * 1000 + j)))));
    assert.ok(many.flat().every((one) => one.status === 0));
    await (await over(second)).end();
    for (const wrong of ['', token.slice(1), `${token}x`]) {
        await assert.rejects(over(wrong), (error) => error.code === 5);
    }
    const done = run(example, [`tls:${daemon.ready.address}`, path.join(folder, 'server.pem'), tokenFile]);
    assert.equal(done.code, 1, 'the accounts are there with another code');
    assert.match(done.err, /exists_with_different_ledger/);

    const get = (route) => new Promise((resolve, reject) => {
        https.get(new URL(route, daemon.ready.admin_url), { ca }, (response) => {
            let text = '';
            response.on('data', (bytes) => (text += bytes));
            response.on('end', () => resolve({ status: response.statusCode, text }));
        }).on('error', reject);
    });
    const health = JSON.parse((await get('/healthz')).text);
    assert.equal(health.mode, 'ledger');
    assert.equal(BigInt(health.journal_head), (await client.call('head'))[0].sequence);
    const metrics = (await get('/metrics')).text;
    assert.match(metrics, /^florin_transfers_total 20000$/m);
    assert.match(metrics, /^florin_ledger_events_total 20004$/m);
    assert.match(metrics, /^florin_ledger_refused_total 3$/m);
    assert.equal((await get('/v1/payment_intents')).status, 404);
    assert.equal((await get('/admin/v1/test/settlements')).status, 404);
    assert.ok(!daemon.log.includes(token) && !daemon.log.includes(second));
    await kill(daemon, 'SIGTERM');

    chmodSync(tokenFile, 0o644);
    const readable = run(programs.florind, ['--config', config]);
    assert.equal(readable.code, 2);
    assert.match(readable.out, /token: others than its owner may read it/);
});

test("another user's process is refused by the kernel's word, whatever the file's mode", async (t) => {
    if (process.getuid() !== 0) return t.skip('needs to be root to become somebody else');
    const folder = temporary(t);
    const daemon = await startLedger(t, configure(folder));
    chmodSync(folder, 0o711);
    const script = `
        const socket = require('net').connect(${JSON.stringify(daemon.ready.socket)});
        let text = '';
        socket.on('data', (bytes) => (text += bytes.toString('latin1')));
        socket.on('error', (error) => (text += error.code));
        socket.on('close', () => process.stdout.write(text));`;
    const asNobody = () => run(process.execPath, ['-e', script], { uid: 65534, gid: 65534, env: {}, cwd: '/' });
    const closed = asNobody();
    if (closed.code === null || closed.code === 127) return t.skip('another user cannot run node here');
    assert.equal(closed.out, 'EACCES', closed.err);
    chmodSync(daemon.ready.socket, 0o666);
    assert.match(asNobody().out, /^FLORINLP.*this socket is for processes of user 0$/s);
    assert.equal((await (await connect(daemon)).call('head')).length, 1);
});
