// What the demo shows: who paid what, what was settled and reconciled, and how to look further.
import { kRole } from './books.mjs';
import { givenBack, received } from './checks.mjs';
import { formatMinor, fromApi, Sums } from './money.mjs';
import { silentMinor } from './orders.mjs';
import { bold, dim, green, heading, line, red, table } from './screen.mjs';

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
const counted = (count, one, many = `${one}s`) => `${count.toLocaleString('en')} ${count === 1 ? one : many}`;

// Most used first.
export function currenciesOf(orders) {
    const counts = new Map();
    for (const { currency } of orders) counts.set(currency, (counts.get(currency) ?? 0) + 1);
    return [...counts].sort(([, a], [, b]) => b - a).map(([currency]) => currency);
}

const money = (sums, currencies, sign = 1n) =>
    currencies.map((currency) => (sums.has(currency) ? formatMinor(sign * sums.of(currency), currency) : '-'));

export function opening(stage, orders, atOnce, sdkVersion) {
    const currencies = currenciesOf(orders);
    const silent = orders.filter((order) => order.silent).length;
    line(bold(`Florin: a day of a small coffee roaster, ${orders.length} orders in ${currencies.join(', ')}`));
    line(`  florind         ${stage.daemon.first.url}, pid ${stage.daemon.pid}`);
    line(`  florin-banksim  ${stage.bank.first.address}, pid ${stage.bank.pid}: a bank with a book of its own` +
        (silent ? `; ${counted(silent, 'answer')} of it will never come` : ''));
    line(`  The shop uses the Stripe SDK ${sdkVersion} over TLS, ${atOnce} requests at a time.`);
}

export function driven(shop, stage) {
    const rate = Math.round((shop.requests * 1000) / shop.tookMs);
    line(`  ${counted(shop.accounts.length, 'order')}, ${counted(shop.requests, 'request')} in ${seconds(shop.tookMs)} (${rate} a second)`);
    if (stage.daemon.restarts + stage.bank.restarts > 0) {
        line(`  Payments that the outage caught half-way and that were given back at the bank, or never reached it: ` +
            `${shop.paidLater}. All were paid on another try.`);
    }
}

// Each payment is in one of these rows; refunds are movements of their own.
function outcomeOf({ order, intent }) {
    if (intent.status === 'processing') return 'no answer to the capture yet';
    if (intent.status === 'canceled') return 'cancelled before shipping';
    if (intent.status === 'requires_payment_method') {
        return order.silent ? 'no answer, given back at the bank' : 'declined';
    }
    if (order.capture === 'automatic') return 'paid at once';
    return received({ order, intent }) < order.minor ? 'paid in part when shipped' : 'paid when shipped';
}

const kOutcomes = [
    'paid at once', 'paid when shipped', 'paid in part when shipped', 'no answer to the capture yet',
    'cancelled before shipping', 'no answer, given back at the bank', 'declined',
];

export function payments(accounts, currencies) {
    const rows = new Map(kOutcomes.map((outcome) => [outcome, { count: 0, sums: new Sums() }]));
    const paid = { count: 0, sums: new Sums() };
    const refunds = { part: { count: 0, sums: new Sums() }, whole: { count: 0, sums: new Sums() }, open: { count: 0, sums: new Sums() } };
    const reasons = new Map();
    for (const account of accounts) {
        const { order, intent } = account;
        const got = received(account);
        const row = rows.get(outcomeOf(account));
        row.count += 1;
        row.sums.add(order.currency, got > 0n ? got : order.minor);
        if (got > 0n) {
            paid.count += 1;
            paid.sums.add(order.currency, got);
        }
        const back = givenBack(account);
        if (back > 0n) {
            const kind = back === got ? refunds.whole : refunds.part;
            kind.count += 1;
            kind.sums.add(order.currency, back);
        }
        for (const refund of account.refunds.filter(({ status }) => status === 'pending')) {
            refunds.open.count += 1;
            refunds.open.sums.add(order.currency, fromApi(refund.amount, order.currency));
        }
        const error = intent.last_payment_error;
        if (error && !order.silent) {
            const reason = (error.decline_code ?? error.code).replaceAll('_', ' ');
            reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
        }
    }
    const cells = (name, { count, sums }, sign) => [name, String(count), ...money(sums, currencies, sign)];
    const shown = [...rows].filter(([, { count }]) => count > 0).map(([name, row]) => cells(name, row));
    const back = [['refunded in part', refunds.part], ['refunded in full', refunds.whole], ['no answer to the refund yet', refunds.open]]
        .filter(([, { count }]) => count > 0)
        .map(([name, row]) => cells(name, row, -1n));
    const net = new Sums(paid.sums);
    for (const kind of [refunds.part, refunds.whole]) {
        for (const [currency, minor] of kind.sums) net.add(currency, -minor);
    }
    heading('Payments');
    table([['', 'payments', ...currencies], ...shown, ...back, ['paid, less refunds', String(paid.count), ...money(net, currencies)]]);
    const declined = [...reasons].sort(([, a], [, b]) => b - a).map(([reason, count]) => `${reason} ${count}`);
    if (declined.length > 0) line(dim(`  declined: ${declined.join(', ')}`));
}

export function settled(batches, currencies) {
    heading('Settlement');
    for (const { batch, state, cut, file, sha256 } of batches) {
        line(`  batch ${batch}, everything up to journal sequence ${cut}: ${state}`);
        line(`  ${file}`);
        line(dim(`  sha256 ${sha256}`));
    }
    const merchants = new Map();
    for (const { merchant, currency, minor } of batches.flatMap(({ payouts }) => payouts)) {
        merchants.set(merchant, (merchants.get(merchant) ?? new Sums()).add(currency, minor));
    }
    table([['payout', ...currencies], ...[...merchants].map(([merchant, sums]) => [merchant, ...money(sums, currencies)])]);
}

export function reconciled(imports, { acquirer, bank, resolved, breaks }) {
    heading('Reconciliation');
    for (const { statements, lines, already } of imports) {
        const ids = statements.map(({ id }) => id);
        line(dim(`  read ${counted(lines, 'line')} of ${statements[0]?.level ?? 'no'} level: ${ids.slice(0, 3).join(', ')}` +
            (ids.length > 3 ? ` and ${ids.length - 3} more` : '') + (already ? ' (known already)' : '')));
    }
    const by = (level) => level.by.map(([how, count]) => `${count} by ${how.replaceAll('_', ' ')}`).join(', ');
    line(`  acquirer's report: ${acquirer.matched} of ${acquirer.lines} lines matched (${by(acquirer)})`);
    line(`  bank statement:    ${bank.matched} of ${bank.lines} lines matched (${by(bank)})`);
    line(`  ${counted(resolved.length, 'unknown attempt')} resolved by lines, ${counted(breaks, 'open break')}`);
}

// statement/acquirer/…/STATEMENT/000000119
function lineName(reference) {
    const parts = reference.split('/');
    return parts.length > 2 ? `line ${Number(parts.at(-1))} of ${parts.at(-2)}` : reference;
}

function sentence({ account, attempt }) {
    const { operation } = account.order.silent;
    if (!attempt) return 'no attempt was found';
    const said = (source) => attempt.evidence.find((each) => each.source === source && each.outcome !== 'unknown');
    const ack = said('reversal_ack');
    const reported = said('report_line');
    const tries = counted(attempt.sends, 'message');
    if (operation === 'authorise' && ack) {
        return `no answer; Florin took it back, and the bank acknowledged that (code ${ack.code}): nothing was taken`;
    }
    if (reported) {
        const outcome = operation === 'capture' ? 'the capture was booked' : 'the refund was booked';
        return `${tries}, no answer; the acquirer's report says that ${outcome} (${lineName(reported.reference)})`;
    }
    return `${tries}, ${attempt.state}`;
}

export function explained(all) {
    if (all.length === 0) return;
    heading('Where the bank kept silent');
    for (const each of all.toSorted((a, b) => (a.account.order.order < b.account.order.order ? -1 : 1))) {
        const { order } = each.account;
        line(`  ${order.order}, ${order.silent.operation} ${order.currency} ${formatMinor(silentMinor(order), order.currency)}: ${sentence(each)}`);
        const evidence = each.attempt?.evidence.map(({ source, outcome, code }) => [source, outcome, code].filter(Boolean).join(' ')) ?? [];
        line(dim(`    ${each.attempt?.id}: ${evidence.join(', ')}`));
    }
}

export function breaks(list) {
    heading('Breaks');
    if (list.length === 0) line('  none');
    for (const each of list) {
        line(red(`  ${each.break} ${each.type}, ${each.age_days} days, ${each.owner}: ${each.currency} ${formatMinor(BigInt(each.amount_minor), each.currency)}, ${each.explanation}`));
    }
}

export function books(currencies, balances) {
    heading('Books');
    const row = (name, value) => [name, ...currencies.map((currency) => formatMinor(value(currency), currency))];
    const { receivable, clearing, bank, costs, pending, available, inTransit, feeRevenue } = kRole;
    table([
        ['', ...currencies],
        row('merchant: pending', (currency) => balances.credit(pending, currency)),
        row('merchant: available', (currency) => balances.credit(available, currency)),
        row('merchant: in transit', (currency) => balances.credit(inTransit, currency)),
        row('merchant: paid out', (currency) => balances.debited(inTransit, currency)),
        row('our fees', (currency) => balances.credit(feeRevenue, currency)),
        row('the acquirer owes', (currency) => balances.debit(receivable, currency) + balances.debit(clearing, currency)),
        row("the acquirer's fees", (currency) => balances.debit(costs, currency)),
        row('at the bank', (currency) => balances.debit(bank, currency)),
    ]);
    const waits = currencies.some((currency) => balances.credit(pending, currency) + balances.credit(available, currency) !== 0n);
    if (waits) line(dim('  What reconciliation resolved after the settlement waits for the next one.'));
}

export function journal({ records, transfers, head, hash }) {
    heading('Journal');
    line(`  ${Number(records).toLocaleString('en')} records, ${Number(transfers).toLocaleString('en')} transfers, verified to head ${head}`);
    line(dim(`  ${hash}`));
}

export function checks(results) {
    heading('Do all books agree?');
    for (const check of results) {
        line(`  ${check.holds ? green('yes') : red('NO ')}  ${check.what}`);
        for (const each of check.holds ? [] : check.shown()) line(red(`         ${each}`));
    }
}

export function time({ total, drive, settle, books }) {
    line(dim(`\n  ${seconds(total)}: orders ${seconds(drive)}, settlement and reconciliation ${seconds(settle)}, reading the books ${seconds(books)}`));
}

export function goOn(stage, ready) {
    const { port } = new URL(ready.url);
    heading('It is still running');
    line(`  florind ${stage.daemon.pid} at ${ready.url}, florin-banksim ${stage.bank.pid} at ${stage.bank.first.address}`);
    line(`  files: ${stage.folder}`);
    line(`  keys:  ${ready.secret_key} (merchant), ${ready.admin_key} (operator)`);
    line('\n  Take a payment:');
    line(`    curl --cacert ${ready.ca} -u ${ready.secret_key}: ${ready.url}/v1/payment_intents \\`);
    line('      -d amount=1290 -d currency=eur -d payment_method=pm_card_visa -d confirm=true');
    line('\n  The same with the SDK for Node:');
    line(`    new Stripe('${ready.secret_key}', { host: '127.0.0.1', port: ${port}, protocol: 'https',`);
    line(`      httpAgent: new https.Agent({ ca: fs.readFileSync('${ready.ca}') }) })`);
    line('\n  Settle what came in since, look at batches and at breaks, explained ones too:');
    line(`    ${stage.programs.florin} settle run --data-dir ${stage.dataDir}`);
    line(`    ${stage.programs.florin} settle status --data-dir ${stage.dataDir}`);
    line(`    ${stage.programs.florin} recon breaks --all --data-dir ${stage.dataDir}`);
    line('\n  Stop it, look into its books, remove it:');
    line(`    kill ${stage.daemon.pid} ${stage.bank.pid}`);
    line(`    ${stage.programs.florin} ledger trial-balance --data-dir ${stage.dataDir}`);
    line(`    ${stage.programs.florin} attempts list --data-dir ${stage.dataDir}`);
    line(`    rm -r ${stage.folder}`);
}
