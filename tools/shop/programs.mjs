// Talking to Florin's programs from outside: where a build has them, the SDK and plain HTTPS towards
// a daemon, the bank's control port, the operator's tool. The demo and the end-to-end tests share it.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { createRequire } from 'node:module';
import net from 'node:net';
import path from 'node:path';
import readline from 'node:readline';

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export const programsIn = (buildDir) => ({
    florind: path.join(buildDir, 'daemon', 'florind'),
    florin: path.join(buildDir, 'tools', 'florin'),
    banksim: path.join(buildDir, 'tools', 'banksim', 'florin-banksim'),
});

// The official SDK, from the packages that tools/node-env installed (modules do not read NODE_PATH).
function loadStripe() {
    const modules = process.env.FLORIN_NODE_MODULES;
    if (!modules) throw new Error('FLORIN_NODE_MODULES is not set: run this through tools/node-env exec');
    return createRequire(path.join(modules, 'resolve.cjs'))('stripe');
}
export const Stripe = loadStripe();

// An SDK pointed at a daemon, whose ready line says where it is and which keys it has.
export function makeSdk(ready, { key = ready.secret_key, retries = 0, sockets = 32 } = {}) {
    const url = new URL(ready.url);
    return new Stripe(key, {
        host: url.hostname,
        port: Number(url.port),
        protocol: 'https',
        httpAgent: new https.Agent({ ca: readFileSync(ready.ca), keepAlive: true, maxSockets: sockets }),
        telemetry: false,
        maxNetworkRetries: retries,
        timeout: 30_000,
    });
}

// A request without the SDK: answers status, headers and body text.
export function plainRequest(ready, method, route, { body, headers = {}, key = ready.secret_key } = {}) {
    const form = body === undefined
        ? {}
        : { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': Buffer.byteLength(body) };
    const options = { method, ca: readFileSync(ready.ca), headers: { Authorization: `Bearer ${key}`, ...form, ...headers } };
    return new Promise((resolve, reject) => {
        const call = https.request(new URL(route, ready.url), options, (response) => {
            let text = '';
            response.on('data', (bytes) => (text += bytes));
            response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
            response.on('error', reject);
        });
        call.on('error', reject);
        call.end(body);
    });
}

// One JSON line to the bank's control port, one back.
export function askBank(address, request) {
    const [host, port] = address.split(':');
    return new Promise((resolve, reject) => {
        const socket = net.connect(Number(port), host, () => socket.write(JSON.stringify(request) + '\n'));
        const lines = readline.createInterface({ input: socket });
        lines.on('error', reject);
        lines.on('line', (line) => {
            socket.end();
            resolve(JSON.parse(line));
        });
        socket.on('error', reject);
        socket.on('close', () => reject(new Error(`the bank at ${address} closed without an answer`)));
    });
}

// Runs a program to its end: exit code and output. One that cannot be started has code null. On a
// terminal its standard error is shown instead of kept: that is where its progress bar is.
export function runProgram(program, args) {
    return new Promise((resolve) => {
        const child = spawn(program, args, { stdio: ['ignore', 'pipe', process.stderr.isTTY ? 'inherit' : 'pipe'] });
        const run = { code: null, out: '', err: '' };
        child.stdout.setEncoding('utf8').on('data', (text) => (run.out += text));
        child.stderr?.setEncoding('utf8').on('data', (text) => (run.err += text));
        child.on('error', (error) => (run.err += error.message));
        child.on('close', (code) => resolve({ ...run, code }));
    });
}
