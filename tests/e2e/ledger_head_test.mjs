// A head that was pinned outside: signed, judged by openssl with the commands of docs/auditing.md,
// and compared with a history that goes on, is cut, or is another one.
import assert from 'node:assert/strict';
import { chmodSync, cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { florin, programs, run, temporary } from './support.mjs';

const docs = readFileSync(fileURLToPath(new URL('../../docs/auditing.md', import.meta.url)), 'utf8');
// The commands of a section: indented lines (without ours), or the block between fences.
const section = (title) => docs.split(/^## /m).find((text) => text.startsWith(title));
const indented = (title) => section(title).split('\n').filter((line) => line.startsWith('    ')).map((line) => line.trim());
const fenced = (title) => section(title).match(/```sh\n([^]*?)```/)[1];

function openssl(folder, ...args) {
    const done = run('openssl', args, { cwd: folder });
    assert.equal(done.code, 0, done.err);
    return done.out;
}

let nextId = 1;
function grow(data, lines = 1) {
    const input = Array.from({ length: lines }, () => `{"create_accounts":[{"id":"${nextId++}","ledger":1,"code":1}]}\n`);
    // One process for each line: one record for each.
    for (const line of input) assert.equal(run(programs.florin, ['ledger', 'exec', '--data-dir', data], { input: line }).code, 0);
}
const rows = (text) => Object.fromEntries(JSON.parse(text).map((row) => [row.what, row.value]));
const verify = (data, ...more) => florin('ledger', 'verify', '--data-dir', data, ...more);

function setup(t) {
    const folder = temporary(t);
    const commands = indented('The operator: a key, once');
    assert.equal(commands.length, 3);
    const made = run('bash', ['-ec', commands.join('\n')], { cwd: folder });
    assert.equal(made.code, 0, made.err);
    const data = path.join(folder, 'D');
    grow(data, 2);
    const file = (name) => path.join(folder, name);
    const sign = (name = 'head.json', from = data) => {
        const done = florin('ledger', 'head', '--data-dir', from, '--sign', '--key', file('head.key'));
        assert.equal(done.code, 0, done.err);
        writeFileSync(file(name), done.out);
        return JSON.parse(done.out);
    };
    return { folder, data, file, sign };
}

test('a head says the same in each format, and moves with the ledger', (t) => {
    const { data } = setup(t);
    const head = rows(florin('ledger', 'head', '--data-dir', data, '--format', 'json').out);
    assert.match(head.ledger, /^[0-9a-f]{32}$/);
    assert.match(head.hash, /^[0-9a-f]{64}$/);
    assert.match(head.time_utc, /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
    const full = rows(verify(data, '--format', 'json').out);
    assert.deepEqual([full.ledger, full.head, full.hash], [head.ledger, head.head, head.hash]);
    assert.match(florin('ledger', 'head', '--data-dir', data).out, new RegExp(`^hash +${head.hash}$`, 'm'));
    grow(data);
    const next = rows(florin('ledger', 'head', '--data-dir', data, '--format', 'json').out);
    assert.equal(BigInt(next.head), BigInt(head.head) + 1n);
    assert.notEqual(next.hash, head.hash);
});

test('openssl finds the signature right, with the commands of the documentation', (t) => {
    const { folder, file, sign } = setup(t);
    const head = sign();
    const judged = run('bash', ['-ec', fenced('The auditor: is the signature right?')], { cwd: folder });
    assert.equal(judged.code, 0, judged.err);
    assert.match(judged.out, /Signature Verified Successfully/);
    assert.equal(head.public_key, openssl(folder, 'pkey', '-pubin', '-in', 'head.pub', '-outform', 'PEM').split('\n')[1]);
    // The text is the one that the documentation shows.
    const shown = section('The operator: a head, every day').split('\n').filter((line) => line.startsWith('    ')).slice(-5).map((line) => line.trim());
    assert.equal(readFileSync(file('head.txt'), 'utf8'), shown.map((line) => line.replace(/<(\w+)>/, (_, name) => head[name]) + '\n').join(''));

    for (const [name, value] of [['sequence', '4'], ['hash', '0'.repeat(64)], ['time', '1'], ['ledger_id', 'f'.repeat(32)]]) {
        writeFileSync(file('head.json'), JSON.stringify({ ...head, [name]: value }));
        const forged = run('bash', ['-ec', fenced('The auditor: is the signature right?')], { cwd: folder });
        assert.equal(forged.code, 1, name);
        assert.match(forged.out + forged.err, /Signature Verification Failure/);
    }
});

test('a pinned head is found in a history that went on', (t) => {
    const { data, file, sign } = setup(t);
    const head = sign();
    const pin = ['--head', file('head.json'), '--public-key', file('head.pub')];
    for (let round = 0; round < 3; ++round) {
        const quick = verify(data, ...pin, '--only-head', '--format', 'json');
        assert.equal(quick.code, 0, quick.err);
        const report = rows(quick.out);
        assert.equal(report.pinned_head, head.sequence);
        assert.equal(report.signed_by, head.public_key);
        assert.equal(report.verdict, 'the pinned head is in this history');
        assert.equal(report.records, undefined, 'no more than the head');
        const whole = verify(data, ...pin, '--format', 'json');
        assert.equal(whole.code, 0, whole.err);
        assert.equal(rows(whole.out).pinned_head, head.sequence);
        assert.equal(rows(whole.out).verdict, 'everything agrees');
        grow(data, round);
    }
    assert.equal(verify(data, '--head', file('head.json'), '--only-head').code, 0, 'without a key of its own');
});

test('each way in which a pinned head can be wrong has its own words', (t) => {
    const { folder, data, file, sign } = setup(t);
    cpSync(data, file('backup'), { recursive: true });
    cpSync(data, file('second'), { recursive: true });
    grow(data);
    const head = sign();
    grow(data);
    const pin = ['--head', file('head.json'), '--public-key', file('head.pub')];
    const failed = (where, pattern, args = pin) => {
        for (const more of [[], ['--only-head']]) {
            const done = verify(where, ...args, ...more);
            assert.equal(done.code, 1, done.err);
            assert.match(done.err, /^florin: verify FAILED: /);
            assert.match(done.err, pattern);
            assert.equal(done.out, '');
        }
    };
    failed(file('backup'), /history was cut: the pinned head is record 4, and the journal ends at record 3/);
    grow(file('second'));
    failed(file('second'), new RegExp(`history was rewritten: the hash of record 4 is [0-9a-f]{64}, and the pinned head says ${head.hash}`));
    grow(file('second'), 2);
    failed(file('second'), /history was rewritten: the hash of record 4/);
    grow(file('other'));
    failed(file('other'), /the pinned head is of another ledger/);

    openssl(folder, 'genpkey', '-algorithm', 'ed25519', '-out', 'second.key');
    openssl(folder, 'pkey', '-in', 'second.key', '-pubout', '-out', 'second.pub');
    failed(data, /is signed by another key than that of .*second\.pub/, ['--head', file('head.json'), '--public-key', file('second.pub')]);
    const changed = (change) => writeFileSync(file('changed.json'), JSON.stringify({ ...head, ...change }));
    changed({ sequence: '3' });
    failed(data, /the signature is not one of this head by that key/, ['--head', file('changed.json')]);
    // Whoever puts a key of their own in is found out by the expected key alone.
    changed({ public_key: openssl(folder, 'pkey', '-pubin', '-in', 'second.pub', '-outform', 'PEM').split('\n')[1] });
    failed(data, /the signature is not one/, ['--head', file('changed.json')]);

    // A time that never was, but signed.
    const text = readFileSync(file('head.json'), 'utf8');
    const time = String(BigInt(head.time) + 1n);
    writeFileSync(file('time.txt'), `florin ledger head v1\nledger_id ${head.ledger_id}\nsequence ${head.sequence}\nhash ${head.hash}\ntime ${time}\n`);
    openssl(folder, 'pkeyutl', '-sign', '-inkey', 'head.key', '-rawin', '-in', 'time.txt', '-out', 'time.sig');
    changed({ time, signature: readFileSync(file('time.sig')).toString('base64') });
    failed(data, new RegExp(`the pinned head says that record 4 is of ${time} ns`), ['--head', file('changed.json')]);
    assert.equal(readFileSync(file('head.json'), 'utf8'), text);
    assert.equal(verify(data, ...pin).code, 0, 'and what is right is right');
});

test('keys and files that cannot be used are refused by name', (t) => {
    const { folder, data, file, sign } = setup(t);
    sign();
    const signing = (key) => florin('ledger', 'head', '--data-dir', data, '--sign', '--key', file(key));
    const refused = (done, pattern) => {
        assert.equal(done.code, 2, done.err);
        assert.match(done.err, pattern);
        assert.equal(done.out, '');
    };
    chmodSync(file('head.key'), 0o640);
    refused(signing('head.key'), /head\.key: others may read this key file; make it `chmod 600`/);
    openssl(folder, 'genpkey', '-algorithm', 'rsa', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', 'rsa.key');
    chmodSync(file('rsa.key'), 0o600);
    refused(signing('rsa.key'), /rsa\.key: is a key of kind RSA, Ed25519 is needed/);
    openssl(folder, 'genpkey', '-algorithm', 'ed448', '-out', 'ed448.key');
    chmodSync(file('ed448.key'), 0o600);
    refused(signing('ed448.key'), /ed448\.key: is a key of kind ED448/);
    openssl(folder, 'genpkey', '-algorithm', 'ed25519', '-aes256', '-pass', 'pass:secret', '-out', 'locked.key');
    chmodSync(file('locked.key'), 0o600);
    refused(signing('locked.key'), /locked\.key: is not an unencrypted private key/);
    refused(signing('none.key'), /none\.key: No such file/);
    refused(florin('ledger', 'head', '--data-dir', data, '--sign'), /--key/);
    refused(florin('ledger', 'head', '--data-dir', file('absent')), /absent/);
    refused(verify(data, '--only-head'), /--head/);
    const pinned = (name, ...more) => verify(data, '--only-head', '--head', file(name), ...more);
    refused(pinned('none.json'), /none\.json/);
    refused(pinned('head.key'), /head\.key: is not a JSON object/);
    refused(pinned('head.json', '--public-key', file('rsa.key')), /rsa\.key: is not a public key in PEM/);
    writeFileSync(file('unsigned.json'), florin('ledger', 'head', '--data-dir', data, '--format', 'json').out);
    refused(pinned('unsigned.json'), /unsigned\.json: is not a JSON object/);
});
