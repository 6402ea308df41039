// Requests without a client library: bytes on a TLS connection, to be sent in parts, cut, or left idle.
import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';

import { request } from './support.mjs';

const contexts = new Map();
const contextOf = (ca) => {
    if (!contexts.has(ca)) contexts.set(ca, tls.createSecureContext({ ca: readFileSync(ca) }));
    return contexts.get(ca);
};

// A TLS connection. `open` resolves when its handshake is done, `ended` with all that was read when it
// is over; `text` is what was read so far.
export function dial(daemon, options = {}) {
    const url = new URL(daemon.ready.url);
    const socket = tls.connect({ host: url.hostname, port: Number(url.port), secureContext: contextOf(daemon.ready.ca), ...options });
    const line = { socket, text: '', closed: false };
    socket.setEncoding('latin1');
    socket.on('data', (bytes) => (line.text += bytes));
    socket.on('error', () => {});
    line.ended = new Promise((resolve) => socket.on('close', () => {
        line.closed = true;
        resolve(line.text);
    }));
    line.open = new Promise((resolve, reject) => {
        socket.on('secureConnect', () => resolve(line));
        line.ended.then(() => reject(new Error('the connection was closed')));
    });
    line.open.catch(() => {});
    return line;
}

// The head of a request with the daemon's secret key, up to and with the empty line.
export const head = (daemon, method, route, headers = {}) => [
    `${method} ${route} HTTP/1.1`, 'Host: florin', `Authorization: Bearer ${daemon.ready.secret_key}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`), '', '',
].join('\r\n');

// A TCP connection that says nothing, in the shape of the other lines.
export function connect(daemon) {
    const url = new URL(daemon.ready.url);
    const socket = net.connect(Number(url.port), url.hostname);
    const line = { socket, raw: socket, text: '' };
    socket.on('data', (bytes) => (line.text += bytes));
    socket.on('error', () => {});
    line.ended = new Promise((resolve) => socket.on('close', resolve));
    return new Promise((resolve) => socket.on('connect', () => resolve(line)));
}

// A TLS connection whose encrypted bytes are seen on their way. `write` resolves when all has left;
// `passed(n)` when the daemon has sent n bytes after the handshake, of which no more reach the client;
// `raw` is the socket towards the daemon.
export async function throughProxy(t, daemon) {
    const url = new URL(daemon.ready.url);
    const raw = net.connect(Number(url.port), url.hostname);
    let near;
    let left = Infinity;
    let cutOff = () => {};
    const server = net.createServer((socket) => {
        near = socket;
        const end = () => {
            near.destroy();
            raw.destroy();
        };
        for (const one of [near, raw]) one.on('error', end).on('close', end);
        near.on('data', (bytes) => raw.write(bytes));
        near.on('end', () => raw.end());
        raw.on('data', (bytes) => {
            near.write(bytes.subarray(0, left));
            left -= Math.min(left, bytes.length);
            if (left === 0) cutOff();
        });
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const through = { ready: { ...daemon.ready, url: `https://127.0.0.1:${server.address().port}` } };
    const line = await dial(through).open;
    line.raw = raw;
    line.write = (bytes) => new Promise((resolve) => line.socket.write(bytes, resolve));
    // A first request and the whole answer to it.
    line.warmUp = async (bytes) => {
        await line.write(bytes);
        while (!line.text.endsWith('}')) await new Promise((resolve) => line.socket.once('data', resolve));
        line.text = '';
    };
    line.passed = (count) => {
        left = count;
        return new Promise((resolve) => (cutOff = resolve));
    };
    return line;
}

// How many connections the daemon has now, the one that asks included.
export async function connections(daemon) {
    const { text } = await request(daemon, 'GET', '/metrics', { key: daemon.ready.admin_key, headers: { Connection: 'close' } });
    return Number(/^florin_http_connections (\d+)$/m.exec(text)[1]);
}
