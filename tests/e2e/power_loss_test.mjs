// The power fails under load: every answer that was given is still true when it is back, and the books
// agree with the bank's (world.mjs). kill -9 proves less: what a process wrote without a sync stays in
// the kernel's memory, and the next start finds it there.
//
// The data directory is on ext4, on a disk whose power can be cut (lossy_disk.py): what the file system
// had not written to the disk by then is gone, and of what it had written and not flushed the dice keep,
// lose or tear each write. So this proves that florind syncs before it answers and before it sends, and
// finds its way in whatever else is there. It does not prove that florind syncs every folder in which it
// made something: ext4 commits those with any file that is synced (tests/sim has a disk that does not).
// Nor does it lose what was flushed: no program can do anything about a disk that lies.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import test from 'node:test';

import { florin, kill, pause, pay, programs, sdk, startDaemon, temporary } from './support.mjs';
import { World, agree, comeToRest, dice, remembers, till } from './world.mjs';

const soak = Boolean(process.env.FLORIN_SOAK);
const losses = soak ? 40 : 4;
const beginnings = soak ? 40 : 6;
const seed = Number(process.env.FLORIN_SEED ?? Date.now() % 1_000_000);
const clients = 10;
const lossyDisk = new URL('lossy_disk.py', import.meta.url).pathname;

function makeImage(file, megabytes) {
    const image = openSync(file, 'w');
    ftruncateSync(image, megabytes * 1024 * 1024);
    closeSync(image);
    const made = spawnSync('mkfs.ext4', ['-q', '-F', file], { encoding: 'utf8', env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
    return made.error?.message ?? made.stderr;
}

// Why there can be no such disk here, or false.
function refusal() {
    const folder = mkdtempSync(path.join(tmpdir(), 'florin-e2e-'));
    const problem = makeImage(path.join(folder, 'disk.img'), 8);
    // Its standard input is at its end: it mounts, and ends.
    const tried = spawnSync('python3', [lossyDisk, path.join(folder, 'disk.img'), folder], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    rmSync(folder, { recursive: true, force: true });
    if (problem) return `no ext4 here: ${problem}`;
    if (tried.status === 77 || tried.error) return `no disk to cut the power of: ${tried.error?.message ?? tried.stderr.trim()}`;
    assert.equal(tried.status, 0, tried.stderr);
    return false;
}
const skip = refusal();

class Disk {
    // The disk of `image`, mounted on `mount` in `folder`; journal commits are rare, to lose more.
    static async insert(image, folder) {
        const disk = new Disk();
        disk.mount = path.join(folder, 'mount');
        disk.child = spawn('python3', [lossyDisk, image, folder, 'noatime,commit=60'], { stdio: ['pipe', 'pipe', 'inherit'] });
        disk.ended = new Promise((resolve) => disk.child.on('exit', resolve));
        disk.lines = readline.createInterface({ input: disk.child.stdout })[Symbol.asyncIterator]();
        const { value } = await disk.lines.next();
        assert.equal(JSON.parse(value ?? '{}').event, 'ready', 'the disk is mounted');
        return disk;
    }

    // From here on nobody gets an answer from the disk. Answers what became of the writes in its cache.
    async cut(fates) {
        this.child.stdin.write(`cut ${fates}\n`);
        return JSON.parse((await this.lines.next()).value);
    }

    // Whoever waited gets errors. The image is what the power loss left.
    async remove() {
        if (!this.child.stdin.writableEnded) this.child.stdin.end('end\n');
        assert.equal(await this.ended, 0);
    }
}

function verifies(data) {
    const verified = florin('ledger', 'verify', '--data-dir', data);
    assert.equal(verified.code, 0, verified.out + verified.err);
}

test(`${losses} power losses under load change no answer (seed ${seed})`, { skip }, async (t) => {
    const from = Date.now();
    const folder = temporary(t);
    const image = path.join(folder, 'disk.img');
    assert.equal(makeImage(image, 1024), '');
    const roll = dice(seed);
    let disk = await Disk.insert(image, folder);
    const world = new World(t, folder, { data: path.join(disk.mount, 'florin') });
    try {
        await world.open();
        await world.signedOn();
        const seen = [];
        const counter = { payments: 0, refunds: 0 };
        const tills = Array.from({ length: clients }, (_, number) => till(world, number, seen, counter));
        const failed = Promise.all(tills).then(() => {}, (error) => error);

        for (let loss = 0; loss < losses; ++loss) {
            const before = seen.length;
            await pause(500 + roll() * 2500);
            const unsynced = path.join(disk.mount, `unsynced-${loss}`);
            writeFileSync(unsynced, 'nobody synced this');
            const fates = loss % 4 < 2 ? 0 : 1 + Math.floor(roll() * 1e6);
            let left;
            if (loss % 2 === 0) {
                // Everything at once, the bank too (its own disk is well).
                world.daemon.child.kill('SIGKILL');
                left = await disk.cut(fates);
                await world.killBank();
            } else {
                // The disk alone, in the middle of everything: answers that only need what is on it may
                // still be given, and messages sent. They count.
                left = await disk.cut(fates);
                await pause(50 + roll() * 400);
                world.daemon.child.kill('SIGKILL');
            }
            ++world.kills.florind;
            await disk.remove();
            await world.daemon.ended;

            disk = await Disk.insert(image, folder);
            const marked = statSync(unsynced, { throwIfNoEntry: false });
            assert.ok(!marked?.size, 'what nobody synced was lost: this disk does lose something');
            verifies(world.data);
            await world.startDaemon();
            await remembers(world, seen);
            await world.signedOn();
            t.diagnostic(`loss ${loss + 1}: ${seen.length - before} answers since the last one; cached writes ${JSON.stringify(left)}`);
            assert.ok(seen.length > before, 'there was something to lose');
        }
        world.running = false;
        assert.ifError(await failed);

        assert.deepEqual(await comeToRest(world, 120_000), []);
        await world.startDaemon();
        const { intents, refunds, sums } = await agree(world, seen, from);
        t.diagnostic(`${intents.length} payments, ${refunds.length} refunds, ${world.writes.length} answers; at the bank ${JSON.stringify(sums)}`);
        assert.ok(sums.captures > 20 && sums.refunds > 5, 'there was something to compare');
    } finally {
        world.abandoned = true;
        if (world.daemon) world.daemon.child.kill('SIGKILL');
        await disk.remove();
    }
});

test(`the power fails in the first start, at ${beginnings} moments (seed ${seed})`, { skip }, async (t) => {
    const roll = dice(seed);
    let told = 0;
    for (let beginning = 0; beginning < beginnings; ++beginning) {
        const folder = temporary(t);
        const image = path.join(folder, 'disk.img');
        assert.equal(makeImage(image, 512), '');
        let disk = await Disk.insert(image, folder);
        const data = path.join(disk.mount, 'florin');
        const child = spawn(programs.florind, ['--dev', '--data-dir', data, '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'ignore'] });
        let running = { child };
        try {
            const ended = new Promise((resolve) => child.on('exit', resolve));
            const ready = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]().next().then(({ value }) => value && JSON.parse(value));
            // Every other time when it has just begun to serve: what it told must still be true.
            const first = await Promise.race([ready, ...(beginning % 2 ? [] : [pause(roll() * 400).then(() => null)])]);
            const known = first && { ready: first, ca: readFileSync(first.ca, 'utf8'), payment: await pay(sdk({ ready: first }), 4500) };
            await disk.cut(Math.floor(roll() * 1e6));
            child.kill('SIGKILL');
            await disk.remove();
            await ended;

            disk = await Disk.insert(image, folder);
            running = await startDaemon(t, data);
            if (known) {
                ++told;
                assert.equal(readFileSync(running.ready.ca, 'utf8'), known.ca);
                for (const key of ['secret_key', 'publishable_key', 'admin_key']) assert.equal(running.ready[key], known.ready[key], key);
                const payment = await sdk(running).paymentIntents.retrieve(known.payment.id);
                assert.equal(payment.status, known.payment.status);
                assert.equal((await sdk(running).refunds.create({ payment_intent: payment.id })).status, 'succeeded');
            }
            assert.equal((await pay(sdk(running), 5500)).status, 'succeeded');
            await kill(running, 'SIGTERM');
            verifies(data);
        } finally {
            running.child.kill('SIGKILL');
            await disk.remove();
        }
    }
    assert.ok(told >= Math.floor(beginnings / 2));
});
