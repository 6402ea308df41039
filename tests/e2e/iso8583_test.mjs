// The ISO 8583 connector against a host that we did not write: the npm package iso_8583 unpacks every
// request and packs every answer (ASCII fields, raw bitmaps, always both of them, two-byte length).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { createRequire } from 'node:module';
import path from 'node:path';
import test from 'node:test';

const Iso8583 = createRequire(import.meta.url)('iso_8583');
const conversation = path.join(
    process.env.FLORIN_BUILD_DIR, 'tests', 'connectors', 'iso8583_conversation');
const packaging = new URL('../../conf/iso8583/1987_ascii.toml', import.meta.url).pathname;

const answerType = (mti) => mti[0] + mti[1] + (Number(mti[2]) + 1) + '0';

// The host's own, of one capture and one refund.
const totals = {
    74: '0000000001', 75: '0000000000', 76: '0000000001', 77: '0000000000', 86: '0000000000001000',
    87: '0000000000000000', 88: '0000000000004000', 89: '0000000000000000', 97: 'D0000000000003000',
};

// What this host says: field 39, and field 38 to what it approves.
function decide(request) {
    if (request[0] === '0800') return { 39: '00' };
    if (request[0].startsWith('05')) return { ...totals, 66: request[88] === totals[88] ? '1' : '2' };
    if (request[2] === '4000000000000002') return { 39: '05' };
    if (request[11] === '000008') return { 39: '25' };
    return { 39: '00', 38: 'NPM' + request[11].slice(3) };
}

function answerOf(request) {
    const answer = { 0: answerType(request[0]) };
    for (const field of [3, 4, 7, 11, 12, 13, 15, 32, 37, 41, 42, 49, 50, 70, 90]) {
        if (request[field] !== undefined) answer[field] = request[field];
    }
    const packed = new Iso8583({ ...answer, ...decide(request) }).getBufferMessage();
    assert.ok(Buffer.isBuffer(packed), JSON.stringify(packed));
    return packed;
}

// Serves one connection; resolves with the requests seen when it ends.
function serve(socket) {
    const requests = [];
    let pending = Buffer.alloc(0);
    return new Promise((resolve, reject) => {
        socket.on('data', (bytes) => {
            try {
                pending = Buffer.concat([pending, bytes]);
                while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
                    const end = 2 + pending.readUInt16BE(0);
                    const request = new Iso8583().getIsoJSON(pending.subarray(0, end));
                    pending = pending.subarray(end);
                    assert.equal(request.error, undefined);
                    requests.push(request);
                    socket.write(answerOf(request));
                }
            } catch (error) {
                reject(error);
                socket.destroy();
            }
        });
        socket.on('end', () => socket.end());
        socket.on('close', () => resolve(requests));
        socket.on('error', reject);
    });
}

async function converse() {
    const server = createServer();
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const served = new Promise((resolve, reject) => {
        server.once('connection', (socket) => serve(socket).then(resolve, reject));
    });
    const client = spawn(conversation, [String(server.address().port), packaging]);
    let said = '';
    client.stdout.on('data', (text) => { said += text; });
    const code = await new Promise((resolve) => client.on('close', resolve));
    const requests = await served;
    server.close();
    return { code, said, requests };
}

test('a host made of iso_8583 understands every request, and its answers are understood', async () => {
    const { code, said, requests } = await converse();
    assert.equal(code, 0);
    assert.deepEqual(said.trimEnd().split('\n').map((line) => line.trimEnd()), [
        'authorise approved 00 NPM001',
        'capture approved 00 NPM002',
        'capture-again approved 00 NPM002',
        'refund approved 00 NPM003',
        'refund-again approved 00 NPM003',
        'decline declined 05',
        'authorise approved 00 NPM005',
        'reverse-part approved 00 NPM006',
        'reverse approved 00 NPM007',
        'reverse-unknown unknown 25',
        'totals in_balance 1',
        'totals-again in_balance 1',
        'totals-off out_of_balance 2 debits_amount net',
    ]);
    assert.deepEqual(requests.map((request) => request[0]), [
        '0800', '0100', '0220', '0221', '0200', '0201', '0100', '0100', '0420', '0421', '0421', '0500', '0501', '0520', '0800']);
    const [signOn, authorise, capture] = requests;
    assert.equal(signOn[70], '001');
    assert.equal(requests.at(-1)[70], '002');
    const expected = {
        2: '4242424242424242', 3: '000000', 4: '000000004500', 7: '1124130405', 11: '000001',
        12: '130405', 13: '1124', 14: '2912', 18: '5999', 22: '012', 25: '59', 32: '123456',
        37: '632913000001', 41: 'TERM0001', 42: 'ACCEPTOR0000001',
        43: 'Florin Shop              Berlin       DE', 48: '9203123', 49: '978',
    };
    for (const [field, value] of Object.entries(expected)) {
        assert.equal(authorise[field], value, `field ${field}`);
    }
    assert.equal(capture[38], 'NPM001');
    assert.equal(capture[48], undefined);
    assert.equal(capture[90], '010000000111241304050000012345600000000000');
    for (const request of requests.slice(11, 13)) {
        for (const [field, value] of Object.entries({ ...totals, 7: '1124130405', 11: '000009', 15: '1124', 50: '978' })) {
            assert.equal(request[field], value, `field ${field} of ${request[0]}`);
        }
    }
    assert.equal(requests[8][95], '000000000500000000000000C00000000C00000000');
});
