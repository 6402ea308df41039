// `florin bench switch` measures what it says: it is asked for little, and its numbers have to fit.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';

import { programs, run, temporary } from './support.mjs';

test('florin bench switch', (t) => {
    const folder = temporary(t);
    const bench = (...args) => run(programs.florin, ['bench', 'switch', ...args], { cwd: folder, timeout: 120_000 });
    const done = bench('--seconds', '2', '--rate', '40', '--links', '2', '--bank-delay-ms', '30', '--data-dir', path.join(folder, 'bench'), '--format', 'json');
    assert.equal(done.code, 0, done.err);
    const { links, bare, closed, open } = JSON.parse(done.out);
    assert.equal(links, 2);
    assert.ok(bare.requests_per_second > closed.payments_per_second);
    assert.ok(Math.abs(closed.ratio_to_bare - closed.payments_per_second / bare.requests_per_second) < 1e-9);
    assert.ok(closed.payments > 20);
    assert.ok(closed.latency.p50_ms > 0 && closed.latency.p50_ms <= closed.latency.p99_ms && closed.latency.p99_ms <= closed.latency.p999_ms);
    for (const loop of [closed, open]) {
        for (const process of ['florind', 'banksim', 'client']) assert.ok(loop.processor_us_per_payment[process] > 0, process);
        for (const process of ['florind', 'banksim']) assert.ok(loop.rss_bytes[process] > 1 << 20, process);
    }
    // Those that were due in two seconds, each with two answers of the bank that take 30 ms.
    assert.equal(open.payments, 80);
    assert.equal(open.bank_round_trips, 2);
    assert.ok(open.latency.p50_ms >= 60, `${open.latency.p50_ms}`);
    assert.ok(Math.abs(open.added.p50_ms - (open.latency.p50_ms - 60)) < 1e-6);

    const wrong = bench('--rate', '0');
    assert.equal(wrong.code, 2);
    const nobody = bench('--url', 'https://127.0.0.1:1', '--ca', '/nonexistent');
    assert.equal(nobody.code, 2);
});
