// What Florin and the bank print, turned into plain values. Whoever changes an output format changes
// this file; nothing else of the demo reads one. Amounts become BigInt minor units.
import { readFileSync } from 'node:fs';

import { parseMinor, Sums, testLedger } from './money.mjs';

const kDone = 0;
const kFoundSomething = 1;

// Codes of conf/chart_of_accounts.csv.
export const kRole = {
    receivable: 10, costs: 11, clearing: 12, bank: 13,
    pending: 20, available: 21, reserve: 22, inTransit: 23,
    feeRevenue: 30, suspense: 34,
};

// The operator's tool on a data directory. `run` runs it with arguments: {code, out, err}.
export class Florin {
    constructor(run, dataDir) {
        Object.assign(this, { run, dataDir });
    }

    // Runs a settlement and answers every batch that pays out, oldest first: one, or more where a
    // daemon died within it.
    async settle() {
        await this.#json(['settle', 'run'], [kDone]);
        return this.batches();
    }

    async batches() {
        const rows = await this.#json(['settle', 'status'], [kDone]);
        const batches = [];
        for (const { batch } of rows.filter(({ payouts }) => Number(payouts) > 0).reverse()) {
            const shown = await this.#json(['settle', 'show', batch], [kDone]);
            batches.push({
                batch,
                state: shown.state,
                cut: shown.cut_sequence,
                file: shown.file,
                sha256: shown.file_sha256,
                payouts: shown.payouts.map(({ payout, merchant, currency, amount_minor, state }) => ({
                    payout, merchant, currency, minor: BigInt(amount_minor), state,
                })),
            });
        }
        return batches;
    }

    async importStatement(file) {
        const done = await this.#json(['recon', 'import', file], [kDone]);
        return { statements: done.statements, lines: done.lines, already: done.already_imported };
    }

    async reconcile() {
        const run = await this.#json(['recon', 'run'], [kDone, kFoundSomething]);
        const level = ({ lines, matched, matched_by: by }) => ({ lines, matched, by: Object.entries(by).filter(([, n]) => n > 0) });
        return {
            acquirer: level(run.acquirer),
            bank: level(run.bank),
            resolved: run.unknowns_resolved,
            breaks: run.breaks_open,
        };
    }

    async breaks() {
        return this.#json(['recon', 'breaks'], [kDone, kFoundSomething]);
    }

    // The rest needs a directory that no daemon holds.

    async verify() {
        const rows = await this.#json(['ledger', 'verify'], [kDone]);
        return Object.fromEntries(rows.map(({ what, value }) => [what, value]));
    }

    async isBalanced() {
        const run = await this.run([...'ledger trial-balance --data-dir'.split(' '), this.dataDir]);
        return run.code === kDone;
    }

    async trialBalance() {
        return this.#json(['ledger', 'trial-balance'], [kDone, kFoundSomething]);
    }

    async balances() {
        return new Balances(await this.#json(['ledger', 'balances'], [kDone]));
    }

    async attempts() {
        return this.#json(['attempts', 'list'], [kDone]);
    }

    async unknownAttempts() {
        return this.#json(['attempts', 'list', '--unknown'], [kDone, kFoundSomething]);
    }

    async attempt(id) {
        const { evidence, ...attempt } = await this.#json(['attempts', 'show', id], [kDone]);
        return { ...attempt, evidence };
    }

    async #json(command, accepted) {
        const run = await this.run([...command, '--data-dir', this.dataDir, '--format', 'json']);
        if (!accepted.includes(run.code)) {
            throw new Error(`florin ${command.join(' ')} ended with ${run.code}: ${(run.err || run.out).trim()}`);
        }
        return JSON.parse(run.out);
    }
}

// Account balances by role and currency, summed over the accounts of that role.
export class Balances {
    constructor(rows) {
        this.rows = rows.map((row) => ({
            ledger: Number(row.ledger),
            role: Number(row.code),
            debits: BigInt(row.debits_posted),
            credits: BigInt(row.credits_posted),
            pending: BigInt(row.debits_pending) + BigInt(row.credits_pending),
        }));
    }

    #sum(role, currency, value) {
        return this.rows
            .filter((row) => row.role === role && row.ledger === testLedger(currency))
            .reduce((total, row) => total + value(row), 0n);
    }
    debit(role, currency) {
        return this.#sum(role, currency, (row) => row.debits - row.credits);
    }
    credit(role, currency) {
        return -this.debit(role, currency);
    }
    debited(role, currency) {
        return this.#sum(role, currency, (row) => row.debits);
    }
    // Reserved and neither posted nor voided.
    pending(role, currency) {
        return this.#sum(role, currency, (row) => row.pending);
    }
    isBalanced() {
        const ledgers = new Map();
        for (const { ledger, debits, credits } of this.rows) {
            ledgers.set(ledger, (ledgers.get(ledger) ?? 0n) + debits - credits);
        }
        return [...ledgers.values()].every((difference) => difference === 0n);
    }
}

// The acquirer's report (docs/formats/acquirer-report.md): sums per currency, from its D lines.
export function readReport(file) {
    const sums = { captures: new Sums(), refunds: new Sums(), fees: new Sums(), lines: 0 };
    for (const line of readFileSync(file, 'utf8').split('\n')) {
        const [kind, , type, minor, , fee, , currency] = line.split(',');
        if (kind !== 'D') continue;
        sums.lines += 1;
        if (type === 'capture') sums.captures.add(currency, BigInt(minor));
        else if (type === 'refund') sums.refunds.add(currency, BigInt(minor));
        else throw new Error(`${file}: nobody asked the bank for a ${type}`);
        sums.fees.add(currency, BigInt(fee));
    }
    return sums;
}

// The bank's statement (camt.053): per currency the closing balance and the sum of its debits.
export function readStatement(file) {
    const closing = new Sums();
    const debits = new Sums();
    const signed = (block) => {
        const [, currency, text] = block.match(/<Amt Ccy="([A-Z]{3})">([0-9.]+)<\/Amt>/);
        return { currency, minor: parseMinor(text, currency), isDebit: block.includes('<CdtDbtInd>DBIT<') };
    };
    const xml = readFileSync(file, 'utf8');
    for (const [block] of xml.matchAll(/<Bal>.*?<\/Bal>/gs)) {
        if (!block.includes('<Cd>CLBD</Cd>')) continue;
        const { currency, minor, isDebit } = signed(block);
        closing.set(currency, isDebit ? -minor : minor);
    }
    for (const [block] of xml.matchAll(/<Ntry>.*?<\/Ntry>/gs)) {
        const { currency, minor, isDebit } = signed(block.replace(/<NtryDtls>.*<\/NtryDtls>/s, ''));
        if (isDebit) debits.add(currency, minor);
    }
    return { closing, debits };
}
