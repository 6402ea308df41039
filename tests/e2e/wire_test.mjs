// The wire convention rule by rule: headers, authentication, forms, errors, idempotency, lists,
// expansion, money. The SDK and the schemas are not ours, so that agreement means something.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import Ajv from 'ajv/dist/2020.js';

import { control, eventually, kill, request, sdk, startBank, startDaemon, temporary } from './support.mjs';

const ajv = new Ajv({ strict: false, allErrors: true });
ajv.addSchema(JSON.parse(readFileSync(new URL('schemas/components.json', import.meta.url))));

// Every required field, no unknown one, every type.
function conforms(kind, object) {
    const validate = ajv.getSchema(`components.json#/$defs/${kind}`);
    assert.ok(validate(object), `${kind}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(object, null, 1)}`);
    return object;
}
function isList(list, url, kind) {
    assert.deepEqual(Object.keys(list).sort(), ['data', 'has_more', 'object', 'url']);
    assert.equal(list.object, 'list');
    assert.equal(list.url, url);
    assert.equal(typeof list.has_more, 'boolean');
    list.data.forEach((one) => conforms(kind, one));
    return list;
}
const errorTypes = ['api_error', 'card_error', 'idempotency_error', 'invalid_request_error'];
const errorFields = ['type', 'message', 'code', 'param', 'doc_url', 'request_log_url', 'decline_code', 'advice_code',
    'network_decline_code', 'network_advice_code', 'charge', 'payment_intent', 'payment_method', 'setup_intent', 'source'];
function isError(response, status, { type = 'invalid_request_error', code, param } = {}) {
    const seen = `${response.status} ${response.text}`;
    assert.equal(response.status, status, seen);
    assert.equal(response.headers['content-type'], 'application/json');
    assert.match(response.headers['request-id'], /^req_[A-Za-z0-9]{14,}$/);
    const body = JSON.parse(response.text);
    assert.deepEqual(Object.keys(body), ['error']);
    for (const field of Object.keys(body.error)) assert.ok(errorFields.includes(field), field);
    assert.ok(errorTypes.includes(body.error.type));
    assert.equal(body.error.type, type, seen);
    assert.equal(typeof body.error.message, 'string');
    if (code !== undefined) assert.equal(body.error.code, code, seen);
    if (param !== undefined) assert.equal(body.error.param, param, seen);
    return body.error;
}
const base64 = (text) => Buffer.from(text).toString('base64');

test('the wire convention', async (t) => {
    const daemon = await startDaemon(t, temporary(t));
    const stripe = sdk(daemon);
    const get = (route, headers = {}, key) => request(daemon, 'GET', route, { headers, key });
    const post = (route, body = '', headers = {}, key) => request(daemon, 'POST', route, { body, headers, key });
    const create = (body, headers) => post('/v1/payment_intents', body, headers);
    const made = async (body) => {
        const response = await create(body);
        assert.equal(response.status, 200, response.text);
        return JSON.parse(response.text);
    };
    const good = 'amount=1000&currency=eur';
    const paid = `${good}&payment_method=pm_card_visa&confirm=true`;

    await t.test('every response names its request, once', async () => {
        const key = daemon.ready.secret_key;
        const responses = [
            await get('/v1/balance'), await create(good), await get('/v1/payment_intents/pi_none'), await get('/v1/nothing'),
            await get('/v1/balance', {}, 'sk_test_wrong'), await request(daemon, 'PUT', '/v1/balance'), await create('amount=1'),
            await create(`x=${'y'.repeat(1024 * 1024)}`), await get('/v1/balance', { 'X-Long': 'z'.repeat(40_000) }),
            await request(daemon, 'GET', '/v1/balance', { headers: { Authorization: 'Nonsense' } }), await get('/v1/%zz', {}, key),
        ];
        assert.deepEqual(responses.map((one) => one.status), [200, 200, 404, 404, 401, 404, 400, 413, 431, 401, 400]);
        for (const one of responses) {
            assert.match(one.headers['request-id'], /^req_[A-Za-z0-9]{14,}$/);
            assert.equal(one.headers['content-type'], 'application/json');
            JSON.parse(one.text);
        }
        assert.equal(new Set(responses.map((one) => one.headers['request-id'])).size, responses.length);
        const method = await stripe.paymentIntents.create({ amount: 100, currency: 'eur' });
        assert.match(method.lastResponse.requestId, /^req_/);
    });

    await t.test('the version is echoed when it is one, and refused when it is not', async () => {
        assert.equal((await get('/v1/balance')).headers['stripe-version'], '2026-10-28.endive');
        for (const version of ['2026-10-28.endive', '2020-08-27', '2026-09-30.endive']) {
            assert.equal((await get('/v1/balance', { 'Stripe-Version': version })).headers['stripe-version'], version);
        }
        for (const version of ['yesterday', '2026-1-1', '2026-10-28.', '2026-10-28.ENDIVE', '2026-10-28;x']) {
            const refused = await get('/v1/balance', { 'Stripe-Version': version });
            isError(refused, 400);
            assert.equal(refused.headers['stripe-version'], '2026-10-28.endive');
        }
    });

    await t.test('key, account and retry advice come back in headers', async () => {
        const first = await create(good, { 'Idempotency-Key': 'echo-1' });
        assert.equal(first.headers['idempotency-key'], 'echo-1');
        assert.equal(first.headers['idempotent-replayed'], undefined);
        assert.equal(first.headers['original-request'], undefined);
        assert.equal((await get('/v1/balance', { 'Idempotency-Key': 'echo-2' })).headers['idempotency-key'], undefined);
        const again = await create(good, { 'Idempotency-Key': 'echo-1' });
        assert.equal(again.headers['idempotent-replayed'], 'true');
        assert.equal(again.headers['original-request'], first.headers['request-id']);
        assert.notEqual(again.headers['request-id'], first.headers['request-id']);
        const own = await get('/v1/balance', { 'Stripe-Account': 'acct_dev' });
        assert.equal(own.headers['stripe-account'], 'acct_dev');
        assert.equal(own.status, 200);
        isError(await get('/v1/balance', { 'Stripe-Account': 'acct_other' }), 403, { code: 'account_invalid' });
        const declined = await create(`${good}&payment_method=pm_card_visa_chargeDeclined&confirm=true`);
        assert.equal(declined.headers['stripe-should-retry'], 'false');
    });

    await t.test('keys are taken from Bearer and Basic, and nothing else opens', async () => {
        const { secret_key: secret, publishable_key: publishable, admin_key: admin } = daemon.ready;
        const as = (authorization) => get('/v1/balance', authorization === null ? {} : { Authorization: authorization });
        for (const fine of [`Bearer ${secret}`, `bearer ${secret}`, `Basic ${base64(`${secret}:`)}`, `basic ${base64(secret)}`]) {
            assert.equal((await as(fine)).status, 200, fine);
        }
        const flipped = secret.slice(0, -1) + (secret.endsWith('A') ? 'B' : 'A');
        for (const bad of ['', 'Bearer', 'Bearer ', `Bearer  ${secret}`, `Bearer ${secret}x`, `Bearer ${secret.slice(0, -1)}`, `Bearer ${flipped}`,
            `Bearer ${secret.toUpperCase()}`, `Digest ${secret}`, secret, 'Basic !!!!', `Basic ${base64(':')}`, `Basic ${base64(`:${secret}`)}`,
            `Basic ${base64('\0'.repeat(52))}`, `Bearer ${'s'.repeat(5000)}`, 'Basic ' + 'A'.repeat(5000)]) {
            const refused = await as(bad);
            const error = isError(refused, 401);
            assert.ok(refused.headers['www-authenticate']);
            assert.equal(error.message.includes(secret.slice(8, 40)), false, bad);
        }
        const wrong = isError(await as(`Bearer ${flipped}`), 401);
        assert.match(wrong.message, /sk_test_\*+.{4}$/);
        const none = await new Promise((resolve) => request(daemon, 'GET', '/v1/balance', { headers: { Authorization: undefined } }).then(resolve, resolve));
        if (none.status) isError(none, 401);
        const card = 'type=card&card[number]=4242424242424242&card[exp_month]=12&card[exp_year]=2040&card[cvc]=123';
        assert.equal((await post('/v1/payment_methods', card, {}, publishable)).status, 200);
        isError(await get('/v1/balance', {}, publishable), 403);
        isError(await post('/v1/payment_intents', paid, {}, publishable), 403);
        isError(await get('/v1/payment_intents', {}, publishable), 403);
        isError(await post('/v1/payment_methods', card, {}, admin), 403);
        isError(await get('/v1/balance', {}, admin), 403);
        await assert.rejects(sdk(daemon, { key: flipped }).balance.retrieve(), { type: 'StripeAuthenticationError' });
        await assert.rejects(sdk(daemon, { key: publishable }).balance.retrieve(), { type: 'StripePermissionError' });
    });

    await t.test('forms are read as the SDKs and curl write them', async () => {
        const shapes = [
            'expand[]=latest_charge&expand[]=payment_method', 'expand[0]=latest_charge&expand[1]=payment_method',
            'expand%5B%5D=latest_charge&expand%5b%5d=payment_method', 'expand[7]=payment_method&expand[3]=latest_charge',
        ];
        for (const shape of shapes) {
            const intent = await made(`${paid}&${shape}`);
            assert.equal(intent.latest_charge.object, 'charge', shape);
            assert.equal(intent.payment_method.object, 'payment_method', shape);
        }
        const text = await made(`${good}&description=a+b%2Bc%20%C3%A4%F0%9F%98%80&metadata%5Bk%5D=1+2`);
        assert.equal(text.description, 'a b+c ä😀');
        assert.deepEqual(text.metadata, { k: '1 2' });
        assert.deepEqual((await made(`${good}&&metadata[0]=a&metadata[x]=b&`)).metadata, { 0: 'a', x: 'b' });
        assert.deepEqual((await made(`${good}&metadata[x]=b&metadata[0]=a`)).metadata, { 0: 'a', x: 'b' });
        assert.equal((await made(`${good}&description[]=`.replace('&description[]=', ''))).description, null);
        assert.equal((await create(good, { 'Content-Type': 'Application/X-WWW-form-urlencoded; charset=utf-8' })).status, 200);
        for (const broken of ['description=%', 'description=%4', 'description=%zz', 'description=%ff', 'description=%C3', 'description=%ED%A0%80',
            'description=%C0%80', 'description=%00', '%00=x', '%ff=x', 'amount=1000', 'description=a&description=b', 'metadata[a]=1&metadata[a]=2',
            'a[b=c', 'a]b[=c', 'a[b][c=d', '=x', '[a]=b', 'expand[]=latest_charge&expand[x]=y', 'expand[x]=latest_charge',
            'a[b][c][d][e][f][g][h][i]=deep', 'a[[b]]=c', 'metadata[a][b]=c', 'metadata[]=c', 'metadata=c']) {
            isError(await create(`${good}&${broken}`), 400);
        }
        const deep = isError(await create(`${good}&a[b][c][d][e][f][g][h]=8`), 400, { code: 'parameter_unknown' });
        assert.equal(deep.param, 'a');
        const many = Array.from({ length: 998 }, (_, i) => `p${i}=x`).join('&');
        isError(await create(`${good}&${many}`), 400, { code: 'parameter_unknown', param: 'p0' });
        assert.match(isError(await create(`${good}&${many}&one=more`), 400).message, /1000/);
        isError(await create(good, { 'Content-Type': 'application/json' }), 400);
        isError(await create('{"amount":1000}', { 'Content-Type': 'application/json' }), 400);
        isError(await create('--x\r\n', { 'Content-Type': 'multipart/form-data; boundary=x' }), 400);
    });

    await t.test('an unknown, missing, empty or wrongly shaped parameter is named', async () => {
        const table = [
            [`${good}&colour=red`, 'parameter_unknown', 'colour'],
            [`${good}&shipping[colour]=red`, 'parameter_unknown', 'shipping[colour]'],
            [`${good}&shipping[address][planet]=x`, 'parameter_unknown', 'shipping[address][planet]'],
            [`${good}&payment_method_options[card][colour]=red`, 'parameter_unknown', 'payment_method_options[card][colour]'],
            [`${good}&payment_method_data[type]=card&payment_method_data[colour]=red`, undefined, undefined],
            [`${good}&automatic_payment_methods[x]=1`, 'parameter_unknown', 'automatic_payment_methods[x]'],
            ['currency=eur', 'parameter_missing', 'amount'],
            ['amount=1000', 'parameter_missing', 'currency'],
            ['amount=&currency=eur', 'parameter_invalid_empty', 'amount'],
            ['amount=1000&currency=', 'parameter_invalid_empty', 'currency'],
            [`${good}&confirm=`, 'parameter_invalid_empty', 'confirm'],
            [`${good}&confirm=yes`, undefined, 'confirm'],
            [`${good}&confirm=TRUE`, undefined, 'confirm'],
            ['amount[x]=1000&currency=eur', undefined, 'amount'],
            ['amount[]=1000&currency=eur', undefined, 'amount'],
            [`${good}&shipping=here`, undefined, 'shipping'],
            [`${good}&shipping[phone]=1`, 'parameter_missing', 'shipping[address]'],
            [`${good}&shipping[name]=A`, 'parameter_missing', 'shipping[address]'],
            [`${good}&shipping[address][city]=B`, 'parameter_missing', 'shipping[name]'],
            [`${good}&shipping[name]=&shipping[address][city]=B`, 'parameter_invalid_empty', 'shipping[name]'],
            [`${good}&shipping[address]=here`, undefined, 'shipping[address]'],
            [`${good}&payment_method_data=x`, undefined, 'payment_method_data'],
            ...['automatic_payment_methods', 'payment_method_types', 'payment_method_data', 'expand', 'shipping[address]', 'payment_method_data[billing_details]', 'payment_method_options[card][three_d_secure]']
                .map((name) => [`${good}&${name}=`, 'parameter_invalid_empty', name]),
            [`${good}&expand=latest_charge`, undefined, 'expand'],
            [`${good}&expand[][x]=latest_charge`, undefined, 'expand'],
            [`${good}&payment_method_types[]=carrier_pigeon`, undefined, 'payment_method_types'],
            [`${good}&payment_method_types[][x]=card`, undefined, 'payment_method_types'],
            [`${good}&capture_method=sometimes`, undefined, 'capture_method'],
            [`${good}&customer=cus_none`, 'resource_missing', 'customer'],
            [`${good}&payment_method=pm_none`, 'resource_missing', 'payment_method'],
            [`${good}&payment_method=pm_card_visa&payment_method_data[type]=card&payment_method_data[card][number]=4242424242424242&payment_method_data[card][exp_month]=1&payment_method_data[card][exp_year]=2040`, 'parameters_exclusive', 'payment_method_data'],
            [`${good}&confirm=true`, 'parameter_missing', 'payment_method'],
            [`${good}&description=${'d'.repeat(5001)}`, undefined, 'description'],
            [`${good}&receipt_email=${'d'.repeat(5001)}`, undefined, 'receipt_email'],
            [`${good}&receipt_email=nobody`, 'email_invalid', 'receipt_email'],
            [`${good}&payment_method_data[type]=card&payment_method_data[card][token]=tok_visa&payment_method_data[billing_details][email]=a@`, 'email_invalid', 'payment_method_data[billing_details][email]'],
            ['amount=ten&currency=eur', 'parameter_invalid_integer', 'amount'],
            ['amount=10.0&currency=eur', 'parameter_invalid_integer', 'amount'],
            ['amount=1e3&currency=eur', 'parameter_invalid_integer', 'amount'],
            ['amount=0x10&currency=eur', 'parameter_invalid_integer', 'amount'],
            ['amount=+1000&currency=eur', 'parameter_invalid_integer', 'amount'],
            ['amount=99999999999999999999&currency=eur', 'parameter_invalid_integer', 'amount'],
            ['amount=100000000&currency=eur', 'amount_too_large', 'amount'],
            ['amount=-5&currency=eur', 'amount_too_small', 'amount'],
            ['amount=0&currency=usd', 'amount_too_small', 'amount'],
            ['amount=1000&currency=zzz', undefined, 'currency'],
            ['amount=1000&currency=euro', undefined, 'currency'],
        ];
        for (const [body, code, param] of table) {
            const error = isError(await create(body), 400, { code, param });
            if (code === undefined && param !== undefined) assert.equal(error.param, param, body);
        }
        isError(await get('/v1/balance?colour=red'), 400, { code: 'parameter_unknown', param: 'colour' });
        isError(await get('/v1/payment_intents?limit=3&colour=red'), 400, { code: 'parameter_unknown' });
        isError(await get('/v1/payment_intents?created[around]=3'), 400, { code: 'parameter_unknown', param: 'created[around]' });
        const id = (await made(good)).id;
        for (const route of [`/v1/payment_intents/${id}`, '/v1/refunds', '/v1/charges']) {
            isError(await get(`${route}?colour=red`), 400, { code: 'parameter_unknown' });
        }
        for (const action of ['', '/confirm', '/capture', '/cancel']) {
            isError(await post(`/v1/payment_intents/${id}${action}`, 'colour=red'), 400, { code: 'parameter_unknown', param: 'colour' });
        }
        isError(await post('/v1/refunds', 'colour=red'), 400, { code: 'parameter_unknown' });
        const customer = await stripe.customers.create();
        const method = await stripe.paymentMethods.create({ type: 'card', card: { token: 'tok_visa' } });
        const charge = (await made(paid)).latest_charge;
        for (const [route, body, param] of [[`charges/${charge}`, 'receipt_email=a%20b@example.com', 'receipt_email'], [`payment_intents/${id}`, 'receipt_email=@', 'receipt_email'],
            [`payment_methods/${method.id}`, 'billing_details[email]=a@b@c', 'billing_details[email]'], ['payment_methods', 'type=card&card[token]=tok_visa&billing_details[email]=a', 'billing_details[email]']]) {
            isError(await post(`/v1/${route}`, body), 400, { code: 'email_invalid', param });
        }
        for (const [route, name] of [[`customers/${customer.id}`, 'invoice_settings'], ['customers', 'invoice_settings'], [`payment_methods/${method.id}`, 'billing_details'],
            [`charges/${charge}`, 'fraud_details'], ['webhook_endpoints', 'enabled_events'], [`customers/${customer.id}`, 'expand']]) {
            const body = route === 'webhook_endpoints' ? `url=https://example.com/hook&${name}=` : `${name}=`;
            assert.match(isError(await post(`/v1/${route}`, body), 400, { code: 'parameter_invalid_empty', param: name }).message, /cannot be unset\.$/);
        }
        isError(await post('/v1/refunds', ''), 400, { code: 'parameter_missing' });
        isError(await post('/v1/payment_methods', 'type=card'), 400, { code: 'parameter_missing', param: 'card' });
        isError(await post('/v1/payment_methods', 'card[number]=4242424242424242'), 400, { code: 'parameter_missing' });
        isError(await post('/v1/payment_methods', 'type=iban'), 400, { param: 'type' });
    });

    await t.test('of what is refused no more is repeated than tells what it was', async () => {
        const long = 'ä'.repeat(80_000);
        const name = encodeURIComponent(long);
        const id = (await made(good)).id;
        const shown = `${'ä'.repeat(50)}…`;
        for (const [body, param] of [[`${name}=x`, shown], [`metadata[${name}]=x`, `metadata[${shown}]`], [`shipping[${name}]=x`, `shipping[${shown}]`], [`${name}=4242424242424242`, shown]]) {
            const refused = await post(`/v1/payment_intents/${id}`, body);
            isError(refused, 400, { param });
            assert.ok(refused.text.length < 1000);
        }
        const unread = 'ä'.repeat(2_000);
        for (const [route, status] of [[`/v1/payment_intents/${id}?${name.slice(0, 12_000)}=x`, 400], [`/v1/${encodeURIComponent(unread)}`, 404],
            [`/v1/customers/a${encodeURIComponent(unread)}`, 404], [`/v1/payment_intents/${id}?expand[]=a${encodeURIComponent(unread)}`, 400], [`/v1/payment_intents/${id}?a${encodeURIComponent(unread)}[=x`, 400]]) {
            const refused = await get(route);
            assert.ok(!isError(refused, status).message.includes('\ufffd'), route);
            assert.ok(refused.text.length < 1000);
        }
        isError(await post('/v1/customers', `email=${name.slice(0, 3_000)}`), 400, { code: 'email_invalid' });
    });

    await t.test('a parameter in the wrong place is refused, never passed over', async () => {
        const intent = await made(paid);
        isError(await post('/v1/refunds?amount=100', `payment_intent=${intent.id}`), 400, { code: 'parameter_unknown', param: 'amount' });
        isError(await post(`/v1/refunds?payment_intent=${intent.id}`, 'amount=100'), 400, { code: 'parameter_unknown', param: 'payment_intent' });
        isError(await post('/v1/payment_intents?expand[]=latest_charge', good), 400, { code: 'parameter_unknown', param: 'expand' });
        isError(await post('/v1/payment_intents?', `${good}&colour=red`), 400, { param: 'colour' });
        isError(await post('/v1/payment_intents?%zz', good), 400);
        assert.equal(JSON.parse((await get(`/v1/charges/${intent.latest_charge}`)).text).amount_refunded, 0);
        isError(await request(daemon, 'GET', '/v1/payment_intents', { body: 'limit=1' }), 400, { code: 'parameter_unknown', param: 'limit' });
        isError(await request(daemon, 'GET', '/v1/balance', { body: '{"a":1}' }), 400);
        // DELETE has its parameters in the URL or in the body, as clients differ, and none is passed over.
        const gone = async (query, body) => {
            const customer = await stripe.customers.create();
            return request(daemon, 'DELETE', `/v1/customers/${customer.id}${query}`, { body });
        };
        isError(await gone('?colour=red'), 400, { code: 'parameter_unknown', param: 'colour' });
        isError(await gone('', 'colour=red'), 400, { code: 'parameter_unknown', param: 'colour' });
        assert.match(isError(await gone('?colour=red', 'colour=red'), 400).message, /given twice/);
        assert.equal((await gone('', '')).status, 200);
        assert.equal((await stripe.customers.del((await stripe.customers.create()).id)).deleted, true);
    });

    await t.test('telephone numbers are none of cards, and booleans are as two SDKs write them', async () => {
        for (const phone of ['+4915107049996', '+34 6011 1111 111', '+378282246310005', '+49 (1510) 704-9996']) {
            const customer = await stripe.customers.create({ phone, shipping: { name: 'A', phone, address: { city: 'B' } } });
            assert.deepEqual([customer.phone, customer.shipping.phone], [phone, phone]);
        }
        assert.equal((await post('/v1/customers', 'phone=4915107049996')).status, 200);
        for (const phone of ['378282246310005', '+4242424242424242', '+378282246310005x', 'sk_test_0123456789abcdefABCDEF']) isError(await post('/v1/customers', `phone=${encodeURIComponent(phone)}`), 400, { param: 'phone' });
        isError(await post('/v1/customers', `description=${encodeURIComponent('+378282246310005')}`), 400, { param: 'description' });
        assert.equal((await made(`${good}&confirm=True&payment_method=pm_card_visa&off_session=True`)).status, 'succeeded');
        assert.equal((await made(`${good}&confirm=False&off_session=False`)).status, 'requires_payment_method');
        assert.equal((await made(`${good}&description=${'d'.repeat(5000)}`)).description.length, 5000);
    });

    await t.test('an error names the method as it was sent, and its own numbers', async () => {
        for (const method of ['PUT', 'PATCH', 'OPTIONS']) {
            assert.ok(isError(await request(daemon, method, '/v1/balance'), 404).message.includes(`(${method}: /v1/balance)`), method);
        }
        assert.match(isError(await get('/v1/charges?created[gt]=-1'), 400, { param: 'created[gt]' }).message, /between 0 and 1000000000000\./);
        assert.match(isError(await create('amount=99999999999999999999&currency=eur'), 400).message, /whole number/);
    });

    await t.test('metadata has its bounds in characters, is merged, unset and cleared', async () => {
        const pairs = (count, from = 0) => Array.from({ length: count }, (_, i) => `metadata[k${i + from}]=v`).join('&');
        const intent = await made(`${good}&${pairs(50)}`);
        assert.equal(Object.keys(intent.metadata).length, 50);
        isError(await create(`${good}&${pairs(51)}`), 400, { param: 'metadata' });
        const key = 'ä'.repeat(40);
        const value = '😀'.repeat(500);
        const wide = await made(`${good}&metadata[${encodeURIComponent(key)}]=${encodeURIComponent(value)}`);
        assert.equal(wide.metadata[key], value);
        isError(await create(`${good}&metadata[${'k'.repeat(41)}]=v`), 400);
        isError(await create(`${good}&metadata[k]=${'v'.repeat(501)}`), 400, { param: 'metadata[k]' });
        assert.equal((await made(`${good}&metadata[k]=${'v'.repeat(500)}`)).metadata.k.length, 500);
        const merged = JSON.parse((await post(`/v1/payment_intents/${intent.id}`, 'metadata[k0]=&metadata[k1]=w')).text);
        assert.equal(merged.metadata.k0, undefined);
        assert.equal(merged.metadata.k1, 'w');
        assert.equal(Object.keys(merged.metadata).length, 49);
        isError(await post(`/v1/payment_intents/${intent.id}`, pairs(2, 100)), 400, { param: 'metadata' });
        assert.equal((await post(`/v1/payment_intents/${intent.id}`, pairs(1, 100))).status, 200);
        // Keys that go make room for those that come with them.
        const other = await made(`${good}&${pairs(30)}`);
        const gone = (count) => pairs(count).replaceAll('=v', '=');
        assert.deepEqual(Object.keys(JSON.parse((await post(`/v1/payment_intents/${other.id}`, `${gone(30)}&${pairs(30, 100)}`)).text).metadata), Object.keys((await made(`${good}&${pairs(30, 100)}`)).metadata));
        assert.equal((await post(`/v1/payment_intents/${other.id}`, `${gone(100)}&${pairs(20, 200)}`)).status, 200);
        isError(await post(`/v1/payment_intents/${other.id}`, `${gone(100)}&${pairs(1, 300)}`), 400, { param: 'metadata' });
        isError(await post(`/v1/payment_intents/${other.id}`, pairs(51)), 400, { param: 'metadata' });
        assert.deepEqual(JSON.parse((await post(`/v1/payment_intents/${intent.id}`, 'metadata=')).text).metadata, {});
        const held = await stripe.paymentIntents.create({
            amount: 500, currency: 'eur', payment_method: 'pm_card_visa', confirm: true, capture_method: 'manual', metadata: { a: '1', b: '2' },
        });
        const captured = await stripe.paymentIntents.capture(held.id, { metadata: '' });
        assert.deepEqual(captured.metadata, {});
        const refund = await stripe.refunds.create({ payment_intent: held.id, amount: 100, metadata: { a: '1', b: '2' } });
        assert.deepEqual((await stripe.refunds.update(refund.id, { metadata: { a: '', c: '3' } })).metadata, { b: '2', c: '3' });
        assert.deepEqual((await stripe.refunds.retrieve(refund.id)).metadata, { b: '2', c: '3' });
    });

    await t.test('an open intent can be updated, a finished one only in its texts', async () => {
        const intent = await stripe.paymentIntents.create({ amount: 500, currency: 'eur', shipping: { name: 'A', address: { line1: 'B' } } });
        const changed = await stripe.paymentIntents.update(intent.id, {
            amount: 700, currency: 'usd', description: 'new', shipping: '', payment_method: 'pm_card_mastercard', receipt_email: 'a@example.com',
        });
        conforms('payment_intent', { ...changed });
        assert.deepEqual([changed.amount, changed.currency, changed.description, changed.shipping], [700, 'usd', 'new', null]);
        assert.equal(changed.status, 'requires_confirmation');
        assert.equal((await stripe.paymentIntents.update(intent.id, { receipt_email: '' })).receipt_email, null);
        await assert.rejects(stripe.paymentIntents.update(intent.id, { amount: 10 }), { code: 'amount_too_small' });
        const done = await stripe.paymentIntents.confirm(intent.id);
        assert.equal(done.status, 'succeeded');
        assert.equal((await stripe.paymentIntents.update(intent.id, { description: 'later' })).description, 'later');
        await assert.rejects(stripe.paymentIntents.update(intent.id, { amount: 900 }), { code: 'payment_intent_unexpected_state' });
        await assert.rejects(stripe.paymentIntents.update('pi_none', { amount: 900 }), { statusCode: 404, code: 'resource_missing' });
    });

    await t.test('objects have every field of the schema, and no other', async () => {
        const method = await stripe.paymentMethods.create({
            type: 'card', card: { number: '5555555555554444', exp_month: 1, exp_year: 2041, cvc: '999' },
            billing_details: { name: 'A', email: 'a@example.com', address: { city: 'B', country: 'DE' } }, metadata: { a: 'b' },
        });
        conforms('payment_method', { ...method });
        conforms('payment_method', { ...(await stripe.paymentMethods.retrieve(method.id)) });
        const intent = await stripe.paymentIntents.create({
            amount: 2500, currency: 'eur', payment_method: method.id, confirm: true, description: 'd', metadata: { a: 'b' },
            shipping: { name: 'A', phone: '1', carrier: 'c', tracking_number: 't', address: { line1: 'x', postal_code: '1' } },
            automatic_payment_methods: { enabled: true, allow_redirects: 'never' }, receipt_email: 'a@example.com', transfer_group: 'g',
            statement_descriptor_suffix: 's', payment_method_options: { card: { request_three_d_secure: 'any' } },
            expand: ['latest_charge.refunds', 'payment_method'],
        });
        conforms('payment_intent', { ...intent });
        conforms('charge', intent.latest_charge);
        for (const capture_method of ['automatic', 'automatic_async', 'manual']) {
            conforms('payment_intent', { ...(await stripe.paymentIntents.create({ amount: 100, currency: 'eur', capture_method })) });
        }
        const refund = await stripe.refunds.create({ payment_intent: intent.id, amount: 100, reason: 'duplicate', expand: ['charge', 'payment_intent', 'payment_method'] });
        conforms('refund', { ...refund });
        conforms('charge', refund.charge);
        conforms('balance', { ...(await stripe.balance.retrieve()) });
        const charge = await stripe.charges.retrieve(intent.latest_charge.id, { expand: ['refunds', 'payment_intent.payment_method'] });
        conforms('charge', { ...charge });
        assert.equal(charge.refunds.data[0].id, refund.id);
        const failed = await stripe.paymentIntents.create({ amount: 100, currency: 'eur', payment_method: 'pm_card_visa_chargeDeclined', confirm: true }).catch((error) => error);
        conforms('payment_intent', failed.payment_intent);
        conforms('payment_method', failed.payment_method);
        conforms('payment_method', failed.payment_intent.last_payment_error.payment_method);
        assert.equal(failed.payment_intent.payment_method, null);
        conforms('charge', { ...(await stripe.charges.retrieve(failed.charge)) });
        const canceled = await stripe.paymentIntents.cancel((await stripe.paymentIntents.create({ amount: 100, currency: 'eur' })).id);
        conforms('payment_intent', { ...canceled });
    });

    await t.test('test cards by token and by number', async () => {
        const passes = [['pm_card_visa', 'visa', '4242'], ['pm_card_visa_debit', 'visa', '5556'], ['pm_card_mastercard', 'mastercard', '4444'], ['pm_card_amex', 'amex', '0005']];
        for (const [payment_method, brand, last4] of passes) {
            const intent = await stripe.paymentIntents.create({ amount: 1000, currency: 'usd', payment_method, confirm: true, expand: ['latest_charge', 'payment_method'] });
            assert.equal(intent.status, 'succeeded');
            assert.equal(intent.payment_method.card.brand, brand);
            assert.equal(intent.latest_charge.payment_method_details.card.last4, last4);
            assert.equal(intent.payment_method.card.funding, payment_method.endsWith('debit') ? 'debit' : 'credit');
        }
        const refused = [
            ['pm_card_visa_chargeDeclined', '4000000000000002', 'card_declined', 'generic_decline'],
            ['pm_card_visa_chargeDeclinedInsufficientFunds', '4000000000009995', 'card_declined', 'insufficient_funds'],
            ['pm_card_visa_chargeDeclinedLostCard', '4000000000009987', 'card_declined', 'lost_card'],
            ['pm_card_visa_chargeDeclinedStolenCard', '4000000000009979', 'card_declined', 'stolen_card'],
            ['pm_card_visa_chargeDeclinedVelocityLimitExceeded', '4000000000006975', 'card_declined', 'card_velocity_exceeded'],
            ['pm_card_chargeDeclinedExpiredCard', '4000000000000069', 'expired_card', undefined],
            ['pm_card_chargeDeclinedIncorrectCvc', '4000000000000127', 'incorrect_cvc', undefined],
            ['pm_card_chargeDeclinedProcessingError', '4000000000000119', 'processing_error', undefined],
        ];
        const byNumber = (number) => `payment_method_data[type]=card&payment_method_data[card][number]=${number}&payment_method_data[card][exp_month]=12&payment_method_data[card][exp_year]=2040&payment_method_data[card][cvc]=123`;
        for (const [token, number, code, decline] of refused) {
            for (const how of [`payment_method=${token}`, byNumber(number)]) {
                const error = isError(await create(`${good}&confirm=true&${how}`), 402, { type: 'card_error', code });
                assert.equal(error.decline_code, decline, how);
                assert.equal(error.payment_intent.object, 'payment_intent');
                assert.equal(error.payment_intent.status, 'requires_payment_method');
                assert.equal(error.payment_intent.last_payment_error.code, code);
                assert.equal(error.payment_method.object, 'payment_method');
                assert.match(error.charge, /^ch_/);
                assert.match(error.payment_intent.latest_charge, /^ch_/);
            }
        }
        for (const number of ['4242424242424242', '5555555555554444', '378282246310005', '4242 4242 4242 4242', '4242-4242-4242-4242']) {
            assert.equal((await made(`${good}&confirm=true&${byNumber(encodeURIComponent(number))}`)).status, 'succeeded', number);
        }
        assert.equal((await made(`${good}&confirm=true&payment_method=pm_card_visa&payment_method_types[]=card`)).status, 'succeeded');
        const token = await stripe.paymentMethods.create({ type: 'card', card: { token: 'tok_mastercard' } });
        assert.equal(token.card.brand, 'mastercard');
        await assert.rejects(stripe.paymentMethods.create({ type: 'card', card: { token: 'tok_none' } }), { code: 'resource_missing' });
        const bad = [
            [{ number: '4242424242424241' }, 'incorrect_number', 'number'], [{ number: '4242' }, 'invalid_number', 'number'],
            [{ number: 'four' }, 'invalid_number', 'number'], [{ exp_month: 13 }, 'invalid_expiry_month', 'exp_month'],
            [{ exp_month: 0 }, 'invalid_expiry_month', 'exp_month'], [{ exp_year: 2001 }, 'invalid_expiry_year', 'exp_year'],
            [{ exp_year: 2999 }, 'invalid_expiry_year', 'exp_year'], [{ cvc: '12' }, 'invalid_cvc', 'cvc'], [{ cvc: 'abc' }, 'invalid_cvc', 'cvc'],
        ];
        for (const [change, code, param] of bad) {
            const card = { number: '4242424242424242', exp_month: 12, exp_year: 2040, cvc: '123', ...change };
            await assert.rejects(stripe.paymentMethods.create({ type: 'card', card }), (error) => {
                assert.deepEqual([error.type, error.statusCode, error.code, error.param], ['StripeCardError', 402, code, param]);
                return true;
            });
        }
    });

    await t.test('what is missing is 404 in the path and 400 in a parameter', async () => {
        for (const route of ['/v1/payment_intents/pi_none', '/v1/charges/ch_none', '/v1/refunds/re_none', '/v1/payment_methods/pm_none']) {
            isError(await get(route), 404, { code: 'resource_missing', param: 'id' });
        }
        for (const action of ['', '/confirm', '/capture', '/cancel']) isError(await post(`/v1/payment_intents/pi_none${action}`), 404, { code: 'resource_missing' });
        isError(await post('/v1/refunds', 'payment_intent=pi_none'), 400, { code: 'resource_missing', param: 'payment_intent' });
        isError(await post('/v1/refunds', 'charge=ch_none'), 400, { code: 'resource_missing', param: 'charge' });
        for (const route of ['/v1', '/v1/', '/', '/v2/core', '/v1/payment_intents/search', '/v1/payment_intents/a/b/c', '/v1/charges/x/capture']) {
            isError(await get(route), 404);
        }
        isError(await request(daemon, 'DELETE', '/v1/payment_intents/pi_none'), 404);
        for (const resource of ['payment_intents', 'charges', 'customers', 'refunds', 'payment_methods', 'balance_transactions', 'events', 'webhook_endpoints']) {
            for (const query of ['', "?query=status:'x'&limit=3"]) {
                const error = isError(await get(`/v1/${resource}/search${query}`), 404);
                assert.deepEqual([error.code, error.message], [undefined, `Unrecognized request URL (GET: /v1/${resource}/search).`]);
            }
        }
        isError(await post('/v1/customers/search', 'query=x'), 404);
    });

    await t.test('a slash in an id separates nothing', async () => {
        const held = await made(`${paid}&capture_method=manual`);
        for (const action of ['cancel', 'capture', 'confirm']) {
            await assert.rejects(stripe.paymentIntents.update(`${held.id}/${action}`, {}), { statusCode: 404 }, action);
            for (const slash of ['%2F', '%2f', '%252F']) isError(await post(`/v1/payment_intents/${held.id}${slash}${action}`), 404);
        }
        isError(await post(`/v1%2Fpayment_intents/${held.id}/cancel`), 404);
        isError(await get(`/v1/payment_intents%2F${held.id}`), 404);
        assert.equal((await stripe.paymentIntents.retrieve(held.id)).status, 'requires_capture');
    });

    await t.test('a wrong state shows the whole intent', async () => {
        const intent = await made(paid);
        for (const action of ['confirm', 'capture', 'cancel']) {
            const error = isError(await post(`/v1/payment_intents/${intent.id}/${action}`, action === 'confirm' ? 'payment_method=pm_card_visa' : ''), 400, { code: 'payment_intent_unexpected_state' });
            conforms('payment_intent', error.payment_intent);
            assert.equal(error.payment_intent.id, intent.id);
        }
        await stripe.refunds.create({ payment_intent: intent.id });
        isError(await post('/v1/refunds', `payment_intent=${intent.id}`), 400, { code: 'charge_already_refunded' });
        const open = await made(good);
        isError(await post('/v1/refunds', `payment_intent=${open.id}`), 400);
        assert.equal((await post(`/v1/payment_intents/${open.id}/confirm`, '')).status, 400);
        isError(await get(`/v1/payment_intents/${open.id}?client_secret=wrong`), 400, { param: 'client_secret' });
        assert.equal((await get(`/v1/payment_intents/${open.id}?client_secret=${open.client_secret}`)).status, 200);
    });

    await t.test('an idempotency key is one execution', async () => {
        const key = (name) => ({ 'Idempotency-Key': name });
        const replays = async (route, body, name) => {
            const first = await post(route, body, key(name));
            const again = await post(route, body.split('&').reverse().join('&'), key(name));
            assert.equal(again.status, first.status);
            assert.equal(again.text, first.text);
            assert.equal(again.headers['idempotent-replayed'], 'true', `${route} ${first.text}`);
            assert.equal(again.headers['original-request'], first.headers['request-id']);
            return JSON.parse(first.text);
        };
        const intent = await replays('/v1/payment_intents', `${paid}&metadata[a]=1&metadata[b]=2`, 'idem-create');
        await replays('/v1/payment_intents', `${good}&payment_method=pm_card_visa_chargeDeclined&confirm=true`, 'idem-402');
        await replays('/v1/payment_methods', 'type=card&card[number]=4242424242424242&card[exp_month]=12&card[exp_year]=2040', 'idem-method');
        await replays('/v1/refunds', `payment_intent=${intent.id}&amount=10`, 'idem-refund');
        // Indices give order, and nothing more; keys of metadata are names.
        const shown = await post('/v1/payment_intents', `${good}&expand[1]=latest_charge&metadata[1]=x`, key('idem-index'));
        const same = await post('/v1/payment_intents', `${good}&expand[0]=latest_charge&metadata[1]=x`, key('idem-index'));
        assert.equal(same.text, shown.text);
        assert.equal(same.headers['idempotent-replayed'], 'true');
        isError(await post('/v1/payment_intents', `${good}&expand[1]=latest_charge&metadata[0]=x`, key('idem-index')), 400, { type: 'idempotency_error' });
        await replays(`/v1/payment_intents/${intent.id}`, 'description=x&metadata[z]=1', 'idem-update');
        const held = await made(`${paid}&capture_method=manual`);
        await replays(`/v1/payment_intents/${held.id}/capture`, 'amount_to_capture=500', 'idem-capture');
        const open = await made(good);
        await replays(`/v1/payment_intents/${open.id}/confirm`, 'payment_method=pm_card_visa', 'idem-confirm');
        await replays(`/v1/payment_intents/${(await made(good)).id}/cancel`, 'cancellation_reason=abandoned', 'idem-cancel');
        const reversed = await made(`${paid}&capture_method=manual`);
        await replays(`/v1/payment_intents/${reversed.id}/cancel`, '', 'idem-reverse');
        // Spelling is not part of the parameters, values and endpoint are.
        assert.equal((await create('amount=1000&currency=eur&payment_method=pm_card_visa&confirm=true&metadata%5Bb%5D=2&metadata%5Ba%5D=%31', key('idem-create'))).headers['idempotent-replayed'], 'true');
        const different = [`${paid}&metadata[a]=1`, `${paid}&metadata[a]=1&metadata[b]=2&expand[]=latest_charge`, `${paid}&metadata[a]=1&metadata[b]=3`, 'nonsense=1', ''];
        for (const body of different) isError(await create(body, key('idem-create')), 400, { type: 'idempotency_error' });
        isError(await post('/v1/refunds', `${paid}&metadata[a]=1&metadata[b]=2`, key('idem-create')), 400, { type: 'idempotency_error' });
        isError(await post(`/v1/payment_intents/${intent.id}/cancel`, '', key('idem-capture')), 400, { type: 'idempotency_error' });
        // What was refused before anything happened leaves the key free.
        for (const body of ['amount=1', `${good}&colour=red`, `${good}&payment_method=pm_none&confirm=true`]) {
            isError(await create(body, key('idem-free')), 400);
        }
        isError(await post('/v1/payment_intents/pi_none/cancel', '', key('idem-free')), 404);
        isError(await request(daemon, 'POST', '/v1/payment_intents', { body: good, key: 'sk_test_no', headers: key('idem-free') }), 401);
        isError(await post('/v1/payment_methods', 'type=card&card[number]=4242424242424241&card[exp_month]=1&card[exp_year]=2040', key('idem-free')), 402, { type: 'card_error' });
        isError(await post(`/v1/payment_intents/${intent.id}/capture`, '', key('idem-free')), 400);
        assert.equal((await create(good, key('idem-free'))).status, 200);
        isError(await create(good, key('k'.repeat(256))), 400);
        assert.equal((await create(good, key('k'.repeat(255)))).status, 200);
        // Headers are bytes: those of UTF-8 make the characters. Node would encode them once more before a body that is a string.
        const bytes = (text) => Buffer.from(text).toString('latin1');
        const body = Buffer.from(good);
        const wide = await create(body, key(bytes('ä'.repeat(255))));
        assert.equal(wide.status, 200, wide.text);
        assert.equal((await create(body, key(bytes('ä'.repeat(255))))).headers['idempotent-replayed'], 'true');
        assert.equal((await create(body, key(bytes('😀'.repeat(255))))).status, 200);
        isError(await create(body, key(bytes('ä'.repeat(256)))), 400);
        // Of two keys neither is taken, and nothing is done.
        const twice = await create(good, key(['idem-a', 'idem-b']));
        assert.match(isError(twice, 400).message, /more than one/);
        assert.equal(twice.headers['idempotency-key'], undefined);
        const agreed = await create(good, key(['idem-same', 'idem-same']));
        assert.deepEqual([agreed.status, agreed.headers['idempotency-key']], [200, 'idem-same']);
        for (const free of ['idem-a', 'idem-b']) assert.equal((await create(good, key(free))).headers['idempotent-replayed'], undefined);
        // GET does not know keys.
        assert.equal((await get('/v1/balance', key('idem-create'))).status, 200);
        assert.equal((await get(`/v1/payment_intents/${intent.id}`, key('idem-create'))).headers['idempotent-replayed'], undefined);
        // In flight: everybody gets the one answer.
        const before = (await stripe.charges.list({ limit: 1 })).data[0].id;
        const crowd = await Promise.all(Array.from({ length: 40 }, () => create(paid, key('idem-crowd'))));
        assert.equal(new Set(crowd.map((one) => one.text)).size, 1);
        assert.equal(crowd.filter((one) => one.headers['idempotent-replayed'] === undefined).length, 1);
        const after = await stripe.charges.list({ limit: 10, ending_before: before });
        assert.equal(after.data.length, 1);
        await assert.rejects(stripe.paymentIntents.create({ amount: 77, currency: 'eur' }, { idempotencyKey: 'idem-crowd' }), { type: 'StripeIdempotencyError' });
    });

    await t.test('lists page both ways, filter, and have a bare url', async () => {
        const ids = [];
        for (let i = 0; i < 25; ++i) ids.unshift((await made(`${good}&transfer_group=pages`)).id);
        const list = async (query) => isList(JSON.parse((await get(`/v1/payment_intents?${query}`)).text), '/v1/payment_intents', 'payment_intent');
        assert.equal((await list('')).data.length, 10);
        assert.equal((await list('limit=100')).data.length > 25, true);
        const first = await list('limit=5');
        assert.deepEqual(first.data.map((one) => one.id), ids.slice(0, 5));
        assert.equal(first.has_more, true);
        const second = await list(`limit=5&starting_after=${ids[4]}`);
        assert.deepEqual(second.data.map((one) => one.id), ids.slice(5, 10));
        const back = await list(`limit=5&ending_before=${ids[10]}`);
        assert.deepEqual(back.data.map((one) => one.id), ids.slice(5, 10));
        assert.equal(back.has_more, true);
        const newest = await list(`limit=5&ending_before=${ids[5]}`);
        assert.deepEqual(newest.data.map((one) => one.id), ids.slice(0, 5));
        assert.equal(newest.has_more, false);
        assert.deepEqual((await list(`ending_before=${ids[0]}`)).data, []);
        for (const bad of ['limit=0', 'limit=101', 'limit=x', 'limit=-1', 'limit=']) isError(await get(`/v1/payment_intents?${bad}`), 400, { param: 'limit' });
        isError(await get(`/v1/payment_intents?starting_after=${ids[0]}&ending_before=${ids[1]}`), 400, { code: 'parameters_exclusive' });
        isError(await get('/v1/payment_intents?starting_after=pi_none'), 400, { code: 'resource_missing', param: 'starting_after' });
        isError(await get('/v1/payment_intents?ending_before=pi_none'), 400, { code: 'resource_missing', param: 'ending_before' });
        isError(await get(`/v1/refunds?starting_after=${ids[0]}`), 400, { code: 'resource_missing' });
        // The SDK walks the same both ways.
        const forwards = [];
        for await (const one of stripe.paymentIntents.list({ limit: 4 })) forwards.push(one.id);
        assert.deepEqual(forwards.slice(0, 25), ids);
        const oldest = forwards.at(-1);
        const backwards = [];
        for await (const one of stripe.paymentIntents.list({ limit: 7, ending_before: oldest })) backwards.push(one.id);
        assert.deepEqual(backwards.reverse(), forwards.slice(0, -1));
        const now = Math.floor(Date.now() / 1000);
        assert.equal((await list(`created[gte]=${now + 1000}`)).data.length, 0);
        assert.equal((await list(`created[lt]=${now + 1000}&created[gt]=0`)).data.length, 10);
        assert.equal((await list(`created[lte]=1`)).data.length, 0);
        const at = (await stripe.paymentIntents.retrieve(ids[0])).created;
        assert.ok((await list(`created=${at}&limit=100`)).data.every((one) => one.created === at));
        isError(await get('/v1/payment_intents?created[gt]=x'), 400, { code: 'parameter_invalid_integer' });
        const intent = await made(`${paid}&transfer_group=only`);
        for (let i = 0; i < 3; ++i) await stripe.refunds.create({ payment_intent: intent.id, amount: 100 });
        const refunds = isList(JSON.parse((await get(`/v1/refunds?payment_intent=${intent.id}&limit=2`)).text), '/v1/refunds', 'refund');
        assert.equal(refunds.data.length, 2);
        assert.equal(refunds.has_more, true);
        assert.equal((await stripe.refunds.list({ charge: intent.latest_charge })).data.length, 3);
        const charges = isList(JSON.parse((await get('/v1/charges?transfer_group=only')).text), '/v1/charges', 'charge');
        assert.deepEqual(charges.data.map((one) => one.id), [intent.latest_charge]);
        assert.equal((await stripe.charges.list({ payment_intent: intent.id })).data.length, 1);
        const expanded = await list('limit=2&expand[]=data.latest_charge.payment_intent');
        assert.equal(expanded.data[0].latest_charge.payment_intent.id, expanded.data[0].id);
        isError(await get('/v1/payment_intents?expand[]=latest_charge'), 400, { param: 'expand' });
    });

    await t.test('a charge shows ten of its refunds and that there are more', async () => {
        const intent = await made(paid);
        await made(paid).then((other) => stripe.refunds.create({ payment_intent: other.id }));
        for (let i = 0; i < 11; ++i) await stripe.refunds.create({ payment_intent: intent.id, amount: 10 });
        const { refunds } = await stripe.charges.retrieve(intent.latest_charge, { expand: ['refunds'] });
        assert.equal(refunds.data.length, 10);
        assert.equal(refunds.has_more, true);
        assert.ok(refunds.data.every((one) => one.payment_intent === intent.id));
    });

    await t.test('expansion goes four levels deep and no further', async () => {
        const intent = await made(paid);
        const at = (paths) => get(`/v1/payment_intents/${intent.id}?${paths.map((path) => `expand[]=${path}`).join('&')}`);
        const four = JSON.parse((await at(['latest_charge.payment_intent.latest_charge.payment_intent', 'customer', 'review', 'on_behalf_of', 'transfer_data.destination'])).text);
        assert.equal(four.latest_charge.payment_intent.latest_charge.payment_intent.id, intent.id);
        assert.equal(four.customer, null);
        assert.equal(four.review, null);
        for (const path of ['latest_charge.payment_intent.latest_charge.payment_intent.latest_charge', 'amount', 'nothing', 'latest_charge.nothing', '', '.', 'latest_charge.', '..', 'status.x', 'data']) {
            isError(await at([path]), 400, { param: 'expand' });
        }
        isError(await get('/v1/balance?expand[]=available'), 400, { param: 'expand' });
        isError(await create(`${good}&expand[]=nothing`), 400, { param: 'expand' });
        isError(await get(`/v1/charges/${intent.latest_charge}?expand[]=payment_method`), 400, { param: 'expand' });
    });

    await t.test('money is exact in every currency or refused', async () => {
        const pay = (amount, currency, more = '') => create(`amount=${amount}&currency=${currency}&payment_method=pm_card_visa&confirm=true${more}`);
        const fine = [['99999999', 'eur'], ['50', 'eur'], ['50', 'usd'], ['30', 'gbp'], ['50', 'jpy'], ['200', 'pln'], ['500', 'krw'], ['1010', 'kwd'], ['1000', 'bhd'],
            ['101', 'mga'], ['100', 'isk'], ['12300', 'ugx'], ['777', 'vnd'], ['1234', 'HUF'], ['1000', 'EUR'], ['1000', 'Usd']];
        for (const [amount, currency] of fine) {
            const response = await pay(amount, currency);
            assert.equal(response.status, 200, `${amount} ${currency} ${response.text}`);
            const intent = JSON.parse(response.text);
            assert.equal(intent.amount, Number(amount));
            assert.equal(intent.amount_received, Number(amount));
            assert.equal(intent.currency, currency.toLowerCase());
        }
        for (const [amount, currency, code] of [['49', 'eur', 'amount_too_small'], ['29', 'gbp', 'amount_too_small'], ['49', 'jpy', 'amount_too_small'], ['199', 'pln', 'amount_too_small'],
            ['1005', 'kwd', 'parameter_invalid_integer'], ['1001', 'omr', 'parameter_invalid_integer'], ['150', 'isk', 'parameter_invalid_integer'], ['12345', 'ugx', 'parameter_invalid_integer'], ['100000000', 'jpy', 'amount_too_large']]) {
            isError(await pay(amount, currency), 400, { code, param: 'amount' });
        }
        const dinar = JSON.parse((await pay('5000', 'kwd', '&capture_method=manual')).text);
        isError(await post(`/v1/payment_intents/${dinar.id}/capture`, 'amount_to_capture=1001'), 400, { code: 'parameter_invalid_integer', param: 'amount_to_capture' });
        isError(await post(`/v1/payment_intents/${dinar.id}/capture`, 'amount_to_capture=6000'), 400, { code: 'amount_too_large' });
        isError(await post(`/v1/payment_intents/${dinar.id}/capture`, 'amount_to_capture=0'), 400);
        assert.equal(JSON.parse((await post(`/v1/payment_intents/${dinar.id}/capture`, 'amount_to_capture=4990')).text).amount_received, 4990);
        isError(await post('/v1/refunds', `payment_intent=${dinar.id}&amount=11`), 400, { code: 'parameter_invalid_integer' });
        isError(await post('/v1/refunds', `payment_intent=${dinar.id}&amount=5000`), 400);
        assert.equal(JSON.parse((await post('/v1/refunds', `payment_intent=${dinar.id}&amount=10`)).text).amount, 10);
        // Fees leave fractions that the wire has no unit for (MGA): rounded down, and nothing stops.
        const balance = conforms('balance', JSON.parse((await get('/v1/balance')).text));
        const ariary = balance.pending.find((one) => one.currency === 'mga');
        assert.ok(Number.isInteger(ariary.amount) && ariary.amount < 101 && ariary.amount > 90, JSON.stringify(ariary));
    });

    await t.test('the daemon is still the one that was started', async () => {
        assert.equal(daemon.child.exitCode, null);
        assert.equal((await kill(daemon, 'SIGTERM')).code, 0);
    });
});

test('while a bank takes its time', async (t) => {
    const folder = temporary(t);
    const bank = await startBank(t, path.join(folder, 'bank'));
    const daemon = await startDaemon(t, path.join(folder, 'florin'), ['--iso8583', bank.ready.address]);
    await eventually('the bank link is ready', async () => JSON.parse((await request(daemon, 'GET', '/healthz')).text).connectors.find((one) => one.name === 'bank')?.ready);
    const pay = (key, more = '') => request(daemon, 'POST', '/v1/payment_intents', {
        body: `amount=1000&currency=eur&payment_method=pm_card_visa&confirm=true${more}`, headers: { 'Idempotency-Key': key },
    });

    await t.test('a second request with the key waits for the first, another one is refused at once', async () => {
        await control(bank, { match: { mti: '0100' }, times: 1, delay_ms: 1200 });
        const before = (await control(bank, { counts: true })).authorisations;
        const first = pay('slow');
        await eventually('it is in flight', async () => JSON.parse((await request(daemon, 'GET', '/v1/payment_intents')).text).data[0]?.status === 'processing');
        const other = await pay('slow', '&description=other');
        isError(other, 400, { type: 'idempotency_error' });
        const [one, two, three] = await Promise.all([first, pay('slow'), pay('slow')]);
        assert.equal(JSON.parse(one.text).status, 'succeeded');
        assert.equal(two.text, one.text);
        assert.equal(three.text, one.text);
        assert.deepEqual([one, two, three].map((each) => each.headers['idempotent-replayed']), [undefined, 'true', 'true']);
        assert.equal((await control(bank, { counts: true })).authorisations, before + 1);
    });

    await t.test('an unknown outcome is processing, stored, and the same for every replay', async () => {
        await control(bank, { match: { mti: '0100' }, times: 1, silence: true });
        const first = await pay('silent');
        assert.equal(first.status, 200, first.text);
        const intent = conforms('payment_intent', JSON.parse(first.text));
        assert.equal(intent.status, 'processing');
        const charge = conforms('charge', JSON.parse((await request(daemon, 'GET', `/v1/charges/${intent.latest_charge}`)).text));
        assert.ok(['pending', 'failed'].includes(charge.status));
        await eventually('the bank has taken it back', async () => JSON.parse((await request(daemon, 'GET', `/v1/payment_intents/${intent.id}`)).text).status === 'requires_payment_method');
        const again = await pay('silent');
        assert.equal(again.text, first.text);
        assert.equal(again.headers['idempotent-replayed'], 'true');
    });
});
