// Keeps a program running: starts it, waits for its ready line, and where it dies without having been
// asked to, says so and starts it again. What it prints goes to files, so that it can outlive us.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';

import { pause } from './programs.mjs';

const kRestartsMax = 20;
const kReadyMs = 60_000;
const kStopMs = 12_000;
const kPollMs = 10;
const kLogTailBytes = 2_000;

export class Supervisor {
    // `again` gives the arguments of a later start from the first ready line. `say` gets sentences.
    constructor({ name, program, args, again = () => args, files, say }) {
        Object.assign(this, { name, program, args, again, files, say });
        this.restarts = 0;
        this.downMs = 0;
        this.stopping = false;
    }

    get pid() {
        return this.child?.pid;
    }

    start() {
        this.stopping = false;
        this.serving = this.#launch(this.args);
        return this.serving;
    }

    // The ready line of the program that serves now; waits while it is being started again.
    ready() {
        return this.serving;
    }

    kill(signal) {
        this.child.kill(signal);
    }

    async stop() {
        this.stopping = true;
        if (!this.child || this.#hasEnded()) return;
        this.child.kill('SIGTERM');
        const impatience = setTimeout(() => this.child.kill('SIGKILL'), kStopMs);
        await this.ended;
        clearTimeout(impatience);
    }

    // Leaves the program to itself: it runs on when we end.
    release() {
        this.stopping = true;
        this.child.unref();
    }

    async #launch(args) {
        const out = openSync(this.files.out, 'a');
        const log = openSync(this.files.log, 'a');
        const from = statSync(this.files.out).size;
        // A group of its own: Ctrl-C on the terminal reaches us, and we decide what ends.
        const child = spawn(this.program, args, { stdio: ['ignore', out, log], detached: true });
        closeSync(out);
        closeSync(log);
        this.child = child;
        let failed = null;
        this.ended = new Promise((resolve) => {
            child.on('error', (error) => {
                failed = error.message;
                resolve();
            });
            child.on('exit', resolve);
        });
        for (const until = Date.now() + kReadyMs; ; await pause(kPollMs)) {
            const event = this.#readyLine(from);
            if (event) {
                this.first ??= event;
                this.ended.then(() => this.#restart());
                return event;
            }
            if (this.stopping) throw new Error(`${this.name} was stopped`);
            if (failed || this.#hasEnded() || Date.now() > until) {
                throw new Error(`${this.name} did not start: ${failed ?? this.#logTail()}`);
            }
        }
    }

    #restart() {
        if (this.stopping) return;
        const how = this.child.signalCode ? `killed (${this.child.signalCode})` : `gone (exit ${this.child.exitCode})`;
        const since = Date.now();
        const old = this.child.pid;
        this.restarts += 1;
        if (this.restarts > kRestartsMax) {
            this.serving = Promise.reject(new Error(`${this.name} died ${this.restarts} times: ${this.#logTail()}`));
            this.serving.catch(() => {});
            return;
        }
        this.serving = this.#launch(this.again(this.first));
        this.serving.then(
            () => {
                this.downMs += Date.now() - since;
                const took = ((Date.now() - since) / 1000).toFixed(1);
                this.say(`${this.name} ${old} was ${how}; it serves again as ${this.child.pid} after ${took} s`);
            },
            () => {},
        );
    }

    #hasEnded() {
        return this.child.exitCode !== null || this.child.signalCode !== null;
    }

    #readyLine(from) {
        const text = readFileSync(this.files.out).subarray(from).toString('utf8');
        for (const line of text.split('\n').slice(0, -1)) {
            try {
                const event = JSON.parse(line);
                if (event.event === 'ready') return event;
            } catch {
                // Not a whole JSON line: not the one we wait for.
            }
        }
        return null;
    }

    #logTail() {
        const log = readFileSync(this.files.log, 'utf8').slice(-kLogTailBytes).trim();
        return log || readFileSync(this.files.out, 'utf8').slice(-kLogTailBytes).trim() || 'it said nothing';
    }
}
