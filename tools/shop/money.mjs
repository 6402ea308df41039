// Amounts as whole minor units (BigInt), never as fractions: reading, writing, and the two scales
// that a currency may have (ISO 4217's, and the merchant API's where it differs).
import { readFileSync } from 'node:fs';

const file = new URL('../../conf/currencies.csv', import.meta.url);
const currencies = new Map();
for (const line of readFileSync(file, 'utf8').trim().split('\n').slice(1)) {
    const [alphabetic, numeric, digits, apiDigits] = line.split(',');
    currencies.set(alphabetic, { numeric: Number(numeric), digits: Number(digits), apiDigits: Number(apiDigits) });
}

function known(currency) {
    const found = currencies.get(currency);
    if (!found) throw new Error(`conf/currencies.csv has no ${currency}`);
    return found;
}

// '12.90' in EUR is 1290n. Exactly the currency's decimals: '12.9' is refused.
export function parseMinor(text, currency) {
    const { digits } = known(currency);
    const pattern = digits === 0 ? /^\d+$/ : new RegExp(`^\\d+\\.\\d{${digits}}$`);
    if (!pattern.test(text)) throw new Error(`${text} is no amount in ${currency} (${digits} decimals)`);
    return BigInt(text.replace('.', ''));
}

// 129000n in EUR is '1,290.00'.
export function formatMinor(minor, currency) {
    const { digits } = known(currency);
    const text = (minor < 0n ? -minor : minor).toString().padStart(digits + 1, '0');
    const whole = text.slice(0, text.length - digits).replace(/\B(?=(\d{3})+$)/g, ',');
    return (minor < 0n ? '-' : '') + whole + (digits === 0 ? '' : '.' + text.slice(-digits));
}

// The API's integer for an amount, and back.
export function toApi(minor, currency) {
    const { digits, apiDigits } = known(currency);
    const scaled = apiDigits >= digits ? minor * 10n ** BigInt(apiDigits - digits) : minor / 10n ** BigInt(digits - apiDigits);
    if (fromApi(Number(scaled), currency) !== minor) throw new Error(`the API has no amount for ${minor} ${currency}`);
    return Number(scaled);
}
export function fromApi(amount, currency) {
    const { digits, apiDigits } = known(currency);
    const value = BigInt(amount);
    return apiDigits >= digits ? value / 10n ** BigInt(apiDigits - digits) : value * 10n ** BigInt(digits - apiDigits);
}

// The ledger of a currency's test money has this number (conf/chart_of_accounts.csv tells the rest).
export const testLedger = (currency) => 100_000 + known(currency).numeric;

// Sums per currency.
export class Sums extends Map {
    add(currency, minor) {
        return this.set(currency, this.of(currency) + minor);
    }
    of(currency) {
        return this.get(currency) ?? 0n;
    }
}
