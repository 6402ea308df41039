// The daemon on links as banks have them: ISO 8583:1993, EBCDIC, messages with MACs, keys that change.
import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { control, eventually, florin, kill, pay, programs, request, run, sdk, start, startProduction, temporary, writeConfig } from './support.mjs';

const KEY = '0123456789abcdeffedcba9876543210';
const packagingOf = (name) => new URL(`../../conf/iso8583/${name}`, import.meta.url).pathname;

// florind --config with the connector `bank`, and florin-banksim at its other end.
async function production(t, { packaging, mac, kind }) {
    const folder = temporary(t);
    const keyFile = path.join(folder, 'mac.key');
    writeFileSync(keyFile, `${KEY}\n`, { mode: 0o600 });
    const bank = await start(t, programs.banksim, [
        '--data-dir', path.join(folder, 'bank'), '--listen', '127.0.0.1:0', '--control', '127.0.0.1:0',
        '--packaging', packagingOf(packaging), '--mac', mac, `--mac-${kind}`, keyFile,
    ]);
    const config = writeConfig(folder);
    appendFileSync(config, [
        '[[connector]]', 'name = "bank"', 'rail = "iso8583"', 'priority = 1', 'timeout_ms = 1000',
        `port = ${bank.ready.address.split(':')[1]}`, 'acquirer_id = "400001"',
        `packaging = "${packagingOf(packaging)}"`, `mac = "${mac}"`, `mac_key_file = "${keyFile}"`,
        `mac_key_exchange = ${kind === 'kek'}`, '',
    ].join('\n'));
    const data = path.join(folder, 'data');
    const made = florin('keys', 'create', '--admin', '--name', 'Ada', '--data-dir', data, '--vault-key', path.join(folder, 'vault.key'), '--format', 'json');
    assert.equal(made.code, 0, made.err);
    const adminFile = path.join(folder, 'ada.key');
    writeFileSync(adminFile, JSON.parse(made.out).key, { mode: 0o600 });
    const daemon = await startProduction(t, folder, config);
    const shop = florin('keys', 'create', '--merchant', 'acct_shop', '--data-dir', data, '--ca', daemon.ready.ca, '--admin-key-file', adminFile, '--format', 'json');
    assert.equal(shop.code, 0, shop.err);
    const admin = { ...daemon, ready: { ...daemon.ready, url: daemon.ready.admin_url } };
    await eventually('the link is ready', async () => {
        const health = JSON.parse((await request(admin, 'GET', '/healthz', { key: 'x' })).text);
        return health.connectors.find((one) => one.name === 'bank').ready;
    });
    return { folder, keyFile, config, data, bank, daemon, stripe: sdk(daemon, { key: JSON.parse(shop.out).key }) };
}

for (const link of [
    { packaging: '1993_ascii.toml', mac: 'aes-cmac', kind: 'kek', insufficient: '116' },
    { packaging: '1987_ebcdic.toml', mac: 'x9.19', kind: 'key', insufficient: '51' },
]) {
    test(`payments over ${link.packaging} with ${link.mac}`, async (t) => {
        const { bank, daemon, stripe, data, config, keyFile } = await production(t, link);

        const intent = await pay(stripe, 4500);
        assert.equal(intent.status, 'succeeded');
        assert.equal((await stripe.refunds.create({ payment_intent: intent.id, amount: 500 })).status, 'succeeded');
        const held = await pay(stripe, 3000, { capture_method: 'manual' });
        assert.equal((await stripe.paymentIntents.cancel(held.id)).status, 'canceled');
        const poor = await pay(stripe, 1000, { payment_method: 'pm_card_visa_chargeDeclinedInsufficientFunds' }).then(() => assert.fail('approved'), (error) => error);
        assert.equal(poor.raw.decline_code, 'insufficient_funds');
        assert.equal(poor.raw.network_decline_code, link.insufficient);
        const counts = await eventually('the cancelled one is reversed at the bank', async () => {
            const now = await control(bank, { counts: true });
            return now.authorisations === 1 && now;
        });
        assert.equal(counts.captures, 1);
        assert.equal(counts.refunds, 1);

        if (link.kind === 'kek') {
            assert.deepEqual(await control(bank, { new_key: true }), { ok: true, links: 1 });
            assert.equal((await pay(stripe, 700)).status, 'succeeded');
            assert.equal(daemon.log.match(/"iso8583\.key_changed"/g).length, 2);
        }

        // An approval with a wrong MAC proves nothing: it is reversed, and the bank knows of no payment.
        const before = (await control(bank, { counts: true })).authorisations;
        await control(bank, { break_mac: true, match: { mti: '0100', amount_minor: 4242 }, times: 1 });
        await pay(stripe, 4242).catch(() => {});
        await eventually('it is reversed', async () => {
            const now = await control(bank, { counts: true });
            return now.reversals === 2 && now.authorisations === before;
        });
        assert.match(daemon.log, /"iso8583\.bad_mac"/);
        assert.ok(!daemon.log.includes(KEY));
        assert.equal((await kill(daemon, 'SIGTERM')).code, 0);
        assert.equal(florin('ledger', 'verify', '--data-dir', data).code, 0);

        // A key that others can read is not used.
        chmodSync(keyFile, 0o644);
        const refused = run(programs.florind, ['--config', config]);
        assert.equal(refused.code, 2, refused.err);
        assert.match(refused.err, /mac\.key: others than its owner may read it/);
    });
}
