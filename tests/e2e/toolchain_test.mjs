// The end-to-end tests stand on packages that we did not write. This one shows, without a daemon,
// that they are there in the pinned versions and work.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import Stripe from 'stripe';

const require = createRequire(import.meta.url);
const pinned = JSON.parse(readFileSync(new URL('package.json', import.meta.url))).dependencies;

test('Node.js is new enough for the SDKs', () => {
    assert.ok(Number(process.versions.node.split('.')[0]) >= 20, process.version);
});

test('the Stripe SDK has the pinned version and checks a webhook signature', () => {
    assert.equal(Stripe.PACKAGE_VERSION, pinned.stripe);
    const stripe = new Stripe('sk_test_toolchain');
    const payload = JSON.stringify({ id: 'evt_1', object: 'event' });
    const secret = 'whsec_toolchain';
    const header = stripe.webhooks.generateTestHeaderString({ payload, secret });
    assert.equal(stripe.webhooks.constructEvent(payload, header, secret).id, 'evt_1');
    assert.throws(() => stripe.webhooks.constructEvent(payload + ' ', header, secret));
});

test('the ISO 8583 counterpart packs a message behind a two-byte length and reads it back', () => {
    const Iso8583 = require('iso_8583');
    const fields = { 0: '0800', 7: '0101120000', 11: '000001', 70: '301' };
    const packed = new Iso8583(fields).getBufferMessage();
    assert.equal(packed.readUInt16BE(0), packed.length - 2);
    const unpacked = new Iso8583().getIsoJSON(packed);
    for (const [field, value] of Object.entries(fields)) {
        assert.equal(unpacked[field], value, `field ${field}`);
    }
});
