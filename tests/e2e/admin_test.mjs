// The operators' API from outside: what no bank explains is decided by two persons, and the money,
// the merchant's view and the books agree; the ledger by JSON; and both OpenAPI documents tell the
// truth about every answer.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import Ajv from 'ajv/dist/2020.js';

import { control, eventually, florin, kill, pay, request, sdk, signedOn, startBank, startDaemon, temporary } from './support.mjs';

// A document whose schemas answers are held against, and which operations were seen.
class Document {
    constructor(text) {
        this.json = JSON.parse(text);
        this.ajv = new Ajv({ strict: false, allErrors: true });
        this.ajv.addSchema({ $id: 'doc', ...this.json });
        this.seen = new Set();
    }

    // "/admin/v1/test/attempts/at_1" -> ["/admin/v1/{mode}/attempts/{id}", …]
    find(route) {
        const parts = route.split('?')[0].split('/');
        const fits = (pattern) => {
            const wanted = pattern.split('/');
            return wanted.length === parts.length && wanted.every((one, i) => one.startsWith('{') || one === parts[i]);
        };
        const found = Object.keys(this.json.paths).filter(fits);
        return found.find((one) => !one.includes('{')) ?? found[0];
    }

    check(method, route, status, body) {
        const pattern = this.find(route);
        assert.ok(pattern, `${route} is in the document`);
        const verb = method.toLowerCase();
        const operation = this.json.paths[pattern][verb];
        assert.ok(operation, `${method} ${pattern} is in the document`);
        const described = operation.responses[status];
        assert.ok(described, `${method} ${pattern} may answer ${status}: ${JSON.stringify(body)}`);
        const where = described.$ref
            ? `doc${described.$ref}/content/application~1json/schema`
            : `doc#/paths/${pattern.replaceAll('~', '~0').replaceAll('/', '~1').replaceAll('{', '%7B').replaceAll('}', '%7D')}/${verb}/responses/${status}/content/application~1json/schema`;
        const validate = this.ajv.getSchema(where);
        assert.ok(validate, `${where} is a schema`);
        assert.ok(validate(body), `${method} ${pattern} ${status}: ${this.ajv.errorsText(validate.errors)}\n${JSON.stringify(body, null, 1)}`);
        if (status === 200) this.seen.add(`${method} ${pattern}`);
        return body;
    }

    operations() {
        return Object.entries(this.json.paths).flatMap(([route, methods]) => Object.keys(methods).map((verb) => `${verb.toUpperCase()} ${route}`));
    }
}

test('operators', async (t) => {
    const folder = temporary(t);
    const bank = await startBank(t, path.join(folder, 'bank'));
    const data = path.join(folder, 'florin');
    const daemon = await startDaemon(t, data, ['--iso8583', bank.ready.address]);
    const stripe = sdk(daemon);
    await signedOn(daemon);
    const { admin_key: first, second_admin_key: second } = JSON.parse(readFileSync(path.join(data, 'dev.json'), 'utf8'));
    const document = new Document((await request(daemon, 'GET', '/admin/v1/openapi.json', { key: first })).text);

    // Every answer is held against the document.
    const ask = async (method, route, { key = first, body, status = 200 } = {}) => {
        const answer = await request(daemon, method, `/admin/v1${route}`, { key, body: body === undefined ? undefined : JSON.stringify(body) });
        assert.equal(answer.status, status, `${method} ${route}: ${answer.text}`);
        return document.check(method, `/admin/v1${route}`, status, JSON.parse(answer.text));
    };
    const get = (route, more) => ask('GET', route, more);
    const post = (route, body = {}, more = {}) => ask('POST', route, { body, ...more });
    const unknownOf = async (operation) => (await get('/test/attempts?state=unknown')).attempts.find((one) => one.operation === operation);
    const balance = async () => {
        const now = await stripe.balance.retrieve();
        return [...now.available, ...now.pending].filter((one) => one.currency === 'eur').reduce((sum, one) => sum + one.amount, 0);
    };

    // Without an answer until the end of the test, so that the bank does not explain anything.
    await control(bank, { silence: true, match: { mti: '022', amount_minor: 1_111 } });
    await control(bank, { lose: true, match: { mti: '022', amount_minor: 2_222 } });
    await control(bank, { lose: true, match: { mti: '020', amount_minor: 333 } });
    const good = await pay(stripe, 10_000);

    await t.test('a capture without an answer becomes what two persons say', async () => {
        const before = await balance();
        const payment = await pay(stripe, 1_111);
        assert.equal(payment.status, 'processing');
        const attempt = await eventually('the capture is unknown', () => unknownOf('capture'));
        assert.equal(attempt.payment_intent, payment.id);
        assert.match(attempt.stan, /^[0-9]{6}$/);
        assert.match(attempt.rrn, /^[0-9]{12}$/);
        const base = `/test/attempts/${attempt.attempt}`;
        assert.deepEqual((await get(base)).may_become, ['approved', 'declined']);
        const wish = { outcome: 'approved', reason: 'the bank showed it in its portal' };
        await post(`${base}/resolutions`, { ...wish, outcome: 'reversed' }, { status: 409 });
        await post(`${base}/resolutions`, { outcome: 'approved' }, { status: 400 });
        const made = await post(`${base}/resolutions`, wish);
        assert.equal(made.state, 'proposed');
        const one = `${base}/resolutions/${made.resolution}`;
        // One person is not two.
        assert.match((await post(`${one}/confirm`, {}, { status: 403 })).error.message, /another person/);
        await post(`${base}/resolutions`, wish, { status: 403 });
        assert.equal((await stripe.paymentIntents.retrieve(payment.id)).status, 'processing');
        assert.equal((await post(`${one}/withdraw`)).state, 'withdrawn');
        const again = await post(`${base}/resolutions`, wish);
        const done = await post(`${base}/resolutions/${again.resolution}/confirm`, { reason: 'seen in the portal' }, { key: second });
        assert.equal(done.attempt_state, 'approved');
        assert.equal(done.decided_reason, 'seen in the portal');
        const intent = await stripe.paymentIntents.retrieve(payment.id, { expand: ['latest_charge'] });
        assert.equal(intent.status, 'succeeded');
        assert.equal(intent.latest_charge.captured, true);
        assert.equal(await balance() - before, 1_111 - (Math.floor(1_111 * 150 / 10_000 + 0.5) + 25));
        const list = await get(`${base}/resolutions`);
        assert.deepEqual(list.resolutions.map((each) => each.state), ['withdrawn', 'confirmed']);
        await post(`${one}/confirm`, {}, { key: second, status: 409 });
        await post(`${base}/resolutions/rs_none/confirm`, {}, { key: second, status: 404 });
    });

    await t.test('a capture that was not booked gives back what it authorised', async () => {
        const before = await balance();
        const payment = await pay(stripe, 2_222);
        const attempt = await eventually('the capture is unknown', () => unknownOf('capture'));
        const at = ['--data-dir', data, '--format', 'json'];
        const resolve = (key) => florinWith(key, 'attempts', 'resolve', attempt.attempt, '--outcome', 'declined', '--reason', 'never arrived', ...at);
        assert.equal(JSON.parse(resolve(first).out).state, 'proposed');
        assert.equal(resolve(first).code, 2);
        assert.match(resolve(first).err, /another person/);
        const done = resolve(second);
        assert.equal(done.code, 0, done.err);
        assert.equal(JSON.parse(done.out).attempt_state, 'declined');
        await eventually('the hold is given back', async () => (await stripe.paymentIntents.retrieve(payment.id)).status === 'requires_payment_method');
        assert.equal(await balance(), before);
    });

    await t.test('a refund without an answer becomes what two persons say', async () => {
        const before = await balance();
        const refund = await stripe.refunds.create({ payment_intent: good.id, amount: 333 });
        assert.equal(refund.status, 'pending');
        const attempt = await eventually('the refund is unknown', () => unknownOf('refund'));
        const base = `/test/attempts/${attempt.attempt}/resolutions`;
        await post(base, { outcome: 'declined', reason: 'the bank refused it by letter' }, { key: second });
        // The same wish by another person confirms it.
        const done = await post(base, { outcome: 'declined', reason: 'seen' });
        assert.equal(done.state, 'confirmed');
        assert.equal(done.decided_by, 'dev');
        assert.equal((await stripe.refunds.retrieve(refund.id)).status, 'failed');
        assert.equal(await balance(), before);
        // What it would have given back can be given back again.
        assert.equal((await stripe.refunds.create({ payment_intent: good.id, amount: 334 })).status, 'succeeded');
    });

    await t.test('the tool lists over HTTPS what it reads from the directory', () => {
        const url = JSON.parse(readFileSync(path.join(data, 'run.json'), 'utf8'));
        const over = florinWith(first, 'attempts', 'list', '--url', url.admin_url, '--ca', url.ca, '--format', 'json');
        assert.equal(over.code, 0, over.err);
        const read = florin('attempts', 'list', '--data-dir', data, '--format', 'json');
        const ids = (text) => JSON.parse(text).map((one) => one.attempt).sort();
        assert.deepEqual(ids(over.out), ids(read.out));
        const shown = florinWith(first, 'attempts', 'show', ids(over.out)[0], '--url', url.admin_url, '--ca', url.ca);
        assert.match(shown.out, /evidence/);
    });

    await t.test('routes are switched while it runs', async () => {
        const routes = (await get('/test/routes')).routes;
        assert.deepEqual(routes.map((one) => one.connector).sort(), ['bank', 'sandbox']);
        const set = (...args) => florinWith(first, 'route', 'set', 'bank', ...args, '--reason', 'a test', '--data-dir', data, '--format', 'json');
        assert.equal(set('--disable').code, 0);
        await assert.rejects(pay(stripe, 700, { metadata: { florin_route: 'bank' } }), /florin_route|No such route/);
        const back = set('--enable', '--priority', '3');
        assert.equal(back.code, 0, back.err);
        assert.equal((await pay(stripe, 700, { metadata: { florin_route: 'bank' } })).status, 'succeeded');
        await post('/test/routes/none', { enabled: true, reason: 'x' }, { status: 404 });
        await post('/test/routes/bank', { reason: 'x' }, { status: 400 });
        await post('/test/routes/bank', { priority: 5, reason: 'back' });
        assert.equal(florinWith(first, 'route', 'list', '--data-dir', data).code, 0);
    });

    await t.test('the ledger answers in JSON', async () => {
        const accounts = [{ id: '700001', ledger: 700, code: 9, flags: ['history'] }, { id: '700002', ledger: 700, code: 9 }];
        const made = await post('/ledger/create_accounts', { create_accounts: accounts });
        assert.deepEqual(made.results.map((one) => one.status), ['created', 'created']);
        const transfer = { id: '700003', debit_account_id: '700001', credit_account_id: '700002', amount: '12', ledger: 700, code: 1, user_data_128: '4711' };
        assert.equal((await post('/ledger/create_transfers', { create_transfers: [transfer] })).results[0].status, 'created');
        assert.equal((await post('/ledger/create_transfers', { create_transfers: [transfer] })).results[0].status, 'exists');
        assert.equal((await post('/ledger/lookup_accounts', { lookup_accounts: ['700001'] })).accounts[0].debits_posted, '12');
        assert.equal((await post('/ledger/lookup_transfers', { lookup_transfers: ['700003'] })).transfers[0].user_data_128, '4711');
        const filter = { account_id: '700001', limit: 10, flags: ['debits', 'credits'] };
        assert.equal((await post('/ledger/get_account_transfers', { get_account_transfers: filter })).transfers.length, 1);
        assert.equal((await post('/ledger/get_account_balances', { get_account_balances: filter })).balances.length, 1);
        assert.equal((await post('/ledger/query_accounts', { query_accounts: { ledger: 700, limit: 10 } })).accounts.length, 2);
        assert.equal((await post('/ledger/query_transfers', { query_transfers: { user_data_128: '4711', limit: 10 } })).transfers.length, 1);
        await post('/ledger/create_transfers', { create_transfers: [{ nonsense: 1 }] }, { status: 400 });
        await post('/ledger/create_transfers', { create_accounts: [] }, { status: 400 });
    });

    await t.test('journal, health, settlement and reconciliation look as the document says', async () => {
        await get('');
        const journal = await get('/journal');
        assert.equal(journal.sequence, journal.stable_sequence);
        assert.ok(journal.size_bytes > 0);
        assert.equal((await get('/health')).status, 'ok');
        const finish = async (route) => {
            const { job } = await post(route);
            return eventually(`${job} is over`, async () => {
                const report = await get(`/jobs/${job}`);
                return report.state === 'running' ? null : report;
            });
        };
        const settled = await finish('/test/settlement/runs');
        assert.equal(settled.state, 'done', JSON.stringify(settled));
        await get('/test/settlement/batches');
        await get(`/test/settlement/batches/${settled.result.batch}`);
        await get('/test/settlement/batches/stl-none', { status: 404 });
        // Through the tool, as the documents of an import are its own business.
        const csv = path.join(folder, 'transactions.csv');
        assert.equal((await control(bank, { report: 'transactions', path: csv })).ok, true);
        const head = { id: 'st-1', level: 'acquirer', account: 'banksim', currency: 'EUR', date: '2026-11-25', opening: '', closing: '', file: '', lines: 0 };
        const forged = { ...head, digest: 'd'.repeat(64) };
        const statement = { ...head, digest: createHash('sha256').update(JSON.stringify(head)).digest('hex') };
        await post('/test/recon/imports', { statement: forged });
        assert.match((await post('/test/recon/completions', { statement: forged }, { status: 400 })).error.message, /digest/);
        assert.equal((await post('/test/recon/imports', { statement }, { key: second })).imported_key, second.slice(8, 20));
        await post('/test/recon/lines', { statement, lines: [] });
        await post('/test/recon/completions', { statement });
        const known = await post('/test/recon/imports', { statement });
        assert.equal(known.state, 'complete');
        assert.deepEqual([known.imported_key, known.completed_key], [second, first].map((key) => key.slice(8, 20)));
        assert.match(daemon.log, /"recon\.imported"/);
        assert.match(daemon.log, /"recon\.import_discarded"/);
        assert.equal((await finish('/test/recon/runs')).state, 'done');
        await get('/test/recon/breaks');
        await get('/test/recon/breaks/all');
        assert.deepEqual(await get('/test/totals'), []);
        assert.ok((await get('/openapi.json')).paths);
    });

    await t.test('keys and merchants look as the document says', async () => {
        const shop = { id: 'acct_second', name: 'A second shop', country: 'FR', default_currency: 'eur', iban: 'DE89370400440532013000', account_holder: 'A' };
        assert.deepEqual((await post('/merchants', shop)).map((one) => one.mode), ['test', 'live']);
        await post('/merchants', shop, { status: 409 });
        await post('/merchants', { id: 'acct_third' }, { status: 400 });
        assert.deepEqual((await post('/merchants/acct_second', { modes: ['test'], fee_basis_points: 90 })).map((one) => one.fee_basis_points), [90]);
        await post('/merchants/acct_second', { country: 'DE' }, { status: 400 });
        await post('/merchants/acct_none', { name: 'x' }, { status: 404 });
        assert.equal((await get('/merchants/acct_second')).length, 2);
        await get('/merchants/acct_none', { status: 404 });
        assert.ok((await get('/merchants')).length >= 3);
        const made = await post('/keys', { kind: 'restricted', mode: 'test', merchant: 'acct_second', rights: { refunds: 'read' }, expires_in_s: 600 });
        assert.match(made.key, /^rk_test_/);
        await post('/keys', { kind: 'secret', mode: 'test', merchant: 'acct_none' }, { status: 404 });
        await post('/keys', { kind: 'admin' }, { status: 400 });
        const rolled = await post(`/keys/${made.id}/roll`, { overlap_s: 0 });
        await post(`/keys/${made.id}/roll`, {}, { status: 409 });
        assert.equal((await post(`/keys/${rolled.id}/revoke`)).state, 'revoked');
        assert.equal((await get(`/keys/${made.id}`)).state, 'expired');
        await get('/keys/none', { status: 404 });
        assert.ok((await get('/keys')).every((one) => one.key === undefined));
    });

    await t.test('what is refused is refused in the one shape of errors', async () => {
        await get('/journal', { key: daemon.ready.secret_key, status: 401 });
        await get('/test/attempts/at_none', { status: 404 });
        await get('/live/attempts', { status: 404 });
        await get('/test/attempts?limit=1000', { status: 400 });
        const secret = await get('/keys/4242424242424242', { status: 404 });
        assert.match(secret.error.message, /\*{12}4242/);
        assert.ok(!JSON.stringify(secret).includes('4242424242424242'));
        const slow = await post('/keys', { kind: 'admin', name: 'Slow', rights: { journal: 'read' }, requests_per_second: 1 });
        const answers = await Promise.all(Array.from({ length: 8 }, () => request(daemon, 'GET', '/admin/v1/journal', { key: slow.key })));
        const limited = answers.find((one) => one.status === 429);
        assert.ok(limited, `${answers.map((one) => one.status)}`);
        document.check('GET', '/admin/v1/journal', 429, JSON.parse(limited.text));
        assert.equal(JSON.parse(limited.text).error.code, 'rate_limit');
        assert.ok(Number(limited.headers['retry-after']) >= 1);
        const lost = await request(daemon, 'GET', '/admin/v1/nowhere', { key: first });
        assert.equal(lost.status, 404);
        assert.deepEqual(Object.keys(JSON.parse(lost.text).error), ['code', 'message']);
    });

    await t.test('every operation of the document was asked', () => {
        assert.deepEqual(document.operations().filter((one) => !document.seen.has(one)), []);
    });

    const merchant = new Document((await request(daemon, 'GET', '/v1/openapi.json', { key: null })).text);
    const see = async (method, route, body, status = 200) => {
        const answer = await request(daemon, method, `/v1${route}`, { body });
        assert.equal(answer.status, status, `${method} ${route}: ${answer.text}`);
        return merchant.check(method, `/v1${route}`, status, JSON.parse(answer.text));
    };

    await t.test('the merchants\' document says what payments, charges and refunds answer', async () => {
        const held = await see('POST', '/payment_intents', 'amount=900&currency=eur&payment_method=pm_card_visa&confirm=true&capture_method=manual');
        await see('POST', `/payment_intents/${held.id}/capture`, 'amount_to_capture=800');
        // Also where most of a hash is not given.
        const idle = await see('POST', '/payment_intents', 'amount=900&currency=eur&shipping[name]=A&shipping[address][city]=Bonn');
        await see('POST', `/payment_intents/${idle.id}`, 'description=changed&shipping[name]=A&shipping[address][line1]=B');
        await see('POST', `/payment_intents/${idle.id}/confirm`, 'payment_method=pm_card_visa');
        const given = await see('POST', '/payment_intents', 'amount=901&currency=eur');
        await see('POST', `/payment_intents/${given.id}/cancel`, '');
        await see('GET', `/payment_intents/${held.id}?expand[]=latest_charge`);
        await see('GET', '/payment_intents?limit=2');
        const charge = (await see('GET', '/charges?limit=2')).data[0];
        await see('GET', `/charges/${charge.id}`);
        await see('GET', `/charges/${charge.id}/refunds?limit=2`);
        await see('POST', `/charges/${charge.id}`, 'description=changed&fraud_details[user_report]=safe');
        const refund = await see('POST', '/refunds', `payment_intent=${held.id}&amount=100`);
        await see('GET', `/refunds/${refund.id}`);
        await see('POST', `/refunds/${refund.id}`, 'metadata[a]=b');
        await see('GET', '/refunds');
        await see('GET', '/balance');
        const { data: rows } = await see('GET', '/balance_transactions');
        await see('GET', `/balance_transactions/${rows[0].id}`);
        await see('GET', `/balance_transactions/${rows[0].id}?expand[]=source`);
        await see('GET', '/balance_transactions/txn_none', undefined, 404);
        await see('GET', '/charges/ch_none', undefined, 404);
        await see('POST', '/refunds', 'more=1', 400);
        await see('POST', '/payment_intents', 'amount=902&currency=eur&payment_method=pm_card_visa_chargeDeclined&confirm=true', 402);
    });

    await t.test('and what customers and their cards answer', async () => {
        const customer = await see('POST', '/customers', 'email=a@example.com&address[city]=Bonn&shipping[name]=A&shipping[address][city]=Bonn&metadata[a]=b');
        const at = `/customers/${customer.id}`;
        const method = await see('POST', '/payment_methods', 'type=card&card[token]=tok_visa&billing_details[name]=A');
        await see('GET', `/payment_methods/${method.id}`);
        assert.equal((await see('POST', `/payment_methods/${method.id}/attach`, `customer=${customer.id}`)).customer, customer.id);
        await see('POST', `/payment_methods/${method.id}`, 'card[exp_month]=11&billing_details[email]=b@example.com');
        await see('POST', at, `invoice_settings[default_payment_method]=${method.id}&shipping=`);
        await see('GET', `${at}?expand[]=invoice_settings.default_payment_method`);
        assert.equal((await see('GET', `${at}/payment_methods?type=card`)).data.length, 1);
        await see('GET', `${at}/payment_methods/${method.id}?expand[]=customer`);
        assert.equal((await see('GET', `/payment_methods?customer=${customer.id}`)).data.length, 1);
        assert.equal((await see('GET', '/customers?email=a@example.com')).data.length, 1);
        assert.equal((await see('POST', `/payment_methods/${method.id}/detach`, '')).customer, null);
        await see('POST', `/payment_methods/${method.id}/attach`, `customer=${customer.id}`, 400);
        await see('POST', '/payment_methods', 'type=card&card[number]=4242424242424241&card[exp_month]=1&card[exp_year]=2040', 402);
        await see('POST', `/payment_methods/${method.id}`, 'card[exp_year]=2001', 402);
        assert.equal((await see('DELETE', at)).deleted, true);
        assert.equal((await see('GET', at)).deleted, true);
        await see('POST', at, 'name=B', 404);
        await see('DELETE', '/customers/cus_none', undefined, 404);
    });

    await t.test('and what events and webhook endpoints answer', async () => {
        const events = (await see('GET', '/events?limit=100')).data;
        assert.ok(events.some((one) => one.type === 'customer.deleted') && events.some((one) => one.data.previous_attributes));
        await see('GET', `/events/${events[0].id}`);
        await see('GET', '/events?types[]=charge.*&types[]=refund.created&delivery_success=true&created[gte]=1');
        await see('GET', '/events?type=a&types[]=b', undefined, 400);
        // Nobody listens there: what is delivered is not this test's business.
        const made = await see('POST', '/webhook_endpoints', 'url=http://127.0.0.1:9/hooks&enabled_events[]=charge.failed&description=d');
        const at = `/webhook_endpoints/${made.id}`;
        assert.match(made.secret, /^whsec_/);
        assert.equal((await see('GET', at)).secret, undefined);
        assert.equal((await see('POST', at, 'disabled=true&description=')).status, 'disabled');
        const rolled = await see('POST', `${at}/roll_secret`, 'expires_in=60');
        assert.notEqual(rolled.secret, made.secret);
        assert.equal((await see('GET', '/webhook_endpoints?limit=5')).data[0].id, made.id);
        await see('POST', '/webhook_endpoints', 'url=nowhere&enabled_events[]=charge.failed', 400);
        assert.equal((await see('DELETE', at)).deleted, true);
        await see('GET', at, undefined, 404);
    });

    await t.test('every operation of it was asked', () => {
        assert.deepEqual(merchant.operations().filter((one) => !merchant.seen.has(one)), []);
    });

    await t.test('what it calls a parameter is one, and what it does not is none', async () => {
        // Some endpoints look for their object first.
        const customer = (await see('POST', '/customers', '')).id;
        const idle = (await see('POST', '/payment_intents', 'amount=900&currency=eur')).id;
        const ids = { customers: customer, payment_intents: idle };
        // Nothing is done: each request has a name that nobody knows, which is what is complained of.
        const complaint = async (operation, names) => {
            const [method, pattern] = operation.split(' ');
            const route = pattern.replace('{id}', ids[pattern.split('/')[2]] ?? 'none_1').replace('{method}', 'pm_1');
            const form = names.map((name) => `${encodeURIComponent(name)}=1`).join('&');
            const answer = method === 'POST'
                ? await request(daemon, method, route, { body: form })
                : await request(daemon, method, `${route}?${form}`);
            const { error } = JSON.parse(answer.text);
            return error?.code === 'parameter_unknown' ? error.param : `${answer.status} ${answer.text}`;
        };
        const parametersOf = (operation) => {
            const [method, route] = operation.split(' ');
            const described = merchant.json.paths[route][method.toLowerCase()];
            const query = (described.parameters ?? []).filter((one) => one.in === 'query').map((one) => [one.name, one.schema]);
            const form = described.requestBody?.content['application/x-www-form-urlencoded'].schema.properties ?? {};
            return Object.fromEntries([...query, ...Object.entries(form)]);
        };
        // [name, members] of a hash and of those in it.
        const hashes = (properties, prefix = '') => Object.entries(properties).filter(([, schema]) => schema.properties).flatMap(([key, schema]) => {
            const name = prefix ? `${prefix}[${key}]` : key;
            return [[name, Object.keys(schema.properties)], ...hashes(schema.properties, name)];
        });
        const operations = merchant.operations();
        const names = [...new Set(operations.flatMap((one) => Object.keys(parametersOf(one))))];
        assert.ok(names.length > 40, names.join());
        const wrong = [];
        const expect = async (operation, sent, param) => {
            const got = await complaint(operation, sent);
            if (got !== param) wrong.push(`${operation} ${sent.join('&')}: ${got}`);
        };
        await Promise.all(operations.map(async (operation) => {
            const described = parametersOf(operation);
            await expect(operation, [...Object.keys(described), 'zz'], 'zz');
            for (const name of names.filter((one) => !described[one])) {
                await expect(operation, [name], name);
            }
            for (const [hash, members] of hashes(described)) {
                for (const member of members) {
                    await expect(operation, [`${hash}[${member}]`, `${hash}[zz]`], `${hash}[zz]`);
                }
            }
        }));
        assert.deepEqual(wrong, []);
    });

    await t.test('the books are whole', async () => {
        await kill(daemon, 'SIGTERM');
        assert.equal(florin('ledger', 'verify', '--data-dir', data).code, 0);
        assert.equal(florin('attempts', 'list', '--unknown', '--data-dir', data).code, 0);
        assert.ok(!daemon.log.includes(first) && !daemon.log.includes(second), 'no key is in the log');
        assert.match(daemon.log, /"event":"resolution.confirmed"/);
        assert.match(daemon.log, /"event":"ledger.manual_entry"/);
    });
});

// `florin …` with this admin key.
function florinWith(key, ...args) {
    const before = process.env.FLORIN_ADMIN_KEY;
    process.env.FLORIN_ADMIN_KEY = key;
    try {
        return florin(...args);
    } finally {
        if (before === undefined) delete process.env.FLORIN_ADMIN_KEY;
        else process.env.FLORIN_ADMIN_KEY = before;
    }
}
