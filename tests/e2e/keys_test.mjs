// Keys of every kind, made and ended with the operator's tool, and what they open; limits of a key
// and of the daemon. The SDK and the tool see the daemon from outside.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import test from 'node:test';

import { eventually, florin, kill, pause, request, sdk, startDaemon, startProduction, temporary, writeConfig } from './support.mjs';

const files = (folder) => readdirSync(folder).flatMap((name) => {
    const full = path.join(folder, name);
    return statSync(full).isDirectory() ? files(full) : [full];
});
const form = (body) => new URLSearchParams(body).toString();
const card = form({ type: 'card', 'card[number]': '4242424242424242', 'card[exp_month]': 12, 'card[exp_year]': 2040, 'card[cvc]': '123' });
const p99 = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length * 0.99)];

// The tool, towards one daemon; answers what it printed as JSON, or fails the test.
const operator = (...where) => ({
    run: (...args) => florin(...args, ...where),
    json(...args) {
        const done = florin(...args, ...where, '--format', 'json');
        assert.equal(done.code, 0, done.err);
        return JSON.parse(done.out);
    },
    refused(pattern, ...args) {
        const done = florin(...args, ...where);
        assert.equal(done.code, 2, done.out);
        assert.match(done.err, pattern);
    },
});
function isError(response, status, code) {
    assert.equal(response.status, status, response.text);
    const { error } = JSON.parse(response.text);
    assert.equal(error.type, status === 503 ? 'api_error' : 'invalid_request_error');
    assert.equal(error.code, code, response.text);
    assert.match(response.headers['request-id'], /^req_/);
    return error;
}

test('keys of merchants', async (t) => {
    const folder = temporary(t);
    const daemon = await startDaemon(t, folder);
    const tool = operator('--data-dir', folder);
    const make = (...args) => tool.json('keys', 'create', '--merchant', 'acct_dev', ...args);
    const get = (key, route = '/v1/balance') => request(daemon, 'GET', route, { key });
    const post = (key, route, body = '') => request(daemon, 'POST', route, { key, body });

    await t.test('a secret key does everything, and is shown once', async () => {
        const made = make('--name', 'backend');
        assert.match(made.key, /^sk_test_[A-Za-z0-9]{44}$/);
        assert.deepEqual([made.kind, made.mode, made.merchant, made.name, made.state, made.created_by], ['secret', 'test', 'acct_dev', 'backend', 'active', 'dev']);
        const stripe = sdk(daemon, { key: made.key });
        assert.equal((await stripe.balance.retrieve()).livemode, false);
        assert.match((await stripe.paymentIntents.create({ amount: 500, currency: 'eur' })).id, /^pi_/);
        const listed = tool.json('keys', 'list').find((one) => one.id === made.id);
        assert.equal(listed.name, 'backend');
        assert.equal(JSON.stringify(listed).includes(made.key.slice(20)), false);
        assert.equal('hash' in listed, false);
        const table = tool.run('keys', 'create', '--merchant', 'acct_dev');
        assert.match(table.out, /^secret key \w{12}, mode test, merchant acct_dev\n\n {2}sk_test_\w{44}\n\nIt is shown this once/);
    });

    await t.test('a restricted key does what it was given', async () => {
        const made = make('--right', 'payment_intents=read', '--right', 'payment_methods=write');
        assert.match(made.key, /^rk_test_/);
        const stripe = sdk(daemon, { key: made.key });
        assert.equal((await stripe.paymentIntents.list()).object, 'list');
        await assert.rejects(stripe.paymentIntents.create({ amount: 500, currency: 'eur' }), (error) => {
            assert.equal(error.type, 'StripePermissionError');
            assert.equal(error.statusCode, 403);
            assert.match(error.message, /^The provided key 'rk_test_\*{8}\w{4}' does not have .* 'payment_intents=write'/);
            return true;
        });
        await assert.rejects(stripe.refunds.list(), { type: 'StripePermissionError' });
        await assert.rejects(stripe.balance.retrieve(), { type: 'StripePermissionError' });
        assert.equal((await post(made.key, '/v1/payment_methods', card)).status, 200);
        const reader = make('--right', '*=read').key;
        assert.equal((await get(reader)).status, 200);
        isError(await post(reader, '/v1/payment_intents', 'amount=500&currency=eur'), 403, 'account_invalid');
        tool.refused(/rights\.nonsense: expected one of \*, balance, /, 'keys', 'create', '--merchant', 'acct_dev', '--right', 'nonsense=read');
        tool.refused(/--right refunds=all: expected RESOURCE=read or RESOURCE=write/, 'keys', 'create', '--merchant', 'acct_dev', '--right', 'refunds=all');
        tool.refused(/^florin: rights: expected/, 'keys', 'create', '--merchant', 'acct_dev', '--kind', 'restricted');
    });

    await t.test('a publishable key makes payment methods and nothing else', async () => {
        const { key } = make('--kind', 'publishable');
        assert.match(key, /^pk_test_/);
        assert.equal((await post(key, '/v1/payment_methods', card)).status, 200);
        for (const refused of [await get(key), await get(key, '/v1/payment_methods/pm_1'), await post(key, '/v1/payment_intents', 'amount=500&currency=eur'), await post(key, '/v1/payment_methods/pm_1')]) {
            isError(refused, 403, 'account_invalid');
        }
        await assert.rejects(sdk(daemon, { key }).paymentIntents.list(), { type: 'StripePermissionError' });
    });

    await t.test('a page of any origin may use a publishable key, and nothing else', async () => {
        const { key } = make('--kind', 'publishable');
        const allowed = (response) => response.headers['access-control-allow-origin'];
        const ask = (route, headers) => request(daemon, 'OPTIONS', route, { key: null, headers });
        const page = { Origin: 'https://shop.example', 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization,content-type' };
        const may = await ask('/v1/payment_methods', page);
        assert.deepEqual([may.status, may.text, may.headers['content-length']], [204, '', undefined]);
        assert.deepEqual([allowed(may), may.headers['access-control-allow-methods']], ['*', 'POST']);
        assert.equal(may.headers['access-control-allow-headers'], 'authorization, content-type, idempotency-key, stripe-version');
        assert.ok(Number(may.headers['access-control-max-age']) > 0);
        const made = await post(key, '/v1/payment_methods', card);
        assert.deepEqual([made.status, allowed(made)], [200, '*']);
        // A page can read why not.
        const wrong = await post(key, '/v1/payment_methods', 'type=nothing');
        assert.deepEqual([wrong.status, allowed(wrong)], [400, '*']);
        const unknown = await post('pk_test_' + 'x'.repeat(44), '/v1/payment_methods', card);
        assert.deepEqual([unknown.status, allowed(unknown)], [401, '*']);
        for (const other of [await ask('/v1/payment_intents', page), await ask('/v1/payment_methods', {}), await ask('/v1/payment_methods/pm_1', page), await ask('/admin/v1/keys', page)]) {
            assert.ok(other.status >= 400, other.text);
            assert.equal(allowed(other), undefined);
        }
        for (const other of [await post(daemon.ready.secret_key, '/v1/payment_methods', card), await get(key), await get(daemon.ready.secret_key)]) assert.equal(allowed(other), undefined);
    });

    await t.test('a restricted key sees by expansion what it may read, and no more', async () => {
        const stripe = sdk(daemon);
        const customer = await stripe.customers.create({ email: 'a@example.com', name: 'A' });
        const intent = await stripe.paymentIntents.create({ amount: 500, currency: 'eur', customer: customer.id });
        const narrow = make('--right', 'payment_intents=write').key;
        const see = (key, route = `/v1/payment_intents/${intent.id}?expand[]=customer`) => get(key, route);
        for (const refused of [await see(narrow), await see(narrow, '/v1/payment_intents?expand[]=data.customer'), await post(narrow, '/v1/payment_intents', 'amount=500&currency=eur&expand[]=latest_charge.customer')]) {
            assert.match(isError(refused, 403, 'account_invalid').message, /'c(ustomers|harges)=read'/);
            assert.ok(!refused.text.includes('a@example.com'));
        }
        assert.equal(JSON.parse((await see(narrow, `/v1/payment_intents/${intent.id}`)).text).customer, customer.id);
        const wide = make('--right', 'payment_intents=read', '--right', 'customers=read').key;
        assert.equal(JSON.parse((await see(wide)).text).customer.email, 'a@example.com');
        // So are the refunds of a charge, though they are a list.
        const paid = await stripe.paymentIntents.create({ amount: 500, currency: 'eur', payment_method: 'pm_card_visa', confirm: true });
        await stripe.refunds.create({ payment_intent: paid.id, amount: 100 });
        const routes = [`/v1/charges/${paid.latest_charge}?expand[]=refunds`, `/v1/payment_intents/${paid.id}?expand[]=latest_charge.refunds`];
        const blind = make('--right', 'payment_intents=read', '--right', 'charges=read').key;
        const seeing = make('--right', 'payment_intents=read', '--right', 'charges=read', '--right', 'refunds=read').key;
        for (const route of routes) {
            const refused = await get(blind, route);
            assert.match(isError(refused, 403, 'account_invalid').message, /'refunds=read'/);
            assert.ok(!refused.text.includes('re_'));
            const seen = JSON.parse((await get(seeing, route)).text);
            assert.equal((seen.latest_charge ?? seen).refunds.data[0].amount, 100);
        }
    });

    await t.test('after a roll both keys work, until the old one ends', async () => {
        const old = make('--right', 'balance=read', '--requests-per-second', '77');
        const next = tool.json('keys', 'roll', old.id, '--overlap-s', '2');
        assert.notEqual(next.id, old.id);
        assert.deepEqual([next.kind, next.mode, next.merchant, next.rights, next.expires, next.requests_per_second], ['restricted', 'test', 'acct_dev', { balance: 'read' }, 0, 77]);
        assert.equal((await get(old.key)).status, 200);
        assert.equal((await get(next.key)).status, 200);
        await eventually('the old key has ended', async () => (await get(old.key)).status === 401);
        assert.equal((await get(next.key)).status, 200);
        tool.refused(/is expired/, 'keys', 'roll', old.id);
        const last = tool.json('keys', 'roll', next.id, '--overlap-s', '0');
        assert.equal((await get(next.key)).status, 401);
        assert.equal((await get(last.key)).status, 200);
    });

    await t.test('a revoked key opens nothing from the moment the tool says so', async () => {
        const made = make();
        // On every thread of the daemon, with connections that stay.
        const agent = new https.Agent({ ca: readFileSync(daemon.ready.ca), keepAlive: true, maxSockets: 16 });
        t.after(() => agent.destroy());
        const ask = () => new Promise((resolve, reject) => {
            https.get(new URL('/v1/balance', daemon.ready.url), { agent, headers: { Authorization: `Bearer ${made.key}` } }, (response) => {
                response.resume().on('end', () => resolve(response.statusCode));
            }).on('error', reject);
        });
        const many = () => Promise.all(Array.from({ length: 16 }, ask));
        assert.deepEqual(new Set(await many()), new Set([200]));
        const revoked = tool.json('keys', 'revoke', made.id);
        assert.equal(revoked[0].state, 'revoked');
        assert.equal(revoked[0].revoked_by, 'dev');
        assert.deepEqual(new Set(await many()), new Set([401]));
        await assert.rejects(sdk(daemon, { key: made.key }).balance.retrieve(), { type: 'StripeAuthenticationError' });
        assert.equal(tool.json('keys', 'list').some((one) => one.id === made.id), false);
        assert.equal(tool.json('keys', 'list', '--all').some((one) => one.id === made.id), true);
        tool.refused(/no such key/, 'keys', 'revoke', 'nobody');
    });

    await t.test('a key with an end has one', async () => {
        const made = make('--expires-in-s', '1');
        assert.ok(made.expires > made.created);
        await eventually('the key has ended', async () => (await get(made.key)).status === 401);
    });

    await t.test('test and live are separate worlds', async () => {
        const live = make('--mode', 'live');
        assert.match(live.key, /^sk_live_/);
        const stripe = sdk(daemon, { key: live.key });
        assert.equal((await stripe.balance.retrieve()).livemode, true);
        const intent = await sdk(daemon).paymentIntents.create({ amount: 500, currency: 'eur' });
        await assert.rejects(stripe.paymentIntents.retrieve(intent.id), { statusCode: 404, code: 'resource_missing' });
        assert.equal((await stripe.paymentIntents.list()).data.length, 0);
        const other = await stripe.paymentIntents.create({ amount: 500, currency: 'eur' });
        assert.equal(other.livemode, true);
        await assert.rejects(sdk(daemon).paymentIntents.retrieve(other.id), { statusCode: 404, code: 'resource_missing' });
    });

    await t.test('merchants are made, shown and changed, and do not see each other', async () => {
        const made = tool.json('merchant', 'create', '--id', 'acct_tea', '--name', 'Tea house', '--country', 'GB', '--default-currency', 'GBP',
            '--fee-basis-points', '200', '--fee-fixed-minor', '0', '--availability-days', '0', '--iban', 'DE89370400440532013000', '--account-holder', 'Tea house', '--mode', 'test');
        assert.equal(made.length, 1);
        assert.deepEqual([made[0].id, made[0].mode, made[0].default_currency, made[0].fee_fixed_minor], ['acct_tea', 'test', 'GBP', 0]);
        assert.deepEqual(tool.json('merchant', 'show', 'acct_tea'), made);
        assert.deepEqual(tool.json('merchant', 'list').map((one) => `${one.id}/${one.mode}`), ['acct_dev/test', 'acct_dev/live', 'acct_tea/test']);
        assert.match(tool.run('merchant', 'list').out, /acct_tea +test +Tea house +GB +GBP +200 +0 +0/);
        tool.refused(/acct_tea is there already in mode test/, 'merchant', 'create', '--id', 'acct_tea', '--name', 'Again');
        tool.refused(/iban: expected an IBAN/, 'merchant', 'create', '--id', 'acct_x', '--name', 'X', '--iban', 'DE00370400440532013000');
        tool.refused(/id: expected letters/, 'merchant', 'create', '--id', 'a/b', '--name', 'X');
        tool.refused(/no such merchant/, 'merchant', 'show', 'acct_none');
        tool.refused(/there is no acct_tea in mode live/, 'keys', 'create', '--merchant', 'acct_tea', '--mode', 'live');

        const { key } = tool.json('keys', 'create', '--merchant', 'acct_tea');
        const tea = sdk(daemon, { key });
        const paid = await tea.paymentIntents.create({ amount: 10000, currency: 'eur', payment_method: 'pm_card_visa', confirm: true });
        const fee = async (intent) => (await tea.charges.retrieve(intent.latest_charge)).amount;
        assert.equal(await fee(paid), 10000);
        await assert.rejects(sdk(daemon).paymentIntents.retrieve(paid.id), { statusCode: 404 });
        assert.equal((await tea.balance.retrieve()).pending.find((one) => one.currency === 'eur').amount, 9800);

        const changed = tool.json('merchant', 'update', 'acct_tea', '--fee-basis-points', '100', '--iban', 'GB33BUKB20201555555555');
        assert.deepEqual([changed[0].fee_basis_points, changed[0].iban, changed[0].name], [100, 'GB33BUKB20201555555555', 'Tea house']);
        await tea.paymentIntents.create({ amount: 10000, currency: 'eur', payment_method: 'pm_card_visa', confirm: true });
        assert.equal((await tea.balance.retrieve()).pending.find((one) => one.currency === 'eur').amount, 9800 + 9900);
        tool.refused(/fee_basis_points: expected an integer from 0 to 10000/, 'merchant', 'update', 'acct_tea', '--fee-basis-points', '10001');
        tool.refused(/acct_tea is in none of them/, 'merchant', 'update', 'acct_tea', '--name', 'X', '--mode', 'live');
    });

    await t.test('an operator does what the rights say, and gives no more than that', async () => {
        const file = path.join(folder, 'bea.key');
        const bea = tool.json('keys', 'create', '--admin', '--name', 'Bea', '--right', 'keys=write', '--right', 'merchants=read');
        assert.match(bea.key, /^ak_live_/);
        writeFileSync(file, bea.key + '\n', { mode: 0o600 });
        const hers = operator('--data-dir', folder, '--admin-key-file', file);
        assert.ok(hers.json('merchant', 'list').length > 0);
        hers.refused(/lacks the right merchants=write|no right/, 'merchant', 'create', '--id', 'acct_b', '--name', 'B');
        assert.equal(hers.json('keys', 'create', '--merchant', 'acct_dev').created_by, 'Bea');
        assert.equal(hers.json('keys', 'create', '--admin', '--name', 'Cy', '--right', 'keys=read').name, 'Cy');
        for (const rights of [[], ['--right', '*=read'], ['--right', 'ledger=read'], ['--right', 'merchants=write']]) {
            hers.refused(/nobody gives rights that they do not have/, 'keys', 'create', '--admin', '--name', 'Cy', ...rights);
        }
        const first = tool.json('keys', 'list').find((one) => one.kind === 'admin' && one.name === 'dev');
        hers.refused(/the key of dev: nobody else can roll it/, 'keys', 'roll', first.id);
        tool.refused(/the key of Bea: nobody else can roll it/, 'keys', 'roll', bea.id);
        tool.refused(/mode: expected nothing/, 'keys', 'create', '--admin', '--name', 'Cy', '--mode', 'test');
        tool.refused(/cannot be seen/, 'keys', 'create', '--admin', '--name', 'C\u200by');
        tool.refused(/name: expected/, 'keys', 'create', '--admin');
        const admin = async (key, method, route, body) => {
            const answer = await request(daemon, method, route, { key, ...(body ? { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } } : {}) });
            return { status: answer.status, ...JSON.parse(answer.text) };
        };
        const denied = await admin(bea.key, 'POST', '/admin/v1/merchants', { id: 'acct_b', name: 'B' });
        assert.equal(denied.status, 403);
        assert.equal(typeof denied.error.code, 'string');
        assert.equal((await admin('sk_test_nothing', 'GET', '/admin/v1/keys')).status, 401);
        assert.equal((await admin(daemon.ready.secret_key, 'GET', '/admin/v1/keys')).status, 401);
        const unknown = await admin(bea.key, 'POST', '/admin/v1/keys', { kind: 'secret', mode: 'test', merchant: 'acct_dev', nmae: 'x' });
        assert.deepEqual([unknown.status, unknown.error.message], [400, 'nmae: is not a member of this request']);
        // A person who left is out at once.
        tool.json('keys', 'revoke', bea.id);
        assert.equal((await admin(bea.key, 'GET', '/admin/v1/keys')).status, 401);
    });

    await t.test('keys are the same after a restart, and their text is nowhere', async () => {
        const made = make();
        await kill(daemon, 'SIGTERM');
        const again = await startDaemon(t, folder);
        for (const name of ['secret_key', 'publishable_key', 'admin_key']) assert.equal(again.ready[name], daemon.ready[name]);
        assert.equal((await request(again, 'GET', '/v1/balance', { key: made.key })).status, 200);
        await kill(again, 'SIGTERM');
        const secret = Buffer.from(made.key.slice(20));
        for (const file of files(folder)) assert.equal(readFileSync(file).includes(secret), false, file);
        assert.equal((daemon.log + again.log).includes(made.key.slice(20)), false);
        assert.match(daemon.log, /"key\.created"/);
        // Without a daemon, the directory's own key file lets the tool make an admin key.
        const back = tool.json('keys', 'create', '--admin', '--name', 'Dee');
        const third = await startDaemon(t, folder);
        const listed = await request(third, 'GET', '/admin/v1/keys', { key: back.key });
        assert.equal(listed.status, 200, listed.text);
    });
});

// The production form, whose first admin key is made before the daemon has ever run. `limits` are
// lines of the configuration.
async function production(t, limits) {
    const folder = temporary(t);
    const config = writeConfig(folder, { limits });
    const data = path.join(folder, 'data');
    const offline = ['keys', 'create', '--admin', '--name', 'Ada Lovelace', '--data-dir', data, '--vault-key', path.join(folder, 'vault.key')];
    const first = florin(...offline, '--format', 'json');
    assert.equal(first.code, 0, first.err);
    const { key } = JSON.parse(first.out);
    const keyFile = path.join(folder, 'ada.key');
    writeFileSync(keyFile, key, { mode: 0o600 });
    const daemon = await startProduction(t, folder, config);
    const tool = operator('--data-dir', data, '--ca', path.join(folder, 'server.pem'), '--admin-key-file', keyFile);
    return { folder, data, daemon, tool, offline, adminKey: key };
}

test('the first admin key of a production directory comes from beside it', async (t) => {
    const { folder, data, daemon, tool, offline, adminKey } = await production(t, []);
    assert.match(adminKey, /^ak_live_/);
    const keys = tool.json('keys', 'list');
    assert.deepEqual(keys.map((one) => [one.kind, one.name, one.created_by, one.rights]), [['admin', 'Ada Lovelace', 'florin keys create --vault-key', {}]]);
    const made = tool.json('keys', 'create', '--merchant', 'acct_shop');
    assert.equal((await sdk(daemon, { key: made.key }).balance.retrieve()).object, 'balance');

    // A daemon has the directory now.
    const refused = florin(...offline);
    assert.equal(refused.code, 2);
    assert.match(refused.err, new RegExp(`${daemon.child.pid}.*leave out --vault-key`));
    await kill(daemon, 'SIGTERM');
    const none = florin('keys', 'create', '--admin', '--name', 'Eve', '--data-dir', data);
    assert.equal(none.code, 2);
    assert.match(none.err, /no daemon is running on .*\n.*--vault-key FILE/);
    for (const [args, pattern] of [
        [['--vault-key', path.join(folder, 'none')], /none/],
        [['--vault-key', path.join(folder, 'vault.key'), '--expires-in-s', '5'], /--expires-in-s/],
        [['--vault-key', path.join(folder, 'vault.key'), '--right', 'ledger'], /--right ledger: expected/],
        // What the daemon does not take, the tool does not make.
        [['--vault-key', path.join(folder, 'vault.key'), '--right', 'nonsense=read'], /rights\.nonsense: expected one of \*, attempts/],
        [['--vault-key', path.join(folder, 'vault.key'), '--mode', 'test'], /--mode: an admin key has none/],
        [['--vault-key', path.join(folder, 'vault.key'), '--burst-requests', '5'], /limits/],
    ]) {
        const wrong = florin('keys', 'create', '--admin', '--name', 'Eve', '--data-dir', data, ...args);
        assert.equal(wrong.code, 2, wrong.out);
        assert.match(wrong.err, pattern);
    }
    for (const name of ['', '   ', '\u200b', 'An\u200bna', 'Anna\u202e', 'Anna 4242424242424242', 'sk_live_0123456789abcdefghij']) {
        const wrong = florin('keys', 'create', '--admin', '--name', name, '--data-dir', data, '--vault-key', path.join(folder, 'vault.key'));
        assert.equal(wrong.code, 2, wrong.out);
        assert.match(wrong.err, /^florin: name: /);
        assert.ok(!wrong.err.includes('4242'));
    }
    const tidy = florin('keys', 'create', '--admin', '--name', ' Eve  Adams ', '--data-dir', data, '--vault-key', path.join(folder, 'vault.key'), '--format', 'json');
    assert.equal(JSON.parse(tidy.out).name, 'Eve Adams');
    assert.match(florin('keys', 'create', '--data-dir', data, '--merchant', 'acct_shop', '--vault-key', path.join(folder, 'vault.key')).err, /--admin/);
    assert.equal(florin('ledger', 'verify', '--data-dir', data).code, 0);
});

test('limits of a key', async (t) => {
    const { daemon, tool } = await production(t, ['test_requests_per_second = 1000', 'test_burst_requests = 1000']);

    await t.test('more than its rate is 429, which the SDK calls by its name', async () => {
        const { key } = tool.json('keys', 'create', '--merchant', 'acct_shop', '--requests-per-second', '2', '--burst-requests', '3');
        const stripe = sdk(daemon, { key, retries: 2 });
        for (let i = 0; i < 3; ++i) await stripe.balance.retrieve();
        const begin = Date.now();
        await assert.rejects(async () => { for (let i = 0; i < 5; ++i) await stripe.balance.retrieve(); }, (error) => {
            assert.equal(error.type, 'StripeRateLimitError');
            assert.equal(error.statusCode, 429);
            assert.equal(error.code, 'rate_limit');
            assert.equal(error.headers['stripe-should-retry'], 'false');
            assert.ok(Number(error.headers['retry-after']) >= 1);
            return true;
        });
        assert.ok(Date.now() - begin < 5_000);
        await eventually('there is room again', async () => (await request(daemon, 'GET', '/v1/balance', { key })).status === 200);
        // Nobody else pays for it.
        const other = tool.json('keys', 'create', '--merchant', 'acct_shop');
        for (let i = 0; i < 20; ++i) assert.equal((await request(daemon, 'GET', '/v1/balance', { key: other.key })).status, 200);
    });

    await t.test('more at once than it may is 429, and worth another try', async () => {
        const { key } = tool.json('keys', 'create', '--merchant', 'acct_shop', '--in-flight-max', '1');
        const body = form({ amount: 500, currency: 'eur', payment_method: 'pm_card_visa', confirm: true });
        const refused = await eventually('two requests meet', async () => {
            const answers = await Promise.all(Array.from({ length: 16 }, () => request(daemon, 'POST', '/v1/payment_intents', { key, body })));
            assert.ok(answers.some((one) => one.status === 200));
            return answers.find((one) => one.status !== 200);
        });
        isError(refused, 429, 'rate_limit');
        assert.equal(refused.headers['stripe-should-retry'], 'true');
        assert.ok(Number(refused.headers['retry-after']) >= 1);
        // The SDK comes back by itself.
        const stripe = sdk(daemon, { key, retries: 10 });
        const paid = await Promise.all(Array.from({ length: 4 }, () => stripe.paymentIntents.create({ amount: 500, currency: 'eur', payment_method: 'pm_card_visa', confirm: true })));
        assert.ok(paid.every((one) => one.status === 'succeeded'));
        const metrics = (await request({ ready: { ...daemon.ready, url: daemon.ready.admin_url } }, 'GET', '/metrics', { key })).text;
        assert.ok(Number(/^florin_api_rate_limited_total (\d+)/m.exec(metrics)[1]) >= 2, metrics);
    });
});

test('overload: what is accepted is answered as fast as ever, the rest is refused at once', async (t) => {
    const room = 8;
    const { daemon, tool } = await production(t, ['test_requests_per_second = 0', 'key_in_flight_max = 0', `requests_in_flight_max = ${room}`]);
    const { key } = tool.json('keys', 'create', '--merchant', 'acct_shop');
    const agent = new https.Agent({ ca: readFileSync(daemon.ready.ca), keepAlive: true, maxSockets: 128 });
    t.after(() => agent.destroy());
    const body = form({ amount: 500, currency: 'eur', payment_method: 'pm_card_visa', confirm: true });
    const ask = (headers = {}) => new Promise((resolve, reject) => {
        const begin = performance.now();
        const call = https.request(new URL('/v1/payment_intents', daemon.ready.url), {
            agent, method: 'POST',
            headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': Buffer.byteLength(body), ...headers },
        }, (response) => {
            let text = '';
            response.on('data', (bytes) => (text += bytes));
            response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text, ms: performance.now() - begin }));
        });
        call.on('error', reject);
        call.end(body);
    });
    // So many clients that come back as soon as they are answered, or a moment after a refusal (the
    // SDK waits longer).
    const load = async (clients, ms) => {
        const until = Date.now() + ms;
        const seen = { accepted: [], refused: [], last: null };
        await Promise.all(Array.from({ length: clients }, async () => {
            while (Date.now() < until) {
                const answer = await ask();
                if (answer.status === 200) {
                    seen.accepted.push(answer.ms);
                } else {
                    seen.last = answer;
                    seen.refused.push(answer.ms);
                    await pause(200);
                }
            }
        }));
        return seen;
    };
    // Handshakes are not what is measured.
    await load(16 * room, 1_500);
    const calm = await load(room, 3_000);
    assert.equal(calm.refused.length, 0, calm.last?.text);
    const rush = await load(16 * room, 4_000);
    t.diagnostic(`${room} clients: ${calm.accepted.length} accepted in 3 s, p99 ${p99(calm.accepted).toFixed(1)} ms; ${16 * room} clients: ` +
        `${rush.accepted.length} accepted in 4 s, p99 ${p99(rush.accepted).toFixed(1)} ms, ${rush.refused.length} refused, p99 ${p99(rush.refused).toFixed(1)} ms`);
    isError(rush.last, 503, undefined);
    assert.equal(rush.last.headers['stripe-should-retry'], 'true');
    assert.ok(Number(rush.last.headers['retry-after']) >= 1);
    assert.ok(rush.refused.length > rush.accepted.length / 100);
    // Work goes on: no fewer are served than half of what the calm daemon did in that time.
    assert.ok(rush.accepted.length > calm.accepted.length / 2, `${rush.accepted.length} of ${calm.accepted.length}`);
    // Sixteen times the clients would wait sixteen times as long in a queue.
    const bound = Math.max(5 * p99(calm.accepted), 250);
    assert.ok(p99(rush.accepted) < bound, `accepted: ${p99(rush.accepted)} ms`);
    assert.ok(p99(rush.refused) < bound, `refused: ${p99(rush.refused)} ms`);

    // A refusal has done nothing: the same idempotency key goes through afterwards.
    const flood = load(16 * room, 1_000);
    let refused = null;
    for (let i = 0; refused === null; ++i) {
        const answer = await ask({ 'Idempotency-Key': `again-${i}` });
        if (answer.status === 503) refused = `again-${i}`;
    }
    await flood;
    const through = await ask({ 'Idempotency-Key': refused });
    assert.equal(through.status, 200, through.text);
    assert.equal(through.headers['idempotent-replayed'], undefined);
    // Operators are served meanwhile and afterwards.
    const metrics = (await request({ ready: { ...daemon.ready, url: daemon.ready.admin_url } }, 'GET', '/metrics', { key })).text;
    assert.ok(Number(/^florin_api_overloaded_total (\d+)/m.exec(metrics)[1]) >= rush.refused.length);
    assert.equal(Number(/^florin_api_in_flight (\d+)/m.exec(metrics)[1]), 0);
});
