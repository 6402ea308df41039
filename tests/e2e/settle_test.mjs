// Settlement and reconciliation from outside: payments become payouts, reports and statements come
// back, and the books say the same as the bank.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { control, florin, kill, pay, request, sdk, signedOn, startBank, startDaemon, temporary } from './support.mjs';

// Runs a command that must end with this code, and answers its JSON.
function operate(expected, ...args) {
    const run = florin(...args, '--format', 'json');
    assert.equal(run.code, expected, `florin ${args.join(' ')}: ${run.err}${run.out}`);
    return JSON.parse(run.out);
}

async function report(bank, kind, file) {
    const answer = await control(bank, { report: kind, path: file });
    assert.equal(answer.ok, true, JSON.stringify(answer));
    return file;
}

// What the ledger holds by role, ledger number and side.
function balances(data) {
    const roles = JSON.parse(florin('ledger', 'balances', '--data-dir', data, '--format', 'json').out);
    const sums = {};
    for (const each of roles) {
        const key = `${each.code}/${each.ledger}`;
        sums[key] = (sums[key] ?? 0) + Number(each.balance);
    }
    return sums;
}

test('a day is settled, reported, and agrees', async (t) => {
    const folder = temporary(t);
    const bank = await startBank(t, path.join(folder, 'bank'));
    const data = path.join(folder, 'florin');
    const daemon = await startDaemon(t, data, ['--iso8583', bank.ready.address]);
    const stripe = sdk(daemon);
    await signedOn(daemon);
    const at = ['--data-dir', data];

    const first = await pay(stripe, 10_000);
    await pay(stripe, 1_200, { currency: 'jpy' });
    const held = await pay(stripe, 3_000, { capture_method: 'manual' });
    await stripe.paymentIntents.capture(held.id, { amount_to_capture: 2_000 });
    await stripe.refunds.create({ payment_intent: first.id, amount: 1_500 });
    // A capture that the bank books and never answers.
    await control(bank, { silence: true, match: { mti: '022', amount_minor: 777 } });
    const unknown = await pay(stripe, 777);
    assert.equal(unknown.status, 'processing');

    let batch;
    await t.test('settle pays out what is available, and says how it came about', async () => {
        batch = operate(0, 'settle', 'run', ...at);
        assert.equal(batch.state, 'submitted');
        assert.equal(batch.payouts.length, 2);
        const euro = batch.payouts.find((one) => one.currency === 'EUR');
        // 1.5 % + 25 of 10,000 and of 2,000.
        assert.equal(euro.gross_minor, 12_000);
        assert.equal(euro.fees_minor, 175 + 55);
        assert.equal(euro.refunds_minor, 1_500);
        assert.equal(euro.amount_minor, 12_000 - 230 - 1_500);
        const bytes = readFileSync(batch.file);
        assert.equal(createHash('sha256').update(bytes).digest('hex'), batch.file_sha256);
        const balance = await stripe.balance.retrieve();
        assert.deepEqual(balance.available.map((one) => one.amount), [0, 0]);
    });

    await t.test('the payout file is valid by the published schema', () => {
        const read = "import sys, zipfile; sys.stdout.write(zipfile.ZipFile('/usr/share/java/hbci4j-core.jar').read('pain.001.001.09.xsd').decode())";
        const schema = path.join(folder, 'pain.001.001.09.xsd');
        writeFileSync(schema, spawnSync('python3', ['-c', read], { encoding: 'utf8' }).stdout);
        const judged = spawnSync('xmllint', ['--noout', '--nonet', '--schema', schema, batch.file], { encoding: 'utf8' });
        assert.equal(judged.status, 0, judged.stderr);
    });

    await t.test('settling again pays nothing twice', async () => {
        const again = operate(0, 'settle', 'run', ...at);
        assert.equal(again.state, 'empty');
        assert.equal(again.payouts.length, 0);
        const list = operate(0, 'settle', 'status', ...at);
        assert.equal(list.length, 2);
        assert.equal(operate(0, 'settle', 'show', batch.batch, ...at).file_sha256, batch.file_sha256);
        assert.equal(florin('settle', 'show', 'stl-none', ...at).code, 2);
    });

    await t.test('the bank executes the payout file', async () => {
        const collected = await control(bank, { collect: batch.file });
        assert.equal(collected.ok, true, JSON.stringify(collected));
    });

    const csv = path.join(folder, 'transactions.csv');
    const xml = path.join(folder, 'statement.xml');
    await t.test('reports are imported whole and once', async () => {
        await report(bank, 'transactions', csv);
        await report(bank, 'camt053', xml);
        const cut = path.join(folder, 'cut.csv');
        writeFileSync(cut, readFileSync(csv, 'utf8').split('\n').slice(0, -2).join('\n') + '\n');
        const refused = florin('recon', 'import', cut, ...at);
        assert.equal(refused.code, 2);
        assert.match(refused.err, /cut\.csv/);
        const taken = operate(0, 'recon', 'import', csv, ...at);
        assert.equal(taken.lines, 5);
        assert.equal(taken.new_lines, 5);
        const again = operate(0, 'recon', 'import', csv, ...at);
        assert.equal(again.already_imported, true);
        assert.equal(again.new_lines, 0);
        operate(0, 'recon', 'import', xml, ...at);
    });

    await t.test('a statement of another account is refused by name', () => {
        const other = path.join(folder, 'other.xml');
        writeFileSync(other, readFileSync(xml, 'utf8').replaceAll('DE02120300000000202051', 'DE89370400440532013000'));
        const refused = florin('recon', 'import', other, ...at);
        assert.equal(refused.code, 2);
        assert.match(refused.err, /DE\*+3000/);  // enough to see which one was meant
    });

    await t.test('every line finds what it is about, and the unknown capture ends on evidence', async () => {
        const done = operate(0, 'recon', 'run', ...at);
        assert.equal(done.acquirer.lines, 5);
        assert.equal(done.acquirer.matched, 5);
        assert.equal(done.bank.matched, done.bank.lines);
        assert.equal(done.bank.lines, 4); // two nets, two payouts
        assert.equal(done.unknowns_resolved.length, 1);
        assert.equal(done.unknowns_resolved[0].payment_intent, unknown.id);
        assert.equal((await stripe.paymentIntents.retrieve(unknown.id)).status, 'succeeded');
        assert.deepEqual(operate(0, 'recon', 'breaks', ...at), []);
        const again = operate(0, 'recon', 'run', ...at);
        assert.equal(again.acquirer.lines, 0);
        assert.equal(again.bank.lines, 0);
        const paid = operate(0, 'settle', 'show', batch.batch, ...at);
        assert.deepEqual(paid.payouts.map((one) => one.state), ['paid', 'paid']);
    });

    await t.test('a payout that comes back is the merchant\'s again', async () => {
        const euro = batch.payouts.find((one) => one.currency === 'EUR');
        const before = (await stripe.balance.retrieve()).available.find((one) => one.currency === 'eur').amount;
        const returned = await control(bank, { return: { end_to_end_id: euro.end_to_end_id } });
        assert.equal(returned.ok, true, JSON.stringify(returned));
        // The same statement again has other content now: it is refused, not mixed in.
        await report(bank, 'camt053', xml);
        const refused = florin('recon', 'import', xml, ...at);
        assert.equal(refused.code, 2);
        assert.match(refused.err, /other content/);
        // Banks number their statements; this one goes by another name.
        const text = readFileSync(xml, 'utf8').replace(/<Stmt>\s*<Id>([^<]*)<\/Id>/g, (whole, id) => whole.replace(id, id + '-2'));
        const entries = text.replace(/<Ntry>(?:(?!<\/Ntry>)[\s\S])*<\/Ntry>/g, (entry) => (entry.includes('<RvslInd>true') ? entry : ''));
        assert.notEqual(entries, text);
        const stripped = entries.replace(/<Bal>[\s\S]*?<\/Bal>\s*/g, '');
        const second = path.join(folder, 'second.xml');
        writeFileSync(second, stripped);
        operate(0, 'recon', 'import', second, ...at);
        operate(0, 'recon', 'run', ...at);
        const after = (await stripe.balance.retrieve()).available.find((one) => one.currency === 'eur').amount;
        assert.equal(after, before + euro.amount_minor);
        assert.equal(operate(0, 'settle', 'show', batch.batch, ...at).payouts.find((one) => one.currency === 'EUR').state, 'returned');
    });

    await t.test('the books close', async () => {
        await kill(daemon, 'SIGTERM');
        const sums = balances(data);
        for (const ledger of [100978, 100392]) {
            assert.equal(sums[`10/${ledger}`], 0, 'receivable');
            assert.equal(sums[`12/${ledger}`], 0, 'clearing');
            assert.equal(sums[`23/${ledger}`], 0, 'in transit');
        }
        assert.equal(florin('ledger', 'verify', ...at).code, 0);
        assert.equal(florin('ledger', 'trial-balance', ...at).code, 0);
    });
});

test('what does not agree is a break until it is explained', async (t) => {
    const folder = temporary(t);
    const bank = await startBank(t, path.join(folder, 'bank'));
    const data = path.join(folder, 'florin');
    const daemon = await startDaemon(t, data, ['--iso8583', bank.ready.address]);
    const stripe = sdk(daemon);
    await signedOn(daemon);
    const at = ['--data-dir', data];
    await pay(stripe, 4_000);
    await pay(stripe, 5_000);
    const csv = await report(bank, 'transactions', path.join(folder, 'transactions.csv'));
    const whole = readFileSync(csv, 'utf8').split('\n');

    // The acquirer forgets one transaction.
    const sum = (lines, index) => lines.filter((line) => line.startsWith('D,')).reduce((all, line) => all + Number(line.split(',')[index]), 0);
    const short = whole.filter((line) => !line.includes(',5000,'));
    const net = sum(short, 3) - sum(short, 5);
    const forged = short
        .map((line) => {
            if (line.startsWith('S,')) {
                const cells = line.split(',');
                return [cells[0], cells[1], cells[2], 1, sum(short, 3), 0, 0, sum(short, 5), net].join(',');
            }
            return line.startsWith('T,') ? 'T,1,1' : line;
        })
        .join('\n');
    writeFileSync(csv, forged);
    operate(0, 'recon', 'import', csv, ...at);
    const done = operate(1, 'recon', 'run', ...at);
    assert.equal(done.acquirer.matched, 1);
    const breaks = operate(1, 'recon', 'breaks', ...at);
    assert.deepEqual(breaks.map((one) => one.type), ['missing_in_report']);
    assert.equal(breaks[0].amount_minor, 5_000);
    assert.equal(breaks[0].owner, 'finance');
    // Running again opens nothing twice.
    assert.equal(operate(1, 'recon', 'run', ...at).breaks_open, 1);

    // A chargeback and a fee come with the bank's net.
    const rrn = short.find((line) => line.startsWith('D,')).split(',')[9];
    await control(bank, { chargeback: { rrn, amount_minor: 4_000 } });
    await control(bank, { fee: { amount_minor: 100, currency: 'EUR' } });
    const xml = await report(bank, 'camt053', path.join(folder, 'statement.xml'));
    operate(0, 'recon', 'import', xml, ...at);
    operate(1, 'recon', 'run', ...at);
    const types = operate(1, 'recon', 'breaks', ...at).map((one) => one.type).sort();
    assert.deepEqual(types, ['missing_in_report', 'net_mismatch']);
    await kill(daemon, 'SIGTERM');
    assert.equal(florin('ledger', 'verify', ...at).code, 0);
});

test('the admin API wants an admin key', async (t) => {
    const folder = temporary(t);
    const daemon = await startDaemon(t, path.join(folder, 'florin'));
    const refused = await request(daemon, 'POST', '/admin/v1/test/settlement/runs', { body: '' });
    assert.equal(refused.status, 401);
    const overview = await request(daemon, 'GET', '/admin/v1', { key: daemon.ready.admin_key });
    assert.deepEqual(JSON.parse(overview.text), { modes: ['test'] });
    assert.equal((await request(daemon, 'GET', '/admin/v1/live/recon/breaks', { key: daemon.ready.admin_key })).status, 404);
    assert.equal((await request(daemon, 'GET', '/admin/v1/jobs/none-1', { key: daemon.ready.admin_key })).status, 404);
    const bad = await request(daemon, 'POST', '/admin/v1/test/recon/imports', { key: daemon.ready.admin_key, body: '{"statement":' });
    assert.equal(bad.status, 400);
    const data = path.join(folder, 'florin');
    assert.equal(florin('settle', 'run', '--data-dir', path.join(folder, 'nothing')).code, 2);
    assert.match(florin('settle', 'status', '--data-dir', data).out, /batch/);
});
