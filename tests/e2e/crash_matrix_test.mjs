// The crash matrix: the daemon dies by SIGKILL at every step between accepting a request and answering
// it, for each operation, under load and with a bank that does everything wrong. Then no answer that
// was given has changed, nothing is doubled or lost, and the books agree with the bank's (world.mjs).
// The same for deliveries of webhooks and for the handing over of the payout file.
//
// The steps are failpoints (ledger/base/failpoint.h), which only some builds have: those of the asan
// preset, or with -DFLORIN_FAILPOINTS=ON. Without them there is nothing to test here.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, watch } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test from 'node:test';
import { setTimeout as patience } from 'node:timers/promises';

import { control, eventually, florin, kill, pay, programs, sdk, signedOn, startBank, startDaemon, temporary } from './support.mjs';
import { runProgram } from '../../tools/shop/programs.mjs';
import { World, agree, comeToRest, dice, till } from './world.mjs';

const soak = Boolean(process.env.FLORIN_SOAK);
const paymentsWanted = soak ? 10_000 : 0;
// A third of the steps in a short run, another third each day; FLORIN_SEED repeats one.
const seed = Number(process.env.FLORIN_SEED ?? Math.floor(Date.now() / 86_400_000));
const clients = soak ? 32 : 12;
// How often the bank ends a connection: each time everything in flight is unknown, and of many requests
// at a time none would come through.
const ends = soak ? 0.003 : 0.01;
// Up to how many passes of a point there are before it strikes: many where the run is to make payments.
const passesMax = (point) =>
    /void|refund|0210|0430/.test(point) ? (soak ? 12 : 3)
    : /capture|0230/.test(point) ? (soak ? 40 : 12)
    : (soak ? 200 : 12);
// How long a point may take to be reached, with sanitizers and on a busy machine.
const patienceMs = soak ? 180_000 : 60_000;

const hasFailpoints = readFileSync(programs.florind).includes('FLORIN_FAILPOINT\0');
const skip = hasFailpoints ? false : 'this build of florind has no failpoints';

// Every subject with its moments, in the order in which a payment passes them.
const subjects = {
    http: ['request_read', 'before_answer', 'answered'],
    authorise: ['intent_decided', 'intent_durable', 'answered', 'outcome_decided', 'outcome_durable'],
    capture: ['intent_decided', 'intent_durable', 'answered', 'outcome_decided', 'outcome_durable'],
    refund: ['intent_decided', 'intent_durable', 'answered', 'outcome_decided', 'outcome_durable'],
    void: ['intent_decided', 'intent_durable', 'answered', 'outcome_decided', 'outcome_durable'],
    '0110': ['before_write', 'half_written', 'written', 'answered'],  // an authorisation on the wire
    '0230': ['before_write', 'half_written', 'written', 'answered'],  // a capture
    '0210': ['before_write', 'half_written', 'written', 'answered'],  // a refund
    '0430': ['before_write', 'half_written', 'written', 'answered'],  // a reversal
    journal: ['before_write', 'written', 'witnessed'],
    webhook: ['before_send', 'sent', 'outcome_durable'],
};
const points = Object.entries(subjects).flatMap(([subject, moments]) => moments.map((moment) => `${subject}/${moment}`));
const chosen = soak ? points : shuffled(points, dice(seed)).slice(0, Math.ceil(points.length / 3));
const settlementPoints = ['cut', 'prepared', 'file_half_written', 'file_written', 'submitting', 'renamed', 'handed_over', 'submitted']
    .map((moment) => `settlement/${moment}`);
// Where the daemon that comes after a crash at one of them dies in its turn.
const again = {
    'settlement/cut': ['file_half_written', 'renamed'],
    'settlement/prepared': ['file_written', 'submitting'],
    'settlement/file_half_written': ['submitting', 'handed_over'],
    'settlement/file_written': ['submitted'],
    'settlement/submitting': ['renamed'],
};

function shuffled(list, roll) {
    return list.map((one) => [roll(), one]).sort(([a], [b]) => a - b).map(([, one]) => one);
}

// Waits until a daemon that was started to die at `point` has died there, in its start or later.
async function diesAt(point, starting, running) {
    try {
        await starting;
    } catch (error) {
        if (error.signal !== 'SIGKILL') throw error;
        return;
    }
    const daemon = running();
    // Nobody waits for its end when the rest is over.
    const end = await Promise.race([daemon.ended, patience(patienceMs, null, { ref: false })]);
    assert.ok(end, `${point} was not reached within ${patienceMs} ms: ${daemon.log.slice(-3000)}`);
    assert.equal(end.signal, 'SIGKILL', `${point}: ended with ${end.signal ?? end.code}: ${daemon.log.slice(-3000)}`);
}

function verifies(data) {
    const verified = florin('ledger', 'verify', '--data-dir', data);
    assert.equal(verified.code, 0, verified.out + verified.err);
}

// Somebody who is told of every event, and remembers which.
async function startReceiver(t) {
    const told = new Set();
    const server = http.createServer((incoming, response) => {
        let body = '';
        incoming.on('data', (bytes) => (body += bytes));
        incoming.on('end', () => {
            told.add(JSON.parse(body).id);
            response.end();
        });
        incoming.on('error', () => {});
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
        server.closeAllConnections();
        server.close();
    });
    return { told, url: `http://127.0.0.1:${server.address().port}/hooks` };
}

test(`a crash at any of ${chosen.length} steps (of ${points.length}, seed ${seed}) changes no answer, loses nothing and doubles nothing`, { skip }, async (t) => {
    const from = Date.now();
    const world = new World(t, temporary(t), { mac: 'aes-cmac' });
    await world.open();
    await world.signedOn();
    const receiver = await startReceiver(t);
    await world.stripe.webhookEndpoints.create({ url: receiver.url, enabled_events: ['*'] });
    const seen = [];
    const died = new Set();
    const counter = { payments: 0, refunds: 0 };
    const roll = dice(seed);
    const tills = Array.from({ length: clients }, (_, number) => till(world, number, seen, counter));
    const failed = Promise.all(tills).then(() => {}, (error) => error);

    for (let rounds = 0; rounds === 0 || counter.payments < paymentsWanted; ++rounds) {
        for (const point of chosen) {
            // First rule that matches: some answers come when nobody waits any more, also for reversals,
            // and one with a wrong MAC.
            await world.faults(
                { clear: true },
                { break_mac: true, match: { mti: ['0100', '0220', '0200', '0420'][Math.floor(roll() * 4)] }, times: 1 },
                { late_ms: 3500, match: { mti: '0100' }, times: 2 }, { late_ms: 3500, match: { mti: '0420' }, times: 1 },
                { silence: 0.03, lose: 0.03, duplicate: 0.1, garbage: 2 * ends, tear: ends, disconnect: ends, delay_ms: 5, seed: 1 + Math.floor(roll() * 1e6) },
            );
            // The link's key changes under way, now and then.
            if (roll() < 0.3) assert.equal((await control(world.bank, { new_key: true })).ok, true);
            const passes = 1 + Math.floor(roll() * passesMax(point));
            await kill(world.daemon, 'SIGKILL');
            await diesAt(point, world.startDaemon({ FLORIN_FAILPOINT: `${point}:${passes}` }), () => world.daemon);
            ++world.kills.florind;
            died.add(world.daemon);
            verifies(world.data);
        }
        t.diagnostic(`round ${rounds + 1}: ${counter.payments} payments, ${world.kills.florind} crashes`);
    }
    await world.startDaemon();
    await world.faults({ clear: true });
    await world.signedOn();
    world.running = false;
    assert.ifError(await failed);

    assert.deepEqual(await comeToRest(world, 120_000), []);
    await world.startDaemon();
    const events = await world.list('/v1/events?');
    assert.ok(events.length > 100, 'there was something to tell');
    await eventually('every event was delivered', async () => events.every((event) => receiver.told.has(event.id)), 60_000);
    const { intents, refunds, sums } = await agree(world, seen, from);
    const refused = [...died].reduce((sum, { log }) => sum + log.split('"iso8583.bad_mac"').length - 1, 0);
    assert.ok(refused >= chosen.length / 5, `only ${refused} wrong MACs were seen`);
    t.diagnostic(`${refused} messages with a wrong MAC were refused`);
    t.diagnostic(`${intents.length} payments, ${refunds.length} refunds, ${events.length} events; at the bank ${JSON.stringify(sums)}; ${world.kills.florind} crashes`);
    assert.ok(sums.captures > 20 && sums.refunds > 2 && sums.reversals > 2, 'there was something to compare');
});

test(`a crash at any of ${settlementPoints.length} steps of the settlement pays every merchant once`, { skip }, async (t) => {
    const folder = temporary(t);
    const bank = await startBank(t, path.join(folder, 'bank'));
    const data = path.join(folder, 'florin');
    const outbox = path.join(data, 'outbox');
    let daemon;
    const startAnew = async (env = {}) => {
        daemon = await startDaemon(t, data, ['--iso8583', bank.ready.address], env);
    };
    await startAnew();
    await signedOn(daemon);

    // The bank's collector: takes a file in the moment in which it has its name, and leaves nothing
    // behind. So a daemon that comes back finds neither the file nor a trace of it.
    const inbox = path.join(folder, 'inbox');
    mkdirSync(inbox);
    mkdirSync(outbox, { recursive: true, mode: 0o700 });
    const taken = [];
    const executed = [];  // what the bank answered for each
    const collector = watch(outbox, (_, name) => {
        if (name.startsWith('.') || !name.endsWith('.pain.001.xml') || !existsSync(path.join(outbox, name))) return;
        const file = path.join(inbox, `${taken.length}`);
        renameSync(path.join(outbox, name), file);
        taken.push(name);
        executed.push(control(bank, { collect: file }));
    });
    t.after(() => collector.close());
    const settle = async () => runProgram(programs.florin, ['settle', 'run', '--data-dir', data, '--format', 'json']);

    let expected = 0;
    let crashes = 0;
    for (const [index, point] of settlementPoints.entries()) {
        await kill(daemon, 'SIGKILL');
        await startAnew({ FLORIN_FAILPOINT: point });
        await signedOn(daemon);
        const amount = 10_000 + 200 * index;  // the fee is a whole number
        const paid = await pay(sdk(daemon), amount);
        assert.equal(paid.status, 'succeeded', JSON.stringify(paid));
        expected += amount - (25 + (amount * 15) / 1000);
        // It dies at this step; where there is more to do then, again on the way of the next daemon.
        for (const step of [point, ...(again[point] ?? [])]) {
            if (step !== point) {
                await startAnew({ FLORIN_FAILPOINT: `settlement/${step}` });
            }
            const died = diesAt(step, Promise.resolve(), () => daemon);
            const run = await settle();
            assert.notEqual(run.code, 0, `${point}: ${run.out}`);
            await died;
            verifies(data);
            ++crashes;
            if (/renamed|handed_over|submitted/.test(step)) {
                await eventually(`${point}, ${step}: the file was taken`, () => taken.length === index + 1);
            }
        }
        assert.deepEqual(readdirSync(outbox).filter((name) => !name.startsWith('.')), []);
        await startAnew();
        // Whatever the crash left is finished, and a second run finds nothing to pay.
        for (let runs = 0; runs < 2; ++runs) {
            const rerun = await settle();
            assert.equal(rerun.code, 0, `${point}: ${rerun.err}`);
        }
        await eventually(`${point}: the file was taken`, () => taken.length === index + 1);
    }
    assert.equal(new Set(taken).size, settlementPoints.length, `no file came twice: ${taken}`);
    for (const answer of await Promise.all(executed)) {
        assert.equal(answer.ok, true, JSON.stringify(answer));
        assert.equal(answer.already, false, 'the bank had none of them before');
    }
    t.diagnostic(`${crashes} crashes`);
    const statuses = JSON.parse(florin('settle', 'status', '--data-dir', data, '--format', 'json').out);
    const unsure = statuses.filter((batch) => !['submitted', 'empty'].includes(batch.state));
    assert.deepEqual(unsure, []);
    const payouts = statuses.flatMap((one) =>
        JSON.parse(florin('settle', 'show', one.batch, '--data-dir', data, '--format', 'json').out).payouts);
    assert.equal(payouts.length, settlementPoints.length);
    assert.equal(payouts.reduce((sum, one) => sum + one.amount_minor, 0), expected);
    assert.equal((await control(bank, { counts: true })).transfers, payouts.length, 'the bank executed each once');
    assert.deepEqual((await sdk(daemon).balance.retrieve()).available.map((one) => one.amount), [0]);
});
