// The examples of docs/examples, run as they stand against a daemon that was just started.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { run, sdk, startDaemon, temporary } from './support.mjs';

const examples = path.join(import.meta.dirname, '..', '..', 'docs', 'examples');

test('the examples do what they say', async (t) => {
    const folder = temporary(t);
    const daemon = await startDaemon(t, path.join(folder, 'data'));
    const stripe = sdk(daemon);
    const env = { ...process.env, FLORIN_URL: daemon.ready.url, FLORIN_CA: daemon.ready.ca, FLORIN_KEY: daemon.ready.secret_key };
    const example = (program, ...args) => {
        const done = run(program, args, { env, cwd: folder });
        assert.equal(done.code, 0, done.err);
        return done.out.trim().split('\n');
    };

    await t.test('curl', async () => {
        const [status, refunded, id] = example('sh', path.join(examples, 'payment.sh'));
        assert.equal(status, 'succeeded');
        assert.equal(refunded, 'succeeded');
        const intent = await stripe.paymentIntents.retrieve(id, { expand: ['latest_charge'] });
        assert.equal(intent.description, 'A bag of beans');
        assert.equal(intent.latest_charge.amount_refunded, 500);
    });

    await t.test('Node', async () => {
        // Modules look for their packages beside themselves.
        mkdirSync(path.join(folder, 'shop'));
        symlinkSync(process.env.FLORIN_NODE_MODULES, path.join(folder, 'shop', 'node_modules'));
        const script = path.join(folder, 'shop', 'payment.mjs');
        copyFileSync(path.join(examples, 'payment.mjs'), script);
        const lines = example(process.execPath, script);
        assert.match(lines[0], /^pi_\w+ succeeded 4242$/);
        assert.equal(lines[1], 'declined: insufficient_funds');
        const all = await stripe.paymentIntents.list({ limit: 100 });
        assert.equal(lines[2], `payments so far: ${all.data.length}`);
    });

    await t.test('Python', async () => {
        const lines = example('python3', path.join(examples, 'payment.py'));
        const [id, status, capturable] = lines[0].split(' ');
        assert.equal(status, 'requires_capture');
        assert.equal(capturable, '4500');
        assert.deepEqual(lines.slice(1), ['succeeded 4000', 'succeeded 1000', 'refused: amount_too_large']);
        const intent = await stripe.paymentIntents.retrieve(id, { expand: ['latest_charge'] });
        assert.equal(intent.metadata.order, '17');
        assert.equal(intent.latest_charge.amount_refunded, 1000);
        assert.equal(intent.latest_charge.payment_method_details.card.brand, 'mastercard');
    });
});
