// A shop's day against the API, with the official SDK. Every step of every order has an idempotency
// key of its own and is repeated under it until there is an answer, so it does not matter when a
// daemon dies in between: the same request again is the same step, not a second one.
import { pause, Stripe } from './programs.mjs';
import { toApi } from './money.mjs';

const kGiveUpMs = 120_000;
const kRetryMs = 100;
const kLookMs = 150;
const kPayTriesMax = 40;
const kPayAgainMs = 300;

const isUnanswered = (error) =>
    error instanceof Stripe.errors.StripeConnectionError ||
    (error instanceof Stripe.errors.StripeAPIError && (error.statusCode === 409 || error.statusCode >= 500));

export class Shop {
    // `sdk` gives the SDK for the daemon that serves now, `progress` is told of every finished order.
    constructor({ sdk, progress = () => {} }) {
        Object.assign(this, { sdk, progress });
        this.accounts = [];  // what the shop was told of each order
        this.finished = 0;
        this.requests = 0;
        this.repeats = 0;
        this.paidLater = 0;
    }

    // All orders in their sequence, so many at a time.
    async serve(orders, concurrency) {
        const waiting = [...orders];
        const clerk = async () => {
            for (let order = waiting.shift(); order; order = waiting.shift()) {
                await this.#handle(order);
                this.finished += 1;
                this.progress(this.finished, orders.length);
            }
        };
        await Promise.all(Array.from({ length: concurrency }, clerk));
    }

    // Asks again what became of an order; for those whose bank was silent.
    async look(account) {
        account.intent = await this.#ask((sdk) => sdk.paymentIntents.retrieve(account.intent.id));
        for (const [index, { id }] of account.refunds.entries()) {
            account.refunds[index] = await this.#ask((sdk) => sdk.refunds.retrieve(id));
        }
        return account;
    }

    // Everything that the API lists, page by page.
    async listed() {
        const all = async (open) => {
            const found = [];
            for await (const each of open()) found.push(each);
            return found;
        };
        return {
            intents: await this.#ask((sdk) => all(() => sdk.paymentIntents.list({ limit: 100 }))),
            refunds: await this.#ask((sdk) => all(() => sdk.refunds.list({ limit: 100 }))),
        };
    }

    balance() {
        return this.#ask((sdk) => sdk.balance.retrieve());
    }

    async #handle(order) {
        const account = { order, intent: null, refunds: [] };
        account.intent = await this.#pay(order);
        this.accounts.push(account);
        if (account.intent.status !== 'succeeded' && account.intent.status !== 'requires_capture') return;
        for (const [index, step] of order.steps.entries()) {
            const key = { idempotencyKey: `${order.order}-${step.action}-${index + 1}` };
            const { id } = account.intent;
            const amount = step.minor === undefined ? undefined : toApi(step.minor, order.currency);
            const isSilent = order.silent?.operation === step.action;
            if (step.action === 'refund') {
                const refund = await this.#ask((sdk) => sdk.refunds.create({ payment_intent: id, amount }, key));
                account.refunds.push(isSilent ? refund : await this.#refunded(refund));
            } else if (step.action === 'capture') {
                const intent = await this.#ask((sdk) => sdk.paymentIntents.capture(id, { amount_to_capture: amount }, key));
                account.intent = isSilent ? intent : await this.#decided(intent);
            } else {
                const intent = await this.#ask((sdk) => sdk.paymentIntents.cancel(id, {}, key));
                account.intent = await this.#decided(intent);
            }
        }
    }

    // A payment that comes to nothing because of an outage is given back at the bank and may be tried
    // again; one that the bank declines may not.
    async #pay(order) {
        const card = { payment_method: order.card };
        const created = {
            amount: toApi(order.minor, order.currency),
            currency: order.currency.toLowerCase(),
            capture_method: order.capture,
            confirm: true,
            description: order.article,
            metadata: { order: order.order, customer: order.customer, time: order.time },
            ...card,
        };
        let intent = await this.#confirmed((sdk) =>
            sdk.paymentIntents.create(created, { idempotencyKey: `${order.order}-pay-1` }));
        for (let tries = 2; ; ++tries) {
            // Where the bank keeps silent on purpose, nobody waits for it.
            if (order.silent?.operation === 'authorise' && intent.status === 'processing') return intent;
            if (order.silent?.operation === 'capture') return this.#captureSent(intent);
            intent = await this.#decided(intent);
            const came_to_nothing =
                intent.status === 'requires_payment_method' && intent.last_payment_error?.code === 'processing_error';
            if (!came_to_nothing || order.silent?.operation === 'authorise') return intent;
            if (tries > kPayTriesMax) throw new Error(`${order.order}: still not paid after ${tries - 1} tries`);
            if (tries === 2) this.paidLater += 1;
            await pause(kPayAgainMs);
            const { id } = intent;
            intent = await this.#confirmed((sdk) =>
                sdk.paymentIntents.confirm(id, card, { idempotencyKey: `${order.order}-pay-${tries}` }));
        }
    }

    // A declined card is an answer: the error carries the payment.
    async #confirmed(request) {
        try {
            return await this.#ask(request);
        } catch (error) {
            if (error instanceof Stripe.errors.StripeCardError && error.payment_intent) return error.payment_intent;
            throw error;
        }
    }

    // Authorised, and the capture is what the bank does not answer: the charge has the bank's code.
    #captureSent(intent) {
        return this.#until(
            intent,
            ({ status, latest_charge: charge }) =>
                status !== 'processing' || charge?.payment_method_details?.card?.authorization_code,
            (sdk) => sdk.paymentIntents.retrieve(intent.id, { expand: ['latest_charge'] }),
        );
    }

    #decided(intent) {
        return this.#until(intent, ({ status }) => status !== 'processing', (sdk) => sdk.paymentIntents.retrieve(intent.id));
    }

    async #refunded(refund) {
        return this.#until(refund, ({ status }) => status !== 'pending', (sdk) => sdk.refunds.retrieve(refund.id));
    }

    async #until(first, isDone, look) {
        let seen = first;
        for (const until = Date.now() + kGiveUpMs; !isDone(seen); seen = await this.#ask(look)) {
            if (Date.now() > until) throw new Error(`${first.id} stays ${seen.status}`);
            await pause(kLookMs);
        }
        return seen;
    }

    async #ask(request) {
        for (const until = Date.now() + kGiveUpMs; ; ) {
            const sdk = await this.sdk();
            this.requests += 1;
            try {
                return await request(sdk);
            } catch (error) {
                if (!isUnanswered(error) || Date.now() > until) throw error;
            }
            this.repeats += 1;
            await pause(kRetryMs);
        }
    }
}
