// A client of the binary batch protocol, written from docs/ledger-protocol.md alone: what it and
// florind agree on is what the page says.
import net from 'node:net';
import tls from 'node:tls';

export const operations = {
    hello: 1, head: 2, create_accounts: 16, create_transfers: 17, lookup_accounts: 18, lookup_transfers: 19,
    get_account_transfers: 20, get_account_balances: 21, query_accounts: 22, query_transfers: 23,
};

const table = new Uint32Array(256).map((_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; ++bit) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    return crc;
});
export function crc32c(bytes) {
    let crc = 0xffffffff;
    for (let i = 0; i < bytes.length; ++i) crc = table[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8);
    return (crc ^ 0xffffffff) >>> 0;
}

// Layouts as rows of the page's tables: [offset, bytes, field].
export const layouts = {
    Account: { bytes: 128, fields: [[0, 16, 'id'], [16, 16, 'debits_pending'], [32, 16, 'debits_posted'], [48, 16, 'credits_pending'],
        [64, 16, 'credits_posted'], [80, 16, 'user_data_128'], [96, 8, 'user_data_64'], [104, 4, 'user_data_32'], [112, 4, 'ledger'],
        [116, 2, 'code'], [118, 2, 'flags'], [120, 8, 'timestamp']] },
    Transfer: { bytes: 128, fields: [[0, 16, 'id'], [16, 16, 'debit_account_id'], [32, 16, 'credit_account_id'], [48, 16, 'amount'],
        [64, 16, 'pending_id'], [80, 16, 'user_data_128'], [96, 8, 'user_data_64'], [104, 4, 'user_data_32'], [108, 4, 'timeout'],
        [112, 4, 'ledger'], [116, 2, 'code'], [118, 2, 'flags'], [120, 8, 'timestamp']] },
    EventResult: { bytes: 16, fields: [[0, 8, 'timestamp'], [8, 4, 'status']] },
    AccountFilter: { bytes: 128, fields: [[0, 16, 'account_id'], [16, 16, 'user_data_128'], [32, 8, 'user_data_64'], [40, 4, 'user_data_32'],
        [44, 2, 'code'], [104, 8, 'timestamp_min'], [112, 8, 'timestamp_max'], [120, 4, 'limit'], [124, 4, 'flags']] },
    QueryFilter: { bytes: 64, fields: [[0, 16, 'user_data_128'], [16, 8, 'user_data_64'], [24, 4, 'user_data_32'], [28, 4, 'ledger'],
        [32, 2, 'code'], [40, 8, 'timestamp_min'], [48, 8, 'timestamp_max'], [56, 4, 'limit'], [60, 4, 'flags']] },
    AccountBalance: { bytes: 128, fields: [[0, 16, 'debits_pending'], [16, 16, 'debits_posted'], [32, 16, 'credits_pending'],
        [48, 16, 'credits_posted'], [64, 8, 'timestamp']] },
    Id: { bytes: 16, fields: [[0, 16, 'id']] },
    Head: { bytes: 64, fields: [[0, 8, 'sequence']] },
    HelloAnswer: { bytes: 128, fields: [[0, 2, 'version'], [4, 4, 'events_max'], [8, 4, 'body_bytes_max'], [12, 4, 'in_flight_max']] },
};
const shapes = {
    1: [null, 'HelloAnswer'], 2: [null, 'Head'], 16: ['Account', 'EventResult'], 17: ['Transfer', 'EventResult'], 18: ['Id', 'Account'],
    19: ['Id', 'Transfer'], 20: ['AccountFilter', 'Transfer'], 21: ['AccountFilter', 'AccountBalance'], 22: ['QueryFilter', 'Account'],
    23: ['QueryFilter', 'Transfer'],
};

export function pack(layout, values) {
    const body = Buffer.alloc(layout.bytes * values.length);
    values.forEach((value, index) => {
        for (const [offset, bytes, field] of layout.fields) {
            const at = index * layout.bytes + offset;
            const given = BigInt(value[field] ?? 0);
            if (bytes < 8) body.writeUIntLE(Number(given), at, bytes);
            else body.writeBigUInt64LE(given & 0xffffffffffffffffn, at);
            if (bytes === 16) body.writeBigUInt64LE(given >> 64n, at + 8);
        }
    });
    return body;
}
export function unpack(layout, body) {
    return Array.from({ length: body.length / layout.bytes }, (_, index) => {
        const value = {};
        for (const [offset, bytes, field] of layout.fields) {
            const at = index * layout.bytes + offset;
            const low = bytes >= 8 ? body.readBigUInt64LE(at) : body.readUIntLE(at, bytes);
            value[field] = bytes === 16 ? low | (body.readBigUInt64LE(at + 8) << 64n) : low;
        }
        return value;
    });
}

export function frame({ operation, id, count, body = Buffer.alloc(0), version = 1 }) {
    const header = Buffer.alloc(64);
    header.write('FLORINLP', 0, 'ascii');
    header.writeUInt16LE(version, 8);
    header.writeUInt16LE(operation, 10);
    header.writeUInt32LE(count, 12);
    header.writeBigUInt64LE(BigInt(id), 16);
    header.writeUInt32LE(body.length, 24);
    header.writeUInt32LE(body.length === 0 ? 0 : crc32c(body), 56);
    header.writeUInt32LE(crc32c(header.subarray(0, 60)), 60);
    return Buffer.concat([header, body]);
}

export class LedgerError extends Error {
    constructor(code, text) {
        super(text);
        this.code = code;
    }
}

// connect({ path }) or connect({ host, port, ca, token }): resolves when the hello was answered.
export class LedgerClient {
    static async connect(options) {
        const client = new LedgerClient(options);
        const token = Buffer.from(options.token ?? '');
        const body = Buffer.alloc(192);
        body.writeUInt16LE(1, 0);
        body.writeUInt16LE(1, 2);
        body.writeUInt16LE(token.length, 4);
        token.copy(body, 64);
        const raw = await client.exchange(operations.hello, 1, body);
        [client.server] = unpack(layouts.HelloAnswer, raw);
        client.server.ledger_id = raw.subarray(16, 32).toString('hex');
        client.server.software = raw.subarray(32, 64).toString().replace(/\0+$/, '');
        return client;
    }

    constructor({ path, host, port, ca }) {
        this.waiting = [];
        this.chunks = [];
        this.available = 0;
        this.lastId = 0n;
        this.socket = path ? net.connect(path) : tls.connect({ host, port, ca });
        this.socket.on('data', (bytes) => {
            this.chunks.push(bytes);
            this.available += bytes.length;
            try {
                while (this.readFrame());
            } catch (error) {
                this.fail(error);
            }
        });
        this.closed = new Promise((resolve) => this.socket.on('close', resolve));
        this.socket.on('error', (error) => this.fail(error));
        this.socket.on('close', () => this.fail(new Error('the connection was closed')));
    }

    fail(error) {
        this.failure ??= error;
        this.socket.destroy();
        for (const { reject } of this.waiting.splice(0)) reject(this.failure);
    }

    // Sends ahead: any number of calls may be under way.
    exchange(operation, count, body) {
        return new Promise((resolve, reject) => {
            if (this.failure) return reject(this.failure);
            const id = ++this.lastId;
            this.waiting.push({ id, operation, resolve, reject });
            this.socket.write(frame({ operation, id, count, body }));
        });
    }

    async call(name, values = []) {
        const operation = operations[name];
        const [asked, answered] = shapes[operation];
        const body = asked ? pack(layouts[asked], values) : Buffer.alloc(0);
        const raw = await this.exchange(operation, values.length, body);
        return unpack(layouts[answered], raw);
    }

    readFrame() {
        if (this.available < 64) return false;
        if (this.chunks[0].length < this.available) this.chunks = [Buffer.concat(this.chunks)];
        const [bytes] = this.chunks;
        const length = bytes.readUInt32LE(24);
        if (bytes.length < 64 + length) return false;
        const header = bytes.subarray(0, 64);
        const body = Buffer.from(bytes.subarray(64, 64 + length));
        this.chunks = [bytes.subarray(64 + length)];
        this.available -= 64 + length;
        if (header.toString('ascii', 0, 8) !== 'FLORINLP') throw new Error('no magic');
        if (header.readUInt32LE(60) !== crc32c(header.subarray(0, 60))) throw new Error('the checksum of the header differs');
        if (header.readUInt32LE(56) !== (length === 0 ? 0 : crc32c(body))) throw new Error('the checksum of the body differs');
        const id = header.readBigUInt64LE(16);
        const error = header.readUInt32LE(28);
        if (id === 0n && error !== 0) throw new LedgerError(error, body.toString());
        const request = this.waiting.shift();
        if (!request || id !== request.id || header.readUInt16LE(10) !== (request.operation | 0x8000)) throw new Error(`an answer out of order: ${id}`);
        if (error !== 0) request.reject(new LedgerError(error, body.toString()));
        else request.resolve(body);
        return true;
    }

    end() {
        this.socket.end();
        return this.closed;
    }
}
