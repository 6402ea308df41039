// Everything that Florin says to a bank, and every answer, with judges that we did not write: a host
// made of the npm package iso_8583 on a link in ASCII, tshark on all bytes of that link and of one in
// BCD. From sign-on to sign-off: echoes, payments, captures, refunds, what is cancelled, and silence in
// the place of each answer.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';

import { Cable } from './cable.mjs';
import { control, eventually, florin, kill, openShop, pay, sdk, signedOn, start, programs, temporary, writeConfig } from './support.mjs';

const Iso8583 = createRequire(import.meta.url)('iso_8583');
const packagingOf = (name) => new URL(`../../conf/iso8583/${name}`, import.meta.url).pathname;
const PORT = 8583;  // of the host, in the capture file only

// ---- the host --------------------------------------------------------------------------------------

const SILENT = null;
// By MTI: what the host decides, fields of the answer. `times` says how often it has seen this
// identity (with repeats); amounts tell what is to be met with silence.
const decisions = {
    '0100': (request) => request[4].endsWith('4242') ? SILENT
        : request[2] === '4000000000000002' ? { 39: '05' } : { 39: '00', 38: `N${request[11].slice(1)}` },
    '0220': (request, times) => (request[4].endsWith('5000') && times === 1 ? SILENT : { 39: '00', 38: request[38] }),
    '0200': (request, times) => (request[4].endsWith('0700') && times === 1 ? SILENT : { 39: '00' }),
    '0420': (request, times) => (request[4].endsWith('4242') && times === 1 ? SILENT : { 39: '00' }),
    '0800': () => ({ 39: '00' }),
};
// A repeat is decided as what it repeats.
const original = (mti) => (mti in decisions ? mti : `${mti.slice(0, 3)}0`);
const isRequest = (message) => Number(message[0][2]) % 2 === 0;
const answerType = (mti) => `${mti.slice(0, 2)}${Number(mti[2]) + 1}0`;

function pack(fields) {
    const packed = new Iso8583(fields).getBufferMessage();
    assert.ok(Buffer.isBuffer(packed), JSON.stringify(packed));
    return packed;
}

class Host {
    requests = [];  // as iso_8583 reads them
    answers = [];   // to what the host asked
    #seen = new Map();
    #problems = [];

    static async open(t) {
        const host = new Host();
        const server = net.createServer((socket) => host.#serve(socket));
        await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
        host.address = `127.0.0.1:${server.address().port}`;
        t.after(() => server.close());
        return host;
    }

    check() {
        assert.deepEqual(this.#problems, []);
    }

    #serve(socket) {
        let pending = Buffer.alloc(0);
        socket.on('data', (bytes) => {
            try {
                pending = Buffer.concat([pending, bytes]);
                while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
                    const end = 2 + pending.readUInt16BE(0);
                    this.#hear(socket, new Iso8583().getIsoJSON(pending.subarray(0, end)));
                    pending = pending.subarray(end);
                }
            } catch (error) {
                this.#problems.push(error.stack);
                socket.destroy();
            }
        });
        socket.on('end', () => socket.end());
        socket.on('error', (error) => this.#problems.push(String(error)));
    }

    #hear(socket, message) {
        assert.equal(message.error, undefined, JSON.stringify(message));
        if (message[0] === '0810') {
            this.answers.push(message);
            return;
        }
        this.requests.push(message);
        const kind = original(message[0]);
        assert.ok(kind in decisions, `a ${message[0]}`);
        const identity = [kind, message[7], message[11]].join();
        const times = (this.#seen.get(identity) ?? 0) + 1;
        this.#seen.set(identity, times);
        const decision = decisions[kind](message, times);
        if (decision === SILENT) return;
        const answer = { 0: answerType(message[0]) };
        for (const field of [3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49, 70, 90]) {
            if (message[field] !== undefined) answer[field] = message[field];
        }
        const packed = pack({ ...answer, ...decision });
        if (message[70] === '001') {
            // The host has a question of its own, in the same segment.
            socket.write(Buffer.concat([packed, pack({ 0: '0800', 7: message[7], 11: '900001', 70: '301' })]));
            return;
        }
        // Answers come in pieces.
        socket.setNoDelay(true);
        socket.write(packed.subarray(0, 1));
        setTimeout(() => socket.write(packed.subarray(1, 30)), 5);
        setTimeout(() => socket.write(packed.subarray(30)), 10);
    }
}

// ---- the merchant ----------------------------------------------------------------------------------

// florind on the other end of the cable, and everything that a merchant does.
async function converse(t, folder, cable, packaging) {
    cable.recording = true;
    const config = writeConfig(folder, {
        flow: ['retry_first_ms = 300', 'retry_most_ms = 1000'],
        '[connector]': [
            'name = "bank"', 'rail = "iso8583"', 'priority = 1', 'timeout_ms = 1500', 'acquirer_id = "400001"',
            'breaker_failure_percent = 0', `packaging = "${packagingOf(packaging)}"`, `port = ${cable.address.split(':')[1]}`,
        ],
    }, { sandbox: false });
    appendFileSync(config, 'acceptor_id = "SHOP00000000001"\nterminal_id = "TERM0007"\n');  // of its merchant
    const { daemon, key, operators } = await openShop(t, folder, config);
    await signedOn(operators);
    const stripe = sdk(daemon, { key });
    const becomes = (resource, { id }, status) => eventually(`${id} is ${status}`, async () => {
        const now = await stripe[resource].retrieve(id);
        return now.status === status && now;
    });

    const held = await pay(stripe, 4500, { capture_method: 'manual' });
    assert.equal(held.status, 'requires_capture');
    assert.equal((await stripe.paymentIntents.capture(held.id, { amount_to_capture: 4000 })).status, 'succeeded');
    assert.equal((await stripe.refunds.create({ payment_intent: held.id, amount: 1000 })).status, 'succeeded');
    const refused = await pay(stripe, 1100, { payment_method: 'pm_card_visa_chargeDeclined' }).then(() => assert.fail('approved'), (error) => error);
    assert.equal(refused.code, 'card_declined');
    const unheard = await pay(stripe, 4242);
    assert.equal(unheard.status, 'processing');
    await becomes('paymentIntents', unheard, 'requires_payment_method');
    const slow = await pay(stripe, 5000);
    assert.equal(slow.status, 'processing');
    await becomes('paymentIntents', slow, 'succeeded');
    const refund = await stripe.refunds.create({ payment_intent: slow.id, amount: 700 });
    assert.equal(refund.status, 'pending');
    await becomes('refunds', refund, 'succeeded');
    const given = await pay(stripe, 3000, { capture_method: 'manual' });
    assert.equal((await stripe.paymentIntents.cancel(given.id)).status, 'canceled');
    // Nobody has anything to say for half a minute: is the other one still there?
    const quiet = cable.heard.length;
    await eventually('an echo and its answer', () => cable.heard.length >= quiet + 2 && cable.heard.at(-1).outbound === false, 60_000);
    assert.equal((await kill(daemon, 'SIGTERM')).code, 0, daemon.log);
    assert.equal(cable.connections, 1);
    const data = path.join(folder, 'data');
    assert.equal(florin('ledger', 'verify', '--data-dir', data).code, 0);
    assert.equal(florin('attempts', 'list', '--unknown', '--data-dir', data).out.includes('unknown'), false);
}

// What florind asked, in this order: MTI, the end of the amount or field 70, the answer's field 39.
const expected = [
    ['0800', '001', '00'],
    ['0100', '4500', '00'], ['0220', '4000', '00'], ['0200', '1000', '00'],
    ['0100', '1100', '05'],
    ['0100', '4242', null], ['0420', '4242', null], ['0421', '4242', '00'],
    ['0100', '5000', '00'], ['0220', '5000', null], ['0221', '5000', '00'],
    ['0200', '0700', null], ['0201', '0700', '00'],
    ['0100', '3000', '00'], ['0420', '3000', '00'],
    ['0800', '301', '00'], ['0800', '002', '00'],
];

// ---- tshark ----------------------------------------------------------------------------------------

function tool(program, args, options = {}) {
    const done = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 1 << 26, ...options });
    assert.equal(done.status, 0, `${program}: ${done.error?.message ?? done.stderr}`);
    return done.stdout;
}

const fields = [2, 3, 4, 7, 11, 12, 13, 14, 18, 22, 25, 32, 37, 38, 39, 41, 42, 43, 48, 49, 63, 70, 90, 95];
// Broken messages, what tshark warns of or calls an error, and holes in the stream.
const complaints = '_ws.malformed or iso8583.MALFORMED or _ws.expert.severity >= 6291456 or tcp.analysis.flags';

class Capture {
    constructor(folder, heard, charset) {
        this.file = path.join(folder, 'conversation.pcapng');
        this.charset = charset;
        const text = path.join(folder, 'conversation.txt');
        writeFileSync(text, heard.map(({ outbound, bytes }) => `${outbound ? '>' : '<'} ${bytes.toString('hex')}\n`).join(''));
        tool('text2pcap', ['-q', '-r', '^(?<dir>[<>]) (?<data>[0-9a-f]+)$', '-4', '10.0.0.1,10.0.0.2', '-T', `40000,${PORT}`, text, this.file]);
    }

    read(...more) {
        return tool('tshark', [
            '-n', '-r', this.file, '-d', `tcp.port==${PORT},iso8583`, '-o', 'iso8583.len_endian:Big endian',
            '-o', 'iso8583.binencode:Bin data not encoded', '-o', `iso8583.charset:${this.charset}`, ...more,
        ]);
    }

    complaints() {
        return this.read('-Y', complaints);
    }

    // Every message, {0: MTI, 2: …}. Several in one segment are one line of tshark's JSON each.
    messages() {
        const packets = JSON.parse(this.read('-Y', 'iso8583', '-T', 'json', '--no-duplicate-keys'));
        const layers = packets.flatMap((packet) => [packet._source.layers.iso8583].flat());
        return layers.map((layer) => {
            const message = { 0: layer['iso8583.mti'] };
            const find = (node) => {
                for (const [name, value] of Object.entries(node)) {
                    const bit = name.match(/^iso8583\.bit(\d+)$/);
                    if (bit) message[bit[1]] = value;
                    else if (value !== null && typeof value === 'object') find(value);
                }
            };
            find(layer);
            return message;
        });
    }
}

const frames = (heard, outbound) => {
    let stream = Buffer.concat(heard.filter((one) => one.outbound === outbound).map((one) => one.bytes));
    const found = [];
    while (stream.length) {
        found.push(stream.subarray(0, 2 + stream.readUInt16BE(0)));
        stream = stream.subarray(2 + stream.readUInt16BE(0));
    }
    return found;
};

// What tshark saw of florind's questions, in the form of `expected`.
function story(messages) {
    const answers = messages.filter((one) => !isRequest(one));
    const mine = messages.filter((one) => isRequest(one) && one[11] !== '900001');
    return mine.map((one) => {
        const answer = answers.find((each) => each[0] === answerType(one[0]) && each[11] === one[11] && each[7] === one[7]);
        const isRepeated = !one[0].startsWith('08') && mine.some((other) => other !== one && other[11] === one[11] && other[7] === one[7]
            && other[0] === `${one[0].slice(0, 3)}1`);
        return [one[0], one[70] ?? one[4].slice(-4), isRepeated ? null : answer?.[39] ?? null];
    });
}

test('a host that we did not write and one that we did, from sign-on to sign-off, and tshark complains of nothing', async (t) => {
    const ascii = temporary(t);
    const host = await Host.open(t);
    const asciiCable = await Cable.lay(t, host.address);

    const bcd = temporary(t);
    const bank = await start(t, programs.banksim, [
        '--data-dir', path.join(bcd, 'bank'), '--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', '--packaging', packagingOf('1987_bcd.toml'),
    ]);
    for (const [mti, amount_minor] of [['0100', 4242], ['0420', 4242], ['0220', 5000], ['0200', 700]]) {
        const silent = await control(bank, { silence: true, match: { mti, amount_minor }, times: 1 });
        assert.equal(silent.ok, true, JSON.stringify(silent));
    }
    const bcdCable = await Cable.lay(t, bank.ready.address);

    // At the same time: each is silent for half a minute.
    await Promise.all([
        converse(t, ascii, asciiCable, '1987_ascii.toml'),
        converse(t, bcd, bcdCable, '1987_bcd.toml'),
    ]);

    await t.test('the host understood everything, and was understood', () => {
        host.check();
        assert.deepEqual(host.requests.map((one) => [one[0], one[70] ?? one[4].slice(-4)]), expected.map(([mti, what]) => [mti, what]));
        assert.deepEqual(host.answers.map((one) => [one[11], one[39], one[70]]), [['900001', '00', '301']]);
        for (const one of host.requests.filter((request) => request[0].endsWith('1'))) {
            // A repeat says the same again, and that it does.
            const first = host.requests.find((other) => other[0] === original(one[0]) && other[11] === one[11]);
            assert.deepEqual({ ...one, 0: first[0] }, first);
        }
        const [hold, capture] = host.requests.slice(1);
        assert.equal(capture[90], `0100${hold[11]}${hold[7]}${'400001'.padStart(11, '0')}${'0'.repeat(11)}`);
        assert.equal(capture[38], `N${hold[11].slice(1)}`);
    });

    for (const [name, folder, cable, charset, questions] of [
        ['ASCII', ascii, asciiCable, 'Digits represented as ASCII Characters', 1],
        ['BCD', bcd, bcdCable, 'Digits represented in nibbles', 0],
    ]) {
        await t.test(`tshark reads every message of the link in ${name} and complains of none`, () => {
            const capture = new Capture(folder, cable.heard, charset);
            assert.equal(capture.complaints(), '');
            const messages = capture.messages();
            assert.equal(messages.length, frames(cable.heard, true).length + frames(cable.heard, false).length);
            assert.deepEqual(story(messages), expected);
            assert.equal(messages.filter((one) => one[11] === '900001').length, 2 * questions);
            if (name === 'ASCII') {
                // Two readers that do not know each other read the same.
                const seen = messages.filter((one) => isRequest(one) && one[11] !== '900001');
                for (const [index, request] of host.requests.entries()) {
                    for (const field of [0, ...fields]) assert.equal(seen[index][field], request[field], `${request[0]}, field ${field}`);
                }
            }
        });
    }

    await t.test('tshark would have complained', () => {
        const [first] = asciiCable.heard;
        // A length that is one short of what the last field needs.
        const bytes = Buffer.from(first.bytes.subarray(0, -1));
        bytes.writeUInt16BE(bytes.length - 2);
        assert.notEqual(new Capture(ascii, [{ outbound: true, bytes }], 'Digits represented as ASCII Characters').complaints(), '');
    });
});
