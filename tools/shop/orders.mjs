// The day of a shop, from conf/demo/orders.csv: what is bought, and what the shop does afterwards.
// conf/README.md describes the columns. A row that breaks the form is refused with its line.
import { readFileSync } from 'node:fs';

import { parseMinor } from './money.mjs';

const kColumns = 'order,time,customer,article,currency,amount,card,capture,then,bank';

// What a bank answers to the test cards: the code that the API shows for it.
const kDeclines = {
    pm_card_visa_chargeDeclined: 'do_not_honor',
    pm_card_visa_chargeDeclinedInsufficientFunds: 'insufficient_funds',
    pm_card_visa_chargeDeclinedLostCard: 'lost_card',
    pm_card_visa_chargeDeclinedStolenCard: 'stolen_card',
    pm_card_visa_chargeDeclinedVelocityLimitExceeded: 'card_velocity_exceeded',
    pm_card_chargeDeclinedExpiredCard: 'expired_card',
    pm_card_chargeDeclinedIncorrectCvc: 'incorrect_cvc',
};
const kGoodCards = new Set(['pm_card_visa', 'pm_card_visa_debit', 'pm_card_mastercard', 'pm_card_amex']);

// The messages (ISO 8583 classes) that the bank leaves unanswered, repeats included.
const kSilent = {
    '': null,
    'silent on authorise': { operation: 'authorise', mti: '010' },
    'silent on capture': { operation: 'capture', mti: '022' },
    'silent on refund': { operation: 'refund', mti: '020' },
};

function parseSteps(text, currency) {
    return text.split(';').map((step) => step.trim()).filter(Boolean).map((step) => {
        const [action, amount, ...rest] = step.split(' ');
        const isWhole = action === 'cancel' && amount === undefined;
        if (!isWhole && (!['capture', 'refund'].includes(action) || rest.length > 0)) {
            throw new Error(`'${step}' is neither cancel, capture AMOUNT nor refund AMOUNT`);
        }
        return isWhole ? { action } : { action, minor: parseMinor(amount ?? '', currency) };
    });
}

// What must have become of an order at the end of the day, silence and crashes or not.
function expectation({ minor, card, capture, steps, silent }) {
    const sum = (action) => steps.filter((step) => step.action === action).reduce((total, step) => total + step.minor, 0n);
    if (kDeclines[card]) return { outcome: 'declined', code: kDeclines[card], captured: 0n, refunded: 0n };
    if (silent?.operation === 'authorise') return { outcome: 'reversed', captured: 0n, refunded: 0n };
    if (steps.some((step) => step.action === 'cancel')) return { outcome: 'cancelled', captured: 0n, refunded: 0n };
    return { outcome: 'paid', captured: capture === 'manual' ? sum('capture') : minor, refunded: sum('refund') };
}

function parseOrder(cells) {
    const [order, time, customer, article, currency, amount, card, capture, then, bank] = cells;
    if (!/^[A-Za-z0-9-]+$/.test(order)) throw new Error(`'${order}' is no order number`);
    if (!/^([01]\d|2[0-3]):[0-5]\d:[0-5]\d$/.test(time)) throw new Error(`'${time}' is no time of day`);
    if (!kGoodCards.has(card) && !kDeclines[card]) throw new Error(`the bank has no card ${card}`);
    if (!['automatic', 'manual'].includes(capture)) throw new Error(`capture is automatic or manual, not '${capture}'`);
    if (!(bank in kSilent)) throw new Error(`'${bank}' is nothing that the bank does`);
    const minor = parseMinor(amount, currency);
    const parsed = { order, time, customer, article, currency, minor, card, capture, steps: parseSteps(then, currency), silent: kSilent[bank] };
    parsed.expected = expectation(parsed);
    const { captured, refunded, outcome } = parsed.expected;
    if (captured > minor || refunded > captured) throw new Error('more is captured or refunded than there is');
    if (capture === 'manual' && outcome === 'paid' && captured === 0n) throw new Error('a manual order is captured or cancelled');
    return parsed;
}

export function readOrders(file) {
    const lines = readFileSync(file, 'utf8').replace(/\n$/, '').split('\n');
    if (lines[0] !== kColumns) throw new Error(`${file}: the first line must be ${kColumns}`);
    const orders = lines.slice(1).map((line, index) => {
        try {
            const cells = line.split(',');
            if (cells.length !== kColumns.split(',').length) throw new Error(`${cells.length} cells`);
            return parseOrder(cells);
        } catch (error) {
            throw new Error(`${file}:${index + 2}: ${error.message}`);
        }
    });
    if (new Set(orders.map(({ order }) => order)).size !== orders.length) {
        throw new Error(`${file}: an order number is there twice`);
    }
    checkSilence(file, orders);
    return orders.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
}

// The amount of the message that an order's silence is about.
export function silentMinor({ minor, steps, silent }) {
    const step = steps.find(({ action }) => action === silent.operation);
    return step ? step.minor : minor;
}

// The bank's fault rules know a message by class, currency and amount, so that amount must be this
// order's alone.
export function silenceRules(orders) {
    return orders.filter(({ silent }) => silent).map((order) => ({
        silence: true,
        match: { mti: order.silent.mti, currency: order.currency, amount_minor: Number(silentMinor(order)) },
    }));
}

function checkSilence(file, orders) {
    for (const order of orders.filter(({ silent }) => silent)) {
        const wanted = silentMinor(order);
        const others = orders.filter((other) => other !== order && other.currency === order.currency);
        const amounts = others.flatMap(({ minor, steps }) => [minor, ...steps.map((step) => step.minor)]);
        if (amounts.includes(wanted)) {
            throw new Error(`${file}: the bank cannot tell ${order.order} from another order with the same amount`);
        }
    }
}
