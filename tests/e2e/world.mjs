// A merchant, the daemon and a bank, with everything between them that can break; and what must be
// true of their books when all is quiet again. Promises 1, 2, 4 and 6 of docs/architecture.md.
//
// The merchant keeps asking with the same idempotency key until it has an answer, as the SDK's
// documentation says. Every amount tells its payment: a payment asks for a multiple of 100, a partial
// capture for ten less, and no two payments of a currency for the same.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { Cable } from './cable.mjs';
import {
    control, eventually, florin, kill, openShop, pause, request, sdk, signedOn, startBank, startDaemon, startProduction, writeConfig,
} from './support.mjs';

const currencies = ['eur', 'usd', 'jpy', 'kwd'];
const numeric = { EUR: 978, USD: 840, JPY: 392, KWD: 414 };
const declined = ['pm_card_visa_chargeDeclined', 'pm_card_visa_chargeDeclinedInsufficientFunds', 'pm_card_chargeDeclinedProcessingError'];

// Throws dice that fall the same way in every run.
export function dice(seed) {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let mixed = Math.imul(state ^ (state >>> 15), state | 1);
        mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
}

// Parameters as a form, for a replay of the SDK's request without the SDK.
export function form(params) {
    const parts = new URLSearchParams();
    for (const [name, value] of Object.entries(params)) {
        if (typeof value === 'object') {
            for (const [key, each] of Object.entries(value)) parts.append(`${name}[${key}]`, each);
        } else {
            parts.append(name, String(value));
        }
    }
    return parts.toString();
}

// `data`: where the daemon keeps everything, if not in `folder`. With `mac` (an algorithm's name)
// messages bear a MAC under keys that the bank makes and sends, and the daemon runs by a configuration,
// since --dev has no such link.
export class World {
    constructor(t, folder, { data, mac } = {}) {
        this.t = t;
        this.folder = folder;
        this.mac = mac;
        this.data = mac ? path.join(folder, 'data') : data ?? path.join(folder, 'florin');
        this.running = true;
        this.abandoned = false;  // nobody asks any more: the test failed
        this.writes = [];  // every write that was answered: {route, params, key, status, object}
        this.tries = 0;
        this.kills = { florind: 0, bank: 0, cable: 0 };
    }

    async open() {
        this.t.after(() => (this.abandoned = true));
        this.linkKeyFile = path.join(this.folder, 'link.key');
        writeFileSync(this.linkKeyFile, '0123456789abcdeffedcba9876543210\n', { mode: 0o600 });
        await this.startBank();
        this.bankAddress = this.bank.ready.address;
        this.cable = await Cable.lay(this.t, this.bankAddress);
        if (this.mac) await this.#makeShop();
        await this.startDaemon();
    }

    async startBank() {
        const link = this.mac ? ['--mac', this.mac, '--mac-kek', this.linkKeyFile] : [];
        this.bank = await startBank(this.t, path.join(this.folder, 'bank'), this.bankAddress, link);
    }

    // The configuration, with times and limits as --dev has them, and an API key.
    async #makeShop() {
        this.config = writeConfig(this.folder, {
            limits: ['test_requests_per_second = 0', 'key_in_flight_max = 0', 'requests_in_flight_max = 16384', 'queue_delay_ms_max = 1000'],
            flow: ['retry_first_ms = 1000', 'retry_most_ms = 30000'],
            webhooks: ['allow_private = true'],
            '[connector]': [
                'name = "bank"', 'rail = "iso8583"', 'priority = 1', 'timeout_ms = 3000', 'acquirer_id = "400001"', 'acquirer = "banksim"',
                `port = ${this.cable.address.split(':')[1]}`,
                'breaker_failure_percent = 0',  // a breaker would spare the bank's faults most of the payments
                `mac = "${this.mac}"`, `mac_key_file = "${this.linkKeyFile}"`, 'mac_key_exchange = true',
            ],
        }, { sandbox: false });
        const { daemon, key } = await openShop(this.t, this.folder, this.config);
        this.secretKey = key;
        await kill(daemon, 'SIGTERM');
    }

    // `env`: beside the environment of the test.
    async startDaemon(env = {}) {
        if (this.mac) {
            this.daemon = await startProduction(this.t, this.folder, this.config, env);
            this.daemon.ready.secret_key = this.secretKey;
        } else {
            this.daemon = await startDaemon(this.t, this.data, ['--iso8583', this.cable.address], env);
        }
        this.stripe = sdk(this.daemon);
    }

    // A daemon that was killed left books that verify, and starts with the same arguments.
    async killDaemon() {
        ++this.kills.florind;
        await kill(this.daemon, 'SIGKILL');
        const verified = florin('ledger', 'verify', '--data-dir', this.data);
        assert.equal(verified.code, 0, verified.out + verified.err);
        await this.startDaemon();
    }

    async killBank(downMs = 0) {
        ++this.kills.bank;
        await kill(this.bank, 'SIGKILL');
        await pause(downMs);
        await this.startBank();
    }

    cut() {
        ++this.kills.cable;
        this.cable.cut();
    }

    faults(...rules) {
        return Promise.all(rules.map(async (rule) => {
            const answer = await control(this.bank, rule);
            assert.equal(answer.ok, true, JSON.stringify(answer));
        }));
    }

    signedOn() {
        const { ready } = this.daemon;
        return signedOn(this.mac ? { ready: { ...ready, url: ready.admin_url } } : this.daemon);
    }

    // Asks with the same key until there is an answer. Answers the object, or the error's.
    async write(key, route, params) {
        while (!this.abandoned) {
            ++this.tries;
            try {
                const object = await this.stripe.rawRequest('POST', route, params, { idempotencyKey: key });
                this.writes.push({ route, params, key, status: 200, object });
                return { object };
            } catch (error) {
                const comesBack = error.type === 'StripeConnectionError' || error.statusCode >= 500 || error.statusCode === 409;
                if (!comesBack) {
                    if (error.type === 'StripeCardError') this.writes.push({ route, params, key, status: error.statusCode, object: error.payment_intent });
                    return { error };
                }
                // An answer of 500 would mean that the daemon broke: that is never right.
                assert.notEqual(error.statusCode, 500, `${route}: ${error.message}\n${this.daemon.log.slice(-3000)}`);
                await pause(error.type === 'StripeConnectionError' ? 80 : 20);  // nobody is there: no hurry
            }
        }
        throw new Error('abandoned');
    }

    async read(route) {
        while (!this.abandoned) {
            try {
                return await this.stripe.rawRequest('GET', route);
            } catch (error) {
                if (error.type !== 'StripeConnectionError' && error.statusCode !== 503) throw error;
                await pause(error.type === 'StripeConnectionError' ? 80 : 20);  // nobody is there: no hurry
            }
        }
        throw new Error('abandoned');
    }

    async list(route) {
        const found = [];
        for (let after = '', more = true; more;) {
            const page = await this.read(`${route}limit=100${after}`);
            found.push(...page.data);
            more = page.has_more;
            after = more ? `&starting_after=${page.data.at(-1).id}` : '';
        }
        return found;
    }
}

// One merchant's till. Remembers what was acknowledged, in `seen`.
export async function till(world, number, seen, counter) {
    const roll = dice(number + 1);
    while (world.running) {
        const serial = ++counter.payments;
        const currency = currencies[serial % currencies.length];
        const amount = 1_000_000 + serial * 100;
        const key = `chaos-${serial}`;
        const manual = roll() < 0.4;
        const card = roll() < 0.15 ? declined[Math.floor(roll() * declined.length)] : 'pm_card_visa';
        const paid = await world.write(`${key}-pay`, '/v1/payment_intents', {
            amount, currency, payment_method: card, confirm: true, capture_method: manual ? 'manual' : 'automatic',
            metadata: { serial },
        });
        const intent = paid.object ?? paid.error.payment_intent;
        assert.ok(intent, `${key}: ${paid.error}`);
        // There is no link to the bank: that is over soon, and nobody pays a thousand times meanwhile.
        if (intent.last_payment_error?.code === 'processing_error') await pause(150);
        seen.push({ id: intent.id, amount, currency, status: intent.status });
        let status = intent.status;
        if (status === 'processing' && roll() < 0.5) {
            for (let i = 0; i < 20 && status === 'processing' && world.running; ++i) {
                await pause(200);
                status = (await world.read(`/v1/payment_intents/${intent.id}`)).status;
            }
        }
        if (status === 'requires_capture') {
            const what = roll();
            const [verb, params] = what < 0.4 ? ['capture', {}]
                : what < 0.65 ? ['capture', { amount_to_capture: amount - 10 }]
                : what < 0.9 ? ['cancel', {}] : [null, {}];
            if (verb) {
                const done = await world.write(`${key}-${verb}`, `/v1/payment_intents/${intent.id}/${verb}`, params);
                assert.ok(done.object, `${key} ${verb}: ${done.error}`);
                status = done.object.status;
                seen.push({ id: intent.id, amount, currency, status, verb });
            }
        }
        if (status === 'succeeded') {
            for (let i = 0; i < 2 && roll() < 0.4; ++i) {
                const refund = await world.write(`${key}-refund-${i}`, '/v1/refunds', {
                    payment_intent: intent.id, amount: 1000 + 10 * ++counter.refunds,
                });
                assert.ok(refund.object, `${key} refund: ${refund.error}`);
                seen.push({ id: refund.object.id, currency, status: refund.object.status, refund: true });
            }
        }
    }
}

// Payments that the daemon itself says are not over.
async function open(world) {
    const intents = (await world.list('/v1/payment_intents?')).filter((one) => one.status === 'processing');
    const refunds = (await world.list('/v1/refunds?')).filter((one) => one.status === 'pending');
    return [...intents, ...refunds].map((one) => `${one.id} ${one.status}`);
}

// Waits until no attempt is open, then stops the daemon. Answers the lines of the last look.
export async function comeToRest(world, ms) {
    const until = Date.now() + ms;
    for (;;) {
        await eventually('nothing is processing or pending', async () => (await open(world)).length === 0, Math.max(1000, until - Date.now()))
            .catch(async (error) => { throw new Error(`${error.message}: ${(await open(world)).join(', ')}`); });
        await kill(world.daemon, 'SIGTERM');
        const unknown = florin('attempts', 'list', '--unknown', '--format', 'json', '--data-dir', world.data);
        const lines = JSON.parse(unknown.out);
        if (lines.length === 0 || Date.now() > until) return lines;
        // Reversals for approvals that came too late have no payment that waits for them.
        await world.startDaemon();
        await pause(2000);
    }
}

// "capture EUR 1000100" to how often, for entries of this shape.
export function tally(entries) {
    const counts = new Map();
    for (const { type, currency, minor } of entries) {
        const tag = `${type} ${currency.toUpperCase()} ${minor}`;
        counts.set(tag, (counts.get(tag) ?? 0) + 1);
    }
    return counts;
}

export function differences(left, right) {
    const all = new Set([...left.keys(), ...right.keys()]);
    return [...all].filter((tag) => left.get(tag) !== right.get(tag))
        .map((tag) => `${tag}: ${left.get(tag) ?? 0} here, ${right.get(tag) ?? 0} at the bank`);
}

// Every line of the bank's transaction reports since `from`.
export async function bankEntries(world, from) {
    const entries = [];
    for (let day = new Date(from); ; day = new Date(day.getTime() + 86_400_000)) {
        const date = day.toISOString().slice(0, 10);
        if (date > new Date().toISOString().slice(0, 10)) return entries;
        const file = path.join(world.folder, `report-${date}.csv`);
        assert.equal((await control(world.bank, { report: 'transactions', date, path: file })).ok, true);
        for (const line of readFileSync(file, 'utf8').split('\n')) {
            const cells = line.split(',');
            if (cells[0] === 'D') entries.push({ type: cells[2], minor: Number(cells[3]), currency: cells[7], rrn: cells[9] });
        }
    }
}

// The API, the bank and the ledger tell the same story. The daemon is stopped.
async function compare(world, { intents, refunds }, from) {
    const bank = await bankEntries(world, from);
    const here = [
        ...intents.filter((one) => one.status === 'succeeded').map((one) => ({ type: 'capture', minor: one.amount_received, currency: one.currency })),
        ...refunds.filter((one) => one.status === 'succeeded').map((one) => ({ type: 'refund', minor: one.amount, currency: one.currency })),
    ];
    assert.deepEqual(differences(tally(here), tally(bank)), []);
    assert.ok([...tally(bank).values()].every((count) => count === 1), 'nothing is booked twice at the bank');
    const counts = await control(world.bank, { counts: true });
    assert.equal(counts.captures, here.filter((one) => one.type === 'capture').length);
    assert.equal(counts.refunds, here.filter((one) => one.type === 'refund').length);

    // What the bank still holds is what succeeded or waits for its capture, and nothing else.
    const held = (await control(world.bank, { held: true })).held.map((one) => ({ type: 'held', minor: one.amount_minor, currency: one.currency }));
    const alive = intents.filter((one) => ['succeeded', 'requires_capture'].includes(one.status))
        .map((one) => ({ type: 'held', minor: one.amount, currency: one.currency }));
    assert.deepEqual(differences(tally(alive), tally(held)), []);
    assert.equal(counts.authorisations, alive.length);

    const accounts = JSON.parse(florin('ledger', 'balances', '--format', 'json', '--data-dir', world.data).out);
    for (const currency of Object.keys(numeric)) {
        const sum = (list, type) => list.filter((one) => one.type === type && one.currency.toUpperCase() === currency)
            .reduce((total, one) => total + BigInt(one.minor), 0n);
        const receivable = accounts.filter((one) => Number(one.code) === 10 && Number(one.ledger) === 100_000 + numeric[currency]);
        assert.equal(receivable.length, 1, `one receivable account in ${currency}`);
        const [{ debits_posted: debits, credits_posted: credits, debits_pending: reserved, credits_pending: refunding }] = receivable;
        assert.equal(BigInt(debits), sum(bank, 'capture'), `captures in ${currency}`);
        assert.equal(BigInt(credits), sum(bank, 'refund'), `refunds in ${currency}`);
        const waiting = intents.filter((one) => one.status === 'requires_capture').map((one) => ({ type: 'held', minor: one.amount, currency: one.currency }));
        assert.equal(BigInt(reserved), sum(waiting, 'held'), `reserved in ${currency}`);
        assert.equal(BigInt(refunding), 0n, `refunds under way in ${currency}`);
    }
    assert.equal(florin('ledger', 'trial-balance', '--data-dir', world.data).code, 0);
    const verified = florin('ledger', 'verify', '--data-dir', world.data);
    assert.equal(verified.code, 0, verified.out + verified.err);
    return { captures: counts.captures, refunds: counts.refunds, held: counts.authorisations, reversals: counts.reversals };
}

// Where a payment may have gone from a state that was acknowledged.
const later = {
    processing: ['processing', 'succeeded', 'requires_capture', 'requires_payment_method', 'canceled'],
    succeeded: ['succeeded'],
    requires_capture: ['requires_capture', 'processing', 'succeeded', 'canceled'],
    requires_payment_method: ['requires_payment_method'],
    canceled: ['canceled'],
    pending: ['pending', 'succeeded', 'failed'],
};

// Every acknowledgement of `seen` still stands: what it was for is there, as it was then or later in its
// life. Tills may be open meanwhile.
export async function remembers(world, seen) {
    const acknowledged = [...seen];
    const intents = await world.list('/v1/payment_intents?');
    const refunds = await world.list('/v1/refunds?');
    const states = new Map([...intents, ...refunds].map((one) => [one.id, one.status]));
    for (const one of acknowledged) {
        assert.ok(later[one.status].includes(states.get(one.id)), `${one.id} was ${one.status}, is ${states.get(one.id)}`);
        if (one.verb === 'capture' && one.status === 'succeeded') assert.equal(states.get(one.id), 'succeeded');
    }
    return { intents, refunds };
}

// What was acknowledged is there, once, as it was or later in its life, and every key still gives the
// bytes of its first answer; then the daemon is stopped and its books are compared with the bank's.
export async function agree(world, seen, from) {
    const { intents, refunds } = await remembers(world, seen);
    const serials = intents.map((one) => one.metadata.serial);
    assert.equal(new Set(serials).size, serials.length, 'one key made one payment');
    assert.equal(new Set(seen.filter((one) => !one.refund).map((one) => one.id)).size, serials.length, 'no payment that nobody knows of');
    assert.equal(refunds.length, new Set(seen.filter((one) => one.refund).map((one) => one.id)).size);

    for (const write of world.writes) {
        const ask = () => request(world.daemon, 'POST', write.route, {
            body: form(write.params), headers: { 'Idempotency-Key': write.key },
        });
        const [one, two] = [await ask(), await ask()];
        assert.equal(one.text, two.text, write.key);
        assert.equal(one.status, write.status, write.key);
        const object = JSON.parse(one.text);
        assert.deepEqual(object.error?.payment_intent ?? object, JSON.parse(JSON.stringify(write.object)), write.key);
        assert.equal(one.headers['idempotent-replayed'], 'true', write.key);
    }
    await kill(world.daemon, 'SIGTERM');
    const sums = await compare(world, { intents, refunds }, from);
    return { intents, refunds, sums };
}
