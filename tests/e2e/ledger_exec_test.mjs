// `florin ledger exec`: requests as JSON lines on standard input, answers on standard output. What
// the kernel's rules are is tested in tests/ledger; here is how they are asked for and answered.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import test from 'node:test';

import { programs, run, temporary } from './support.mjs';

const most128 = (2n ** 128n - 1n).toString();
const most64 = (2n ** 64n - 1n).toString();
const eventsMost = 8189;

// Lines in, answers out. A line is a string as it is, or a request.
function exec(folder, lines, { manual = true, code = 0 } = {}) {
    const args = ['ledger', 'exec', '--data-dir', path.join(folder, 'data'), ...(manual ? ['--manual-clock'] : [])];
    const input = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)) + '\n').join('');
    const done = run(programs.florin, args, { input, maxBuffer: 1 << 28, timeout: 60_000 });
    assert.equal(done.code, code, done.err);
    return done.out.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line));
}
const accounts = (...events) => ({ create_accounts: events });
const transfers = (...events) => ({ create_transfers: events });
const account = (id, more = {}) => ({ id, ledger: 1, code: 10, ...more });
const transfer = (id, amount, more = {}) => ({ id, debit_account_id: '1', credit_account_id: '2', amount, ledger: 1, code: 20, ...more });
const statuses = (answer) => answer.results.map((result) => result.status);
const stamps = (answer) => answer.results.map((result) => result.timestamp);
// The one status of the last of these lines.
const lastStatus = (t, ...lines) => statuses(exec(temporary(t), lines).at(-1)).at(-1);

test('the first event gets timestamp 2, and what creates moves the clock by one and its events', (t) => {
    const folder = temporary(t);
    const answers = exec(folder, [
        accounts(account('1')), accounts(account('2'), account('3')), accounts(), transfers(),
        transfers({}, {}, {}), { lookup_accounts: ['1'] }, { query_transfers: { limit: 1 } }, transfers(transfer('1', '5')),
    ]);
    assert.deepEqual(answers[0], { results: [{ status: 'created', timestamp: '2' }] });
    assert.deepEqual(stamps(answers[1]), ['4', '5']);
    assert.deepEqual(answers[2], { results: [] });
    assert.deepEqual(answers[3], { results: [] });
    assert.deepEqual(answers[4], { results: ['9', '10', '11'].map((timestamp) => ({ status: 'id_must_not_be_zero', timestamp })) });
    assert.deepEqual(stamps(answers[7]), ['13']);
    // It goes on from its last durable value, that of an empty, a failed or an advancing request too.
    assert.deepEqual(stamps(exec(folder, [accounts(account('4'))])[0]), ['15']);
    assert.deepEqual(exec(folder, [accounts()])[0], { results: [] });
    assert.deepEqual(stamps(exec(folder, [transfers({})])[0]), ['18']);
    assert.deepEqual(exec(folder, [{ advance_clock: { ns: '100' } }, { advance_clock: {} }, { advance_clock: { ns: 0 } }]), [{}, {}, {}]);
    assert.deepEqual(stamps(exec(folder, [accounts(account('5'))])[0]), ['120']);
    assert.deepEqual(exec(folder, []), []);
    assert.deepEqual(stamps(exec(folder, [accounts(account('6'))])[0]), ['122']);
});

test('exists answers the timestamp of the original, every other status the event\'s own', (t) => {
    const answers = exec(temporary(t), [
        accounts(account('1'), account('2')), transfers(transfer('7', '5')),
        accounts(account('1'), account('1', { code: 11 })), transfers(transfer('7', '5'), transfer('7', '6'), transfer('8', '5', { credit_account_id: '9' })),
    ]);
    assert.deepEqual(answers[2].results, [{ status: 'exists', timestamp: '2' }, { status: 'exists_with_different_code', timestamp: '8' }]);
    assert.deepEqual(answers[3].results, [
        { status: 'exists', timestamp: '5' }, { status: 'exists_with_different_amount', timestamp: '11' },
        { status: 'credit_account_not_found', timestamp: '12' },
    ]);
});

test('accounts and transfers come back with all fields, flags as names', (t) => {
    const fields = { user_data_128: most128, user_data_64: most64, user_data_32: 4294967295 };
    const answers = exec(temporary(t), [
        accounts(account('1', { ...fields, ledger: 4294967295, code: 65535, flags: ['history', 'debits_must_not_exceed_credits'] }),
            account('2', { ledger: 4294967295, flags: ['credits_must_not_exceed_debits'] }), account('3', { ledger: 4294967295 })),
        transfers(transfer('7', '9', { ...fields, debit_account_id: '3', credit_account_id: '1', ledger: 4294967295, flags: ['linked', 'pending'], timeout: 4294967295 }),
            transfer('8', '0', { debit_account_id: '3', credit_account_id: '1', ledger: 4294967295, code: 65535, flags: ['closing_debit', 'balancing_credit', 'balancing_debit', 'pending', 'closing_credit'] })),
        { lookup_accounts: ['2', '99', '1', '3', '1'] }, { lookup_transfers: ['8', '99', '7'] },
    ]);
    assert.deepEqual(statuses(answers[1]), ['created', 'created']);
    const rest = { debits_pending: '0', debits_posted: '0', credits_pending: '0', credits_posted: '0', user_data_128: '0', user_data_64: '0', user_data_32: 0, ledger: 4294967295 };
    const first = { id: '1', ...rest, ...fields, credits_pending: '9', code: 65535, flags: ['debits_must_not_exceed_credits', 'history', 'closed'], timestamp: '2' };
    assert.deepEqual(answers[2], {
        accounts: [
            { id: '2', ...rest, code: 10, flags: ['credits_must_not_exceed_debits'], timestamp: '3' }, first,
            { id: '3', ...rest, debits_pending: '9', code: 10, flags: ['closed'], timestamp: '4' }, first,
        ],
    });
    const plain = { debit_account_id: '3', credit_account_id: '1', pending_id: '0', ledger: 4294967295 };
    assert.deepEqual(answers[3], {
        transfers: [
            { id: '8', amount: '0', ...plain, user_data_128: '0', user_data_64: '0', user_data_32: 0, timeout: 0, code: 65535,
                flags: ['pending', 'balancing_debit', 'balancing_credit', 'closing_debit', 'closing_credit'], timestamp: '7' },
            { id: '7', amount: '9', ...plain, ...fields, timeout: 4294967295, code: 20, flags: ['linked', 'pending'], timestamp: '6' },
        ],
    });
});

test('flags are names or a mask, bit by bit', (t) => {
    // Each bit by its name, as a mask and as a mask in a string; imports first, while they are older.
    const forms = (name, bit, more = 0) => [more ? ['pending', name] : [name], (1 << bit) | more, String((1 << bit) | more)];
    const accountBits = { imported: 4, linked: 0, debits_must_not_exceed_credits: 1, credits_must_not_exceed_debits: 2, history: 3, closed: 5 };
    let id = 100;
    let imports = 0;
    const accountCases = Object.entries(accountBits).flatMap(([name, bit]) => forms(name, bit).map((flags) => {
        const events = [account(id, { flags, timestamp: name === 'imported' ? id : 0 })];
        if (name === 'linked') events.push(account(id + 500));
        return { names: [name], lines: [accounts(...events), { lookup_accounts: [id++] }] };
    }));
    const transferBits = {
        imported: 8, linked: 0, pending: 1, post_pending_transfer: 2, void_pending_transfer: 3, balancing_debit: 4, balancing_credit: 5,
        closing_debit: 6, closing_credit: 7,
    };
    const transferCases = Object.entries(transferBits).flatMap(([name, bit]) => {
        const closes = name.startsWith('closing');
        return forms(name, bit, closes ? 2 : 0).map((flags) => {
            // Two accounts of its own, that none of the others has closed.
            const pair = { debit_account_id: id, credit_account_id: id + 500 };
            const lines = [accounts(account(id), account(id + 500))];
            const event = transfer(id, 5, { ...pair, flags });
            // In the middle of the thousand by which the clock is moved below.
            if (name === 'imported') event.timestamp = 1500 + 1005 * imports++;
            if (name.endsWith('_pending_transfer')) {
                lines.push(transfers(transfer(id + 1000, 5, { ...pair, flags: ['pending'] })));
                event.pending_id = id + 1000;
            }
            lines.push({ advance_clock: { ns: 1000 } }, transfers(event, transfer(id + 500, 5, pair)), { lookup_transfers: [id++] });
            return { names: closes ? ['pending', name] : [name], lines: name === 'linked' ? lines : lines.map((line) => (line.create_transfers ? transfers(line.create_transfers[0]) : line)) };
        });
    });
    for (const [cases, key] of [[accountCases, 'accounts'], [transferCases, 'transfers']]) {
        const answers = exec(temporary(t), [{ advance_clock: { ns: 1000 } }, ...cases.flatMap((each) => each.lines)]).slice(1);
        for (const { names, lines } of cases) {
            const own = answers.splice(0, lines.length);
            assert.equal(statuses(own.at(-2))[0], 'created', names.join());
            assert.deepEqual(own.at(-1)[key][0].flags, names);
            if (names[0] === 'imported') assert.equal(stamps(own.at(-2))[0], String(own.at(-1)[key][0].timestamp));
        }
    }
});

test('other bits and names are reserved flags, another value of reserved is a reserved field', (t) => {
    const lines = [accounts(account('1', { reserved: 1, flags: 64 })), accounts(account('1', { reserved: '4294967295' }))];
    const fields = lines.length;
    for (const flags of [64, 65536, 72, '32768', most64, ['pending'], ['Linked'], [''], ['history', 'x']]) lines.push(accounts(account('1', { flags })));
    for (const flags of [512, 65536, '4294967296', ['history'], ['pending', 'closed']]) lines.push(transfers(transfer('1', '1', { flags })));
    const answers = exec(temporary(t), [...lines, accounts(account('1', { reserved: 0, flags: [] }))]);
    for (const [i, line] of lines.entries()) assert.deepEqual(statuses(answers[i]), [i < fields ? 'reserved_field' : 'reserved_flag'], JSON.stringify(line));
    assert.deepEqual(statuses(answers.at(-1)), ['created']);
});

test('numbers are strings or integers, up to what the field holds', (t) => {
    const answers = exec(temporary(t), [
        accounts({ id: 1, ledger: '1', code: '10', flags: '8', user_data_128: 9007199254740993n.toString(), user_data_64: 7, user_data_32: '3' }, account(2)),
        '{"create_transfers":[{"id":18446744073709551615,"debit_account_id":1,"credit_account_id":2,"amount":9007199254740993,"ledger":1,"code":20,"user_data_64":18446744073709551615}]}',
        '{"lookup_transfers":[18446744073709551615,"18446744073709551615"]}', { lookup_accounts: [1] },
    ]);
    assert.deepEqual(statuses(answers[1]), ['created']);
    assert.deepEqual(answers[2].transfers.map(({ id, amount, user_data_64 }) => [id, amount, user_data_64]), Array(2).fill([most64, '9007199254740993', most64]));
    const { user_data_128, user_data_64, user_data_32, flags } = answers[3].accounts[0];
    assert.deepEqual([user_data_128, user_data_64, user_data_32, flags], ['9007199254740993', '7', 3, ['history']]);
    assert.equal(lastStatus(t, accounts(account(most128))), 'id_must_not_be_int_max');
    assert.equal(lastStatus(t, accounts(account('1', { credits_posted: most128 }))), 'credits_posted_must_be_zero');
    assert.equal(lastStatus(t, accounts(account('1', { timestamp: most64 }))), 'timestamp_must_be_zero');
    assert.equal(lastStatus(t, accounts({})), 'id_must_not_be_zero');
});

test('a value that does not fit is refused, and names the field and the event', (t) => {
    const folder = temporary(t);
    const over128 = (2n ** 128n).toString();
    const cases = [
        ...[over128, '-1', '', 'x', '1.0', '0x10', ' 1', '1 ', '+1', '1e3', '9'.repeat(60)].map((id) => accounts(account(id))),
        ...['-1', '1.5', '1e2', 'true', 'null', '{}', '[]', '1.0'].map((id) => `{"create_accounts":[{"id":${id}}]}`),
        accounts(account('1', { user_data_64: '18446744073709551616' })), accounts(account('1', { user_data_32: 4294967296 })),
        accounts(account('1', { ledger: 4294967296 })), accounts(account('1', { ledger: '4294967296' })), accounts(account('1', { ledger: -1 })),
        accounts(account('1', { code: 65536 })), accounts(account('1', { code: '65536' })), accounts(account('1', { reserved: '4294967296' })),
        accounts(account('1', { flags: -1 })), accounts(account('1', { flags: 'history' })), accounts(account('1', { flags: [1] })), accounts(account('1', { flags: null })),
        accounts(account('1', { flags: { history: true } })), accounts(account('1', { timestamp: '18446744073709551616' })),
        transfers(transfer('1', over128)), transfers(transfer('1', '1', { timeout: 4294967296 })), transfers(transfer('1', '1', { pending_id: null })),
        transfers(7), transfers('7'), transfers([]), transfers(null), { create_transfers: {} }, { create_transfers: '1' }, { create_accounts: null },
        { lookup_accounts: ['x'] }, { lookup_accounts: [null] }, { lookup_accounts: '1' }, { lookup_transfers: [-1] }, { lookup_transfers: {} },
        { get_account_transfers: [] }, { get_account_transfers: { account_id: '1', limit: '4294967296' } }, { get_account_balances: { limit: -1 } },
        { query_accounts: { code: 65536 } }, { query_accounts: null }, { query_transfers: { timestamp_max: '18446744073709551616' } },
        { query_transfers: { flags: 'reversed' } }, { advance_clock: { ns: '18446744073709551616' } }, { advance_clock: '5' }, { advance_clock: { ns: -5 } },
        { advance_clock: { ns: (2n ** 63n).toString() } }, // past the last timestamp
    ];
    const answers = exec(folder, [...cases, accounts(account('1'))]);
    assert.equal(answers.length, cases.length + 1);
    for (const [i, wanted] of cases.entries()) {
        const said = JSON.stringify(wanted);
        assert.equal(answers[i].error?.code, 'bad_value', `${said}: ${JSON.stringify(answers[i])}`);
        assert.equal(answers[i].error.line, i + 1, said);
        assert.equal(typeof answers[i].error.message, 'string');
    }
    // None of them was executed, so none has moved the clock.
    assert.deepEqual(answers.at(-1), { results: [{ status: 'created', timestamp: '2' }] });
    const [named] = exec(folder, [accounts(account('8'), account('9', { code: 65536 }))]);
    assert.match(named.error.message, /create_accounts\[1\]\.code/);
    assert.deepEqual(exec(folder, [{ lookup_accounts: ['8'] }]), [{ accounts: [] }]);
});

test('what is not JSON, not a request or not a field has its own code, and the stream goes on', (t) => {
    const cases = [
        ['malformed_json', ['{', 'x', '{"create_accounts":[}', '{"create_accounts":[]', '{"create_accounts":[]}}', '{"create_accounts":[],}', '\u0000', '\'a\'', '{"create_accounts":[{"id":01}]}', '[1', '{"lookup_accounts":["1]}']],
        ['unknown_request', ['{}', '[]', '1', '"create_accounts"', 'null', '{"create_account":[]}', '{"Create_accounts":[]}', '{"command":{}}', '{"create_accounts":[],"create_transfers":[]}']],
        ['unknown_field', [accounts(account('1', { name: 'x' })), accounts(account('1', { amount: 1 })), transfers(transfer('1', '1', { reserved: 0 })),
            { query_accounts: { limit: 1, account_id: '1' } }, { query_transfers: { reserved: 0 } }, { get_account_transfers: { account_id: '1', ledger: 1 } },
            { get_account_balances: { id: '1' } }, { advance_clock: { ms: 1 } }]],
    ];
    const lines = cases.flatMap(([, list]) => list);
    const codes = cases.flatMap(([code, list]) => list.map(() => code));
    const answers = exec(temporary(t), [...lines, '', '   ', accounts(account('1'))]);
    for (const [i, code] of codes.entries()) {
        assert.deepEqual([answers[i].error?.code, answers[i].error?.line], [code, i + 1], `${lines[i]}: ${JSON.stringify(answers[i])}`);
    }
    assert.deepEqual(answers.at(-1), { results: [{ status: 'created', timestamp: '2' }] });
    // An empty line is none; it is counted, and not answered.
    const counted = exec(temporary(t), ['', '', '{', accounts()]);
    assert.deepEqual([counted.length, counted[0].error.line], [2, 3]);
    // Bytes that are not UTF-8 are told as such, in an answer that is.
    const done = run(programs.florin, ['ledger', 'exec', '--data-dir', path.join(temporary(t), 'data')], { input: Buffer.from('{"create_accounts":[{"id":"\xff\xfe"}]}\n{}', 'latin1') });
    assert.match(JSON.parse(done.out.split('\n')[0]).error.code, /malformed_json|bad_value/);
    assert.equal(JSON.parse(done.out.split('\n')[1]).error.code, 'unknown_request'); // a last line needs no end
});

test('more than 8,189 events are too many: nothing of them is executed', (t) => {
    const folder = temporary(t);
    const many = (count) => accounts(...Array.from({ length: count }, (_, i) => account(String(i + 1))));
    const ids = Array.from({ length: eventsMost + 1 }, (_, i) => String(i + 1));
    const answers = exec(folder, [
        many(eventsMost + 1), transfers(...Array(eventsMost + 1).fill({})), { lookup_accounts: ids }, { lookup_transfers: ids },
        many(eventsMost), { lookup_accounts: ids.slice(0, eventsMost) }, { query_accounts: { limit: 10000 } },
    ]);
    for (const i of [0, 1, 2, 3]) assert.deepEqual([answers[i].error.code, answers[i].error.line], ['too_many_events', i + 1]);
    assert.equal(answers[4].results.length, eventsMost);
    assert.deepEqual(answers[4].results[0], { status: 'created', timestamp: '2' });
    assert.deepEqual(answers[4].results.at(-1), { status: 'created', timestamp: String(eventsMost + 1) });
    assert.equal(answers[5].accounts.length, eventsMost);
    assert.equal(answers[6].accounts.length, eventsMost);
});

test('filters choose by side, field and time, and an invalid one answers an empty list', (t) => {
    const lines = [
        accounts(account('1', { flags: ['history'], user_data_64: '5' }), account('2')),
        transfers(transfer('1', '10', { user_data_128: '7' }), { ...transfer('2', '4'), debit_account_id: '2', credit_account_id: '1', code: 21 }, transfer('3', '1', { flags: ['pending'] })),
    ];
    const expected = [null, null];
    const expect = (name, filter, answer) => {
        lines.push({ [name]: filter });
        expected.push(answer);
    };
    const both = { account_id: '1', limit: 10, flags: ['debits', 'credits'] };
    // A list of ids stands for the accounts or transfers that have them.
    const expectIds = (filter, ids) => expect('get_account_transfers', { ...both, ...filter }, ids);
    expectIds({}, ['1', '2', '3']);
    expectIds({ flags: 3 }, ['1', '2', '3']);
    expectIds({ flags: ['credits'] }, ['2']);
    expectIds({ flags: ['reversed', 'debits'], limit: '1' }, ['3']);
    expectIds({ user_data_128: 7 }, ['1']);
    expectIds({ code: 21 }, ['2']);
    expectIds({ timestamp_min: '6', timestamp_max: 6 }, ['2']);
    expect('get_account_balances', { ...both, flags: 7, limit: 2 }, {
        balances: [
            { timestamp: '7', debits_pending: '1', debits_posted: '10', credits_pending: '0', credits_posted: '4' },
            { timestamp: '6', debits_pending: '0', debits_posted: '10', credits_pending: '0', credits_posted: '4' },
        ],
    });
    expect('get_account_balances', { ...both, account_id: '2' }, { balances: [] }); // no history
    expect('query_accounts', { user_data_64: '5', limit: 5 }, ['1']);
    expect('query_accounts', { limit: 5, flags: ['reversed'] }, ['2', '1']);
    expect('query_transfers', { ledger: 1, code: 20, limit: 5, flags: 1 }, ['3', '1']);
    for (const invalid of [
        { limit: 0 }, { flags: [] }, { flags: ['reversed'] }, { flags: ['debits', 'x'] }, { flags: 8 }, { flags: 11 }, { flags: '4294967299' }, { account_id: '0' },
        { account_id: most128 }, { timestamp_min: most64 }, { timestamp_max: most64 }, { timestamp_max: (2n ** 63n).toString() }, { timestamp_min: '5', timestamp_max: '4' },
    ]) {
        expect('get_account_transfers', { ...both, ...invalid }, { transfers: [] });
        expect('get_account_balances', { ...both, ...invalid }, { balances: [] });
    }
    for (const invalid of [{}, { limit: 0 }, { limit: 1, flags: ['debits'] }, { limit: 1, flags: 2 }, { limit: 1, timestamp_max: most64 }, { limit: 1, timestamp_min: 2, timestamp_max: 1 }]) {
        expect('query_accounts', invalid, { accounts: [] });
        expect('query_transfers', invalid, { transfers: [] });
    }
    const answers = exec(temporary(t), lines);
    for (const [i, wanted] of expected.entries()) {
        if (wanted === null) continue;
        const found = Array.isArray(wanted) ? (answers[i].transfers ?? answers[i].accounts).map((each) => each.id) : answers[i];
        assert.deepEqual(found, wanted, JSON.stringify(lines[i]));
    }
});

test('advancing the clock expires what is due, durably; creating expires nothing', (t) => {
    const folder = temporary(t);
    const pending = transfer('1', '5', { flags: ['pending'], timeout: 1 });
    const due = 5 + 1_000_000_000;
    const balance = (answer) => answer.accounts[0].debits_pending;
    const answers = exec(folder, [
        accounts(account('1'), account('2')), transfers(pending), { advance_clock: { ns: String(due - 1 - 5) } }, { lookup_accounts: ['1'] },
        accounts(), { lookup_accounts: ['1'] },
    ]);
    assert.deepEqual(stamps(answers[1]), ['5']);
    assert.equal(balance(answers[3]), '5');
    assert.equal(balance(answers[5]), '5'); // the clock is at its expiry, and nothing has swept it
    assert.equal(balance(exec(folder, [{ lookup_accounts: ['1'] }])[0]), '5');
    assert.equal(lastStatus(t, accounts(account('1'), account('2')), transfers(pending), { advance_clock: { ns: due } },
        transfers({ id: '2', pending_id: '1', flags: ['post_pending_transfer'], amount: most128 })), 'pending_transfer_expired');
    assert.deepEqual(exec(folder, [{ advance_clock: { ns: '0' } }]), [{}]);
    assert.equal(balance(exec(folder, [{ lookup_accounts: ['1'] }])[0]), '0');
});

test('without a manual clock, timestamps are those of the day and the clock cannot be moved', (t) => {
    const folder = temporary(t);
    const before = BigInt(Date.now() - 1) * 1_000_000n;
    const [made, advanced] = exec(folder, [accounts(account('1')), { advance_clock: { ns: '1' } }], { manual: false });
    assert.ok(BigInt(stamps(made)[0]) > before && BigInt(stamps(made)[0]) < before + 3600n * 1_000_000_000n);
    assert.deepEqual([advanced.error.code, advanced.error.line], ['unknown_request', 2]);
});

test('an answer is durable when it is written, and the directory is held while the process lives', async (t) => {
    const folder = temporary(t);
    const args = ['ledger', 'exec', '--data-dir', path.join(folder, 'data'), '--manual-clock'];
    const child = spawn(programs.florin, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => child.on('exit', resolve));
    t.after(() => child.kill('SIGKILL'));
    const answers = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const ask = async (request) => {
        child.stdin.write(JSON.stringify(request) + '\n');
        return JSON.parse((await answers.next()).value);
    };
    assert.deepEqual(statuses(await ask(accounts(account('1'), account('2')))), ['created', 'created']);
    const held = run(programs.florin, args, { input: '' });
    assert.equal(held.code, 2);
    assert.match(held.err, new RegExp(`\\b${child.pid}\\b`));
    for (let i = 1; i <= 20; ++i) assert.deepEqual(statuses(await ask(transfers(transfer(String(i), '1')))), ['created']);
    child.kill('SIGKILL');
    await ended;
    const [found, next] = exec(folder, [{ lookup_accounts: ['1'] }, accounts()]);
    assert.equal(found.accounts[0].debits_posted, '20');
    assert.deepEqual(next, { results: [] });
});

test('an absent or empty directory is created, another one is refused', (t) => {
    const folder = temporary(t);
    mkdirSync(path.join(folder, 'data'));
    assert.deepEqual(stamps(exec(folder, [accounts(account('1'))])[0]), ['2']);
    const foreign = path.join(folder, 'foreign');
    mkdirSync(foreign);
    writeFileSync(path.join(foreign, 'letter.txt'), 'dear');
    const refused = run(programs.florin, ['ledger', 'exec', '--data-dir', foreign], { input: '' });
    assert.equal(refused.code, 2);
    assert.equal(refused.out, '');
    assert.ok(refused.err.includes(foreign));
});
