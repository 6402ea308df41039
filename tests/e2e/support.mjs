// Starting and ending the programs within a test; how to talk to them is in tools/shop/programs.mjs.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
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

// Starts a program and waits for its ready line.
export async function start(t, program, args) {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
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
        ended.then(({ code }) => reject(new Error(`${program} ended with ${code}: ${running.log}`)));
    });
    return running;
}

export const startDaemon = (t, folder, more = []) =>
    start(t, programs.florind, ['--dev', '--data-dir', folder, '--listen', '127.0.0.1:0', ...more]);

export async function startBank(t, folder, listen = '127.0.0.1:0') {
    const bank = await start(t, programs.banksim, [
        '--data-dir', folder, '--listen', listen, '--control', '127.0.0.1:0',
    ]);
    return bank;
}

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
