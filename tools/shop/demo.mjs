// The demo's story: a shop's day through a bank that is not always there, then settlement and
// reconciliation, and at the end whether all books agree. tools/demo starts it.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { Florin, readReport, readStatement } from './books.mjs';
import * as checks from './checks.mjs';
import { Shop } from './drive.mjs';
import { Sums } from './money.mjs';
import { readOrders, silenceRules } from './orders.mjs';
import { askBank, makeSdk, pause, plainRequest, programsIn, runProgram, Stripe } from './programs.mjs';
import * as report from './report.mjs';
import { dim, green, line, progress, progressEnd, red, yellow } from './screen.mjs';
import { Supervisor } from './supervisor.mjs';

const kAtOnce = 12;       // requests under way together
const kGiveUpMs = 60_000;
const kRetryMs = 100;
const kToolTriesMax = 5;  // of a command whose daemon died meanwhile
const kWrongUse = 2;
const kInterrupted = 130;

function parseArguments(words) {
    const root = path.resolve(import.meta.dirname, '..', '..');
    const wanted = { keep: false, kill: false, folder: null, buildDir: null, orders: path.join(root, 'conf', 'demo', 'orders.csv') };
    const rest = [...words];
    const value = (flag) => {
        if (rest.length === 0) throw new Error(`${flag} needs a value`);
        return rest.shift();
    };
    while (rest.length > 0) {
        const flag = rest.shift();
        if (flag === '--kill') wanted.kill = true;
        else if (flag === '--orders') wanted.orders = value(flag);
        else if (flag === '--build-dir') wanted.buildDir = value(flag);
        else if (flag === '--keep') {
            wanted.keep = true;
            if (rest.length > 0 && !rest[0].startsWith('--')) wanted.folder = path.resolve(rest.shift());
        } else throw new Error(`unknown flag ${flag}; tools/demo --help lists them`);
    }
    if (!wanted.buildDir) throw new Error('--build-dir names the build');
    if (wanted.folder && existsSync(wanted.folder) && readdirSync(wanted.folder).length > 0) {
        throw new Error(`${wanted.folder} is not empty`);
    }
    return wanted;
}

// The folder, the programs in it, and how to end them.
class Stage {
    constructor({ keep, folder, buildDir }, faults) {
        this.keep = keep;
        if (folder) mkdirSync(folder, { recursive: true });
        this.folder = folder ?? mkdtempSync(path.join(tmpdir(), 'florin-demo-'));
        this.dataDir = path.join(this.folder, 'florin');
        this.programs = programsIn(buildDir);
        const faultsFile = path.join(this.folder, 'bank-faults.jsonl');
        writeFileSync(faultsFile, faults.map((rule) => JSON.stringify(rule) + '\n').join(''));
        const bankArguments = (address, control) => [
            '--data-dir', path.join(this.folder, 'bank'), '--listen', address, '--control', control, '--faults', faultsFile,
        ];
        this.bank = this.#supervise('florin-banksim', this.programs.banksim, bankArguments('127.0.0.1:0', '127.0.0.1:0'), {
            // A bank that comes back is where it was.
            again: ({ address, control }) => bankArguments(address, control),
        });
    }

    #supervise(name, program, args, more = {}) {
        const files = { out: path.join(this.folder, `${name}.out`), log: path.join(this.folder, `${name}.log`) };
        const say = (sentence) => line(yellow(`  ${sentence}`));
        return new Supervisor({ name, program, args, files, say, ...more });
    }

    async start() {
        const { address } = await this.bank.start();
        this.daemon = this.#supervise('florind', this.programs.florind, [
            '--dev', '--data-dir', this.dataDir, '--listen', '127.0.0.1:0', '--iso8583', address,
        ]);
        await this.daemon.start();
        await this.#linkIsUp();
    }

    async #linkIsUp() {
        for (const until = Date.now() + kGiveUpMs; ; await pause(20)) {
            const { text } = await plainRequest(await this.daemon.ready(), 'GET', '/healthz');
            if (JSON.parse(text).connectors.find(({ name }) => name === 'bank')?.ready) return;
            if (Date.now() > until) throw new Error('florind does not get through to the bank');
        }
    }

    // For the daemon that serves now: after a restart it may be at another port.
    sdk = async () => {
        const ready = await this.daemon.ready();
        if (ready !== this.client?.of) this.client = { of: ready, sdk: makeSdk(ready, { retries: 2 }) };
        return this.client.sdk;
    };

    // A command that failed while its daemon was being restarted is run again.
    florin = async (args) => {
        for (let tries = 1; ; ++tries) {
            await this.daemon.ready();
            const { restarts } = this.daemon;
            const run = await runProgram(this.programs.florin, args);
            if (run.code !== 0) await pause(kRetryMs);
            if (run.code === 0 || this.daemon.restarts === restarts || tries === kToolTriesMax) return run;
        }
    };

    // Again while the bank is being restarted.
    async ask(request) {
        for (const until = Date.now() + kGiveUpMs; ; await pause(kRetryMs)) {
            const { control } = await this.bank.ready();
            try {
                const answer = await askBank(control, request);
                if (!answer.ok) throw Object.assign(new Error(`the bank: ${answer.error}`), { isFinal: true });
                return answer;
            } catch (error) {
                if (error.isFinal || Date.now() > until) throw error;
            }
        }
    }

    // The last resort, where the demo itself breaks: nothing of it stays behind.
    abandon() {
        if (this.daemon && !this.daemon.stopping) this.daemon.kill('SIGKILL');
        if (!this.bank.stopping) this.bank.kill('SIGKILL');
    }

    async end() {
        await Promise.all([this.daemon?.stop(), this.bank.stop()]);
        if (!this.keep) rmSync(this.folder, { recursive: true, force: true });
    }
}

// Killed without warning in the middle of the day: the daemon after two fifths, the bank after three.
function killer(stage, total) {
    const daemonAt = Math.ceil((total * 2) / 5);
    const bankAt = Math.ceil((total * 3) / 5);
    return (done) => {
        if (done === daemonAt) stage.daemon.kill('SIGKILL');
        if (done === bankAt) stage.bank.kill('SIGKILL');
    };
}

async function drive(stage, orders, kills) {
    const started = Date.now();
    const atProgress = kills ? killer(stage, orders.length) : () => {};
    const shop = new Shop({
        sdk: stage.sdk,
        progress: (done, total) => {
            const seconds = (Date.now() - started) / 1000;
            progress('  orders', done, total, `${(shop.requests / seconds).toFixed(0)} requests a second`);
            atProgress(done);
        },
    });
    await shop.serve(orders, kAtOnce);
    progressEnd();
    shop.tookMs = Date.now() - started;
    return shop;
}

const isWaiting = ({ intent, refunds }) =>
    intent.status === 'processing' || refunds.some(({ status }) => status === 'pending');

// Looks again at payments that the bank left open, until `isDone` or nothing moves any more.
async function wait(shop, title, which, ms) {
    const open = shop.accounts.filter(which);
    for (const until = Date.now() + ms; ; await pause(kRetryMs)) {
        for (const account of open) await shop.look(account);
        const left = open.filter(isWaiting).length;
        progress(title, open.length - left, open.length);
        if (left === 0 || Date.now() > until) break;
    }
    progressEnd();
}

// Every business date since the start: a demo may run over midnight (UTC, as the bank counts).
function businessDates(started) {
    const dates = [];
    for (let day = new Date(started); ; day = new Date(day.getTime() + 3_600_000)) {
        const date = (day > new Date() ? new Date() : day).toISOString().slice(0, 10);
        if (dates.at(-1) !== date) dates.push(date);
        if (day > new Date()) return dates;
    }
}

async function papers(stage, started, payoutFiles) {
    const files = { reports: [], statements: [] };
    for (const file of payoutFiles) await stage.ask({ collect: file });
    for (const date of businessDates(started)) {
        const csv = path.join(stage.folder, `acquirer-report-${date}.csv`);
        const xml = path.join(stage.folder, `bank-statement-${date}.xml`);
        await stage.ask({ report: 'transactions', date, path: csv });
        if (readReport(csv).lines > 0) files.reports.push(csv);
        // Before its first booking the bank has no account to write a statement of.
        if (files.reports.length === 0) continue;
        await stage.ask({ report: 'camt053', date, path: xml });
        files.statements.push(xml);
    }
    return files;
}

function readPapers(files) {
    const all = { report: { captures: new Sums(), refunds: new Sums(), fees: new Sums(), lines: 0 }, statement: { closing: new Sums(), debits: new Sums() } };
    for (const sums of files.reports.map(readReport)) {
        for (const kind of ['captures', 'refunds', 'fees']) {
            for (const [currency, minor] of sums[kind]) all.report[kind].add(currency, minor);
        }
        all.report.lines += sums.lines;
    }
    for (const { closing, debits } of files.statements.map(readStatement)) {
        for (const [currency, minor] of closing) all.statement.closing.set(currency, minor);
        for (const [currency, minor] of debits) all.statement.debits.add(currency, minor);
    }
    return all;
}

// What is known of the payments whose bank kept silent: their attempt with its evidence.
async function explain(florin, accounts) {
    const attempts = await florin.attempts();
    const explained = [];
    for (const account of accounts.filter(({ order }) => order.silent)) {
        const { operation } = account.order.silent;
        const row = attempts.find((each) => each.payment === account.intent.id && each.operation === operation);
        explained.push({ account, attempt: row && await florin.attempt(row.attempt) });
    }
    return explained;
}

async function play(stage, orders, { kill, keep, started }) {
    const startedAt = Date.now();
    await stage.start();
    report.opening(stage, orders, kAtOnce, Stripe.PACKAGE_VERSION);
    const shop = await drive(stage, orders, kill);
    report.driven(shop, stage);
    const isReversed = ({ order }) => order.silent?.operation === 'authorise';
    await wait(shop, '  waiting for the reversal', isReversed, kGiveUpMs);
    const currencies = report.currenciesOf(orders);
    report.payments(shop.accounts, currencies);

    const settledAt = Date.now();
    const florin = new Florin(stage.florin, stage.dataDir);
    const batches = await florin.settle();
    report.settled(batches, currencies);
    const files = await papers(stage, started, batches.map(({ file }) => file));
    const imports = [];
    for (const file of [...files.reports, ...files.statements]) imports.push(await florin.importStatement(file));
    const reconciliation = await florin.reconcile();
    const breaks = await florin.breaks();
    await wait(shop, '  waiting for the resolved payments', ({ order }) => order.silent, kGiveUpMs);
    report.reconciled(imports, reconciliation);
    const payouts = (await florin.batches()).flatMap((batch) => batch.payouts);
    const listed = await shop.listed();
    const balance = await shop.balance();
    const settleMs = Date.now() - settledAt;

    // The tools read the books of a daemon that is not running.
    const booksAt = Date.now();
    await stage.daemon.stop();
    const run = (args) => runProgram(stage.programs.florin, args);
    const closed = new Florin(run, stage.dataDir);
    const [verified, balances, balancedByTool, unknown, explained] = await Promise.all([
        closed.verify(), closed.balances(), closed.isBalanced(), closed.unknownAttempts(), explain(closed, shop.accounts),
    ]);
    report.explained(explained);
    report.breaks(breaks);
    report.books(currencies, balances);
    report.journal(verified);
    if (keep) await stage.daemon.start();
    const booksMs = Date.now() - booksAt;

    const read = readPapers(files);
    const results = [
        checks.asPlanned(orders, shop.accounts),
        checks.toldIsListed(shop.accounts, listed),
        checks.bankAgrees(currencies, shop.accounts, read.report),
        checks.nothingOutstanding(currencies, balances, read.report),
        checks.bankAccountAgrees(currencies, balances, read.statement, read.report, payouts),
        checks.shopAgrees(currencies, shop.accounts, balances, balance, payouts),
        checks.isBalanced(balances, balancedByTool),
        checks.isVerified(verified),
        checks.nothingOpen(breaks, unknown),
    ];
    report.checks(results);
    report.time({ total: Date.now() - startedAt, drive: shop.tookMs, settle: settleMs, books: booksMs });
    return results.every((check) => check.holds);
}

async function main() {
    let wanted;
    let orders;
    try {
        wanted = parseArguments(process.argv.slice(2));
        orders = readOrders(wanted.orders);
    } catch (error) {
        console.error(`tools/demo: ${error.message}`);
        return kWrongUse;
    }
    const stage = new Stage(wanted, silenceRules(orders));
    const interrupted = async (signal) => {
        line(dim(`\n${signal}: stopping`));
        stage.keep = false;
        await stage.end();
        process.exit(kInterrupted);
    };
    process.on('exit', () => stage.abandon());
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, interrupted);
    let agree = false;
    try {
        agree = await play(stage, orders, { ...wanted, started: Date.now() });
    } catch (error) {
        progressEnd();
        line(red(`\nThe demo failed: ${error.message}`));
        if (process.env.FLORIN_DEMO_TRACE) console.error(error);
    }
    const serving = wanted.keep ? await stage.daemon?.ready().catch(() => null) : null;
    if (serving) {
        report.goOn(stage, serving);
        stage.daemon.release();
        stage.bank.release();
    } else {
        await stage.end();
        line(dim(stage.keep ? `Everything was stopped; its files are in ${stage.folder}.`
            : 'Everything was stopped and removed. `tools/demo --keep` leaves it running for a look around.'));
    }
    line(agree ? green('All books agree.') : red('The books do NOT agree, or the demo failed; see above.'));
    return agree ? 0 : 1;
}

process.exit(await main());
