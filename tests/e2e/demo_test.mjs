// tools/demo as a newcomer runs it, on the build under test: its last line and its exit code are what
// it promises. It compares the books itself; here it is made to survive, and to notice.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { eventually, temporary } from './support.mjs';

const root = path.resolve(import.meta.dirname, '..', '..');
const tool = path.join(root, 'tools', 'demo');

// Starts it; `ended` answers code, signal and everything it printed.
function demo(folder, ...args) {
    const child = spawn(tool, ['--build-dir', process.env.FLORIN_BUILD_DIR, ...args], {
        cwd: folder, env: { ...process.env, TMPDIR: folder }, stdio: ['ignore', 'pipe', 'pipe'],
    });
    const run = { child, out: '' };
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (run.out += text));
    run.ended = new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, out: run.out })));
    return run;
}

const left = (folder) => readdirSync(folder).filter((name) => name.startsWith('florin-demo-'));
const isAlive = (pid) => existsSync(`/proc/${pid}`);

// A day of some orders of the real one, each currency and each thing that happens among them.
function shortDay(folder) {
    const [head, ...rows] = readFileSync(path.join(root, 'conf', 'demo', 'orders.csv'), 'utf8').trim().split('\n');
    const file = path.join(folder, 'orders.csv');
    writeFileSync(file, [head, ...rows.filter((row, index) => row.includes('silent on') || index % 8 === 0)].join('\n') + '\n');
    return file;
}

function agrees({ code, out }) {
    assert.equal(code, 0, out);
    assert.match(out, /^All books agree\.\n$/m);
    assert.doesNotMatch(out, /^ +NO /m);
    assert.equal(out.match(/^ +yes {2}/gm).length, 9);
}

test('the whole day ends with books that agree, and leaves nothing behind', async (t) => {
    const folder = temporary(t);
    const ended = await demo(folder).ended;
    agrees(ended);
    assert.match(ended.out, /R0045, authorise EUR 63\.13: .*acknowledged/);
    assert.match(ended.out, /R0122, capture USD 47\.86: .*the capture was booked/);
    assert.match(ended.out, /R0119, refund GBP 18\.57: .*the refund was booked/);
    assert.doesNotMatch(ended.out, /\x1b/, 'colours without a terminal');
    assert.deepEqual(left(folder), []);
});

test('daemon and bank killed in the middle of the day lose nothing', async (t) => {
    const folder = temporary(t);
    const ended = await demo(folder, '--kill', '--orders', shortDay(folder)).ended;
    agrees(ended);
    assert.match(ended.out, /florind \d+ was killed \(SIGKILL\); it serves again/);
    assert.match(ended.out, /florin-banksim \d+ was killed \(SIGKILL\); it serves again/);
});

test('killed from outside while it settles, the daemon goes on; kept, it runs on', async (t) => {
    const folder = temporary(t);
    const kept = path.join(folder, 'kept');
    const run = demo(folder, '--keep', kept, '--orders', shortDay(folder));
    await eventually('the day is over', () => run.out.includes('\nPayments\n'), 60_000);
    process.kill(JSON.parse(readFileSync(path.join(kept, 'florin', 'run.json'), 'utf8')).pid, 'SIGKILL');
    const ended = await run.ended;
    const [, daemon, bank] = ended.out.match(/^ {4}kill (\d+) (\d+)$/m).map(Number);
    t.after(() => [daemon, bank].filter(isAlive).forEach((pid) => process.kill(pid, 'SIGKILL')));
    agrees(ended);
    assert.match(ended.out, /florind \d+ was killed \(SIGKILL\)/);
    assert.equal(JSON.parse(readFileSync(path.join(kept, 'florin', 'run.json'), 'utf8')).pid, daemon);
    assert.ok(isAlive(daemon) && isAlive(bank));
});

test('Ctrl-C stops everything and removes it', async (t) => {
    const folder = temporary(t);
    const run = demo(folder);
    await eventually('both programs run', () => run.out.includes('requests at a time'), 60_000);
    const pids = [...run.out.matchAll(/pid (\d+)/g)].map(([, pid]) => pid);
    assert.equal(pids.length, 2);
    run.child.kill('SIGINT');
    const { code } = await run.ended;
    assert.equal(code, 130);
    assert.deepEqual(pids.filter(isAlive), []);
    assert.deepEqual(left(folder), []);
});

test('a day that cannot be is refused with its line', async (t) => {
    const folder = temporary(t);
    const file = shortDay(folder);
    const rows = readFileSync(file, 'utf8').trim().split('\n');
    const refused = async (wrong, why) => {
        writeFileSync(file, [...rows, wrong].join('\n') + '\n');
        const { code, out } = await demo(folder, '--orders', file).ended;
        assert.equal(code, 2, out);
        assert.match(out, why);
    };
    await refused('X1,10:00:00,A,b,EUR,1.5,pm_card_visa,automatic,,', new RegExp(`orders\\.csv:${rows.length + 1}: 1\\.5 is no amount in EUR`));
    await refused('X1,10:00:00,A,b,JPY,150,pm_card_visa,automatic,refund 151,', /more is captured or refunded than there is/);
    await refused('X1,10:00:00,A,b,EUR,63.13,pm_card_visa,automatic,,', /cannot tell R0045 from another order/);
    assert.equal((await demo(folder, '--bogus').ended).code, 2);
});
