// A byte flipped in any file that holds facts is noticed by `florin ledger verify`, which says where.
// docs/data-directory.md tells which files hold facts, and what the one exception below is.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cpSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { florin, kill, run, sdk, startDaemon, temporary } from './support.mjs';

const files = (folder) => readdirSync(folder).flatMap((name) => {
    const full = path.join(folder, name);
    return statSync(full).isDirectory() ? files(full) : [full];
});

// What docs/data-directory.md lists as holding no facts. Everything else does.
const noFacts = [
    /^LOCK$/, /^run\.json$/, /^dev\.json$/, /^vault\.key$/, /^tls\//, /^vault\/vault\.sqlite-shm$/,
    /^ledger\/(log|state)\/(LOCK|LOG|LOG\.old\.\d+|IDENTITY|OPTIONS-\d+)$/,
];

// A generator that gives the same places again for the same seed (SplitMix64).
function random(seed) {
    let state = BigInt.asUintN(64, seed);
    return (below) => {
        state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
        let z = state;
        z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
        z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
        return Number((z ^ (z >> 31n)) % BigInt(below));
    };
}

// Everything in the vault, in order, read by an SQLite that is not ours.
const vaultRows = (folder) => {
    const copy = path.join(folder, '..', `vault-${randomBytes(4).toString('hex')}`);
    cpSync(path.join(folder, 'vault'), copy, { recursive: true });
    const script = 'import sqlite3,sys\nd=sqlite3.connect(sys.argv[1]+"/vault.sqlite")\nprint([list(d.execute("select * from "+t+" order by 1")) for t in ("card","key_check")])';
    const done = run('python3', ['-c', script, copy], { maxBuffer: 1 << 26 });
    rmSync(copy, { recursive: true });
    return done.code === 0 ? done.out : done.err;
};

async function makePayments(t, folder, count) {
    const daemon = await startDaemon(t, folder);
    const stripe = sdk(daemon);
    const card = { number: '4242424242424242', exp_month: 12, exp_year: 2040, cvc: '123' };  // by number: those are in the vault
    const one = async (i) => {
        const { id: payment_method } = await stripe.paymentMethods.create({ type: 'card', card });
        const intent = await stripe.paymentIntents.create({
            amount: 1000 + i, currency: ['eur', 'usd', 'jpy'][i % 3], payment_method, confirm: true,
            capture_method: i % 4 === 0 ? 'manual' : 'automatic', description: `payment ${i}`,
        });
        if (i % 8 === 0) await stripe.paymentIntents.capture(intent.id);
        if (i % 5 === 1) await stripe.refunds.create({ payment_intent: intent.id, amount: 100 }).catch(() => {});
    };
    for (let i = 0; i < count; i += 10) await Promise.all(Array.from({ length: 10 }, (_, k) => one(i + k)));
    return daemon;
}

function flipEverywhere(t, pristine, flips, seed) {
    const pick = random(seed);
    const all = files(pristine).map((file) => path.relative(pristine, file)).sort();
    const facts = all.filter((name) => !noFacts.some((pattern) => pattern.test(name)) && statSync(path.join(pristine, name)).size > 0);
    const rows = vaultRows(pristine);
    const copy = path.join(pristine, '..', 'copy');
    cpSync(pristine, copy, { recursive: true });
    const seen = {};
    let freeSpace = 0;
    for (let i = 0; i < flips; ++i) {
        // Every file in turn, then wherever: small files are as important as large ones.
        const name = facts[i < facts.length * 2 ? i % facts.length : pick(facts.length)];
        const bytes = readFileSync(path.join(pristine, name));
        const at = pick(bytes.length);
        const bit = 1 << pick(8);
        const changed = Buffer.from(bytes);
        changed[at] ^= bit;
        writeFileSync(path.join(copy, name), changed);
        const done = florin('ledger', 'verify', '--data-dir', copy);
        const what = `seed ${seed}: ${name} (${bytes.length} bytes), byte ${at}, bit ${bit}: exit ${done.code} ${done.err}`;
        if (name === 'FORMAT') {
            // Nothing can be said of a directory of another format.
            assert.ok(done.code === 1 || done.code === 2, what);
            assert.match(done.err, /FORMAT/, what);
        } else if (name.startsWith('vault/') && done.code === 0) {
            // SQLite's pages have room that holds nothing: then every row must be what it was.
            assert.equal(vaultRows(copy), rows, what);
            ++freeSpace;
        } else if (name.startsWith('ledger/state/MANIFEST') && done.code === 0) {
            // Its last record looks cut short: views of a little earlier, and the journal has the rest.
        } else {
            assert.equal(done.code, 1, what);
            assert.match(done.err, /verify FAILED: .*(\/ledger\/|\/vault\/|record \d+|views: table|the journal)/, what);
        }
        seen[name] = (seen[name] ?? 0) + 1;
        writeFileSync(path.join(copy, name), bytes);
    }
    assert.deepEqual(Object.keys(seen).sort(), facts);
    assert.equal(florin('ledger', 'verify', '--data-dir', copy).code, 0, 'the copy is whole again');
    t.diagnostic(`seed ${seed}: ${flips} flips in ${facts.length} files, ${freeSpace} of them in free space of the vault`);
    t.diagnostic(`without facts: ${all.filter((name) => !facts.includes(name)).join(' ')}`);
    rmSync(copy, { recursive: true });
}

const soak = process.env.FLORIN_SOAK === '1';
const seed = BigInt(process.env.FLORIN_SEED ?? BigInt(`0x${randomBytes(6).toString('hex')}`));

test('flipped bytes are found after a clean stop', async (t) => {
    const pristine = path.join(temporary(t), 'data');
    const daemon = await makePayments(t, pristine, 300);
    assert.equal((await kill(daemon, 'SIGTERM')).code, 0);
    assert.equal(florin('ledger', 'verify', '--data-dir', pristine).code, 0);
    flipEverywhere(t, pristine, soak ? 2000 : 150, seed);
});

test('flipped bytes are found after kill -9, with logs that nobody has replayed', async (t) => {
    const pristine = path.join(temporary(t), 'data');
    const daemon = await makePayments(t, pristine, 300);
    await kill(daemon, 'SIGKILL');
    const before = files(pristine).map((file) => [file, readFileSync(file).toString('base64')]);
    const verified = florin('ledger', 'verify', '--data-dir', pristine, '--format', 'json');
    assert.equal(verified.code, 0, verified.err);
    assert.deepEqual(files(pristine).map((file) => [file, readFileSync(file).toString('base64')]), before, 'verify changes nothing');
    const report = Object.fromEntries(JSON.parse(verified.out).map((row) => [row.what, row.value]));
    assert.equal(report.cards, '300');
    assert.equal(report.payment_methods_with_card, '300');
    flipEverywhere(t, pristine, soak ? 2000 : 150, seed + 1n);
});

test('views that are gone are made anew from the journal', async (t) => {
    const data = path.join(temporary(t), 'data');
    const daemon = await makePayments(t, data, 20);
    assert.equal((await kill(daemon, 'SIGTERM')).code, 0);
    const books = () => florin('ledger', 'balances', '--data-dir', data, '--format', 'csv').out;
    const before = books();
    rmSync(path.join(data, 'ledger', 'state'), { recursive: true });
    const again = await startDaemon(t, data);
    assert.equal((await sdk(again).paymentIntents.list({ limit: 100 })).data.length, 20);
    assert.equal((await kill(again, 'SIGTERM')).code, 0);
    assert.equal(florin('ledger', 'verify', '--data-dir', data).code, 0);
    assert.equal(books(), before);
});

test('a card that is gone from the vault is missed', async (t) => {
    const data = path.join(temporary(t), 'data');
    const daemon = await makePayments(t, data, 10);
    assert.equal((await kill(daemon, 'SIGTERM')).code, 0);
    const sql = (text) => assert.equal(run('python3', ['-c', `import sqlite3,sys\nd=sqlite3.connect(sys.argv[1])\nd.execute(sys.argv[2])\nd.commit()`, path.join(data, 'vault', 'vault.sqlite'), text]).code, 0);
    sql('delete from card where token=(select min(token) from card)');
    const gone = florin('ledger', 'verify', '--data-dir', data);
    assert.equal(gone.code, 1);
    assert.match(gone.err, /vault\.sqlite: card tok_\w+ of payment method pm_\w+ is missing/);
    sql("update card set owner='acct_other/test'");
    assert.match(florin('ledger', 'verify', '--data-dir', data).err, /differs from its checksum/);
    rmSync(path.join(data, 'vault'), { recursive: true });
    assert.match(florin('ledger', 'verify', '--data-dir', data).err, /is missing/);
});
