// One idempotency key is one execution and one answer: in a crowd, over kill -9, over a cut
// connection, while a bank keeps silent, and until its time is over.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';

import { control, eventually, florin, kill, request, sdk, signedOn, startBank, startDaemon, temporary } from './support.mjs';
import { connect, connections, dial, head, throughProxy } from './wire.mjs';

const paid = 'currency=eur&payment_method=pm_card_visa&confirm=true';
// Each request on a connection of its own.
const alone = { Connection: 'close' };
const keyed = (key) => ({ 'Idempotency-Key': key, ...alone });
const create = (daemon, body, key) => request(daemon, 'POST', '/v1/payment_intents', { body, headers: keyed(key) });
const listed = async (daemon) => JSON.parse((await request(daemon, 'GET', '/v1/payment_intents?limit=100', { headers: alone })).text).data;
const count = async (daemon, amount) => (await listed(daemon)).filter((one) => one.amount === amount).length;

function isReplayOf(again, first, what) {
    assert.equal(again.status, first.status, `${what}: ${again.text}`);
    assert.equal(again.text, first.text, what);
    assert.equal(again.headers['idempotent-replayed'], 'true', what);
    assert.equal(again.headers['original-request'], first.headers['request-id'], what);
    assert.notEqual(again.headers['request-id'], first.headers['request-id'], what);
}

test('with a bank', async (t) => {
    const folder = temporary(t);
    const bank = await startBank(t, path.join(folder, 'bank'));
    const data = path.join(folder, 'florin');
    let daemon = await startDaemon(t, data, ['--iso8583', bank.ready.address]);
    await signedOn(daemon);
    const counts = () => control(bank, { counts: true });
    const restart = async () => {
        await kill(daemon, 'SIGKILL');
        daemon = await startDaemon(t, data);
        await signedOn(daemon);
    };

    await t.test('a thousand duplicates of a confirm, each on a connection of its own: one 0100, one answer', async () => {
        const crowd = 1000;
        const stripe = sdk(daemon);
        const intent = await stripe.paymentIntents.create({ amount: 70_000, currency: 'eur', payment_method: 'pm_card_visa' });
        const before = await counts();
        // All have sent their request when the first of them gets its answer.
        await control(bank, { delay_ms: 2500, match: { mti: '0100', amount_minor: 70_000 }, times: 1 });
        const lines = await Promise.all(Array.from({ length: crowd }, () => dial(daemon).open));
        const bytes = head(daemon, 'POST', `/v1/payment_intents/${intent.id}/confirm`, { 'Idempotency-Key': 'a-thousand', 'Content-Length': 0, Connection: 'close' });
        lines.forEach((line) => line.socket.write(bytes));
        const answers = await Promise.all(lines.map((line) => line.ended));
        const bodies = new Set(answers.map((text) => text.slice(text.indexOf('\r\n\r\n') + 4)));
        assert.deepEqual(new Set(answers.map((text) => text.slice(0, 15))), new Set(['HTTP/1.1 200 OK']));
        assert.equal(bodies.size, 1);
        assert.equal(JSON.parse([...bodies][0]).status, 'succeeded');
        assert.equal(answers.filter((text) => !/\r\nIdempotent-Replayed: true\r\n/.test(text)).length, 1);
        assert.equal(new Set(answers.map((text) => /\r\nRequest-Id: (\w+)/.exec(text)[1])).size, crowd);
        const after = await counts();
        assert.equal(after.authorisation_messages, before.authorisation_messages + 1);
        assert.equal(after.captures, before.captures + 1);
        assert.equal((await stripe.charges.list({ payment_intent: intent.id })).data.length, 1);
    });

    await t.test('what was answered is answered again after kill -9, byte for byte', async () => {
        await control(bank, { silence: true, match: { mti: '0100', amount_minor: 71_003 }, times: 1 });
        const requests = {
            succeeded: ['/v1/payment_intents', `amount=71001&${paid}`],
            declined: ['/v1/payment_intents', 'amount=71002&currency=eur&confirm=true&payment_method=pm_card_visa_chargeDeclinedInsufficientFunds'],
            processing: ['/v1/payment_intents', `amount=71003&${paid}`],
            expanded: ['/v1/payment_intents', `amount=71004&${paid}&expand[]=latest_charge.balance_transaction`],
        };
        const ask = (name) => request(daemon, 'POST', requests[name][0], { body: requests[name][1], headers: keyed(`kept-${name}`) });
        const first = {};
        for (const name of Object.keys(requests)) first[name] = await ask(name);
        requests.refund = ['/v1/refunds', `payment_intent=${JSON.parse(first.succeeded.text).id}&amount=500`];
        first.refund = await ask('refund');
        assert.equal(JSON.parse(first.succeeded.text).status, 'succeeded');
        assert.equal(first.declined.status, 402);
        assert.equal(JSON.parse(first.declined.text).error.decline_code, 'insufficient_funds');
        assert.equal(JSON.parse(first.processing.text).status, 'processing');
        assert.equal(JSON.parse(first.refund.text).status, 'succeeded');
        for (const round of ['first', 'second']) {
            await restart();
            // The object goes on meanwhile; the answer of the key does not.
            const id = JSON.parse(first.processing.text).id;
            const { payment_intent: declined } = JSON.parse(first.declined.text).error;
            if (round === 'second') {
                await eventually('the bank has taken it back', async () =>
                    (await sdk(daemon).paymentIntents.retrieve(id)).status === 'requires_payment_method', 40_000);
                await sdk(daemon).paymentIntents.cancel(declined.id);
            }
            const before = await counts();
            for (const name of Object.keys(requests)) isReplayOf(await ask(name), first[name], `${name}, ${round} restart`);
            const after = await counts();
            assert.equal(after.authorisation_messages, before.authorisation_messages);
            assert.equal(after.refunds, before.refunds);
        }
        for (const amount of [71_001, 71_002, 71_003, 71_004]) assert.equal(await count(daemon, amount), 1);
    });

    await t.test('killed before there was an answer, the key has one: processing, and no second attempt', async () => {
        const amount = 72_000;
        // The message is booked late, so that the daemon is certainly killed in between.
        await control(bank, { silence: true, match: { mti: '0100', amount_minor: amount }, times: 1 });
        const before = await counts();
        const ask = () => create(daemon, `amount=${amount}&${paid}`, 'killed');
        const lost = ask().then(() => 'answered', () => 'cut');
        await eventually('the bank has the message', async () => (await counts()).authorisation_messages > before.authorisation_messages);
        await restart();
        assert.equal(await lost, 'cut');
        const answers = await Promise.all(Array.from({ length: 8 }, ask));
        for (const one of answers) assert.equal(one.text, answers[0].text);
        assert.equal(answers[0].status, 200);
        assert.equal(JSON.parse(answers[0].text).status, 'processing');
        const { id } = JSON.parse(answers[0].text);
        await eventually('the bank has taken it back', async () =>
            (await sdk(daemon).paymentIntents.retrieve(id)).status === 'requires_payment_method', 40_000);
        assert.equal((await ask()).text, answers[0].text);
        assert.equal((await counts()).authorisation_messages, before.authorisation_messages + 1);
        assert.equal(await count(daemon, amount), 1);
    });

    await kill(daemon, 'SIGTERM');
    assert.equal(florin('ledger', 'verify', '--data-dir', data).code, 0);
    assert.equal(florin('ledger', 'trial-balance', '--data-dir', data).code, 0);
});

// The client goes at a moment of its choice; what there is of the payment then, and for a retry.
test('a connection that is cut', async (t) => {
    const folder = temporary(t);
    const bank = await startBank(t, path.join(folder, 'bank'));
    const daemon = await startDaemon(t, path.join(folder, 'florin'), ['--iso8583', bank.ready.address]);
    await signedOn(daemon);
    const messages = async () => (await control(bank, { counts: true })).authorisation_messages;
    const ways = {
        'with a goodbye': (line) => line.socket.end(),
        'without a word': (line) => line.socket.destroy(),
        'with a reset': (line) => line.raw.resetAndDestroy(),
    };
    const bodyOf = (amount) => `amount=${amount}&${paid}`;
    const headOf = (amount) => head(daemon, 'POST', '/v1/payment_intents', { 'Idempotency-Key': `cut-${amount}`, 'Content-Length': bodyOf(amount).length });
    // What is sent before the cut; whether the request is whole by then.
    const phases = {
        'before the TLS hello': { connects: true },
        'after the handshake': { bytes: () => '' },
        'in the request line': { bytes: () => 'POST /v1/paym' },
        'in a header': { bytes: (amount) => headOf(amount).slice(0, -8) },
        'after the head': { bytes: headOf },
        'in the body': { bytes: (amount) => headOf(amount) + bodyOf(amount).slice(0, 20) },
        'one byte before the end': { bytes: (amount) => headOf(amount) + bodyOf(amount).slice(0, -1) },
        'while the bank is asked': { bytes: (amount) => headOf(amount) + bodyOf(amount), asked: true },
        'in the middle of the answer': { bytes: (amount) => headOf(amount) + bodyOf(amount), answered: true },
    };
    await eventually('nobody is there any more', async () => await connections(daemon) === 1);
    let amount = 80_000;
    for (const [phase, { connects, bytes, asked, answered }] of Object.entries(phases)) {
        for (const [way, cut] of Object.entries(ways)) {
            if (connects && way === 'with a goodbye') continue;
            await t.test(`${phase}, ${way}`, async (t) => {
                ++amount;
                const before = await messages();
                if (asked) await control(bank, { delay_ms: 800, match: { mti: '0100', amount_minor: amount }, times: 1 });
                const line = connects ? await connect(daemon) : await throughProxy(t, daemon);
                // What TLS itself says after the handshake has been read with a first answer.
                if (answered) await line.warmUp(head(daemon, 'GET', '/v1/balance'));
                const passed = answered && line.passed(100);
                if (bytes) await line.write(bytes(amount));
                await passed;
                if (asked) await eventually('the daemon asks the bank', async () => (await listed(daemon)).some((one) => one.amount === amount && one.status === 'processing'));
                cut(line);
                await line.ended;
                // Who says goodbye and listens on may get an answer.
                if (!(asked && way === 'with a goodbye')) assert.equal(line.text, '');
                const is_whole = Boolean(asked || answered);
                // Then nothing is in flight any more that could still become a payment. But where the bank is
                // being asked, the retry comes while it is.
                if (!asked) await eventually('the daemon has seen the end', async () => await connections(daemon) === 1);
                assert.equal(await count(daemon, amount), is_whole ? 1 : 0);
                const first = await create(daemon, bodyOf(amount), `cut-${amount}`);
                const again = await create(daemon, bodyOf(amount), `cut-${amount}`);
                assert.equal(JSON.parse(first.text).status, 'succeeded', first.text);
                assert.equal(first.headers['idempotent-replayed'], is_whole ? 'true' : undefined);
                assert.equal(again.headers['idempotent-replayed'], 'true');
                assert.equal(again.text, first.text);
                assert.equal(await count(daemon, amount), 1);
                assert.equal(await messages(), before + 1);
            });
        }
    }

    await t.test('without a key, a request is decided once or not at all', async () => {
        const body = (n) => `amount=${n}&currency=eur&payment_method=pm_card_visa&confirm=true`;
        const before = await messages();
        await Promise.all(Array.from({ length: 40 }, async (_, i) => {
            const line = await dial(daemon).open;
            const text = head(daemon, 'POST', '/v1/payment_intents', { 'Content-Length': body(90_000 + i).length }) + body(90_000 + i);
            await new Promise((resolve) => line.socket.write(text.slice(0, i % 2 ? text.length : -1), resolve));
            line.socket.end();
            await line.ended;
        }));
        await eventually('nobody is there any more', async () => await connections(daemon) === 1);
        const made = (await listed(daemon)).filter((one) => one.amount >= 90_000);
        assert.deepEqual(made.map((one) => one.amount).sort(), Array.from({ length: 20 }, (_, i) => 90_001 + 2 * i));
        assert.deepEqual(new Set(made.map((one) => one.status)), new Set(['succeeded']));
        assert.equal(await messages(), before + 20);
    });

    assert.equal((await kill(daemon, 'SIGTERM')).code, 0);
    assert.equal(daemon.log.includes('session_failed'), false, daemon.log);
});

// With the hidden option that keeps for seconds what is otherwise kept for a day.
test('a key has its time', async (t) => {
    const folder = temporary(t);
    const bank = await startBank(t, path.join(folder, 'bank'));
    const data = path.join(folder, 'florin');
    const keep = ['--keep-seconds', '2'];
    let daemon = await startDaemon(t, data, ['--iso8583', bank.ready.address, ...keep]);
    await signedOn(daemon);
    const isNew = (answer) => answer.status !== 400 && answer.headers['idempotent-replayed'] === undefined;
    const whenNew = (body, key) => eventually(`${key} is new`, async () => {
        const answer = await create(daemon, body, key);
        return isNew(answer) && answer;
    });
    // How many documents there are is known when the daemon has stopped.
    const stored = async () => {
        assert.equal((await kill(daemon, 'SIGTERM')).code, 0);
        const verified = florin('ledger', 'verify', '--data-dir', data);
        assert.equal(verified.code, 0, verified.err);
        daemon = await startDaemon(t, data, keep);
        return Number(/documents\s+(\d+)/.exec(verified.out)[1]);
    };
    // This is known of a running one too.
    const forgotten = () => {
        const verified = florin('ledger', 'verify', '--data-dir', data);
        assert.equal(verified.code, 0, verified.err);
        return Number(/payloads_forgotten\s+(\d+)/.exec(verified.out)[1]);
    };

    await t.test('until then it is the one request, afterwards a new one, also for other parameters', async () => {
        const first = await create(daemon, `amount=60001&${paid}`, 'timed');
        const refused = await create(daemon, 'amount=60002&currency=eur&confirm=true&payment_method=pm_card_visa_chargeDeclined', 'timed-402');
        assert.equal(refused.status, 402);
        isReplayOf(await create(daemon, `amount=60001&${paid}`, 'timed'), first, 'before');
        assert.equal((await create(daemon, `amount=60003&${paid}`, 'timed')).status, 400);
        const other = await whenNew(`amount=60003&${paid}`, 'timed');
        assert.equal(JSON.parse(other.text).amount, 60_003);
        isReplayOf(await create(daemon, `amount=60003&${paid}`, 'timed'), other, 'the new one');
        assert.notEqual(JSON.parse(other.text).id, JSON.parse(first.text).id);
        assert.equal((await whenNew(`amount=60004&${paid}`, 'timed-402')).status, 200);
        assert.equal(await count(daemon, 60_001), 1);
    });

    await t.test('while its attempt is open it is kept, over a crash too', async () => {
        const body = `amount=61000&${paid}`;
        await control(bank, { silence: true, match: { amount_minor: 61_000 } });
        const first = await create(daemon, body, 'open');
        assert.equal(JSON.parse(first.text).status, 'processing');
        await create(daemon, `amount=61001&${paid}`, 'closed');
        await kill(daemon, 'SIGKILL');
        daemon = await startDaemon(t, data, keep);
        await signedOn(daemon);
        await whenNew(`amount=61002&${paid}`, 'closed');
        isReplayOf(await create(daemon, body, 'open'), first, 'the time of the other one is over');
        await control(bank, { clear: true });
        const { id } = JSON.parse(first.text);
        await eventually('the bank has taken it back', async () =>
            (await sdk(daemon).paymentIntents.retrieve(id)).status === 'requires_payment_method', 40_000);
        isReplayOf(await create(daemon, body, 'open'), first, 'when it is over');
        assert.equal(await count(daemon, 61_000), 1);
    });

    await t.test('what it took to remember is given back', async () => {
        const lanes = 10;
        const each = 30;
        const keys = lanes * each;
        const intents = await Promise.all(Array.from({ length: lanes }, () => sdk(daemon).paymentIntents.create({ amount: 500, currency: 'eur' })));
        const describe = (description, key) => request(daemon, 'POST', `/v1/payment_intents/${intents[0].id}`, { body: `description=${description}`, headers: keyed(key) });
        // When a key that was used last is new, all others were.
        const outlast = async (key) => {
            await describe('a', key);
            await eventually(`${key} is new`, async () => isNew(await describe('b', key)));
        };
        await outlast('before');
        const idle = await stored();
        const forgottenBefore = forgotten();
        const stripe = sdk(daemon);
        const text = 'x'.repeat(400);
        await Promise.all(intents.map(async ({ id }) => {
            for (let i = 0; i < each; ++i) await stripe.paymentIntents.update(id, { description: `${text}${i}` }, { idempotencyKey: `${id}-${i}` });
        }));
        const full = await stored();
        // Where that took long, the first of them are over again.
        assert.ok(full >= idle + keys / 2, `${full} documents, ${idle} before`);
        await outlast('after');
        // Of each key, and of most versions of the intents.
        await eventually('their bodies are forgotten', () => forgotten() - forgottenBefore >= 1.5 * keys, 90_000);
        const after = await stored();
        assert.ok(after <= idle, `${after} documents, ${idle} before`);
        t.diagnostic(`${keys} keys: ${idle} documents before, ${full} with them, ${after} after`);
    });

    assert.equal((await kill(daemon, 'SIGTERM')).code, 0);
    assert.equal(florin('ledger', 'verify', '--data-dir', data).code, 0);
});

test('the same request at the same instant, for everything that is over with one commit', async (t) => {
    const daemon = await startDaemon(t, temporary(t));
    const post = async (route, body, key) => request(daemon, 'POST', route, { body, headers: keyed(key) });
    const made = async (route, body) => JSON.parse((await post(route, body, `made-${route}-${body}`)).text);
    const customer = await made('/v1/customers', 'name=A');
    const intent = await made('/v1/payment_intents', 'amount=500&currency=eur');
    const method = await made('/v1/payment_methods', 'type=card&card[token]=tok_visa');
    const payment = await made('/v1/payment_intents', `amount=900&${paid}`);
    const hook = await made('/v1/webhook_endpoints', 'url=https%3A%2F%2F127.0.0.1%3A9%2Fhook&enabled_events[]=*');
    const requests = [
        ['/v1/customers', 'name=B'],
        [`/v1/customers/${customer.id}`, 'metadata[a]=1'],
        ['/v1/payment_methods', 'type=card&card[number]=4242424242424242&card[exp_month]=1&card[exp_year]=2040'],
        [`/v1/payment_methods/${method.id}`, 'metadata[a]=1'],
        [`/v1/payment_methods/${method.id}/attach`, `customer=${customer.id}`],
        ['/v1/payment_intents', 'amount=600&currency=eur'],
        [`/v1/payment_intents/${intent.id}`, 'description=x'],
        [`/v1/payment_intents/${intent.id}/cancel`, ''],
        [`/v1/charges/${payment.latest_charge}`, 'description=x'],
        ['/v1/webhook_endpoints', 'url=https%3A%2F%2F127.0.0.1%3A9%2Fother&enabled_events[]=*'],
        [`/v1/webhook_endpoints/${hook.id}`, 'description=x'],
        [`/v1/webhook_endpoints/${hook.id}/roll_secret`, 'expires_in=3600'],
    ];
    for (const [route, body] of requests) {
        for (let round = 0; round < 3; ++round) {
            const key = `at-once-${route}-${round}`;
            // Updates change something each time.
            const text = body.replace('=x', `=x${round}`).replace('=1', `=${round + 1}`);
            const answers = await Promise.all(Array.from({ length: 8 }, () => post(route, text, key)));
            const statuses = new Set(answers.map((one) => one.status));
            assert.equal(statuses.size, 1, `${route}: ${answers.map((one) => one.text).join()}`);
            assert.equal(new Set(answers.map((one) => one.text)).size, 1, route);
            if (statuses.has(200)) {
                assert.equal(answers.filter((one) => !one.headers['idempotent-replayed']).length, 1, route);
                const other = await post(route, `${text}${text === '' ? '' : '&'}expand[]=none`, key);
                assert.match(other.text, /idempotency_error/, route);
            }
        }
    }
    const events = JSON.parse((await request(daemon, 'GET', '/v1/events?limit=100', { headers: alone })).text).data;
    const counted = (type) => events.filter((one) => one.type === type).length;
    assert.equal(counted('customer.created'), 4);
    assert.equal(counted('customer.updated'), 3);
    assert.ok(events.every((one) => one.request !== null && one.request.idempotency_key !== null), 'each says whose request it was');
});
