// Whether everybody tells the same story: the plan of the day, what the SDK was told, what the API
// lists, Florin's ledger, the acquirer's report and the bank's statement. In integers, and with no
// code of the programs that are compared.
import { kRole } from './books.mjs';
import { formatMinor, fromApi, Sums } from './money.mjs';

const kShownMax = 5;

// A check is a sentence and what contradicts it; it holds where nothing does.
class Check {
    constructor(what) {
        this.what = what;
        this.against = [];
    }
    get holds() {
        return this.against.length === 0;
    }
    same(what, mine, other) {
        if (mine !== other) this.against.push(`${what}: ${mine} is not ${other}`);
        return this;
    }
    sameMoney(what, currency, mine, other) {
        return this.same(`${what} ${currency}`, formatMinor(mine, currency), formatMinor(other, currency));
    }
    shown() {
        const more = this.against.length - kShownMax;
        return [...this.against.slice(0, kShownMax), ...(more > 0 ? [`and ${more} more`] : [])];
    }
}

export const received = ({ order, intent }) => fromApi(intent.amount_received, order.currency);
export const givenBack = ({ order, refunds }) =>
    refunds.filter(({ status }) => status === 'succeeded')
        .reduce((total, { amount }) => total + fromApi(amount, order.currency), 0n);

const kStatus = { paid: 'succeeded', cancelled: 'canceled', declined: 'requires_payment_method', reversed: 'requires_payment_method' };

export function asPlanned(orders, accounts) {
    const check = new Check(`each of the ${orders.length} orders ended as the day was planned`);
    check.same('orders', accounts.length, orders.length);
    for (const account of accounts) {
        const { order, intent } = account;
        const { outcome, code, captured, refunded } = order.expected;
        const error = intent.last_payment_error;
        check.same(`${order.order}, status`, intent.status, kStatus[outcome]);
        if (outcome === 'declined') check.same(`${order.order}, reason`, error?.decline_code ?? error?.code, code);
        if (outcome === 'reversed') check.same(`${order.order}, reason`, error?.code, 'processing_error');
        check.sameMoney(`${order.order}, paid`, order.currency, received(account), captured);
        check.sameMoney(`${order.order}, refunded`, order.currency, givenBack(account), refunded);
    }
    return check;
}

export function toldIsListed(accounts, listed) {
    const check = new Check('what the SDK was told is what the API lists, and nothing else is there');
    const compare = (kind, told, list, names) => {
        check.same(kind, told.length, list.length);
        const byId = new Map(list.map((each) => [each.id, each]));
        for (const mine of told) {
            for (const name of names) check.same(`${mine.id} ${name}`, mine[name], byId.get(mine.id)?.[name]);
        }
    };
    compare('payments', accounts.map(({ intent }) => intent), listed.intents,
        ['status', 'amount', 'currency', 'amount_received', 'amount_capturable']);
    compare('refunds', accounts.flatMap(({ refunds }) => refunds), listed.refunds,
        ['status', 'amount', 'currency', 'payment_intent']);
    return check;
}

export function totals(accounts) {
    const sums = { paid: new Sums(), refunded: new Sums() };
    for (const account of accounts) {
        sums.paid.add(account.order.currency, received(account));
        sums.refunded.add(account.order.currency, givenBack(account));
    }
    return sums;
}

export function bankAgrees(currencies, accounts, report) {
    const check = new Check("the bank's own report has the same captures and refunds");
    const { paid, refunded } = totals(accounts);
    for (const currency of currencies) {
        check.sameMoney('captures', currency, paid.of(currency), report.captures.of(currency));
        check.sameMoney('refunds', currency, refunded.of(currency), report.refunds.of(currency));
    }
    return check;
}

// A capture and a refund each pass through the receivable twice: when they happen, and when the
// acquirer reports them.
export function nothingOutstanding(currencies, balances, report) {
    const check = new Check('the bank owes nothing: receivable, clearing and in transit are zero, nothing is reserved');
    for (const currency of currencies) {
        const moved = report.captures.of(currency) + report.refunds.of(currency);
        check.sameMoney('moved through the receivable', currency, balances.debited(kRole.receivable, currency), moved);
        for (const role of ['receivable', 'clearing', 'inTransit', 'suspense']) {
            check.sameMoney(role, currency, balances.debit(kRole[role], currency), 0n);
            check.sameMoney(`${role} reserved`, currency, balances.pending(kRole[role], currency), 0n);
        }
    }
    return check;
}

export function bankAccountAgrees(currencies, balances, statement, report, payouts) {
    const check = new Check("the ledger's bank account is the closing balance of the bank's statement, and every payout is paid");
    const paidOut = new Sums();
    for (const { payout, currency, minor, state } of payouts) {
        paidOut.add(currency, minor);
        check.same(payout, state, 'paid');
    }
    for (const currency of currencies) {
        check.sameMoney('bank', currency, balances.debit(kRole.bank, currency), statement.closing.of(currency));
        check.sameMoney('costs', currency, balances.debit(kRole.costs, currency), report.fees.of(currency));
        check.sameMoney('payouts', currency, paidOut.of(currency), statement.debits.of(currency));
    }
    return check;
}

// What the shop earned is what it was paid out, and what it still has; the rest are our fees.
export function shopAgrees(currencies, accounts, balances, balance, payouts) {
    const check = new Check('paid less refunds less fees is what the merchant got and still has');
    const { paid, refunded } = totals(accounts);
    const shown = (list, currency) =>
        fromApi(list.find((each) => each.currency === currency.toLowerCase())?.amount ?? 0, currency);
    for (const currency of currencies) {
        const pending = balances.credit(kRole.pending, currency);
        const available = balances.credit(kRole.available, currency);
        const mine = payouts.filter((each) => each.currency === currency);
        const got = mine.reduce((total, { minor }) => total + minor, 0n);
        const earned = paid.of(currency) - refunded.of(currency) - balances.credit(kRole.feeRevenue, currency);
        check.sameMoney('earned', currency, earned, got + pending + available);
        check.sameMoney('pending as the API shows it', currency, shown(balance.pending, currency), pending);
        check.sameMoney('available as the API shows it', currency, shown(balance.available, currency), available);
    }
    return check;
}

export function isBalanced(balances, toolSaysSo) {
    const check = new Check('the trial balance is balanced in every currency');
    return check.same('florin ledger trial-balance', toolSaysSo, true).same('our own sum', balances.isBalanced(), true);
}

export function isVerified(verified) {
    const check = new Check('the journal verifies from its first byte to its head');
    return check.same('verdict', verified.verdict, 'everything agrees');
}

export function nothingOpen(breaks, unknown) {
    const check = new Check('no break is open and no attempt is unknown');
    for (const each of breaks) check.against.push(`break ${each.break}, ${each.type}: ${each.explanation}`);
    for (const each of unknown) check.against.push(`attempt ${each.attempt}, ${each.operation} of ${each.payment}: ${each.state}`);
    return check;
}
