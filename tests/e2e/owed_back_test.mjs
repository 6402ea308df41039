// A bank approves a payment after all, two persons decide that it was reversed, and the bank is not
// in the configuration any more: what it holds is listed, and given back when it is there again.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { control, eventually, florin, kill, pay, sdk, signedOn, startBank, startDaemon, temporary } from './support.mjs';

test('what is owed back to a bank that is not configured', async (t) => {
    const amount = 4350;
    const folder = temporary(t);
    const bank = await startBank(t, path.join(folder, 'bank'));
    const data = path.join(folder, 'florin');
    const withBank = ['--iso8583', bank.ready.address];
    const keyFile = (name, key) => {
        const file = path.join(folder, name);
        writeFileSync(file, key, { mode: 0o600 });
        return file;
    };
    let daemon = await startDaemon(t, data, withBank);
    await signedOn(daemon);
    const keys = JSON.parse(readFileSync(path.join(data, 'dev.json'), 'utf8'));
    const persons = [keyFile('one.key', keys.admin_key), keyFile('two.key', keys.second_admin_key)];
    const restart = async (more) => {
        assert.equal((await kill(daemon, 'SIGTERM')).code, 0);
        // A development daemon remembers its bank.
        const remembered = path.join(data, 'dev.json');
        writeFileSync(remembered, JSON.stringify({ ...JSON.parse(readFileSync(remembered, 'utf8')), iso8583: '' }));
        daemon = await startDaemon(t, data, more);
    };
    const asked = (person, ...args) =>
        florin('attempts', ...args, '--format', 'json', '--url', daemon.ready.url, '--ca', daemon.ready.ca, '--admin-key-file', person);
    const owedBack = () => {
        const listed = asked(persons[0], 'list', '--owed-back');
        const read = florin('attempts', 'list', '--owed-back', '--format', 'json', '--data-dir', data);
        assert.equal(listed.code, read.code, listed.err + read.err);
        const [told, stored] = [listed, read].map((one) => JSON.parse(one.out).map((each) => each.attempt));
        assert.deepEqual(told, stored);
        assert.equal(listed.code, told.length === 0 ? 0 : 1);
        return told;
    };
    const all = () => JSON.parse(asked(persons[0], 'list').out);
    const holds = async () => (await control(bank, { held: true })).held.filter((one) => one.amount_minor === amount).length;

    await control(bank, { late_ms: 5_000, match: { mti: '0100', amount_minor: amount }, times: 1 });
    await control(bank, { lose: true, match: { mti: '042', amount_minor: amount } });
    const held = await pay(sdk(daemon), 870, { capture_method: 'manual' });
    assert.equal(held.status, 'requires_capture');
    const intent = await pay(sdk(daemon), amount);
    assert.equal(intent.status, 'processing');
    const [reversal] = await eventually('the reversal is unknown', () => {
        const found = all().filter((one) => one.operation === 'void' && one.state === 'unknown');
        return found.length === 1 && found;
    });
    const [authorisation] = all().filter((one) => one.operation === 'authorise');
    await eventually('the approval has come', () =>
        JSON.parse(asked(persons[0], 'show', authorisation.attempt).out).evidence.some((one) => one.source === 'late_reply' && one.outcome === 'approved'));
    assert.equal(await holds(), 1);
    assert.deepEqual(owedBack(), []);

    await restart([]);
    await assert.rejects(sdk(daemon).paymentIntents.capture(held.id), (error) =>
        error.statusCode === 503 && error.message.startsWith('The bank of this payment, bank, is not configured now'));
    const resolve = (person) => asked(person, 'resolve', reversal.attempt, '--outcome', 'reversed', '--reason', 'said on the telephone');
    assert.equal(JSON.parse(resolve(persons[0]).out).state, 'proposed');
    const decided = resolve(persons[1]);
    assert.equal(decided.code, 0, decided.err);
    await eventually('the payment is given up', async () => (await sdk(daemon).paymentIntents.retrieve(intent.id)).status === 'requires_payment_method');
    assert.deepEqual(owedBack(), [authorisation.attempt]);
    assert.equal(await holds(), 1);
    const said = daemon.log.split('\n').find((one) => one.includes('"attempt.connector_missing"'));
    assert.equal(JSON.parse(said).connector, 'bank');
    await restart([]);
    assert.deepEqual(owedBack(), [authorisation.attempt]);

    await control(bank, { clear: true });
    await restart(withBank);
    await eventually('the bank holds nothing', async () => (await holds()) === 0);
    await eventually('the reversal is through', () =>
        all().filter((one) => one.operation === 'void' && one.state === 'approved').length === 2);
    assert.deepEqual(owedBack(), []);
    assert.equal((await sdk(daemon).paymentIntents.capture(held.id)).status, 'succeeded');
    assert.equal(asked(persons[0], 'list', '--unknown').code, 0);
    assert.equal((await sdk(daemon).paymentIntents.retrieve(intent.id)).status, 'requires_payment_method');

    assert.equal(florin('attempts', 'list', '--unknown', '--owed-back', '--data-dir', data).code, 2);
    assert.equal((await kill(daemon, 'SIGTERM')).code, 0);
    assert.equal(florin('ledger', 'verify', '--data-dir', data).code, 0);
});
