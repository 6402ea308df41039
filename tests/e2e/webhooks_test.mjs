// Events, webhook endpoints and deliveries, read by the official SDK and checked against its types.
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import test from 'node:test';

import { Stripe } from '../../tools/shop/programs.mjs';
import { conforms } from './schemas.mjs';
import { eventually, florin, kill, pay, request, run, sdk, startDaemon, startProduction, temporary, writeConfig } from './support.mjs';

// The envelope, and the snapshot as the object that its type is about.
function isEvent(event) {
    conforms('event', event);
    conforms(event.data.object.object, event.data.object);
    return event;
}

// A server of somebody who wants to be told. `answer(delivery, response)` may do something else than
// answer 200. `deliveries` are all requests, whole.
async function startReceiver(t, { tls, answer = (delivery, response) => response.end() } = {}) {
    const deliveries = [];
    const receiver = { deliveries, answer };
    const take = (request, response) => {
        let body = '';
        request.on('data', (bytes) => (body += bytes));
        request.on('end', () => {
            const delivery = { method: request.method, url: request.url, headers: request.headers, body, at: Date.now() };
            deliveries.push(delivery);
            receiver.answer(delivery, response);
        });
        request.on('error', () => {});
    };
    const server = tls ? https.createServer(tls, take) : http.createServer(take);
    server.on('tlsClientError', () => {});
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
        server.closeAllConnections();
        server.close();
    });
    receiver.port = server.address().port;
    receiver.url = `${tls ? 'https' : 'http'}://${tls ? 'localhost' : '127.0.0.1'}:${receiver.port}/hooks`;
    receiver.of = (id) => deliveries.filter((one) => JSON.parse(one.body).id === id);
    receiver.types = () => deliveries.map((one) => JSON.parse(one.body).type);
    return receiver;
}

// What the merchant's program does with a delivery.
const open = (delivery, secret) =>
    Stripe.webhooks.constructEvent(delivery.body, delivery.headers['stripe-signature'], secret);

const everyFile = (folder) =>
    readdirSync(folder, { withFileTypes: true, recursive: true })
        .filter((entry) => entry.isFile())
        .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name));

test('events and endpoints, with the SDK', async (t) => {
    const folder = temporary(t);
    let daemon = await startDaemon(t, folder);
    const stripe = sdk(daemon);
    const receiver = await startReceiver(t);
    const post = (route, body, headers = {}) => request(daemon, 'POST', route, { body, headers });
    const refused = async (work, code, param) => assert.rejects(work, (error) => {
        assert.equal(error.type, 'StripeInvalidRequestError', error.message);
        assert.equal(error.code, code, error.message);
        assert.equal(error.param, param, error.message);
        return true;
    });
    let endpoint;
    let secret;

    await t.test('an endpoint shows its secret once, and to a repeated request again', async () => {
        const parameters = { url: receiver.url, enabled_events: ['*'], description: 'mine', metadata: { a: 'b' }, api_version: '2026-10-28.endive' };
        endpoint = await stripe.webhookEndpoints.create(parameters, { idempotencyKey: 'make-1' });
        secret = endpoint.secret;
        conforms('webhook_endpoint', JSON.parse(JSON.stringify(endpoint)));
        assert.match(secret, /^whsec_[A-Za-z0-9]{32}$/);
        assert.equal(endpoint.status, 'enabled');
        assert.equal(endpoint.livemode, false);
        assert.deepEqual(endpoint.metadata, { a: 'b' });
        const again = await stripe.webhookEndpoints.create(parameters, { idempotencyKey: 'make-1' });
        assert.equal(again.lastResponse.headers['idempotent-replayed'], 'true');
        assert.deepEqual(JSON.parse(JSON.stringify(again)), JSON.parse(JSON.stringify(endpoint)));
        const shown = await stripe.webhookEndpoints.retrieve(endpoint.id);
        conforms('webhook_endpoint', JSON.parse(JSON.stringify(shown)));
        assert.equal(shown.secret, undefined);
        const listed = await stripe.webhookEndpoints.list();
        assert.deepEqual(listed.data.map((one) => [one.id, one.secret]), [[endpoint.id, undefined]]);
    });

    await t.test('what an endpoint cannot be is refused by name', async () => {
        const url = receiver.url;
        const enabled_events = ['*'];
        for (const bad of ['nonsense', 'ftp://example.com/', 'https://user:pw@example.com/', 'https://example.com/#x', 'https://example.com:0/', 'https://example.com:70000/', 'https://exa mple.com/']) {
            await refused(stripe.webhookEndpoints.create({ url: bad, enabled_events }), 'url_invalid', 'url');
        }
        await refused(stripe.webhookEndpoints.create({ url, enabled_events: ['charge.failed', 'charge.exploded'] }), undefined, 'enabled_events[1]');
        await refused(stripe.webhookEndpoints.create({ url, enabled_events: ['charge.*'] }), undefined, 'enabled_events[0]');
        await refused(stripe.webhookEndpoints.create({ url }), 'parameter_missing', 'enabled_events');
        await refused(stripe.webhookEndpoints.create({ enabled_events }), 'parameter_missing', 'url');
        await refused(stripe.webhookEndpoints.create({ url, enabled_events, connect: true }), undefined, 'connect');
        await assert.rejects(stripe.webhookEndpoints.create({ url, enabled_events, connect: true }), /Connect is not supported/);
        // What is not here yet may be asked for, as clients do that have one list for everything.
        const usual = ['payment_intent.succeeded', 'payout.paid', 'payout.failed', 'charge.dispute.created', 'checkout.session.completed', 'account.updated'];
        const wide = await stripe.webhookEndpoints.create({ url, enabled_events: usual, connect: false });
        assert.deepEqual(wide.enabled_events, usual);
        await stripe.webhookEndpoints.del(wide.id);
        await refused(stripe.webhookEndpoints.create({ url, enabled_events, api_version: 'soon' }), undefined, 'api_version');
        await refused(stripe.webhookEndpoints.create({ url, enabled_events, colour: 'red' }), 'parameter_unknown', 'colour');
        await refused(stripe.webhookEndpoints.update(endpoint.id, { enabled_events: '' }), 'parameter_invalid_empty', 'enabled_events');
        await assert.rejects(stripe.webhookEndpoints.retrieve('we_none'), { statusCode: 404, code: 'resource_missing' });
        await assert.rejects(stripe.webhookEndpoints.update('we_none', { disabled: true }), { statusCode: 404 });
        await assert.rejects(stripe.webhookEndpoints.del('we_none'), { statusCode: 404 });
        const changed = await stripe.webhookEndpoints.update(endpoint.id, { description: '', metadata: { a: '', c: 'd' } });
        assert.equal(changed.description, null);
        assert.deepEqual(changed.metadata, { c: 'd' });
    });

    await t.test('a payment is told, signed, as it was at that moment', async () => {
        const intent = await stripe.paymentIntents.create(
            { amount: 1234, currency: 'eur', payment_method: 'pm_card_visa', confirm: true }, { idempotencyKey: 'pay "1" \\' },
        );
        await eventually('the payment was told', () => receiver.types().includes('payment_intent.succeeded') && receiver.types().includes('charge.succeeded'));
        for (const delivery of receiver.deliveries) {
            assert.equal(delivery.method, 'POST');
            assert.equal(delivery.url, '/hooks');
            assert.equal(delivery.headers['content-type'], 'application/json; charset=utf-8');
            assert.match(delivery.headers['user-agent'], /^Florin\/\d/);
            assert.equal(delivery.headers.host, `127.0.0.1:${receiver.port}`);
            const event = isEvent(JSON.parse(JSON.stringify(open(delivery, secret))));
            assert.equal(event.pending_webhooks, 1);
            assert.equal(event.request.idempotency_key, 'pay "1" \\');
            assert.equal(event.request.id, intent.lastResponse.requestId);
            assert.throws(() => open(delivery, 'whsec_other'), { type: 'StripeSignatureVerificationError' });
            assert.throws(() => open({ ...delivery, body: delivery.body.replace('evt_', 'evt_0') }, secret));
        }
        const told = JSON.parse(receiver.deliveries.find((one) => JSON.parse(one.body).type === 'payment_intent.created').body);
        assert.equal(told.data.object.status, 'processing');
        const kept = await eventually('nothing is pending', async () => {
            const event = await stripe.events.retrieve(told.id);
            return event.pending_webhooks === 0 && event;
        });
        assert.deepEqual({ ...JSON.parse(JSON.stringify(kept)), pending_webhooks: 1 }, told);
        assert.equal((await stripe.paymentIntents.retrieve(intent.id)).status, 'succeeded');
    });

    await t.test('events are listed newest first, filtered and paged', async () => {
        await pay(stripe, 500);
        const all = JSON.parse(JSON.stringify((await stripe.events.list({ limit: 100 })).data));
        all.forEach(isEvent);
        assert.ok(all.length >= 6);
        assert.deepEqual(all.map((one) => one.id), all.map((one) => one.id).sort().reverse());
        const walked = await stripe.events.list({ limit: 2 }).autoPagingToArray({ limit: 1000 });
        assert.deepEqual(walked.map((one) => one.id), all.map((one) => one.id));
        const back = await stripe.events.list({ limit: 2, ending_before: all.at(-1).id });
        assert.deepEqual(back.data.map((one) => one.id), all.slice(-3, -1).map((one) => one.id));
        assert.equal(back.has_more, true);
        const ids = async (more) => (await stripe.events.list({ limit: 100, ...more })).data.map((one) => one.id);
        const idsOf = (matches) => all.filter(matches).map((one) => one.id);
        assert.deepEqual(await ids({ type: 'charge.succeeded' }), idsOf((one) => one.type === 'charge.succeeded'));
        assert.deepEqual(await ids({ type: 'payment_intent.*' }), idsOf((one) => one.type.startsWith('payment_intent.')));
        assert.deepEqual(await ids({ types: ['charge.*', 'payment_intent.created'] }), idsOf((one) => one.type !== 'payment_intent.succeeded'));
        assert.deepEqual(await ids({ type: 'refund.created' }), []);
        assert.deepEqual(await ids({ created: { gte: all[0].created, lte: all[0].created } }), idsOf((one) => one.created === all[0].created));
        assert.deepEqual(await ids({ created: { lt: all.at(-1).created } }), []);
        assert.deepEqual(await ids({ created: { gt: all[0].created } }), []);
        await eventually('all were delivered', async () => (await ids({ delivery_success: true })).length === all.length);
        assert.deepEqual(await ids({ delivery_success: false }), []);
        const plain = await request(daemon, 'GET', '/v1/events?limit=1');
        const list = JSON.parse(plain.text);
        assert.deepEqual(Object.keys(list).sort(), ['data', 'has_more', 'object', 'url']);
        assert.equal(list.url, '/v1/events');
        assert.equal(list.has_more, true);
        await refused(stripe.events.list({ types: Array.from({ length: 21 }, (_, i) => `a.${i}`) }), undefined, 'types');
        await refused(stripe.events.list({ type: 'a.b', types: ['a.c'] }), 'parameters_exclusive', 'types');
        await refused(stripe.events.list({ starting_after: 'evt_none' }), 'resource_missing', 'starting_after');
        await assert.rejects(stripe.events.retrieve('evt_none'), { statusCode: 404, code: 'resource_missing' });
        await refused(stripe.events.list({ expand: ['data.data'] }), undefined, 'expand');
    });

    await t.test('while a secret is rolled both sign, and then the new one alone', async () => {
        const other = await stripe.webhookEndpoints.create({ url: receiver.url, enabled_events: ['payment_intent.canceled'] });
        const roll = (body, headers) => post(`/v1/webhook_endpoints/${other.id}/roll_secret`, body, headers);
        const tell = async () => {
            const intent = await stripe.paymentIntents.create({ amount: 100, currency: 'eur' });
            await stripe.paymentIntents.cancel(intent.id);
            return eventually('it was told', () => receiver.deliveries.find((one) => {
                const event = JSON.parse(one.body);
                return event.type === 'payment_intent.canceled' && event.data.object.id === intent.id && !passes(one, secret);
            }));
        };
        const passes = (delivery, key) => {
            try {
                open(delivery, key);
                return true;
            } catch {
                return false;
            }
        };
        assert.equal(passes(await tell(), other.secret), true);
        const answer = await roll('', { 'Idempotency-Key': 'roll-1' });
        assert.equal(answer.status, 200, answer.text);
        const rolled = conforms('webhook_endpoint', JSON.parse(answer.text));
        assert.notEqual(rolled.secret, other.secret);
        assert.equal((await roll('', { 'Idempotency-Key': 'roll-1' })).text, answer.text);
        const both = await tell();
        assert.equal(both.headers['stripe-signature'].split(',').filter((part) => part.startsWith('v1=')).length, 2);
        assert.equal(passes(both, other.secret), true);
        assert.equal(passes(both, rolled.secret), true);
        const last = JSON.parse((await roll('expires_in=0')).text);
        const single = await tell();
        assert.deepEqual([other.secret, rolled.secret, last.secret].map((key) => passes(single, key)), [false, false, true]);
        assert.equal(JSON.parse((await roll('expires_in=604801')).text).error.param, 'expires_in');
        assert.equal((await request(daemon, 'POST', '/v1/webhook_endpoints/we_none/roll_secret')).status, 404);
        conforms('deleted_webhook_endpoint', JSON.parse(JSON.stringify(await stripe.webhookEndpoints.del(other.id))));
        await assert.rejects(stripe.webhookEndpoints.retrieve(other.id), { statusCode: 404 });
    });

    await t.test('a disabled endpoint is told nothing, then or later', async () => {
        const mine = await startReceiver(t);
        const other = await stripe.webhookEndpoints.create({ url: mine.url, enabled_events: ['payment_intent.created'] });
        const make = () => stripe.paymentIntents.create({ amount: 100, currency: 'eur' });
        const told = (intent) => mine.deliveries.some((one) => JSON.parse(one.body).data.object.id === intent.id);
        const before = await make();
        await eventually('the first was told', () => told(before));
        assert.equal((await stripe.webhookEndpoints.update(other.id, { disabled: true })).status, 'disabled');
        const meanwhile = await make();
        assert.equal((await stripe.webhookEndpoints.update(other.id, { disabled: false })).status, 'enabled');
        const after = await make();
        await eventually('the last was told', () => told(after));
        assert.equal(told(meanwhile), false);
        const all = (await stripe.events.list({ limit: 100, type: 'payment_intent.created' })).data;
        await eventually('none is pending', async () => (await stripe.events.retrieve(all.find((one) => one.data.object.id === after.id).id)).pending_webhooks === 0);
        assert.equal((await stripe.events.retrieve(all.find((one) => one.data.object.id === meanwhile.id).id)).pending_webhooks, 0);
        await stripe.webhookEndpoints.del(other.id);
        const deleted = await make();
        await eventually('the other endpoint was told', () => receiver.deliveries.some((one) => JSON.parse(one.body).data.object.id === deleted.id));
        assert.equal(told(deleted), false);
    });

    await t.test('there are at most 16', async () => {
        const made = [];
        for (let i = 0; i < 15; ++i) made.push(await stripe.webhookEndpoints.create({ url: receiver.url, enabled_events: ['refund.failed'] }));
        await refused(stripe.webhookEndpoints.create({ url: receiver.url, enabled_events: ['refund.failed'] }), undefined, undefined);
        const page = await stripe.webhookEndpoints.list({ limit: 3 });
        assert.deepEqual(page.data.map((one) => one.id), made.slice(-3).reverse().map((one) => one.id));
        for (const one of made) await stripe.webhookEndpoints.del(one.id);
    });

    await t.test('there are at most 16, however many are made at the same time', async () => {
        const parameters = { url: receiver.url, enabled_events: ['refund.failed'] };
        const answers = await Promise.allSettled(Array.from({ length: 40 }, () => stripe.webhookEndpoints.create(parameters)));
        const made = answers.filter((one) => one.status === 'fulfilled').map((one) => one.value);
        for (const one of answers.filter((each) => each.status === 'rejected')) {
            assert.match(one.reason.message, /maximum of 16 webhook endpoints/);
        }
        const listed = (await stripe.webhookEndpoints.list({ limit: 100 })).data.map((one) => one.id);
        assert.equal(listed.length, 16);
        assert.deepEqual([endpoint.id, ...made.map((one) => one.id)].sort(), listed.sort());
        // One that goes makes room for one.
        await stripe.webhookEndpoints.del(made[0].id);
        made[0] = await stripe.webhookEndpoints.create(parameters);
        await refused(stripe.webhookEndpoints.create(parameters), undefined, undefined);
        for (const one of made) await stripe.webhookEndpoints.del(one.id);
    });

    await t.test('a crash loses no event', async () => {
        const held = [];
        receiver.answer = (delivery, response) => held.push(response);
        const seen = receiver.deliveries.length;
        const intents = [];
        for (let i = 0; i < 10; ++i) intents.push(await stripe.paymentIntents.create({ amount: 100 + i, currency: 'eur' }));
        await eventually('some are under way', () => receiver.deliveries.length > seen);
        await kill(daemon, 'SIGKILL');
        held.forEach((response) => response.destroy());
        receiver.answer = (delivery, response) => response.end();
        const before = receiver.deliveries.length;
        daemon = await startDaemon(t, folder);
        const told = () => receiver.deliveries.slice(before).map((one) => JSON.parse(one.body).data.object.id);
        await eventually('every intent was told', () => intents.every((one) => told().includes(one.id)));
        const after = sdk(daemon);
        await eventually('nothing is pending', async () => (await after.events.list({ limit: 100, delivery_success: false })).data.length === 0);
    });

    await t.test('secrets are neither in logs nor in files', async () => {
        const metrics = await request(daemon, 'GET', '/metrics');
        assert.match(metrics.text, /^florin_webhooks_delivered_total [1-9]/m);
        assert.equal((await kill(daemon, 'SIGTERM')).code, 0);
        assert.equal(daemon.log.includes('whsec_'), false);
        for (const file of everyFile(folder)) {
            if (statSync(file).size > 0) assert.equal(readFileSync(file).includes(secret.slice(6)), false, file);
        }
        const verified = florin('ledger', 'verify', '--data-dir', folder);
        assert.equal(verified.code, 0, verified.err);
    });
});

// The production form, with retries a thousand times as fast: a minute is 60 ms, 72 hours are 259 s.
async function startFast(t, more = []) {
    const folder = temporary(t);
    const dev = await startDaemon(t, path.join(folder, 'data'));
    const { secret_key } = dev.ready;
    await kill(dev, 'SIGTERM');
    const config = writeConfig(folder, { webhooks: ['retry_scale_ppm = 1000', 'timeout_ms = 2000', ...more] });
    copyFileSync(path.join(folder, 'data', 'vault.key'), path.join(folder, 'vault.key'));
    const begin = async () => {
        const daemon = await startProduction(t, folder, config);
        daemon.ready.secret_key = secret_key;
        return daemon;
    };
    return { folder, begin, daemon: await begin() };
}

test('deliveries that fail', async (t) => {
    const ca = temporary(t);
    const certificate = (name, subject) => {
        const made = run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
            '-subj', `/CN=${subject}`, '-addext', `subjectAltName=DNS:${subject}`, '-keyout', path.join(ca, `${name}.key`), '-out', path.join(ca, `${name}.pem`)]);
        assert.equal(made.code, 0, made.err);
        return { key: readFileSync(path.join(ca, `${name}.key`)), cert: readFileSync(path.join(ca, `${name}.pem`)) };
    };
    const trusted = certificate('trusted', 'localhost');
    const other = certificate('other', 'elsewhere.example');
    const stranger = certificate('stranger', 'localhost');
    writeFileSync(path.join(ca, 'ca.pem'), Buffer.concat([trusted.cert, other.cert]));
    const { daemon } = await startFast(t, ['allow_private = true', `extra_ca_file = "${path.join(ca, 'ca.pem')}"`]);
    const stripe = sdk(daemon);
    const make = () => stripe.paymentIntents.create({ amount: 100, currency: 'eur' });
    const listen = (receiver, enabled_events = ['payment_intent.created']) => stripe.webhookEndpoints.create({ url: receiver.url, enabled_events });
    const eventOf = async (intent) => (await stripe.events.list({ limit: 100, type: 'payment_intent.created' })).data.find((one) => one.data.object.id === intent.id);

    await t.test('over TLS only to who the certificate says it is', async () => {
        const good = await startReceiver(t, { tls: trusted });
        const misnamed = await startReceiver(t, { tls: other });
        const unknown = await startReceiver(t, { tls: stranger });
        const endpoints = [await listen(good), await listen(misnamed), await listen(unknown)];
        const intent = await make();
        await eventually('it was told over TLS', () => good.deliveries.length > 0);
        assert.equal(open(good.deliveries[0], endpoints[0].secret).data.object.id, intent.id);
        const event = await eventOf(intent);
        await eventually('two are pending', async () => (await stripe.events.retrieve(event.id)).pending_webhooks === 2);
        await eventually('both were tried', () => (daemon.log.match(/"webhook.failed"/g) ?? []).length >= 2);
        assert.equal(misnamed.deliveries.length, 0);
        assert.equal(unknown.deliveries.length, 0);
        assert.match(daemon.log, /TLS: certificate verify failed/);
        for (const one of endpoints) await stripe.webhookEndpoints.del(one.id);
        await eventually('nothing is pending', async () => (await stripe.events.retrieve(event.id)).pending_webhooks === 0);
    });

    await t.test('errors, redirects and silence are tried again, with fresh signatures', async () => {
        const elsewhere = await startReceiver(t);
        let tries = 0;
        const receiver = await startReceiver(t, {
            answer: (delivery, response) => {
                tries += 1;
                if (tries === 1) response.writeHead(500).end();
                else if (tries === 2) response.writeHead(302, { Location: elsewhere.url }).end();
                else if (tries === 3) return;  // silence until the time-out
                else if (tries === 4) response.socket.destroy();
                else response.writeHead(200, { 'X-Long': 'x'.repeat(15_000) }).end('y'.repeat(5_000_000));
            },
        });
        const endpoint = await listen(receiver);
        const event = await eventOf(await make());
        assert.equal((await stripe.events.list({ delivery_success: false })).data[0].id, event.id);
        await eventually('it was taken', async () => (await stripe.events.retrieve(event.id)).pending_webhooks === 0, 30_000);
        assert.equal(receiver.deliveries.length, 5);
        assert.equal(elsewhere.deliveries.length, 0);
        const times = receiver.deliveries.map((one) => Number(/t=(\d+)/.exec(one.headers['stripe-signature'])[1]));
        for (const [i, delivery] of receiver.deliveries.entries()) {
            assert.equal(open(delivery, endpoint.secret).id, event.id);
            assert.ok(Math.abs(times[i] - delivery.at / 1000) <= 2);
        }
        assert.ok(times.at(-1) > times[0], 'signed anew');
        const waits = receiver.deliveries.slice(1).map((one, i) => one.at - receiver.deliveries[i].at);
        [60, 300, 1800 + 2000, 7200].forEach((least, i) => assert.ok(waits[i] >= least - 5, `pause ${i}: ${waits[i]} ms`));
        await stripe.webhookEndpoints.del(endpoint.id);
    });

    await t.test('a dead endpoint delays nobody', async () => {
        const dead = await startReceiver(t, { answer: () => {} });
        const alive = await startReceiver(t);
        const endpoints = [await listen(dead), await listen(alive)];
        const intents = [];
        for (let i = 0; i < 40; ++i) intents.push(await make());
        const begun = Date.now();
        await eventually('the live one was told all', () => intents.every((intent) => alive.deliveries.some((one) => JSON.parse(one.body).data.object.id === intent.id)));
        // One after the other behind the dead one would take 20 seconds.
        assert.ok(Date.now() - begun < 10_000);
        await eventually('the dead one is seen as such', () => daemon.log.includes('webhook.endpoint_down'));
        // Each delivery at the live one came at once.
        for (const delivery of alive.deliveries) {
            assert.ok(delivery.at / 1000 - JSON.parse(delivery.body).created < 10);
        }
        // Back again, it gets everything it missed.
        dead.answer = (delivery, response) => response.end();
        const told = () => new Set(dead.deliveries.map((one) => JSON.parse(one.body).data.object.id));
        await eventually('it caught up', async () => intents.every((intent) => told().has(intent.id)) && (await stripe.events.list({ delivery_success: false })).data.length === 0, 60_000);
        assert.match(daemon.log, /webhook.endpoint_up/);
        for (const one of endpoints) await stripe.webhookEndpoints.del(one.id);
    });

    await t.test('the log names hosts and never more', async () => {
        assert.equal(daemon.log.includes('/hooks'), false);
        assert.equal(daemon.log.includes('whsec_'), false);
        assert.equal(daemon.log.includes('v1='), false);
        assert.equal((await kill(daemon, 'SIGTERM')).code, 0);
    });
});

test('slow endpoints of one merchant delay no other merchant', async (t) => {
    const folder = temporary(t);
    const daemon = await startDaemon(t, folder);
    const stripe = sdk(daemon);
    let most = 0;
    let open = 0;
    const slow = await startReceiver(t, {
        answer: (delivery, response) => {
            most = Math.max(most, ++open);
            response.on('close', () => (open -= 1));
            setTimeout(() => response.end(), 9_000).unref();
        },
    });
    for (let i = 0; i < 16; ++i) await stripe.webhookEndpoints.create({ url: `${slow.url}/${i}`, enabled_events: ['payment_intent.created'] });
    for (let i = 0; i < 10; ++i) await stripe.paymentIntents.create({ amount: 100, currency: 'eur' });
    await eventually('its places are taken', () => open >= 16);
    const admin = async (route, body) => {
        const answer = await request(daemon, 'POST', `/admin/v1${route}`, { key: daemon.ready.admin_key, body: JSON.stringify(body) });
        assert.equal(answer.status, 200, answer.text);
        return JSON.parse(answer.text);
    };
    await admin('/merchants', { id: 'acct_second', name: 'A second shop', country: 'FR', default_currency: 'eur', iban: 'DE89370400440532013000', account_holder: 'A' });
    const { key } = await admin('/keys', { kind: 'secret', mode: 'test', merchant: 'acct_second' });
    const other = sdk(daemon, { key });
    const quick = await startReceiver(t);
    await other.webhookEndpoints.create({ url: quick.url, enabled_events: ['payment_intent.created'] });
    for (let i = 0; i < 20; ++i) {
        const begun = Date.now();
        const intent = await other.paymentIntents.create({ amount: 100, currency: 'eur' });
        await eventually('the other merchant was told', () => quick.deliveries.some((one) => JSON.parse(one.body).data.object.id === intent.id));
        assert.ok(Date.now() - begun < 3_000, `delivery ${i} took ${Date.now() - begun} ms`);
    }
    assert.ok(most <= 16, `${most} at the same time`);
    // Its endpoints shared its places.
    assert.equal(new Set(slow.deliveries.slice(0, 16).map((one) => one.url)).size, 16);
    assert.equal((await kill(daemon, 'SIGTERM')).code, 0);
});

test('private addresses are out of reach unless they are allowed', async (t) => {
    const { daemon } = await startFast(t);
    const stripe = sdk(daemon);
    const receiver = await startReceiver(t);
    for (const url of [receiver.url, 'http://169.254.169.254/latest/meta-data', 'https://[::1]/', 'https://[::ffff:127.0.0.1]/', 'https://10.0.0.1/']) {
        await assert.rejects(stripe.webhookEndpoints.create({ url, enabled_events: ['*'] }), { code: 'url_invalid', param: 'url' });
    }
    // Names and other spellings are looked up when something is sent.
    for (const host of ['localhost', '0x7f000001', '2130706433', '127.1']) {
        await stripe.webhookEndpoints.create({ url: `http://${host}:${receiver.port}/hooks`, enabled_events: ['*'] });
    }
    await stripe.paymentIntents.create({ amount: 100, currency: 'eur' });
    await eventually('all four were refused', () => new Set([...daemon.log.matchAll(/"webhook.failed".*"endpoint":"(we_\w+)".*(?:private or reserved|not resolved)/g)].map((one) => one[1])).size === 4);
    assert.match(daemon.log, /the host's address is private or reserved/);
    assert.equal(receiver.deliveries.length, 0);
    assert.equal((await kill(daemon, 'SIGTERM')).code, 0);
});

test('a slow endpoint at many events a second costs no memory', async (t) => {
    const daemon = await startDaemon(t, temporary(t));
    const stripe = sdk(daemon);
    const held = [];
    const slow = await startReceiver(t, { answer: (delivery, response) => held.push(response) });
    await stripe.webhookEndpoints.create({ url: slow.url, enabled_events: ['*'] });
    const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.child.pid}/status`, 'utf8'))[1]);
    const load = async (count) => {
        let left = count;
        const one = async () => {
            while (left-- > 0) await stripe.paymentIntents.create({ amount: 100, currency: 'eur' });
        };
        await Promise.all(Array.from({ length: 16 }, one));
    };
    await load(200);
    const before = rss();
    await load(2000);
    assert.ok(rss() - before < 30_000, `grew by ${rss() - before} KiB`);
    assert.ok(slow.deliveries.length <= 8, `${slow.deliveries.length} at the same time`);
    held.forEach((response) => response.end());
    slow.answer = (delivery, response) => response.end();
    await eventually('it caught up', () => new Set(slow.deliveries.map((one) => JSON.parse(one.body).id)).size === 2200, 60_000);
    // A stop does not wait for an endpoint that is silent.
    slow.answer = () => {};
    const seen = slow.deliveries.length;
    await stripe.paymentIntents.create({ amount: 100, currency: 'eur' });
    await eventually('one is under way', () => slow.deliveries.length > seen);
    const begun = Date.now();
    assert.equal((await kill(daemon, 'SIGTERM')).code, 0);
    assert.ok(Date.now() - begun < 8_000, `stopping took ${Date.now() - begun} ms`);
});
