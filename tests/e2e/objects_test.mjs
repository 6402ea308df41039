// Customers, payment methods, charges, refunds and cards through the official SDK: every parameter and
// filter, who may use whose method, what a card's first digits say, and what reaches the bank of a 3-D
// Secure result and of a kept card.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { conforms } from './schemas.mjs';
import { control, kill, pay, programs, request, run, sdk, signedOn, startBank, startDaemon, temporary, writeConfig } from './support.mjs';

const ids = (list) => list.data.map((one) => one.id);
async function walk(list) {
    const found = [];
    for await (const one of list) found.push(one.id);
    return found;
}
const refused = (promise, expected) => assert.rejects(promise, (error) => {
    for (const [name, value] of Object.entries(expected)) assert.equal(error[name], value, `${name}: ${error.message}`);
    return true;
});
const card = (number = '4242424242424242', more = {}) => ({ type: 'card', card: { number, exp_month: 12, exp_year: 2040, cvc: '123', ...more } });

test('objects', async (t) => {
    const folder = temporary(t);
    const daemon = await startDaemon(t, folder);
    const stripe = sdk(daemon);
    const get = (route) => request(daemon, 'GET', route);

    await t.test('a customer has every parameter, and each can be unset', async () => {
        const address = { line1: 'Street 1', line2: 'b', city: 'Berlin', state: 'BE', postal_code: '10115', country: 'DE' };
        const made = conforms('customer', await stripe.customers.create({
            email: 'ann@example.com', name: 'Ann', phone: '+49 30 1', description: 'first', address,
            shipping: { name: 'Ann', phone: '1', address: { line1: 'Other' } }, metadata: { a: '1', b: '2' },
            payment_method: 'pm_card_visa', invoice_settings: { default_payment_method: 'pm_card_visa' },
            expand: ['invoice_settings.default_payment_method'],
        }));
        assert.deepEqual(made.address, address);
        assert.deepEqual([made.email, made.name, made.phone, made.description], ['ann@example.com', 'Ann', '+49 30 1', 'first']);
        assert.equal(made.shipping.address.line1, 'Other');
        assert.equal(made.invoice_settings.default_payment_method.customer, made.id);
        const plain = await stripe.customers.retrieve(made.id);
        assert.equal(plain.invoice_settings.default_payment_method, made.invoice_settings.default_payment_method.id);
        conforms('payment_method', await stripe.customers.retrievePaymentMethod(made.id, plain.invoice_settings.default_payment_method));
        const changed = conforms('customer', await stripe.customers.update(made.id, { name: 'Bea', metadata: { a: '', c: '3' }, address: { city: 'Rome' } }));
        assert.deepEqual(changed.metadata, { b: '2', c: '3' });
        assert.deepEqual([changed.name, changed.email, changed.address.city, changed.address.line1], ['Bea', 'ann@example.com', 'Rome', null]);
        const bare = conforms('customer', await stripe.customers.update(made.id, {
            email: '', name: '', phone: '', description: '', address: '', shipping: '', metadata: '', invoice_settings: { default_payment_method: '' },
        }));
        for (const field of ['email', 'name', 'phone', 'description', 'address', 'shipping']) assert.equal(bare[field], null, field);
        assert.equal(bare.invoice_settings.default_payment_method, null);
        assert.deepEqual(bare.metadata, {});
        const other = await stripe.customers.create();
        conforms('customer', other);
        await refused(stripe.customers.update(other.id, { invoice_settings: { default_payment_method: plain.invoice_settings.default_payment_method } }), { statusCode: 400, code: 'payment_method_unexpected_state' });
        await refused(stripe.customers.create({ invoice_settings: { default_payment_method: 'pm_card_visa' } }), { statusCode: 400, code: 'resource_missing', param: 'invoice_settings[default_payment_method]' });
        await refused(stripe.customers.create({ email: 'nobody' }), { statusCode: 400, code: 'email_invalid', param: 'email' });
        await refused(stripe.customers.create({ payment_method: 'pm_none' }), { statusCode: 400, code: 'resource_missing', param: 'payment_method' });
        await refused(stripe.customers.create({ colour: 'red' }), { statusCode: 400, code: 'parameter_unknown', param: 'colour' });
        await refused(stripe.customers.update('cus_none', { name: 'x' }), { statusCode: 404, code: 'resource_missing' });
        await refused(stripe.customers.retrieve(made.id, { expand: ['name'] }), { statusCode: 400, param: 'expand' });
    });

    await t.test('an update that changes nothing is no event', async () => {
        const customer = await stripe.customers.create({ name: 'Ann', metadata: { a: '1' } });
        const charge = (await pay(stripe, 900)).latest_charge;
        const refund = await stripe.refunds.create({ charge, amount: 100, metadata: { a: '1' } });
        const method = await stripe.paymentMethods.create(card());
        await stripe.paymentMethods.attach(method.id, { customer: customer.id });
        const told = async (id) => (await stripe.events.list({ types: ['customer.updated', 'charge.updated', 'refund.updated', 'payment_method.updated'], limit: 100 })).data
            .filter((one) => one.data.object.id === id).length;
        const all = [customer.id, charge, refund.id, method.id];
        const before = await Promise.all(all.map(told));
        for (const same of [{}, { name: 'Ann' }, { metadata: { a: '1', b: '' } }, { phone: '' }]) await stripe.customers.update(customer.id, same);
        for (const same of [{}, { description: '' }, { metadata: { b: '' } }]) await stripe.charges.update(charge, same);
        for (const same of [{}, { metadata: { a: '1' } }]) await stripe.refunds.update(refund.id, same);
        for (const same of [{}, { card: { exp_month: 12 } }]) await stripe.paymentMethods.update(method.id, same);
        assert.deepEqual(await Promise.all(all.map(told)), before);
        assert.equal((await stripe.customers.update(customer.id, { name: 'Bea' })).name, 'Bea');
        assert.equal(await told(customer.id), before[0] + 1);
    });

    await t.test('shipping is given whole, as it is replaced whole', async () => {
        const shipping = { name: 'Ann', phone: '1', address: { line1: 'A', city: 'B' } };
        const customer = await stripe.customers.create({ shipping });
        const intent = await stripe.paymentIntents.create({ amount: 700, currency: 'eur', shipping });
        for (const [part, param] of [[{ name: 'Bea' }, 'shipping[address]'], [{ address: { line1: 'C' } }, 'shipping[name]'], [{ phone: '2' }, 'shipping[address]']]) {
            for (const asked of [() => stripe.customers.update(customer.id, { shipping: part }), () => stripe.customers.create({ shipping: part }), () => stripe.paymentIntents.update(intent.id, { shipping: part }),
                () => stripe.paymentIntents.confirm(intent.id, { shipping: part, payment_method: 'pm_card_visa' })]) await refused(asked(), { statusCode: 400, code: 'parameter_missing', param });
        }
        assert.equal((await stripe.customers.retrieve(customer.id)).shipping.phone, '1');
        const changed = await stripe.paymentIntents.update(intent.id, { shipping: { name: 'Bea', address: { line1: 'C' } } });
        assert.deepEqual([changed.shipping.name, changed.shipping.phone, changed.shipping.address.line1, changed.shipping.address.city], ['Bea', null, 'C', null]);
    });

    await t.test('a deleted customer is only that, and nobody can use what it had', async () => {
        const customer = await stripe.customers.create({ email: 'gone@example.com', name: 'Gone', payment_method: 'pm_card_visa' });
        const method = (await stripe.customers.listPaymentMethods(customer.id)).data[0];
        const intent = await pay(stripe, 900, { customer: customer.id, payment_method: method.id });
        const open = await stripe.paymentIntents.create({ amount: 900, currency: 'eur', customer: customer.id });
        const deleted = await stripe.customers.del(customer.id);
        conforms('deleted_customer', deleted);
        const { lastResponse, ...again } = await stripe.customers.retrieve(customer.id);
        assert.deepEqual(again, { id: customer.id, object: 'customer', deleted: true });
        assert.equal(readFileSync(path.join(folder, 'dev.json')).includes('gone@example.com'), false);
        for (const attempt of [() => stripe.customers.update(customer.id, { name: 'x' }), () => stripe.customers.del(customer.id), () => stripe.customers.listPaymentMethods(customer.id)]) {
            await refused(attempt(), { statusCode: 404, code: 'resource_missing' });
        }
        await refused(stripe.paymentIntents.create({ amount: 900, currency: 'eur', customer: customer.id }), { statusCode: 400, code: 'resource_missing', param: 'customer' });
        await refused(stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id }), { statusCode: 400, code: 'resource_missing', param: 'customer' });
        await refused(stripe.paymentIntents.confirm(open.id, { payment_method: 'pm_card_visa' }), { statusCode: 400, code: 'resource_missing', param: 'customer' });
        assert.equal((await stripe.paymentMethods.retrieve(method.id)).customer, null);
        await refused(pay(stripe, 900, { payment_method: method.id }), { statusCode: 400, code: 'payment_method_unexpected_state' });
        assert.deepEqual(ids(await stripe.customers.list({ email: 'gone@example.com' })), []);
        assert.equal((await stripe.customers.list({ limit: 100 })).data.some((one) => one.deleted), false);
        // What it paid stays its own, and shows the deleted customer where asked.
        assert.deepEqual(new Set(ids(await stripe.paymentIntents.list({ customer: customer.id }))), new Set([intent.id, open.id]));
        const shown = await stripe.paymentIntents.retrieve(intent.id, { expand: ['customer', 'latest_charge.customer', 'payment_method.customer'] });
        assert.equal(shown.customer.deleted, true);
        assert.equal(shown.latest_charge.customer.deleted, true);
        assert.equal(shown.payment_method.customer, null);
        // A cursor that is deleted still says where to go on.
        const older = await stripe.customers.list({ limit: 3, starting_after: customer.id });
        assert.ok(older.data.length > 0);
    });

    await t.test('more methods than one command takes are detached with their customer', async () => {
        const customer = await stripe.customers.create();
        const made = await Promise.all(Array.from({ length: 120 }, () => stripe.paymentMethods.attach('pm_card_mastercard', { customer: customer.id })));
        assert.equal((await walk(stripe.customers.listPaymentMethods(customer.id, { limit: 50 }))).length, 120);
        await stripe.customers.del(customer.id);
        for (const one of [made[0], made[60], made[119]]) assert.equal((await stripe.paymentMethods.retrieve(one.id)).customer, null);
    });

    await t.test('a method is one customer\'s, or good for one payment', async () => {
        const [ann, bob] = [await stripe.customers.create({ name: 'Ann' }), await stripe.customers.create({ name: 'Bob' })];
        const method = await stripe.paymentMethods.create({ ...card(), billing_details: { name: 'A', address: { city: 'B' }, tax_id: 'DE1' }, metadata: { k: 'v' } });
        assert.equal(method.billing_details.tax_id, 'DE1');
        assert.equal((await stripe.paymentMethods.retrieve(method.id)).billing_details.tax_id, 'DE1');
        const updated = conforms('payment_method', await stripe.paymentMethods.update(method.id, {
            billing_details: { name: '', email: 'a@example.com', address: '', tax_id: 'DE2' }, card: { exp_month: 3, exp_year: 2041 }, metadata: '',
        }));
        assert.deepEqual([updated.billing_details.name, updated.billing_details.email, updated.billing_details.address], [null, 'a@example.com', null]);
        assert.deepEqual([updated.card.exp_month, updated.card.exp_year, updated.metadata], [3, 2041, {}]);
        // The event says what was there before: of each hash only what changed, and nothing of the rest.
        const told = (await stripe.events.list({ type: 'payment_method.updated', limit: 100 })).data.filter((one) => one.data.object.id === method.id);
        assert.equal(told.length, 1);
        conforms('event', told[0]);
        const { lastResponse, ...shown } = updated;
        assert.deepEqual(told[0].data.object, shown);
        assert.deepEqual(told[0].data.previous_attributes, {
            billing_details: { address: method.billing_details.address, email: null, name: 'A', tax_id: 'DE1' },
            card: { exp_month: method.card.exp_month, exp_year: method.card.exp_year },
            metadata: { k: 'v' },
        });
        await refused(stripe.paymentMethods.update(method.id, { card: { exp_year: 2001 } }), { statusCode: 402, code: 'invalid_expiry_year' });
        await refused(stripe.paymentMethods.update(method.id, { card: { exp_month: 13 } }), { statusCode: 402, code: 'invalid_expiry_month' });
        await refused(stripe.paymentMethods.attach(method.id, { customer: 'cus_none' }), { statusCode: 400, code: 'resource_missing', param: 'customer' });
        await refused(stripe.paymentMethods.attach('pm_none', { customer: ann.id }), { statusCode: 404, code: 'resource_missing' });
        await refused(stripe.paymentMethods.detach(method.id), { statusCode: 400 });
        const attached = conforms('payment_method', await stripe.paymentMethods.attach(method.id, { customer: ann.id, expand: ['customer'] }));
        assert.equal(attached.customer.name, 'Ann');
        assert.equal((await stripe.paymentMethods.attach(method.id, { customer: ann.id })).customer, ann.id);
        await refused(stripe.paymentMethods.attach(method.id, { customer: bob.id }), { statusCode: 400, code: 'payment_method_unexpected_state' });
        await refused(pay(stripe, 500, { payment_method: method.id }), { statusCode: 400, param: 'payment_method' });
        await refused(pay(stripe, 500, { payment_method: method.id, customer: bob.id }), { statusCode: 400, param: 'payment_method' });
        for (let i = 0; i < 2; ++i) assert.equal((await pay(stripe, 500, { payment_method: method.id, customer: ann.id })).status, 'succeeded');
        await stripe.customers.update(ann.id, { invoice_settings: { default_payment_method: method.id } });
        assert.deepEqual(ids(await stripe.paymentMethods.list({ customer: ann.id, type: 'card' })), [method.id]);
        assert.deepEqual(ids(await stripe.paymentMethods.list({ customer: ann.id, type: 'sepa_debit' })), []);
        assert.deepEqual(ids(await stripe.paymentMethods.list({ customer: bob.id })), []);
        await refused(stripe.paymentMethods.list({ customer: 'cus_none' }), { statusCode: 400, code: 'resource_missing', param: 'customer' });
        assert.equal((await stripe.paymentMethods.detach(method.id)).customer, null);
        assert.equal((await stripe.customers.retrieve(ann.id)).invoice_settings.default_payment_method, null);
        assert.deepEqual(ids(await stripe.paymentMethods.list({ customer: ann.id })), []);
        await refused(stripe.paymentMethods.attach(method.id, { customer: ann.id }), { statusCode: 400, code: 'payment_method_unexpected_state' });

        const once = await stripe.paymentMethods.create(card());
        await pay(stripe, 500, { payment_method: once.id });
        await refused(pay(stripe, 500, { payment_method: once.id }), { statusCode: 400, code: 'payment_method_unexpected_state', param: 'payment_method' });
        await refused(stripe.paymentMethods.attach(once.id, { customer: ann.id }), { statusCode: 400, code: 'payment_method_unexpected_state' });
        // Nothing was taken with it: it may be tried again.
        const poor = await stripe.paymentMethods.create(card('4000000000009995'));
        for (let i = 0; i < 2; ++i) await refused(pay(stripe, 500, { payment_method: poor.id }), { statusCode: 402, decline_code: 'insufficient_funds' });
    });

    await t.test('a payment that is to be repeated gives its method to the customer', async () => {
        const customer = await stripe.customers.create();
        for (const how of [{ setup_future_usage: 'off_session' }, { payment_method_options: { card: { setup_future_usage: 'on_session' } } }, { setup_future_usage: 'on_session', capture_method: 'manual' }]) {
            const intent = await pay(stripe, 700, { customer: customer.id, payment_method: undefined, payment_method_data: card(), ...how, expand: ['payment_method'] });
            assert.equal(intent.payment_method.customer, customer.id);
            assert.equal((await pay(stripe, 700, { customer: customer.id, payment_method: intent.payment_method.id, off_session: true })).status, 'succeeded');
        }
        assert.equal((await stripe.customers.listPaymentMethods(customer.id)).data.length, 3);
        const none = await pay(stripe, 700, { customer: customer.id, setup_future_usage: 'off_session', payment_method_options: { card: { setup_future_usage: 'none' } }, expand: ['payment_method'] });
        assert.equal(none.payment_method.customer, null);
        const later = await pay(stripe, 700, { setup_future_usage: 'off_session' });
        assert.equal((await stripe.paymentMethods.attach(later.payment_method, { customer: customer.id })).customer, customer.id);
        await refused(pay(stripe, 700, { customer: customer.id, payment_method: 'pm_card_visa_chargeDeclined', setup_future_usage: 'off_session' }), { statusCode: 402 });
        assert.equal((await stripe.customers.listPaymentMethods(customer.id)).data.length, 4);
    });

    await t.test('two customers race for a method, two payments for another', async () => {
        const customers = await Promise.all([1, 2, 3, 4].map(() => stripe.customers.create()));
        const method = await stripe.paymentMethods.create(card());
        const tried = await Promise.allSettled(Array.from({ length: 24 }, (_, i) => stripe.paymentMethods.attach(method.id, { customer: customers[i % 4].id })));
        const winner = (await stripe.paymentMethods.retrieve(method.id)).customer;
        for (const [i, one] of tried.entries()) assert.equal(one.status === 'fulfilled', customers[i % 4].id === winner, one.reason?.message);
        for (const one of customers) assert.deepEqual(ids(await stripe.paymentMethods.list({ customer: one.id })), one.id === winner ? [method.id] : []);
        const once = await stripe.paymentMethods.create(card());
        const payments = await Promise.allSettled(Array.from({ length: 12 }, () => pay(stripe, 500, { payment_method: once.id })));
        assert.equal(payments.filter((one) => one.status === 'fulfilled').length, 1);
        // Attach and delete: whoever comes second finds what the first one did.
        for (let i = 0; i < 6; ++i) {
            const customer = await stripe.customers.create();
            const [attach] = await Promise.allSettled([stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id }), stripe.customers.del(customer.id)]);
            if (attach.status === 'fulfilled') assert.equal((await stripe.paymentMethods.retrieve(attach.value.id)).customer, null);
        }
    });

    await t.test('an intent answers its options, and keeps its customer', async () => {
        const customer = await stripe.customers.create();
        const intent = conforms('payment_intent', await stripe.paymentIntents.create({
            amount: 1000, currency: 'eur', setup_future_usage: 'on_session', return_url: 'https://example.com/back',
            automatic_payment_methods: { enabled: true, allow_redirects: 'never' }, allowed_payment_method_types: ['card', 'link'],
            excluded_payment_method_types: ['sepa_debit'], payment_method_options: { card: { request_three_d_secure: 'challenge', capture_method: 'manual', moto: true, setup_future_usage: 'off_session' } },
        }));
        assert.deepEqual(intent.allowed_payment_method_types, ['card', 'link']);
        assert.deepEqual(intent.excluded_payment_method_types, ['sepa_debit']);
        assert.deepEqual(intent.automatic_payment_methods, { allow_redirects: 'never', enabled: true });
        assert.deepEqual(intent.payment_method_options.card, {
            installments: null, mandate_options: null, network: null, request_three_d_secure: 'challenge', capture_method: 'manual', setup_future_usage: 'off_session',
        });
        const changed = await stripe.paymentIntents.update(intent.id, { customer: customer.id, setup_future_usage: '', payment_method_options: { card: { setup_future_usage: '', request_three_d_secure: 'any' } } });
        assert.deepEqual([changed.customer, changed.setup_future_usage], [customer.id, null]);
        assert.equal('setup_future_usage' in changed.payment_method_options.card, false);
        assert.equal(changed.payment_method_options.card.request_three_d_secure, 'any');
        await refused(stripe.paymentIntents.update(intent.id, { customer: (await stripe.customers.create()).id }), { statusCode: 400, param: 'customer' });
        await refused(stripe.paymentIntents.update(intent.id, { customer: '' }), { statusCode: 400, param: 'customer' });
        assert.equal((await stripe.paymentIntents.update(intent.id, { customer: customer.id })).customer, customer.id);
        const held = await stripe.paymentIntents.confirm(intent.id, { payment_method_data: { ...card(), billing_details: { tax_id: 'DE3' } }, return_url: 'https://example.com', off_session: false, error_on_requires_action: true });
        assert.equal(held.status, 'requires_capture');
        assert.equal(held.capture_method, 'automatic');
        const captured = await stripe.paymentIntents.capture(held.id, { statement_descriptor: 'FLORIN TEST', statement_descriptor_suffix: 'SUFFIX', expand: ['latest_charge'] });
        conforms('charge', captured.latest_charge);
        assert.deepEqual([captured.statement_descriptor, captured.latest_charge.statement_descriptor, captured.latest_charge.statement_descriptor_suffix], ['FLORIN TEST', 'FLORIN TEST', 'SUFFIX']);
        assert.equal(captured.latest_charge.payment_method_details.card.moto, true);
        assert.equal(captured.latest_charge.billing_details.tax_id, 'DE3');
        await refused(stripe.paymentIntents.create({ amount: 1000, currency: 'eur', excluded_payment_method_types: ['card'] }), { statusCode: 400, param: 'excluded_payment_method_types' });
        assert.deepEqual(ids(await stripe.paymentIntents.list({ customer: customer.id })), [intent.id]);
        const unset = await stripe.paymentIntents.create({ amount: 1000, currency: 'eur', payment_method_options: { card: { request_three_d_secure: 'any' } } });
        const cleared = await stripe.paymentIntents.update(unset.id, { payment_method_options: '' });
        assert.equal(cleared.payment_method_options.card.request_three_d_secure, 'automatic');
    });

    await t.test('a refund is of the charge that it names, and only one that took money is given back', async () => {
        const open = await stripe.paymentIntents.create({ amount: 5000, currency: 'eur' });
        await refused(stripe.paymentIntents.confirm(open.id, { payment_method: 'pm_card_visa_chargeDeclined' }), { statusCode: 402 });
        const failed = (await stripe.paymentIntents.retrieve(open.id)).latest_charge;
        await refused(stripe.refunds.create({ charge: failed }), { statusCode: 400, code: 'charge_not_refundable', param: 'charge' });
        const paid = await stripe.paymentIntents.confirm(open.id, { payment_method: 'pm_card_visa' });
        assert.notEqual(paid.latest_charge, failed);
        for (const how of [{ charge: failed }, { charge: failed, payment_intent: open.id }, { charge: failed, amount: 1 }]) {
            await refused(stripe.refunds.create(how), { statusCode: 400, code: 'charge_not_refundable', param: 'charge' });
        }
        assert.equal((await stripe.charges.retrieve(paid.latest_charge)).amount_refunded, 0);
        assert.deepEqual(ids(await stripe.refunds.list({ payment_intent: open.id })), []);
        const refund = await stripe.refunds.create({ charge: paid.latest_charge, amount: 2000, metadata: { a: '', b: '1' } });
        assert.deepEqual([refund.charge, refund.amount, refund.metadata], [paid.latest_charge, 2000, { b: '1' }]);
        assert.equal((await stripe.refunds.create({ charge: paid.latest_charge })).amount, 3000);
        await refused(stripe.refunds.create({ charge: paid.latest_charge }), { statusCode: 400, code: 'charge_already_refunded' });
        await refused(stripe.refunds.create({ payment_intent: open.id }), { statusCode: 400, code: 'charge_already_refunded' });
        // What the bank said to it changed the refund, and the event says what it was.
        const [told] = (await stripe.events.list({ type: 'refund.updated', limit: 100 })).data.filter((one) => one.data.object.id === refund.id);
        conforms('event', told);
        assert.equal(told.data.object.status, 'succeeded');
        assert.deepEqual(told.data.previous_attributes, { balance_transaction: null, destination_details: { card: { type: 'pending' } }, status: 'pending' });
        const held = await pay(stripe, 5000, { capture_method: 'manual' });
        await refused(stripe.refunds.create({ charge: held.latest_charge }), { statusCode: 400, code: 'charge_not_refundable' });
        await stripe.paymentIntents.cancel(held.id);
        await refused(stripe.refunds.create({ charge: held.latest_charge }), { statusCode: 400, code: 'charge_already_refunded' });
    });

    await t.test('when a payment is captured is said before it is authorised, and never after', async () => {
        for (const how of [{ payment_method_options: { card: { capture_method: '' } } }, { payment_method_options: { card: { capture_method: 'manual' } } }, { payment_method_options: { card: '' } }, { payment_method_options: '' }, { capture_method: 'automatic' }]) {
            const held = await pay(stripe, 800, { payment_method_options: { card: { capture_method: 'manual' } } });
            assert.equal(held.status, 'requires_capture');
            await refused(stripe.paymentIntents.update(held.id, how), { statusCode: 400, code: 'payment_intent_unexpected_state' });
            const captured = await stripe.paymentIntents.capture(held.id);
            const told = (await stripe.events.list({ types: ['charge.captured', 'charge.succeeded'], limit: 100 })).data.filter((one) => one.data.object.id === captured.latest_charge);
            assert.deepEqual(told.map((one) => one.type), ['charge.captured', 'charge.succeeded']);
        }
        const open = await stripe.paymentIntents.create({ amount: 800, currency: 'eur' });
        await stripe.paymentIntents.update(open.id, { payment_method_options: { card: { capture_method: 'manual' } } });
        assert.equal((await stripe.paymentIntents.confirm(open.id, { payment_method: 'pm_card_visa' })).status, 'requires_capture');
        // One capture is all there is, and nobody to share it with.
        await refused(stripe.paymentIntents.capture(open.id, { amount_to_capture: 300, final_capture: false }), { statusCode: 400, param: 'final_capture' });
        for (const how of [{ application_fee_amount: 10 }, { transfer_data: { amount: 10 } }]) {
            for (const asked of [() => stripe.paymentIntents.capture(open.id, how), () => stripe.paymentIntents.create({ amount: 800, currency: 'eur', ...how })]) {
                await refused(asked(), { statusCode: 400, code: undefined, param: Object.keys(how)[0] });
            }
        }
        assert.equal((await stripe.paymentIntents.capture(open.id, { amount_to_capture: 300, final_capture: true })).amount_received, 300);
    });

    await t.test('what goes to the bank with a payment is not changed after it', async () => {
        const three_d_secure = { cryptogram: 'AAECAwQFBgcICQoLDA0ODxAREhM=', transaction_id: 't', version: '2.2.0' };
        const of = (card) => ({ payment_method_options: { card } });
        const changes = [{ setup_future_usage: 'off_session' }, { setup_future_usage: '' }, of({ request_three_d_secure: 'any' }), of({ setup_future_usage: 'none' }),
            of({ moto: true }), of({ network_transaction_id: '123' }), of({ three_d_secure })];
        for (const made of [await pay(stripe, 800), await pay(stripe, 800, { capture_method: 'manual' }), await stripe.paymentIntents.cancel((await stripe.paymentIntents.create({ amount: 800, currency: 'eur' })).id)]) {
            const before = await stripe.paymentIntents.retrieve(made.id);
            for (const change of changes) {
                await assert.rejects(stripe.paymentIntents.update(made.id, change), (error) => {
                    assert.deepEqual([error.statusCode, error.code], [400, 'payment_intent_unexpected_state'], JSON.stringify(change));
                    assert.match(error.message, /setup_future_usage and payment_method_options/);
                    return true;
                });
            }
            assert.deepEqual(JSON.parse(JSON.stringify(await stripe.paymentIntents.retrieve(made.id))), JSON.parse(JSON.stringify(before)));
            assert.equal((await stripe.paymentIntents.update(made.id, { description: 'later' })).description, 'later');
        }
        const open = await stripe.paymentIntents.create({ amount: 800, currency: 'eur' });
        for (const change of changes) await stripe.paymentIntents.update(open.id, change);
    });

    await t.test('a cancel says no reason that nobody gave', async () => {
        for (const amount of [700, 701]) {
            const intent = amount === 700 ? await pay(stripe, amount, { capture_method: 'manual' }) : await stripe.paymentIntents.create({ amount, currency: 'eur' });
            const canceled = conforms('payment_intent', await stripe.paymentIntents.cancel(intent.id));
            assert.deepEqual([canceled.status, canceled.cancellation_reason], ['canceled', null]);
            assert.equal(typeof canceled.canceled_at, 'number');
            if (amount === 700) assert.equal((await stripe.charges.retrieve(intent.latest_charge)).refunded, true);
        }
    });

    await t.test('automatic payment methods are answered as they were asked for', async () => {
        const of = async (automatic_payment_methods) => (await stripe.paymentIntents.create({ amount: 700, currency: 'eur', automatic_payment_methods })).automatic_payment_methods;
        assert.deepEqual(await of({ enabled: false }), { allow_redirects: 'always', enabled: false });
        assert.deepEqual(await of({ enabled: false, allow_redirects: 'never' }), { allow_redirects: 'never', enabled: false });
        assert.deepEqual(await of({ enabled: true }), { allow_redirects: 'always', enabled: true });
        assert.equal(await of(undefined), null);
        await refused(of({ allow_redirects: 'never' }), { statusCode: 400, code: 'parameter_missing', param: 'automatic_payment_methods[enabled]' });
    });

    await t.test('the card of a request that is refused does not stay in the vault', async () => {
        const vaultRows = () => Number(run('python3', ['-c', 'import sqlite3,sys\nprint(sqlite3.connect(sys.argv[1]).execute("select count(*) from card").fetchone()[0])', path.join(folder, 'vault', 'vault.sqlite')]).out);
        const with_card = { payment_method_data: card() };
        const paid = await pay(stripe, 900, {});
        const customer = await stripe.customers.create();
        const before = vaultRows();
        const bad = { statusCode: 400 };
        await refused(stripe.paymentIntents.create({ amount: 900, currency: 'eur', ...with_card, customer: 'cus_none' }), bad);
        await refused(stripe.paymentIntents.create({ amount: 900, currency: 'eur', ...with_card, confirm: true, customer: 'cus_none' }), bad);
        await refused(stripe.paymentIntents.create({ amount: 900, currency: 'eur', ...with_card, confirm: true, metadata: { florin_route: 'nowhere' } }), bad);
        await refused(stripe.paymentIntents.update(paid.id, with_card), { ...bad, code: 'payment_intent_unexpected_state' });
        await refused(stripe.paymentIntents.confirm(paid.id, with_card), { ...bad, code: 'payment_intent_unexpected_state' });
        await refused(stripe.paymentMethods.create({ ...card(), expand: ['nothing'] }), { ...bad, param: 'expand' });
        const open = await stripe.paymentIntents.create({ amount: 900, currency: 'eur' });
        await refused(stripe.paymentIntents.update(open.id, { ...with_card, customer: 'cus_none' }), bad);
        await refused(stripe.paymentIntents.update(open.id, { ...with_card, amount: 1 }), { ...bad, code: 'amount_too_small' });
        assert.equal(vaultRows(), before);
        // Twelve ask at once: one is paid with its card, and the others leave none.
        const tried = await Promise.allSettled(Array.from({ length: 12 }, () => stripe.paymentIntents.confirm(open.id, with_card, { maxNetworkRetries: 0 })));
        assert.equal(tried.filter((one) => one.status === 'fulfilled').length, 1);
        assert.equal(vaultRows(), before + 1);
        const same = await Promise.all(Array.from({ length: 12 }, () => stripe.paymentIntents.create({ amount: 900, currency: 'eur', ...with_card, confirm: true }, { idempotencyKey: 'one-card' })));
        assert.equal(new Set(same.map((one) => one.id)).size, 1);
        assert.equal(vaultRows(), before + 2);
        // A refused card stays, with the payment that it was for.
        const poor = await stripe.paymentIntents.create({ amount: 900, currency: 'eur', customer: customer.id, payment_method_data: card('4000000000009995'), setup_future_usage: 'off_session' });
        await refused(stripe.paymentIntents.confirm(poor.id), { statusCode: 402 });
        assert.equal((await stripe.paymentMethods.retrieve(poor.payment_method)).card.last4, '9995');
        assert.equal(vaultRows(), before + 3);
    });

    await t.test('charges and refunds are found by what they belong to', async () => {
        const [ann, bob] = [await stripe.customers.create(), await stripe.customers.create()];
        const made = [];
        for (let i = 0; i < 9; ++i) made.unshift(await pay(stripe, 600 + i, { customer: (i % 3 === 0 ? bob : ann).id, transfer_group: i < 4 ? 'group/a' : 'group' }));
        const charge = (intent) => intent.latest_charge;
        const anns = made.filter((one) => one.customer === ann.id).map(charge);
        assert.deepEqual(ids(await stripe.charges.list({ customer: ann.id })), anns);
        assert.deepEqual(await walk(stripe.charges.list({ customer: ann.id, limit: 2 })), anns);
        assert.deepEqual((await walk(stripe.charges.list({ customer: ann.id, limit: 2, ending_before: anns.at(-1) }))).reverse(), anns.slice(0, -1));
        // A cursor that the filter leaves out still says where to go on.
        const bobs = made.filter((one) => one.customer === bob.id).map(charge);
        assert.deepEqual(ids(await stripe.charges.list({ customer: ann.id, starting_after: bobs[1] })), anns.filter((id) => id < bobs[1]));
        assert.deepEqual(ids(await stripe.charges.list({ customer: ann.id, ending_before: bobs[1], limit: 2 })), anns.filter((id) => id > bobs[1]).slice(-2));
        const grouped = made.filter((one) => one.transfer_group === 'group').map(charge);
        assert.deepEqual(ids(await stripe.charges.list({ transfer_group: 'group' })), grouped);
        assert.deepEqual(ids(await stripe.charges.list({ transfer_group: 'group', customer: bob.id })), grouped.filter((id) => bobs.includes(id)));
        assert.deepEqual(ids(await stripe.charges.list({ transfer_group: 'group/a' })).length, 4);
        assert.deepEqual(ids(await stripe.charges.list({ transfer_group: 'nothing' })), []);
        assert.deepEqual(ids(await stripe.charges.list({ payment_intent: made[4].id })), [charge(made[4])]);
        assert.deepEqual(ids(await stripe.paymentIntents.list({ customer: bob.id })), made.filter((one) => one.customer === bob.id).map((one) => one.id));
        const failed = await stripe.paymentIntents.create({ amount: 600, currency: 'eur', customer: ann.id });
        await refused(stripe.paymentIntents.confirm(failed.id, { payment_method: 'pm_card_visa_chargeDeclined' }), { statusCode: 402 });
        await stripe.paymentIntents.confirm(failed.id, { payment_method: 'pm_card_visa' });
        const both = await stripe.charges.list({ payment_intent: failed.id, expand: ['data.customer', 'data.payment_intent.customer', 'data.refunds'] });
        assert.deepEqual(both.data.map((one) => one.status), ['succeeded', 'failed']);
        both.data.forEach((one) => conforms('charge', one));
        assert.equal(both.data[0].payment_intent.customer.id, ann.id);

        const refunds = [];
        for (let i = 0; i < 3; ++i) refunds.unshift(conforms('refund', await stripe.refunds.create({ payment_intent: failed.id, amount: 100 })).id);
        assert.deepEqual(ids(await stripe.refunds.list({ payment_intent: failed.id })), refunds);
        assert.deepEqual(await walk(stripe.refunds.list({ charge: both.data[0].id, limit: 2 })), refunds);
        assert.deepEqual(ids(await stripe.refunds.list({ charge: both.data[1].id })), []);
        // An id that is not there is no empty list.
        for (const [list, param, id] of [[stripe.charges, 'payment_intent', 'pi_none'], [stripe.charges, 'customer', 'cus_none'], [stripe.refunds, 'payment_intent', 'pi_none'], [stripe.refunds, 'charge', 'ch_none'],
            [stripe.paymentIntents, 'customer', 'cus_none'], [stripe.balanceTransactions, 'source', 'ch_none'], [stripe.balanceTransactions, 'source', 're_none'], [stripe.balanceTransactions, 'source', 'po_none'],
            [stripe.balanceTransactions, 'source', 'none'], [stripe.balanceTransactions, 'payout', 'po_none']]) {
            await refused(list.list({ [param]: id }), { statusCode: 400, code: 'resource_missing', param });
        }
        assert.deepEqual(ids(await stripe.balanceTransactions.list({ source: both.data[1].id })), []);
        const refund = conforms('refund', await stripe.refunds.retrieve(refunds[0], { expand: ['customer', 'charge', 'payment_intent', 'payment_method'] }));
        assert.deepEqual([refund.customer.id, refund.charge.id, refund.payment_intent.id], [ann.id, both.data[0].id, failed.id]);
        assert.deepEqual(refund.destination_details, { type: 'card', card: { type: 'refund' } });
        const withRefunds = await stripe.charges.list({ payment_intent: failed.id, expand: ['data.refunds'] });
        assert.deepEqual(withRefunds.data.map((one) => one.refunds.data.length), [3, 0]);

        const changed = conforms('charge', await stripe.charges.update(charge(made[0]), { description: 'later', receipt_email: 'b@example.com', metadata: { x: '1' }, fraud_details: { user_report: 'safe' } }));
        assert.deepEqual([changed.description, changed.receipt_email, changed.metadata, changed.fraud_details], ['later', 'b@example.com', { x: '1' }, { user_report: 'safe' }]);
        const unset = await stripe.charges.update(changed.id, { metadata: '', fraud_details: { user_report: '' }, description: '' });
        assert.deepEqual([unset.description, unset.metadata, unset.fraud_details], [null, {}, {}]);
        await refused(stripe.charges.update(changed.id, { amount: 5 }), { statusCode: 400, code: 'parameter_unknown' });
        await refused(stripe.charges.update(changed.id, { fraud_details: { user_report: 'odd' } }), { statusCode: 400 });
        await refused(stripe.charges.update('ch_none', {}), { statusCode: 404 });
        assert.equal((await request(daemon, 'POST', '/v1/charges', { body: 'amount=1000&currency=eur' })).status, 404);
        assert.equal((await request(daemon, 'POST', `/v1/charges/${changed.id}/capture`, { body: '' })).status, 404);
        // By time: what is older or newer is not even read.
        const now = Math.floor(Date.now() / 1000);
        assert.deepEqual(ids(await stripe.charges.list({ customer: ann.id, created: { lt: now - 3600 } })), []);
        assert.equal((await stripe.charges.list({ customer: ann.id, created: { gte: now - 3600, lte: now + 5 } })).data.length, anns.length + 2);
    });

    await t.test('a thousand customers are paged through, and found by their address', async () => {
        const now = Math.floor(Date.now() / 1000);
        const made = [];
        for (let i = 0; i < 1100; i += 50) {
            made.push(...await Promise.all(Array.from({ length: 50 }, (_, k) => stripe.customers.create({ email: (i + k) % 44 === 0 ? 'same@example.com' : `c${i + k}@example.com` }))));
        }
        const sorted = made.map((one) => one.id).sort().reverse();
        const all = await walk(stripe.customers.list({ limit: 100 }));
        assert.deepEqual(all.slice(0, 1100), sorted);
        assert.deepEqual((await walk(stripe.customers.list({ limit: 100, ending_before: sorted.at(-1) }))).reverse(), sorted.slice(0, -1));
        const same = made.filter((one) => one.email === 'same@example.com').map((one) => one.id).sort().reverse();
        assert.equal(same.length, 25);
        assert.deepEqual(await walk(stripe.customers.list({ email: 'same@example.com', limit: 10 })), same);
        assert.deepEqual(ids(await stripe.customers.list({ email: 'Same@example.com' })), []);
        assert.deepEqual(ids(await stripe.customers.list({ email: 'same@example.com', limit: 3, starting_after: sorted[500] })), same.filter((id) => id < sorted[500]).slice(0, 3));
        await stripe.customers.update(same[3], { email: 'moved@example.com' });
        assert.equal((await walk(stripe.customers.list({ email: 'same@example.com' }))).includes(same[3]), false);
        assert.deepEqual(ids(await stripe.customers.list({ email: 'moved@example.com' })), [same[3]]);
        const young = [];
        for await (const one of stripe.customers.list({ limit: 100 })) if (one.created >= now) young.push(one.id);
        assert.ok(young.length >= 1100);
        assert.deepEqual(await walk(stripe.customers.list({ created: { gte: now }, limit: 100 })), young);
        assert.deepEqual((await walk(stripe.customers.list({ created: { gte: now }, limit: 100, ending_before: sorted.at(-1) }))).reverse(), sorted.slice(0, -1));
        assert.deepEqual(ids(await stripe.customers.list({ created: { lt: now - 3600 } })), []);
    });

    await t.test('the first digits say what a card is, as far as they can', async () => {
        const table = [
            ['4242424242424242', 'visa', 'credit', 'US'], ['4000056655665556', 'visa', 'debit', 'US'], ['4000002760003184', 'visa', 'credit', 'DE'], ['4000008260000000', 'visa', 'credit', 'GB'],
            ['4111111111111111', 'visa', 'unknown', null], ['5555555555554444', 'mastercard', 'credit', 'US'], ['2223003122003222', 'mastercard', 'credit', 'US'],
            ['5200828282828210', 'mastercard', 'debit', 'US'], ['5105105105105100', 'mastercard', 'prepaid', 'US'], ['378282246310005', 'amex', 'credit', 'US'],
            ['6011111111111117', 'discover', 'credit', 'US'], ['3056930009020004', 'diners', 'credit', 'US'], ['36227206271667', 'diners', 'credit', 'US'],
            ['3566002020360505', 'jcb', 'credit', 'JP'], ['6200000000000005', 'unionpay', 'credit', 'CN'], ['6759649826438453', 'mastercard', 'debit', null], ['9000000000000001', 'unknown', 'unknown', null],
        ];
        for (const [number, brand, funding, country] of table) {
            const made = conforms('payment_method', await stripe.paymentMethods.create(card(number)));
            assert.deepEqual([made.card.brand, made.card.funding, made.card.country], [brand, funding, country], number);
        }
        const debit = await pay(stripe, 900, { payment_method: 'pm_card_visa_debit', expand: ['latest_charge'] });
        const { card: shown } = debit.latest_charge.payment_method_details;
        assert.deepEqual([shown.brand, shown.funding, shown.country, shown.network], ['visa', 'debit', 'US', 'visa']);
    });

    await t.test('a list of a missing object is refused, and nothing broke', async () => {
        for (const route of ['/v1/customers/cus_none', '/v1/customers/cus_none/payment_methods', '/v1/customers/search']) assert.equal((await get(route)).status, 404, route);
        assert.equal((await get('/v1/customers?starting_after=cus_none')).status, 400);
        assert.equal((await kill(daemon, 'SIGTERM')).code, 0);
    });
});

test('an operator\'s table of card numbers is read at the start, and its first error is named', async (t) => {
    const folder = temporary(t);
    const file = path.join(folder, 'bins.csv');
    const config = writeConfig(folder, { cards: [`bin_table = "${file}"`] });
    for (const [text, complaint] of [['low,high,brand,funding,country\n4,4,visa,unknown,\n41,40,visa,credit,US\n', /bins\.csv:3: low is above high/], ['nothing\n', /bins\.csv:1: the first line/], [null, /cannot read the bin table/]]) {
        if (text !== null) writeFileSync(file, text);
        else writeFileSync(path.join(folder, 'florin.toml'), readFileSync(config, 'utf8').replace('bins.csv', 'none.csv'));
        const { code, out, err } = run(programs.florind, ['--config', config]);
        assert.notEqual(code, 0);
        assert.match(out + err, complaint);
    }
});

test('what a bank is told of 3-D Secure and of kept cards', async (t) => {
    const folder = temporary(t);
    const bank = await startBank(t, path.join(folder, 'bank'));
    const daemon = await startDaemon(t, path.join(folder, 'florin'), ['--iso8583', bank.ready.address]);
    const stripe = sdk(daemon);
    await signedOn(daemon);
    const presented = async () => (await control(bank, { presented: true })).presented[0];
    const cryptogram = 'jAAAAAAAAAAAAAAAAAAAAAAAAAE=';
    const secure = { cryptogram, transaction_id: '0bb1b9a5-8c1c-4f4e-9c6d-5b2d7c0e1f2a', version: '2.2.0', electronic_commerce_indicator: '05', ares_trans_status: 'Y' };
    const withSecure = (more = {}) => ({ payment_method_options: { card: { three_d_secure: { ...secure, ...more } } } });

    await t.test('a result goes to the bank once, and is shown but for its cryptogram', async () => {
        const intent = await pay(stripe, 1000, { ...withSecure(), expand: ['latest_charge'] });
        assert.equal(intent.status, 'succeeded');
        const arrived = await presented();
        assert.deepEqual({ ...arrived, rrn: '' }, {
            rrn: '', electronic_commerce_indicator: '05', cryptogram: 'jAAA...AAE=', three_d_secure_version: '2.2.0',
            three_d_secure_transaction: secure.transaction_id, credential_use: '', original_network_transaction: '', condition: '59',
        });
        conforms('charge', intent.latest_charge);
        const { card: shown } = intent.latest_charge.payment_method_details;
        assert.equal(shown.electronic_commerce_indicator, '05');
        assert.deepEqual(shown.three_d_secure, {
            authentication_flow: null, electronic_commerce_indicator: '05', exemption_indicator: null, result: 'authenticated', result_reason: null, transaction_id: secure.transaction_id, version: '2.2.0',
        });
        assert.match(shown.network_transaction_id, /^BS\d{14}$/);
        // Given before the confirmation: held until then.
        const open = await stripe.paymentIntents.create({ amount: 1000, currency: 'eur', payment_method: 'pm_card_visa', ...withSecure({ electronic_commerce_indicator: '06', ares_trans_status: 'A' }) });
        await stripe.paymentIntents.confirm(open.id);
        assert.deepEqual([(await presented()).electronic_commerce_indicator, (await presented()).cryptogram], ['06', 'jAAA...AAE=']);
        // A refusal uses it up.
        const declined = await stripe.paymentIntents.create({ amount: 1000, currency: 'eur', payment_method: 'pm_card_visa_chargeDeclined', ...withSecure() });
        await refused(stripe.paymentIntents.confirm(declined.id), { statusCode: 402 });
        await stripe.paymentIntents.confirm(declined.id, { payment_method: 'pm_card_visa' });
        assert.deepEqual([(await presented()).electronic_commerce_indicator, (await presented()).cryptogram], ['', '']);
        for (const bad of [{ cryptogram: 'short' }, { cryptogram: `${cryptogram}!` }, { version: '9.9.9' }, { electronic_commerce_indicator: '99' }, { ares_trans_status: 'X' }, { transaction_id: 'x'.repeat(37) }, { cryptogram: undefined }, { version: undefined }]) {
            await refused(pay(stripe, 1000, withSecure(bad)), { statusCode: 400 });
        }
        // Neither in a log nor in a file, in the clear.
        assert.equal(daemon.log.includes(cryptogram), false);
    });

    await t.test('a kept card is marked, and later payments name the first', async () => {
        const customer = await stripe.customers.create();
        const first = await pay(stripe, 1200, { customer: customer.id, setup_future_usage: 'off_session', expand: ['latest_charge'] });
        assert.equal((await presented()).credential_use, 'CF');
        const name = first.latest_charge.payment_method_details.card.network_transaction_id;
        const method = first.payment_method;
        const merchant = await pay(stripe, 1300, { customer: customer.id, payment_method: method, off_session: 'recurring', expand: ['latest_charge'] });
        assert.deepEqual([(await presented()).credential_use, (await presented()).original_network_transaction], ['MS', name]);
        assert.equal(conforms('charge', merchant.latest_charge).payment_method_details.card.stored_credential_usage, 'recurring');
        await pay(stripe, 1400, { customer: customer.id, payment_method: method });
        assert.deepEqual([(await presented()).credential_use, (await presented()).original_network_transaction], ['CS', name]);
        await pay(stripe, 1500, { off_session: true, payment_method_options: { card: { network_transaction_id: 'MCC123456', moto: true } } });
        const last = await presented();
        assert.deepEqual([last.credential_use, last.original_network_transaction, last.condition], ['MS', 'MCC123456', '08']);
        await refused(pay(stripe, 1500, { payment_method_options: { card: { network_transaction_id: 'a b' } } }), { statusCode: 400 });
        const refund = await stripe.refunds.create({ payment_intent: first.id });
        assert.match(refund.destination_details.card.reference, /^\d{6}$/);
        assert.equal(refund.destination_details.card.reference_type, 'system_trace_audit_number');
    });

    await t.test('no cryptogram is left in the data directory', async () => {
        assert.equal((await kill(daemon, 'SIGTERM')).code, 0);
        const found = run('grep', ['-rl', cryptogram, folder]);
        assert.equal(found.out, '');
    });
});
