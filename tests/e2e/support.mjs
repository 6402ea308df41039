// Starting and ending the programs within a test; how to talk to them is in tools/shop/programs.mjs.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import readline from 'node:readline';

import { askBank, makeSdk, pause, plainRequest, programsIn } from '../../tools/shop/programs.mjs';

export { pause };

const build = process.env.FLORIN_BUILD_DIR;
if (!build) throw new Error('FLORIN_BUILD_DIR names the build folder, for example build/release');
export const programs = programsIn(build);

// A folder that goes with the test.
export function temporary(t) {
    const folder = mkdtempSync(path.join(tmpdir(), 'florin-e2e-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    return folder;
}

// Starts a program and waits for its ready line. `env`: beside the environment of the test.
export async function start(t, program, args, env = {}) {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    const running = { child, log: '', ready: null };
    child.stderr.on('data', (bytes) => (running.log += bytes));
    const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
    running.ended = ended;
    t.after(async () => {
        if (child.exitCode === null && child.signalCode === null) {
            child.kill('SIGKILL');
            await ended;
        }
    });
    const lines = readline.createInterface({ input: child.stdout });
    running.ready = await new Promise((resolve, reject) => {
        lines.on('line', (line) => {
            const event = JSON.parse(line);
            if (event.event === 'ready') resolve(event);
        });
        ended.then(({ code, signal }) => {
            const error = new Error(`${program} ended with ${signal ?? code}: ${running.log}`);
            reject(Object.assign(error, { signal }));
        });
    });
    return running;
}

// Runs a program that should end by itself.
export function run(program, args, options = {}) {
    const done = spawnSync(program, args, { encoding: 'utf8', timeout: 30_000, ...options });
    return { code: done.status, signal: done.signal, out: done.stdout, err: done.stderr };
}

// A configuration of the production form in `folder`, with a certificate of its own. `settings` are
// lines by section; what is not named keeps its default. Without `sandbox` there are only the
// connectors of the settings: no payment goes round them.
export function writeConfig(folder, settings = {}, { sandbox = true } = {}) {
    const file = (name) => path.join(folder, name);
    const made = run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
        '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', file('server.key'), '-out', file('server.pem')]);
    if (made.code !== 0) throw new Error(`openssl: ${made.err}`);
    writeFileSync(file('vault.key'), `1 ${'5e'.repeat(32)}\n`, { mode: 0o600 });
    const section = (name, lines) => [`[${name}]`, ...lines, ...(settings[name] ?? []), ''].join('\n');
    writeFileSync(file('florin.toml'), [
        `data_dir = "${file('data')}"\n`,
        section('server', ['listen = "127.0.0.1:0"', 'admin_listen = "127.0.0.1:0"', `tls_certificate = "${file('server.pem')}"`, `tls_key = "${file('server.key')}"`]),
        section('vault', [`key_file = "${file('vault.key')}"`]),
        ...Object.entries(settings).filter(([name]) => name !== 'server' && name !== 'vault').map(([name, lines]) => [`[${name}]`, ...lines, ''].join('\n')),
        ...(sandbox ? ['[[connector]]\nname = "sandbox"\nrail = "sandbox"\n'] : []),
        '[[merchant]]\nid = "acct_shop"\nname = "A shop"\n',
    ].join('\n'));
    return file('florin.toml');
}

// florind --config FILE; `ready.ca` and `ready.admin_url` are filled in.
export async function startProduction(t, folder, config, env = {}) {
    const daemon = await start(t, programs.florind, ['--config', config], env);
    daemon.ready.ca = path.join(folder, 'server.pem');
    daemon.ready.admin_url = JSON.parse(readFileSync(path.join(folder, 'data', 'run.json'), 'utf8')).admin_url;
    return daemon;
}

// florind by a configuration of writeConfig, and who may talk to it: `key` is a secret key of its
// merchant, `operators` stands for the daemon where operators ask it.
export async function openShop(t, folder, config, env = {}) {
    const made = (...args) => {
        const done = florin('keys', 'create', ...args, '--data-dir', path.join(folder, 'data'), '--format', 'json');
        if (done.code !== 0) throw new Error(`florin keys create: ${done.err}`);
        return JSON.parse(done.out).key;
    };
    const adminFile = path.join(folder, 'admin.key');
    writeFileSync(adminFile, made('--admin', '--name', 'Ada', '--vault-key', path.join(folder, 'vault.key')), { mode: 0o600 });
    const daemon = await startProduction(t, folder, config, env);
    const key = made('--merchant', 'acct_shop', '--ca', daemon.ready.ca, '--admin-key-file', adminFile);
    return { daemon, key, operators: { ready: { ...daemon.ready, url: daemon.ready.admin_url } } };
}

export const startDaemon = (t, folder, more = [], env = {}) =>
    start(t, programs.florind, ['--dev', '--data-dir', folder, '--listen', '127.0.0.1:0', ...more], env);

export const startBank = (t, folder, listen = '127.0.0.1:0', more = []) =>
    start(t, programs.banksim, ['--data-dir', folder, '--listen', listen, '--control', '127.0.0.1:0', ...more]);

// One JSON line to the bank's control port, one back.
export const control = (bank, request) => askBank(bank.ready.control, request);

export async function kill(running, signal) {
    running.child.kill(signal);
    return running.ended;
}

// The official SDK, pointed at a daemon.
export const sdk = (daemon, more) => makeSdk(daemon.ready, more);

// A request without the SDK: answers status, headers and body text.
export const request = (daemon, method, route, more) => plainRequest(daemon.ready, method, route, more);

// Runs `florin …` and answers its exit code and output.
export function florin(...args) {
    const run = spawnSync(programs.florin, args, { encoding: 'utf8' });
    return { code: run.status, out: run.stdout, err: run.stderr };
}

// Waits until `probe` answers something true.
export async function eventually(what, probe, ms = 20_000) {
    const until = Date.now() + ms;
    for (;;) {
        const found = await probe();
        if (found) return found;
        if (Date.now() > until) throw new Error(`still not: ${what}`);
        await pause(50);
    }
}

// A connector of the daemon would take a message now.
export const signedOn = (daemon, connector = 'bank') =>
    eventually(`the link of ${connector} is ready`, async () => {
        const health = JSON.parse((await request(daemon, 'GET', '/healthz', { key: 'x' })).text);
        return health.connectors.find((one) => one.name === connector)?.ready;
    });

// A payment with a card that is good.
export const pay = (stripe, amount, more = {}) =>
    stripe.paymentIntents.create({ amount, currency: 'eur', payment_method: 'pm_card_visa', confirm: true, ...more });
