// The books that `florin ledger export` writes, read by hledger, ledger and beancount: every balance,
// posted and pending, of every account is what `florin ledger balances` says.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import path from 'node:path';
import test from 'node:test';

import { florin, kill, programs, run, sdk, startDaemon, temporary } from './support.mjs';

// A generator that gives the same ledger again for the same seed (SplitMix64).
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

const hour = 3600n * 10n ** 9n;

// Runs requests through the kernel; answers its answers.
function execute(data, requests) {
    const input = requests.map((request) => JSON.stringify(request) + '\n').join('');
    const done = run(programs.florin, ['ledger', 'exec', '--data-dir', data, '--manual-clock'], { input, maxBuffer: 1 << 28 });
    assert.equal(done.code, 0, done.err);
    const answers = done.out.trimEnd().split('\n').map((line) => JSON.parse(line));
    assert.equal(answers.length, requests.length);
    return answers;
}

const ledgers = [7, 700, 4294967295];
const accountFlags = [[], [], ['debits_must_not_exceed_credits'], ['credits_must_not_exceed_debits'], ['history']];

// What came before the switch: accounts and transfers of 1970 and later, with their own timestamps.
function imported(pick) {
    const events = [];
    const transfers = [];
    for (const ledger of ledgers) {
        for (let i = 0; i < 4; ++i) events.push({ id: `${ledger}00${i}`, ledger, code: 1 + i, flags: ['imported'], timestamp: String(events.length + 1) });
    }
    for (let i = 0; i < 200; ++i) {
        const ledger = ledgers[pick(3)];
        const debit = pick(4);
        const event = {
            id: String(10_000_000 + i), debit_account_id: `${ledger}00${debit}`, credit_account_id: `${ledger}00${(debit + 1 + pick(3)) % 4}`,
            amount: String(1 + pick(1000)), ledger, code: 5, flags: ['imported'], timestamp: String(BigInt(i + 1) * 53n * 24n * hour),
        };
        if (i % 7 === 0) event.flags.push('pending');
        if (i % 7 === 3) Object.assign(event, { pending_id: String(10_000_000 + i - 3), amount: '0', ledger: 0, code: 0, debit_account_id: 0, credit_account_id: 0, flags: ['imported', 'void_pending_transfer'] });
        if (i % 14 === 10) Object.assign(event, { amount: '1', flags: ['imported', 'post_pending_transfer'] });
        transfers.push(event);
    }
    return [{ advance_clock: { ns: String(1_795_000_000n * 10n ** 9n) } }, { create_accounts: events }, { create_transfers: transfers }];
}

function newAccounts() {
    const events = [];
    for (const ledger of ledgers) {
        for (let i = 4; i < 14; ++i) events.push({ id: `${ledger}00${i}`, ledger, code: 1 + i, flags: accountFlags[i % 5], user_data_64: String(i) });
    }
    events.push({ id: '340282366920938463463374607431768211454', ledger: 7, code: 65535, user_data_128: '5', user_data_32: 9 });
    return { create_accounts: events };
}

// One transfer of a random kind; many are refused, which is as it should be.
function anyTransfer(pick, state) {
    const ledger = ledgers[pick(3)];
    const id = String(++state.id);
    const debit = pick(14);
    const account = (i) => `${ledger}00${i}`;
    const event = {
        id, debit_account_id: account(debit), credit_account_id: account((debit + 1 + pick(13)) % 14), amount: String(pick(2000)), ledger,
        code: 1 + pick(9), flags: [], user_data_64: String(pick(3)),
    };
    const kind = pick(20);
    const resolve = (flag, amount) => {
        const pending_id = state.pending.length > 0 ? state.pending[pick(state.pending.length)] : '1';
        return { id, pending_id, amount, flags: [flag] };
    };
    if (kind < 6) return event;
    if (kind < 12) {
        state.pending.push(id);
        return { ...event, flags: ['pending'], timeout: pick(2) === 0 ? 0 : 1 + pick(20_000) };
    }
    if (kind < 13) return resolve('post_pending_transfer', '340282366920938463463374607431768211455');
    if (kind < 15) return resolve('post_pending_transfer', String(pick(800)));
    if (kind < 17) return resolve('void_pending_transfer', '0');
    if (kind < 18) return { ...event, flags: [pick(2) === 0 ? 'balancing_debit' : 'balancing_credit'] };
    if (kind < 19) return { ...event, flags: ['linked'] };
    if (pick(4) > 0) return event;
    state.pending.push(id);
    return { ...event, flags: ['pending', pick(2) === 0 ? 'closing_debit' : 'closing_credit'] };
}

function batches(pick, state, count) {
    const requests = [];
    for (let i = 0; i < count; ++i) {
        const events = Array.from({ length: 100 }, () => anyTransfer(pick, state));
        events[events.length - 1].flags = events.at(-1).flags.filter((flag) => flag !== 'linked');
        requests.push({ create_transfers: events });
        requests.push({ advance_clock: { ns: String(BigInt(1 + pick(5)) * hour) } });
        // Accounts that were closed are opened again, or nothing moves in the end.
        if (i % 3 === 2) requests.push({ create_transfers: state.pending.slice(-60).map((pending_id) => ({ id: String(++state.id), pending_id, flags: ['void_pending_transfer'] })) });
    }
    return requests;
}

// The four balances of every account, by id.
const rows = (text) => text.trimEnd().split('\n').slice(1).map((line) => line.split(','));
function balances(data) {
    const done = florin('ledger', 'balances', '--data-dir', data, '--format', 'csv');
    assert.equal(done.code, 0, done.err);
    return new Map(rows(done.out).map(([id, ledger, , dp, dd, cp, cc]) => [id, { ledger, dp: BigInt(dp), dd: BigInt(dd), cp: BigInt(cp), cc: BigInt(cc) }]));
}

// What the programs outside must say of each part of each account, in minor units.
function expected(accounts) {
    const parts = new Map();
    for (const [id, { dp, dd, cp, cc }] of accounts) {
        parts.set(`${id}:Posted`, dd - cc);
        parts.set(`${id}:Pending:Debits`, dp);
        parts.set(`${id}:Pending:Credits`, -cp);
    }
    return parts;
}

// "12.3" of an account in EUR -> 1230n: the programs differ in how many zeros they show.
function minor(account, text) {
    const digits = /:(L\d+|JPY-TEST):/.test(account) ? 0 : 2;
    const [whole, decimals = ''] = text.split('.');
    assert.ok(decimals.length <= digits, `${account} ${text}`);
    return BigInt(whole + decimals.padEnd(digits, '0'));
}
const partOf = (account) => account.match(/:(\d+:(Posted|Pending:Debits|Pending:Credits))$/)[1];
const checked = (done) => {
    assert.equal(done.code, 0, done.err.slice(0, 2000));
    assert.equal(done.err, '');
    return done.out;
};
const big = { maxBuffer: 1 << 28, timeout: 240_000 };

// With zeros of no commodity where nothing ever moved.
function readHledger(file) {
    checked(run('hledger', ['-f', file, 'check', '--strict'], big));
    const out = checked(run('hledger', ['-f', file, 'balance', '--flat', '-N', '-E', '-O', 'csv', '--layout', 'bare'], big));
    return new Map(rows(out.replaceAll('"', '')).map(([account, , amount]) => [partOf(account), minor(account, amount)]));
}
function readLedger(file) {
    const format = '%(account)|%(quantity(scrub(display_total)))\\n';
    const out = checked(run('ledger', ['--args-only', '--pedantic', '-f', file, 'balance', '--flat', '-E', '--no-total', '--balance-format', format], big));
    return new Map(out.trimEnd().split('\n').map((line) => line.split('|')).map(([account, amount]) => [partOf(account), minor(account, amount)]));
}
const beancountScript = `
import sys
from beancount import loader
from beancount.core import realization
entries, errors, options = loader.load_file(sys.argv[1])
for error in errors:
    print(error, file=sys.stderr)
for account in realization.iter_children(realization.realize(entries), True):
    for position in account.balance:
        print(account.account + '|' + format(position.units.number, 'f') + '|' + position.units.currency)
sys.exit(1 if errors else 0)`;
// The one whose library the packaged program uses.
const beancountPython = () => readFileSync('/usr/bin/bean-check', 'utf8').match(/^#!\s*(\S+)/)[1];
function readBeancount(file, accounts) {
    checked(run('bean-check', [file], big));
    const parts = new Map([...expected(accounts).keys()].map((part) => [part, 0n]));
    for (const line of checked(run(beancountPython(), ['-c', beancountScript, file], big)).trimEnd().split('\n')) {
        const [account, amount] = line.split('|');
        if (account) parts.set(partOf(account), minor(account, amount));
    }
    return parts;
}
// A model of its own over the lines: what docs/ledger-export.md says they mean.
function readJsonl(file) {
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line));
    assert.equal(lines[0].type, 'ledger');
    const end = lines.at(-1);
    assert.equal(end.type, 'end');
    const books = new Map();
    const seen = { account: 0, transfer: 0, expiry: 0 };
    let last = [0n, ''];
    for (const item of lines.slice(1, -1)) {
        ++seen[item.type];
        assert.ok(BigInt(item.sequence) >= last[0], 'records in order');
        last = [BigInt(item.sequence)];
        if (item.type === 'account') {
            books.set(item.id, { ledger: String(item.ledger), dp: 0n, dd: 0n, cp: 0n, cc: 0n });
            continue;
        }
        const debit = books.get(item.debit_account_id);
        const credit = books.get(item.credit_account_id);
        const released = item.type === 'expiry' ? item.amount : item.resolves?.amount ?? '0';
        debit.dp -= BigInt(released);
        credit.cp -= BigInt(released);
        if (item.type === 'expiry' || item.resolves?.state === 'voided') continue;
        if (item.flags.includes('pending')) {
            debit.dp += BigInt(item.amount);
            credit.cp += BigInt(item.amount);
        } else {
            debit.dd += BigInt(item.amount);
            credit.cc += BigInt(item.amount);
        }
    }
    assert.deepEqual([end.accounts, end.transfers, end.expiries], [seen.account, seen.transfer, seen.expiry].map(String));
    return { books, lines, seen, end };
}

function exported(folder, data, format, ...more) {
    const file = path.join(folder, `${format}${more.join('')}`);
    const done = florin('ledger', 'export', '--data-dir', data, '--format', format, '--output', file, ...more);
    assert.equal(done.code, 0, done.err);
    assert.equal(done.out, '');
    return file;
}
const sorted = (map) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
function compareAll(folder, data, accounts, ...more) {
    const parts = sorted(expected(accounts));
    const books = exported(folder, data, 'hledger', ...more);
    assert.deepEqual(sorted(readHledger(books)), parts, 'hledger');
    assert.deepEqual(sorted(readLedger(books)), parts, 'ledger');
    assert.deepEqual(sorted(readBeancount(exported(folder, data, 'beancount', ...more), accounts)), parts, 'beancount');
    const read = readJsonl(exported(folder, data, 'jsonl', ...more));
    assert.deepEqual(sorted(read.books), sorted(accounts), 'jsonl');
    return read;
}

const soak = process.env.FLORIN_SOAK === '1';
const seed = BigInt(process.env.FLORIN_SEED ?? BigInt(`0x${randomBytes(6).toString('hex')}`));

test('some thousand transfers of all kinds come out equal in every program, at the head and before it', async (t) => {
    t.diagnostic(`seed ${seed}`);
    const folder = temporary(t);
    const data = path.join(folder, 'data');
    const pick = random(seed);
    const state = { id: 1, pending: [] };
    const half = soak ? 150 : 20;
    execute(data, [...imported(pick), newAccounts(), ...batches(pick, state, half)]);

    const ids = [...balances(data).keys()];
    const [{ accounts: looked }] = execute(data, [{ lookup_accounts: ids }]);
    const middle = new Map(looked.map((a) => [a.id, { ledger: String(a.ledger), dp: BigInt(a.debits_pending), dd: BigInt(a.debits_posted), cp: BigInt(a.credits_pending), cc: BigInt(a.credits_posted) }]));
    const head = Object.fromEntries(JSON.parse(florin('ledger', 'head', '--data-dir', data, '--format', 'json').out).map((row) => [row.what, row.value]));

    execute(data, batches(pick, state, half));
    const after = balances(data);
    assert.notDeepEqual(sorted(middle), sorted(after), 'something happened since');
    const read = compareAll(folder, data, after);
    const { end } = compareAll(folder, data, middle, '--to', head.head);
    assert.equal(end.hash, head.hash);
    assert.equal(end.sequence, head.head);
    assert.equal(end.time, head.time);

    // Every kind is in it.
    const kinds = {};
    const count = (name) => (kinds[name] = (kinds[name] ?? 0) + 1);
    for (const item of read.lines.slice(1, -1)) {
        if (item.type === 'expiry') count('expiry');
        for (const flag of item.flags) count(item.type === 'account' ? `account ${flag}` : flag);
        if (item.resolves?.state === 'posted') count(item.amount === item.resolves.amount ? 'posted whole' : 'posted in part');
    }
    t.diagnostic(`${read.seen.transfer} transfers: ${JSON.stringify(kinds)}`);
    assert.ok(read.seen.transfer > 1500, 'most are refused');
    for (const kind of ['linked', 'pending', 'post_pending_transfer', 'void_pending_transfer', 'balancing_debit', 'balancing_credit', 'closing_debit', 'closing_credit', 'imported', 'expiry', 'posted whole', 'posted in part', 'account imported', 'account history']) {
        assert.ok(kinds[kind] > 0, `no ${kind}`);
    }
    // The same to standard output, and again.
    const text = readFileSync(path.join(folder, 'jsonl'), 'utf8');
    assert.equal(run(programs.florin, ['ledger', 'export', '--data-dir', data, '--format', 'jsonl'], big).out, text);
});

test('a wrong balance in the books is noticed by each program', (t) => {
    const folder = temporary(t);
    const data = path.join(folder, 'data');
    const move = (id, amount) => ({ id, debit_account_id: '1', credit_account_id: '2', amount, ledger: 3, code: 1 });
    execute(data, [
        { create_accounts: [{ id: '1', ledger: 3, code: 1 }, { id: '2', ledger: 3, code: 1 }] },
        { create_transfers: [move('1', '1234567'), { ...move('2', '765'), flags: ['pending'] }] },
    ]);
    for (const [format, program, args] of [['hledger', 'hledger', ['check', '--strict', '-f']], ['hledger', 'ledger', ['--args-only', 'balance', '-f']], ['beancount', 'bean-check', []]]) {
        const file = exported(folder, data, format);
        const books = readFileSync(file, 'utf8');
        assert.equal(run(program, [...args, file]).code, 0);
        for (const amount of ['1234567', '765']) {
            const at = books.lastIndexOf(amount);
            writeFileSync(file, books.slice(0, at) + String(Number(amount) + 1) + books.slice(at + amount.length));
            assert.notEqual(run(program, [...args, file]).code, 0, `${program} and ${amount}`);
        }
    }
});

test('the largest amounts are exact, or refused where the program outside would round them', (t) => {
    const folder = temporary(t);
    const data = path.join(folder, 'data');
    const most = 2n ** 128n - 1n;
    const move = (id, amount, more) => ({ id, debit_account_id: '1', credit_account_id: '2', amount: String(amount), ledger: 9, code: 1, ...more });
    execute(data, [
        { create_accounts: [{ id: '1', ledger: 9, code: 1 }, { id: '2', ledger: 9, code: 1 }] },
        { create_transfers: [move('1', most - 9n), move('2', 4n), move('3', 3n, { flags: ['pending'] })] },
    ]);
    const parts = sorted(expected(balances(data)));
    const books = exported(folder, data, 'hledger');
    assert.deepEqual(sorted(readHledger(books)), parts);
    assert.deepEqual(sorted(readLedger(books)), parts);
    assert.deepEqual(sorted(readJsonl(exported(folder, data, 'jsonl')).books), sorted(balances(data)));

    const target = path.join(folder, 'beancount');
    writeFileSync(target, 'what was here before');
    const refused = florin('ledger', 'export', '--data-dir', data, '--format', 'beancount', '--output', target);
    assert.equal(refused.code, 2);
    assert.match(refused.err, /L9 \(ledger 9\) come to more than the 28 digits that beancount adds exactly/);
    assert.equal(readFileSync(target, 'utf8'), 'what was here before');
    assert.deepEqual(readdirSync(folder).filter((name) => name.startsWith('.')), [], 'no half-written file is left');

    // The last amount that it holds.
    const other = path.join(folder, 'other');
    execute(other, [
        { create_accounts: [{ id: '1', ledger: 9, code: 1 }, { id: '2', ledger: 9, code: 1 }] },
        { create_transfers: [move('1', 10n ** 28n - 3n), move('2', 1n), move('3', 1n)] },
    ]);
    const accounts = balances(other);
    assert.deepEqual(sorted(readBeancount(exported(folder, other, 'beancount'), accounts)), sorted(expected(accounts)));
    execute(other, [{ create_transfers: [move('4', 1n)] }]);
    assert.equal(florin('ledger', 'export', '--data-dir', other, '--format', 'beancount', '--output', target).code, 2);
});

test('the books of a payment switch are in currencies, under the names of its chart', async (t) => {
    const folder = temporary(t);
    const data = path.join(folder, 'data');
    const daemon = await startDaemon(t, data);
    const stripe = sdk(daemon);
    for (let i = 0; i < 12; ++i) {
        const intent = await stripe.paymentIntents.create({
            amount: 1000 + i, currency: ['eur', 'usd', 'jpy'][i % 3], payment_method: 'pm_card_visa', confirm: true, capture_method: i % 4 === 0 ? 'manual' : 'automatic',
        });
        if (i === 4) await stripe.paymentIntents.capture(intent.id, { amount_to_capture: 500 });
        if (i % 5 === 1) await stripe.refunds.create({ payment_intent: intent.id, amount: 100 });
    }
    assert.equal((await kill(daemon, 'SIGTERM')).code, 0);
    const accounts = balances(data);
    compareAll(folder, data, accounts);

    const books = readFileSync(path.join(folder, 'hledger'), 'utf8');
    assert.match(books, /^commodity "EUR-TEST"\n {4}format 1000\.00 "EUR-TEST"$/m);
    assert.match(books, /^account Liabilities:MerchantPending:EUR-TEST:\d+:Posted$/m);
    assert.match(books, /^ {4}Assets:Receivable:USD-TEST:\d+:Posted {2}10\.01 "USD-TEST"$/m);
    assert.match(books, /^ {4}Assets:Receivable:JPY-TEST:\d+:Posted {2}1002 "JPY-TEST"$/m);
    assert.match(books, /^ {4}Assets:Receivable:EUR-TEST:\d+:Pending:Debits {2}10\.00 "EUR-TEST"$/m);
});

test('an export that cannot be written says so and leaves nothing behind', async (t) => {
    const folder = temporary(t);
    const data = path.join(folder, 'data');
    execute(data, [{ create_accounts: Array.from({ length: 8000 }, (_, i) => ({ id: String(i + 1), ledger: 1, code: 1 })) }]);
    const command = `"${programs.florin}" ledger export --data-dir "${data}" --format`;
    const shell = (script) => run('bash', ['-c', script]);

    const full = shell(`${command} jsonl > /dev/full`);
    assert.equal(full.code, 2);
    assert.match(full.err, /standard output: cannot write: No space left on device/);
    const closed = shell(`${command} hledger | head -n 1 > /dev/null; exit \${PIPESTATUS[0]}`);
    assert.equal(closed.code, 2);
    assert.match(closed.err, /standard output: cannot write: Broken pipe/);
    const nowhere = shell(`${command} hledger --output "${folder}/none/books"`);
    assert.equal(nowhere.code, 2);
    assert.match(nowhere.err, /none\/books: .*No such file or directory/);
    // A limit on the size of files is a disk that is full.
    const limited = shell(`trap '' XFSZ; ulimit -f 100; ${command} beancount --output "${folder}/books"`);
    assert.equal(limited.code, 2);
    assert.match(limited.err, /books: cannot write: File too large/);
    assert.ok(!existsSync(path.join(folder, 'books')));
    assert.deepEqual(readdirSync(folder), ['data']);

    for (const to of ['0', '3', '18446744073709551615']) {
        const wrong = florin('ledger', 'export', '--data-dir', data, '--format', 'jsonl', '--to', to);
        assert.equal(wrong.code, 2);
        assert.match(wrong.err, /the journal has records 1 to 2/);
    }
    assert.equal(florin('ledger', 'export', '--data-dir', data, '--format', 'xml').code, 2);
    assert.equal(florin('ledger', 'export', '--data-dir', path.join(folder, 'absent'), '--format', 'jsonl').code, 2);
});

test('the books of a directory that a process writes are those that were durable', async (t) => {
    const data = path.join(temporary(t), 'data');
    const child = spawn(programs.florin, ['ledger', 'exec', '--data-dir', data], { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => child.on('exit', resolve));
    child.stdin.write('{"create_accounts":[{"id":"1","ledger":978,"code":1}]}\n');
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const held = florin('ledger', 'export', '--data-dir', data, '--format', 'jsonl');
    child.stdin.end();
    assert.equal(await ended, 0);
    assert.equal(held.code, 0, held.err);
    const after = florin('ledger', 'export', '--data-dir', data, '--format', 'jsonl');
    assert.equal(after.code, 0);
    assert.equal(held.out, after.out);
    assert.deepEqual(readdirSync(data).filter((name) => name.startsWith('picture')), []);
});
