// What comes from outside is wrong, slow, huge, malicious or too much; what is below runs out.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import tls from 'node:tls';
import { appendFileSync, chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, statfsSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';

import { eventually, florin, kill, pause, programs, request, run, sdk, startDaemon, startProduction, temporary, writeConfig } from './support.mjs';

const files = (folder) => readdirSync(folder).flatMap((name) => {
    const full = path.join(folder, name);
    return statSync(full).isDirectory() ? files(full) : [full];
});

// A raw TLS connection: what was read so far, and when it ended.
function dial(daemon, options = {}) {
    const url = new URL(options.url ?? daemon.ready.url);
    const socket = tls.connect({ host: url.hostname, port: Number(url.port), ca: readFileSync(daemon.ready.ca), ...options });
    const line = { socket, text: '', closed: false };
    socket.on('data', (bytes) => (line.text += bytes));
    socket.on('error', () => {});
    line.ended = new Promise((resolve) => socket.on('close', () => { line.closed = true; resolve(line.text); }));
    line.open = new Promise((resolve, reject) => { socket.on('secureConnect', () => resolve(line)); line.ended.then(() => reject(new Error('closed'))); });
    line.open.catch(() => {});
    return line;
}
// Sends bytes and answers everything until the other side closes.
async function exchange(daemon, bytes, options) {
    const line = await dial(daemon, options).open;
    line.socket.write(bytes);
    return line.ended;
}
const status = (text) => Number(/^HTTP\/1\.[01] (\d{3}) /.exec(text)?.[1]);
const authorised = (daemon) => `Host: x\r\nAuthorization: Bearer ${daemon.ready.secret_key}\r\n`;

test('malformed HTTP is answered or cut, never obeyed', async (t) => {
    const daemon = await startDaemon(t, temporary(t));
    const key = authorised(daemon);
    const refused = async (bytes, wanted) => {
        const text = await exchange(daemon, bytes);
        assert.equal(status(text), wanted, `${JSON.stringify(String(bytes).slice(0, 80))}: ${text.slice(0, 300)}`);
        assert.match(text, /\r\nRequest-Id: req_[A-Za-z0-9]{14,}\r\n/);
        assert.match(text, /\r\nConnection: close\r\n/);
        assert.equal(text.match(/HTTP\/1\.1 \d/g).length, 1, text);
        JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4));
    };

    await t.test('garbage, bad request lines and bad headers are 400', async () => {
        const end = '\r\n\r\n';
        for (const bytes of ['garbage' + end, `GET${end}`, `GET /v1/balance${end}`, `GET /v1/balance HTTP/2.0${end}`, `GET /v1/balance HTTP/1.2${end}`, `GET /v1/balance HTTP/1.1x${end}`,
            `GET  /v1/balance HTTP/1.1${end}`, `G\0T / HTTP/1.1${end}`, `GET /\0 HTTP/1.1${end}`, `GET / HTTP/1.1\r\nHost: x\r\nBad Header: x${end}`, `GET / HTTP/1.1\r\nHost: x\r\n: x${end}`,
            `GET / HTTP/1.1\r\nHost: x\r\nX: a\0b${end}`, `GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1${end}`, `GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1x${end}`, `GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999${end}`,
            `GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2${end}`, `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked${end}zz\r\n`, `\x16\x03\x01\x02garbage${end}`,
            Buffer.concat([randomBytes(64), Buffer.from(end)])]) {
            await refused(bytes, 400);
        }
        await refused(`GET v1/balance HTTP/1.1\r\n${key}\r\n`, 400);
        for (const target of ['ftp://elsewhere/v1/balance', 'https:///v1/balance', 'https://a@elsewhere/v1/balance', '*']) await refused(`GET ${target} HTTP/1.1\r\n${key}\r\n`, 400);
        await refused(`GET /v1/balance HTTP/1.1\r\n${key.replace(/^Host: .*\r\n/, '')}\r\n`, 400);
        await refused(`GET /v1/balance HTTP/1.1\r\nHost: another\r\n${key}\r\n`, 400);
        for (const target of ['https://elsewhere/v1/balance', 'http://elsewhere:1/v1/balance?']) {
            assert.equal(status(await exchange(daemon, `GET ${target} HTTP/1.1\r\nConnection: close\r\n${key}\r\n`)), 200, target);
        }
        await refused(`GET /v1/%00 HTTP/1.1\r\n${key}\r\n`, 400);
        await refused(`GET /v1/%f HTTP/1.1\r\n${key}\r\n`, 400);
    });

    await t.test('too long is 431 or 413, whether announced or just sent', async () => {
        await refused(`GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(40_000)}\r\n\r\n`, 431);
        await refused(`GET /${'x'.repeat(40_000)} HTTP/1.1\r\n\r\n`, 431);
        await refused(`GET / HTTP/1.1\r\n${Array.from({ length: 5000 }, (_, i) => `X-${i}: y\r\n`).join('')}\r\n`, 431);
        await refused(`POST /v1/payment_intents HTTP/1.1\r\n${key}Content-Length: 1048577\r\n\r\n`, 413);
        await refused(`POST /v1/payment_intents HTTP/1.1\r\n${key}Content-Length: 9999999999999\r\n\r\n`, 413);
        const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
        await refused(`POST /v1/payment_intents HTTP/1.1\r\n${key}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(17)}0\r\n\r\n`, 413);
    });

    await t.test('a chunk extension without end does not fill the memory', async () => {
        const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.child.pid}/status`, 'utf8'))[1]);
        const before = rss();
        const line = await dial(daemon).open;
        line.socket.write(`POST /v1/payment_intents HTTP/1.1\r\n${key}Transfer-Encoding: chunked\r\n\r\n1;`);
        const block = 'x'.repeat(1 << 20);
        for (let i = 0; i < 40 && !line.closed; ++i) {
            if (!line.socket.write(block)) await Promise.race([new Promise((resolve) => line.socket.once('drain', resolve)), line.ended, pause(2000)]);
        }
        await line.ended;
        assert.ok(rss() - before < 20_000, `grew by ${rss() - before} KiB`);
    });

    await t.test('two lengths are one too many: 400, and nothing after them is read', async () => {
        const smuggled = 'GET /v1/balance HTTP/1.1\r\nHost: x\r\n\r\n';
        await refused(`POST /v1/payment_intents HTTP/1.1\r\n${key}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`, 400);
        await refused(`POST /v1/payment_intents HTTP/1.1\r\n${key}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${smuggled}`, 400);
    });

    await t.test('chunked bodies work, truncated ones do nothing', async () => {
        const body = 'amount=1000&currency=eur&description=chunked';
        const chunks = body.match(/.{1,7}/g).map((part) => `${part.length.toString(16)};ext=1\r\n${part}\r\n`).join('');
        const text = await exchange(daemon, `POST /v1/payment_intents HTTP/1.1\r\n${key}Connection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\nTrailer: x\r\n\r\n`);
        assert.equal(status(text), 200, text);
        assert.match(text, /"description": "chunked"/);
        const count = async () => JSON.parse((await request(daemon, 'GET', '/v1/payment_intents?limit=100')).text).data.length;
        const before = await count();
        const cut = await dial(daemon).open;
        cut.socket.write(`POST /v1/payment_intents HTTP/1.1\r\n${key}Content-Length: 500\r\n\r\n${body}`);
        await pause(50);
        cut.socket.destroy();
        const half = await dial(daemon).open;
        half.socket.end(`POST /v1/payment_intents HTTP/1.1\r\n${key}Transfer-Encoding: chunked\r\n\r\n${chunks}`);
        await half.ended;
        assert.equal(await count(), before);
        const expecting = await dial(daemon).open;
        expecting.socket.write(`POST /v1/payment_intents HTTP/1.1\r\n${key}Connection: close\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`);
        await eventually('the server wants the body', () => expecting.text.startsWith('HTTP/1.1 100'));
        expecting.socket.write(body);
        assert.match(await expecting.ended, /HTTP\/1\.1 200 OK/);
    });

    await t.test('a last chunk may come byte by byte, and what follows it is no header', async () => {
        const chunked = `POST /v1/payment_intents HTTP/1.1\r\n${key}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n`;
        const body = 'amount=1000&currency=eur';
        const chunk = `${body.length.toString(16)}\r\n${body}\r\n`;
        // In pieces: each is there before the next is sent.
        for (const [text, wanted] of [['', 400], [chunk, 200]]) {
            for (const cut of [1, 2, 3, 4]) {
                const line = await dial(daemon).open;
                line.socket.setNoDelay(true);
                for (const part of [chunked + text, '0\r\n\r\n'.slice(0, cut), ...'0\r\n\r\n'.slice(cut)]) {
                    line.socket.write(part);
                    await pause(5);
                }
                assert.equal(status(await line.ended), wanted);
            }
        }
        const keyed = await exchange(daemon, `${chunked}${chunk}0\r\nIdempotency-Key: trailer\r\n\r\n`);
        assert.equal(status(keyed), 200);
        assert.equal(keyed.includes('Idempotency-Key'), false);
        await refused(`${chunked}${chunk}0\r\nContent-Length: 3\r\n\r\n`, 400);
        const anonymous = 'GET /v1/balance HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n';
        assert.equal(status(await exchange(daemon, `${anonymous}0\r\n${key}\r\n`)), 401);
    });

    await t.test('a pipeline is answered in order, HTTP/1.0 once, HEAD without surprises', async () => {
        const one = (id, more = '') => `GET /v1/payment_intents/pi_${id} HTTP/1.1\r\n${key}${more}\r\n`;
        const text = await exchange(daemon, Array.from({ length: 30 }, (_, i) => one(i, i === 29 ? 'Connection: close\r\n' : '')).join(''));
        assert.deepEqual([...text.matchAll(/No such payment_intent: 'pi_(\d+)'/g)].map((found) => Number(found[1])), Array.from({ length: 30 }, (_, i) => i));
        const old = await exchange(daemon, `GET /v1/balance HTTP/1.0\r\n${key}\r\n`);
        assert.match(old, /^HTTP\/1\.1 200 OK[^]*\r\nConnection: close\r\n/);
        for (const method of ['HEAD', 'CONNECT']) {
            const head = await exchange(daemon, `${method} /v1/balance HTTP/1.1\r\n${key}\r\n${one('after')}`);
            assert.equal(status(head), 404, head);
            assert.equal(head.includes('pi_after'), false, method);
        }
        for (const method of ['PUT', 'PATCH', 'OPTIONS', 'TRACE', 'BREW', 'get', 'PROPFIND', 'X'.repeat(200)]) {
            const odd = await exchange(daemon, `${method} /v1/balance HTTP/1.1\r\nConnection: close\r\n${key}\r\n`);
            assert.equal(status(odd), 404, `${method} ${odd}`);
        }
        for (const route of ['//', '/v1//balance', '/../../etc/passwd', '/v1/%2e%2e/', '/v1/balance/', '/%F0%9F%98%80', '/?'.padEnd(3000, '?'), '/v1/charges/' + 'c'.repeat(20_000)]) {
            assert.equal(status(await exchange(daemon, `GET ${route} HTTP/1.1\r\nConnection: close\r\n${key}\r\n`)), 404, route.slice(0, 40));
        }
    });

    await t.test('plain HTTP and old TLS get no answer', async () => {
        const url = new URL(daemon.ready.url);
        const plain = net.connect(Number(url.port), url.hostname, () => plain.write('GET /v1/balance HTTP/1.1\r\nHost: x\r\n\r\n'));
        let text = '';
        plain.on('data', (bytes) => (text += bytes));
        plain.on('error', () => {});
        await new Promise((resolve) => plain.on('close', resolve));
        assert.equal(text.includes('HTTP'), false);
        for (const version of ['TLSv1', 'TLSv1.1']) {
            const line = dial(daemon, { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' });
            await assert.rejects(line.open);
        }
        for (const version of ['TLSv1.2', 'TLSv1.3']) {
            const line = await dial(daemon, { minVersion: version, maxVersion: version }).open;
            assert.equal(line.socket.getProtocol(), version);
            line.socket.destroy();
        }
    });

    await t.test('it still serves', async () => {
        assert.equal((await request(daemon, 'GET', '/v1/balance')).status, 200);
        const stopped = await kill(daemon, 'SIGTERM');
        assert.equal(stopped.code, 0);
        assert.equal(daemon.log.includes('handler_failed'), false, daemon.log);
        assert.equal(daemon.log.includes('session_failed'), false, daemon.log);
    });
});

test('the production form: a configuration, two listeners, limits and deadlines', async (t) => {
    const folder = temporary(t);
    const config = writeConfig(folder, {
        server: ['io_threads = 2', 'connections_max = 300', 'header_bytes_max = 2048', 'body_bytes_max = 4096', 'handshake_ms = 700', 'request_ms = 700', 'idle_ms = 1500'],
    });
    const daemon = await startProduction(t, folder, config);
    const admin = { ...daemon, ready: { ...daemon.ready, url: daemon.ready.admin_url } };

    await t.test('metrics and health are on the admin listener only', async () => {
        assert.notEqual(new URL(daemon.ready.url).port, new URL(daemon.ready.admin_url).port);
        for (const route of ['/metrics', '/healthz']) {
            assert.equal((await request(admin, 'GET', route, { key: 'x' })).status, 200);
            assert.ok([401, 404].includes((await request(daemon, 'GET', route, { key: 'x' })).status));
        }
        assert.equal((await request(admin, 'GET', '/v1/balance', { key: 'x' })).status, 404);
        assert.equal((await request(daemon, 'GET', '/v1/balance', { key: 'x' })).status, 401);
        const health = JSON.parse((await request(admin, 'GET', '/healthz', { key: 'x' })).text);
        assert.equal(health.status, 'ok');
        assert.deepEqual(health.connectors.map((one) => [one.name, one.ready]), [['sandbox', true]]);
    });

    await t.test('metrics are in the exposition format', async () => {
        const response = await request(admin, 'GET', '/metrics', { key: 'x' });
        assert.match(response.headers['content-type'], /^text\/plain; version=0\.0\.4/);
        const families = checkExposition(response.text);
        for (const name of ['florin_http_requests_total', 'florin_http_malformed_total', 'florin_journal_head', 'florin_ledger_queue', 'florin_http_connections']) {
            assert.ok(families.has(name), name);
        }
        assert.throws(() => checkExposition('florin_x 1\n'));
        assert.throws(() => checkExposition('# TYPE florin_x gauge\nflorin_x one\n'));
        assert.throws(() => checkExposition('# TYPE florin_x gauge\nflorin_x 1\nflorin_x 2\n'));
        assert.throws(() => checkExposition('# TYPE florin_x gauge\nflorin_x{a=b} 1\n'));
    });

    await t.test('the limits of the file hold', async () => {
        assert.equal(status(await exchange(daemon, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(3000)}\r\n\r\n`)), 431);
        assert.equal(status(await exchange(daemon, `POST / HTTP/1.1\r\nContent-Length: 4097\r\n\r\n`)), 413);
        assert.equal(status(await exchange(daemon, `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4096\r\nConnection: close\r\n\r\n${'x'.repeat(4096)}`)), 401);
    });

    await t.test('who is slow is cut: in the handshake, in a request, between requests', async () => {
        const url = new URL(daemon.ready.url);
        const timed = async (begin) => {
            const from = Date.now();
            await begin();
            return Date.now() - from;
        };
        const silent = await timed(() => new Promise((resolve) => {
            const socket = net.connect(Number(url.port), url.hostname);
            socket.on('error', () => {});
            socket.on('close', resolve);
            socket.resume();
        }));
        assert.ok(silent > 500 && silent < 5000, `${silent}`);
        const drip = async (head, drop) => {
            const line = await dial(daemon).open;
            line.socket.write(head);
            const timer = setInterval(() => line.closed || line.socket.write(drop), 50);
            await line.ended;
            clearInterval(timer);
        };
        const headers = await timed(() => drip('GET / HTTP/1.1\r\nHost: x\r\n', 'X: y\r\n'));
        assert.ok(headers > 500 && headers < 5000, `${headers}`);
        const body = await timed(() => drip('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n', 'x'));
        assert.ok(body > 500 && body < 5000, `${body}`);
        const idle = await timed(async () => {
            const line = await dial(daemon).open;
            line.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
            await line.ended;
            assert.equal(status(line.text), 401);
        });
        assert.ok(idle > 1200 && idle < 8000, `${idle}`);
    });

    await t.test('hundreds of idle connections leave room, one more than allowed is closed at once', async () => {
        const lines = await Promise.all(Array.from({ length: 290 }, () => dial(daemon).open));
        assert.equal((await request(daemon, 'GET', '/v1/balance', { key: 'x' })).status, 401);
        const url = new URL(daemon.ready.url);
        const more = Array.from({ length: 60 }, () => net.connect(Number(url.port), url.hostname));
        let closed = 0;
        more.forEach((socket) => { socket.on('error', () => {}); socket.on('close', () => ++closed); socket.resume(); });
        await eventually('the surplus is closed', () => closed >= 40, 2000);
        more.forEach((socket) => socket.destroy());
        lines.forEach((line) => line.socket.destroy());
        await eventually('there is room again', async () => (await request(daemon, 'GET', '/v1/balance', { key: 'x' }).catch(() => ({}))).status === 401);
    });

    await t.test('stopping does not wait for the idle and the slow', async () => {
        const lines = await Promise.all(Array.from({ length: 50 }, () => dial(daemon).open));
        const slow = await dial(daemon).open;
        slow.socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\nx');
        const silent = net.connect(Number(new URL(daemon.ready.url).port), '127.0.0.1');
        silent.on('error', () => {});
        await pause(50);
        const from = Date.now();
        const stopped = await kill(daemon, 'SIGTERM');
        assert.equal(stopped.code, 0);
        assert.ok(Date.now() - from < 10_000);
        await Promise.all(lines.map((line) => line.ended));
        assert.equal(existsSync(path.join(folder, 'data', 'run.json')), false);
    });

    await t.test('a configuration that is wrong stops the start and says where', async () => {
        const text = readFileSync(config, 'utf8');
        const refused = (changed, pattern) => {
            const file = path.join(folder, 'wrong.toml');
            writeFileSync(file, changed);
            const done = run(programs.florind, ['--config', file]);
            assert.equal(done.code, 2, done.err);
            assert.match(done.err, pattern);
        };
        refused(text.replace('io_threads = 2', 'io_treads = 2'), /wrong\.toml:\d+: \[server\] io_treads: unknown setting; did you mean io_threads\?/);
        refused(text.replace('io_threads = 2', 'io_threads = 0'), /wrong\.toml:\d+: \[server\] io_threads: expected an integer from 1 to 256/);
        refused(text.replace('io_threads = 2', 'io_threads = "2"'), /expected an integer/);
        refused(text.replace('io_threads = 2', 'io_threads = '), /wrong\.toml:\d+: /);
        refused(text.replace('[vault]', '[vaults]'), /wrong\.toml:\d+: vaults: unknown section; did you mean vault\?/);
        refused(text.replace(/^data_dir.*$/m, ''), /wrong\.toml:1: data_dir: expected/);
        refused(text.replace('server.pem', 'absent.pem'), /absent\.pem: cannot read/);
        refused(text.replace('vault.key', 'absent.key'), /absent\.key: No such file/);
        refused(text.replace('rail = "sandbox"', 'rail = "sand"'), /\[\[connector\]\] rail: expected one of "sandbox", "iso8583"/);
        const absent = run(programs.florind, ['--config', path.join(folder, 'nothing.toml')]);
        assert.equal(absent.code, 2);
        assert.match(absent.err, /nothing\.toml: cannot read/);
        for (const args of [[], ['--dev'], ['--config'], ['--dev', '--config', config], ['--nonsense']]) assert.equal(run(programs.florind, args).code, 2, args.join(' '));
    });

    await t.test('a key file that others may read, is damaged or is another one is refused', async () => {
        const key = path.join(folder, 'vault.key');
        const good = readFileSync(key, 'utf8');
        const refused = (pattern) => {
            const done = run(programs.florind, ['--config', config]);
            assert.equal(done.code, 2, done.err);
            assert.match(done.err, pattern);
            assert.equal(done.err.includes('5e5e5e5e'), false);
        };
        chmodSync(key, 0o640);
        refused(/vault\.key: others may read this key file; make it `chmod 600`/);
        chmodSync(key, 0o600);
        for (const [text, pattern] of [['', /holds no key/], ['1 5e5e', /line 1: a key is 64 hexadecimal digits/], [`0 ${'5e'.repeat(32)}`, /line 1/], [good + good, /line 2: this key id is there already/], [good.replace('5e', 'zz'), /line 1/],
            [good.replace('5e', '5f'), /key 1 of the key file is missing or is not the one that sealed cards here/], [`2 ${'ab'.repeat(32)}\n`, /key 1 of the key file is missing/]]) {
            writeFileSync(key, text, { mode: 0o600 });
            refused(pattern);
        }
        writeFileSync(key, `${good}2 ${'ab'.repeat(32)}\n`, { mode: 0o600 });
        const rolled = await startProduction(t, folder, config);
        assert.equal((await kill(rolled, 'SIGTERM')).code, 0);
        writeFileSync(key, good, { mode: 0o600 });
        refused(/key 2 of the key file is missing/);
    });
});

// https://prometheus.io/docs/instrumenting/exposition_formats/: strict, every sample of a declared
// family, no sample twice, counters end in _total.
function checkExposition(text) {
    const families = new Map();
    const samples = new Set();
    assert.ok(text.endsWith('\n'));
    for (const line of text.slice(0, -1).split('\n')) {
        const declared = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
        if (declared) {
            const [, what, name, rest] = declared;
            const family = families.get(name) ?? {};
            assert.equal(family[what], undefined, `${what} of ${name} twice`);
            if (what === 'TYPE') {
                assert.match(rest, /^(counter|gauge|histogram|summary|untyped)$/);
                if (rest === 'counter') assert.match(name, /_total$/);
            }
            families.set(name, { ...family, [what]: rest });
            continue;
        }
        const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*",?)*\})? (NaN|[+-]Inf|[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)( \d+)?$/.exec(line);
        assert.ok(sample, `not a sample: ${line}`);
        assert.ok(families.get(sample[1])?.TYPE ?? families.get(sample[1].replace(/_(bucket|sum|count)$/, ''))?.TYPE, `${sample[1]} was not declared`);
        const identity = sample[1] + (sample[2] ?? '');
        assert.equal(samples.has(identity), false, `${identity} twice`);
        samples.add(identity);
    }
    return families;
}

test('a stop under load loses no answer', async (t) => {
    const folder = temporary(t);
    const daemon = await startDaemon(t, folder);
    const stripe = sdk(daemon);
    const done = [];
    const cut = [];
    let stopping = false;
    const worker = async (name) => {
        for (let i = 0; ; ++i) {
            const idempotencyKey = `load-${name}-${i}`;
            const params = { amount: 100 + i, currency: 'eur', payment_method: 'pm_card_visa', confirm: true };
            try {
                done.push({ idempotencyKey, params, id: (await stripe.paymentIntents.create(params, { idempotencyKey })).id });
            } catch (error) {
                assert.ok(stopping, String(error));
                cut.push({ idempotencyKey, params });
                return;
            }
        }
    };
    const workers = Array.from({ length: 24 }, (_, i) => worker(i));
    await eventually('there is load', () => done.length > 200);
    stopping = true;
    const from = Date.now();
    const stopped = await kill(daemon, 'SIGTERM');
    const took = Date.now() - from;
    await Promise.all(workers);
    assert.equal(stopped.code, 0, daemon.log);
    assert.ok(took < 10_000, `${took} ms`);
    assert.equal(florin('ledger', 'verify', '--data-dir', folder).code, 0);
    const again = await startDaemon(t, folder);
    // A key that is known now belongs to a request that was executed, yet not answered.
    for (const { idempotencyKey, params } of cut) {
        const body = new URLSearchParams({ ...params, confirm: 'true' }).toString();
        const replay = await request(again, 'POST', '/v1/payment_intents', { body, headers: { 'Idempotency-Key': idempotencyKey } });
        assert.equal(replay.headers['idempotent-replayed'], undefined, `${idempotencyKey} had been executed`);
    }
    for (const { id } of done.slice(-50)) assert.equal((await sdk(again).paymentIntents.retrieve(id)).status, 'succeeded');
    await kill(again, 'SIGTERM');
    t.diagnostic(`${done.length} answered, ${cut.length} refused, stopped in ${took} ms`);
});

test('directories that are not ours to use are left as they are', async (t) => {
    const folder = temporary(t);
    const data = path.join(folder, 'data');
    const snapshot = (where) => Object.fromEntries(files(where).sort().map((file) => [file, readFileSync(file).toString('base64')]));
    const dev = (where) => run(programs.florind, ['--dev', '--data-dir', where, '--listen', '127.0.0.1:0']);
    const daemon = await startDaemon(t, data);
    await sdk(daemon).paymentIntents.create({ amount: 100, currency: 'eur', payment_method: 'pm_card_visa', confirm: true });

    await t.test('a second daemon names the first and ends with 2', async () => {
        const second = dev(data);
        assert.equal(second.code, 2);
        assert.match(second.err, new RegExp(`${data}: in use by process ${daemon.child.pid}`));
        assert.equal(JSON.parse(second.out.trim()).event, 'error');
        assert.equal((await request(daemon, 'GET', '/v1/balance')).status, 200);
        assert.equal(JSON.parse(readFileSync(path.join(data, 'run.json'), 'utf8')).pid, daemon.child.pid);
    });
    await t.test('tools read beside it what is durable by then, and leave nothing behind', () => {
        const before = readdirSync(data).sort();
        for (const args of [['ledger', 'balances'], ['ledger', 'trial-balance'], ['ledger', 'head'], ['attempts', 'list']]) {
            const beside = florin(...args, '--data-dir', data);
            assert.equal(beside.code, 0, `${args.join(' ')}: ${beside.err}`);
            assert.match(beside.out, args[0] === 'attempts' ? /sandbox/ : /\d/);
        }
        assert.match(florin('ledger', 'balances', '--format', 'csv', '--data-dir', data).out, /,100,/);
        const done = florin('ledger', 'verify', '--data-dir', data);
        assert.equal(done.code, 0, done.err);
        assert.match(done.err, new RegExp(`process ${daemon.child.pid} writes this directory`));
        assert.match(done.out, /everything agrees/);
        assert.deepEqual(readdirSync(data).sort(), before);
    });
    assert.equal((await kill(daemon, 'SIGTERM')).code, 0);
    for (const args of [['ledger', 'verify'], ['ledger', 'balances'], ['ledger', 'trial-balance'], ['attempts', 'list']]) {
        assert.equal(florin(...args, '--data-dir', data).code, 0, args.join(' '));
    }

    await t.test('another format version', () => {
        const other = path.join(folder, 'other');
        cpSync(data, other, { recursive: true });
        writeFileSync(path.join(other, 'FORMAT'), 'florin data directory, format 3\n');
        const before = snapshot(other);
        const refused = dev(other);
        assert.equal(refused.code, 2);
        assert.match(refused.err, /found 'florin data directory, format 3', expected format 2/);
        assert.equal(florin('ledger', 'verify', '--data-dir', other).code, 2);
        assert.deepEqual(snapshot(other), before);
    });
    await t.test('a directory of `florin ledger exec`', () => {
        const kernel = path.join(folder, 'kernel');
        assert.equal(run(programs.florin, ['ledger', 'exec', '--data-dir', kernel], { input: '' }).code, 0);
        const refused = dev(kernel);
        assert.equal(refused.code, 2);
        assert.match(refused.err, /holds a kernel's books only/);
        assert.equal(existsSync(path.join(kernel, 'vault')), false);
        assert.equal(florin('ledger', 'verify', '--data-dir', kernel).code, 0);
        const exec = run(programs.florin, ['ledger', 'exec', '--data-dir', data], { input: '' });
        assert.equal(exec.code, 2);
        assert.match(exec.err, /belongs to florind/);
    });
    await t.test('somebody else\'s folder', () => {
        const foreign = path.join(folder, 'foreign');
        mkdirSync(foreign);
        writeFileSync(path.join(foreign, 'letter.txt'), 'dear');
        const before = snapshot(foreign);
        assert.equal(dev(foreign).code, 2);
        assert.deepEqual(snapshot(foreign), before);
        const file = path.join(folder, 'a-file');
        writeFileSync(file, '');
        assert.match(dev(file).err, /is not a directory/);
    });
    await t.test('a directory that cannot be written', (t) => {
        const frozen = path.join(folder, 'frozen');
        mkdirSync(frozen);
        const bound = run('mount', ['--bind', '-r', data, frozen]);
        const fixed = bound.code === 0 && run('mount', ['-o', 'remount,ro,bind', frozen]).code === 0;
        try {
            if (!fixed) {
                t.skip('cannot mount here');
                return;
            }
            const refused = dev(frozen);
            assert.equal(refused.code, 2, refused.err);
            assert.match(refused.err, /Read-only file system/);
            assert.equal(florin('ledger', 'verify', '--data-dir', frozen).code, 0);
        } finally {
            if (bound.code === 0) run('umount', [frozen]);
        }
    });
});

test('a full disk stops the daemon honestly, and nothing acknowledged is lost', async (t) => {
    let disk;
    t.after(() => disk && run('umount', ['-l', disk]));  // before the folder goes
    const folder = temporary(t);
    disk = path.join(folder, 'disk');
    mkdirSync(disk);
    const mounted = run('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', disk]).code === 0;
    if (!mounted) {
        t.skip('cannot mount a small file system here');
        return;
    }
    const data = path.join(disk, 'data');
    const daemon = await startDaemon(t, data);
    const stripe = sdk(daemon);
    const acknowledged = [];
    // With a card of its own each, or one that is in the vault already: then only the journal grows.
    const customer = (await stripe.customers.create()).id;
    const method = (await stripe.paymentMethods.attach('pm_card_visa', { customer })).id;
    const pay = async (number, payment_method = method) => {
        const intent = await stripe.paymentIntents.create({ amount: 1000, currency: 'eur', customer, payment_method, confirm: true, description: `n${number}`.padEnd(900, '.') });
        if (intent.status === 'succeeded') acknowledged.push(intent.id);
    };
    for (let i = 0; i < 20; ++i) await pay(i);
    const filler = path.join(disk, 'filler');
    writeFileSync(filler, '');
    // All but a little, so that it runs out in the middle of something.
    const free = () => { const { bavail, bsize } = statfsSync(disk); return bavail * bsize; };
    while (free() > 0) appendFileSync(filler, Buffer.alloc(Math.min(1 << 20, free())));
    // The vault has no room: nothing happened, and the daemon goes on.
    await assert.rejects(stripe.paymentMethods.create({ type: 'card', card: { number: '4242424242424242', exp_month: 12, exp_year: 2040 } }), { type: 'StripeAPIError', statusCode: 500 });
    assert.equal((await stripe.balance.retrieve()).object, 'balance');
    truncateSync(filler, statSync(filler).size - (150 << 10));
    const errors = [];
    for (let i = 0; i < 3000 && daemon.child.exitCode === null && daemon.child.signalCode === null && errors.length < 20; ++i) {
        await pay(100 + i, i % 10 === 9 ? 'pm_card_visa' : method).catch((error) => errors.push(error));
    }
    assert.ok(errors.length > 0, 'the disk never ran out');
    for (const error of errors) assert.ok(['StripeAPIError', 'StripeConnectionError'].includes(error.type), `${error.type} ${error.message}`);
    const code = daemon.child.exitCode ?? (await Promise.race([daemon.ended, pause(1500).then(() => null)]))?.code;
    t.diagnostic(`${acknowledged.length} payments acknowledged, ${errors.length} refused, exit ${code ?? "none: it answers errors"}; ${daemon.log.trim().split("\n").at(-1)}`);
    assert.equal(daemon.child.signalCode, null, daemon.log);
    if (code !== undefined && code !== null) {
        assert.equal(code, 1);
        assert.match(daemon.log, /"level":"error","event":"ledger\.failed".*the disk is full/);
    } else {
        await kill(daemon, 'SIGTERM');
    }
    unlinkSync(filler);
    const again = await startDaemon(t, data);
    for (const id of acknowledged) assert.equal((await sdk(again).paymentIntents.retrieve(id)).status, 'succeeded', id);
    const more = await sdk(again).paymentIntents.create({ amount: 1000, currency: 'eur', payment_method: 'pm_card_visa', confirm: true });
    assert.equal(more.status, 'succeeded');
    assert.equal((await kill(again, 'SIGTERM')).code, 0);
    const verified = florin('ledger', 'verify', '--data-dir', data);
    assert.equal(verified.code, 0, verified.err);
});

// A number of a brand with the right check digit, different every time.
function cardNumber(prefix, length) {
    let digits = prefix;
    while (digits.length < length - 1) digits += String(randomBytes(1)[0] % 10);
    for (let check = 0; check < 10; ++check) {
        const sum = [...`${digits}${check}`].reverse().reduce((all, c, i) => all + (i % 2 ? ((Number(c) * 2) % 10) + Math.floor((Number(c) * 2) / 10) : Number(c)), 0);
        if (sum % 10 === 0) return `${digits}${check}`;
    }
}

test('no card number, CVC or key is in an answer, a log or a file, wherever it was sent', async (t) => {
    const folder = temporary(t);
    const daemon = await startDaemon(t, folder);
    const stripe = sdk(daemon);
    const { secret_key: secret, admin_key: admin } = daemon.ready;
    const numbers = [];
    const fresh = () => {
        const [prefix, length] = [['4', 16], ['51', 16], ['37', 15], ['6011', 16], ['36', 14], ['3530', 16], ['62', 16]][numbers.length % 7];
        numbers.push(cardNumber(prefix, length));
        return numbers.at(-1);
    };
    const cvc = '8317';
    const answers = [];
    const send = async (method, route, options = {}) => {
        const response = await request(daemon, method, route, options);
        answers.push(JSON.stringify(response.headers) + response.text);
        return response;
    };
    const refused = async (method, route, options) => {
        const response = await send(method, route, options);
        assert.ok(response.status >= 400 && response.status < 500, `${method} ${route} ${JSON.stringify(options)} ${response.text}`);
    };
    const good = 'amount=1000&currency=eur';

    await t.test('cards where they belong', async () => {
        for (let i = 0; i < 40; ++i) {
            const method = await stripe.paymentMethods.create({ type: 'card', card: { number: fresh(), exp_month: 12, exp_year: 2040, cvc } });
            const intent = await stripe.paymentIntents.create({ amount: 1000 + i, currency: 'eur', payment_method: method.id, confirm: true, expand: ['latest_charge', 'payment_method'] });
            answers.push(JSON.stringify(intent));
            const n = fresh().replace(/(....)/g, '$1 ');
            await send('POST', '/v1/payment_intents', { body: `${good}&confirm=true&payment_method_data[type]=card&payment_method_data[card][number]=${encodeURIComponent(n)}&payment_method_data[card][exp_month]=1&payment_method_data[card][exp_year]=2041&payment_method_data[card][cvc]=${cvc}` });
        }
        for (const bad of ['exp_month=13', 'exp_year=1999', `exp_month=12/${cvc}`, `cvc=${cvc}${cvc}`, `exp_month=${fresh()}`, `cvc=${fresh()}`, `exp_year=${fresh()}`, `number=${fresh()}x`, `number=${numbers[0].slice(0, -1)}${(Number(numbers[0].at(-1)) + 1) % 10}`, `colour=${fresh()}`, `${fresh()}=x`, `number[x]=${fresh()}`, `number[]=${fresh()}`]) {
            const card = new Map([['number', fresh()], ['exp_month', '12'], ['exp_year', '2040'], ['cvc', cvc]].map(([k, v]) => [`card[${k}]`, v]));
            const [name, value] = [bad.slice(0, bad.indexOf('=')), bad.slice(bad.indexOf('=') + 1)];
            card.delete(`card[${name.replace(/\[.*/, '')}]`);
            const body = [...card].map(([k, v]) => `${k}=${v}`).join('&') + `&card[${name.replace('[', '][').replace(/\]$/, '')}]=${value}`;
            await refused('POST', '/v1/payment_methods', { body: `type=card&${body}`, headers: { 'Idempotency-Key': randomBytes(8).toString('hex') } });
        }
    });

    await t.test('cards where they do not belong are refused, unrepeated', async () => {
        const intent = JSON.parse((await send('POST', '/v1/payment_intents', { body: good })).text).id;
        for (const where of ['description', 'receipt_email', 'statement_descriptor_suffix', 'transfer_group', 'metadata[k]', 'shipping[name]', 'shipping[address][line1]', 'colour', 'amount', 'currency', 'payment_method',
            'customer', 'expand[]', 'confirm', 'capture_method', 'setup_future_usage', 'payment_method_types[]', 'payment_method_data[billing_details][name]', 'return_url', 'client_secret', 'a[b][c]']) {
            for (const text of [fresh(), `card ${fresh().replace(/(....)(....)(....)(.+)/, '$1 $2 $3 $4')} exp 12/40 cvc ${cvc}`, `a-${fresh()}-b`]) {
                await refused('POST', '/v1/payment_intents', { body: `${good}&${where}=${encodeURIComponent(text)}`, headers: { 'Idempotency-Key': randomBytes(8).toString('hex') } });
                await refused('POST', `/v1/payment_intents/${intent}`, { body: `${where}=${encodeURIComponent(text)}` });
            }
        }
        for (const name of [(n) => n, (n) => `metadata[${n}]`, (n) => `${n}[x]`, (n) => `shipping[${n}]`, (n) => `x${n}x`]) await refused('POST', '/v1/payment_intents', { body: `${good}&${name(fresh())}=x` });
        await refused('POST', '/v1/payment_intents', { body: `${good}&${fresh()}` });
        await refused('POST', '/v1/payment_intents', { body: `${good}&${fresh()}=%zz` });
        await refused('POST', '/v1/payment_intents', { body: `${good}&${numbers.at(-1)}=1&${numbers.at(-1)}=2` });
        await refused('POST', '/v1/payment_intents', { body: JSON.stringify({ description: fresh() }), headers: { 'Content-Type': 'application/json' } });
        await refused('POST', '/v1/payment_intents', { body: good, headers: { 'Idempotency-Key': fresh() } });
        await refused('POST', '/v1/payment_intents', { body: good, headers: { 'Idempotency-Key': `order ${fresh()}` } });
        await refused('GET', '/v1/balance', { key: fresh() });
        await refused('GET', '/v1/balance', { key: `${fresh()}_x` });
        await refused('GET', '/v1/balance', { headers: { Authorization: `Basic ${Buffer.from(fresh() + ':').toString('base64')}` } });
        await refused('GET', '/v1/balance', { headers: { 'Stripe-Account': fresh() } });
        await refused('GET', '/v1/balance', { headers: { 'Stripe-Version': fresh() } });
        assert.equal((await send('GET', '/v1/balance', { headers: { 'User-Agent': fresh(), 'X-Card': fresh() } })).status, 200);
        for (const route of [(n) => `/v1/payment_intents/${n}`, (n) => `/v1/payment_methods/${n}`, (n) => `/v1/${n}`, (n) => `/${n}/${n}`, (n) => `/v1/charges/ch_${n}`, (n) => `/v1/payment_intents?starting_after=${n}`, (n) => `/v1/refunds?charge=x&${n}=1`, (n) => `/v1/balance?x=${n}`, (n) => `/v1/balance?expand[]=${n}`, (n) => `/v1/%zz${n}`]) {
            await refused('GET', route(fresh()));
        }
        await refused('POST', '/v1/refunds', { body: `payment_intent=${fresh()}` });
        await refused('POST', '/v1/refunds', { body: `charge=ch_x&reason=${fresh()}` });
        await refused('POST', `/v1/payment_intents/${intent}/cancel`, { body: `cancellation_reason=${fresh()}` });
        const broken = await exchange(daemon, `GET /${fresh()} HTTP/1.9\r\n${fresh()}: ${fresh()}\r\n\r\n`);
        answers.push(broken);
        answers.push(await exchange(daemon, `${fresh()}\r\n\r\n`));
        // Keys in a wrong place, too.
        for (const body of [`${good}&description=${secret}`, `${good}&metadata[${secret.slice(0, 40)}]=x`, `${good}&${secret}=x`, `${good}&payment_method=${secret}`, `${good}&metadata[k]=my+key+is+${admin}`]) await refused('POST', '/v1/payment_intents', { body });
        await refused('GET', `/v1/payment_intents/${secret}`);
        await refused('POST', '/v1/payment_intents', { body: good, headers: { 'Idempotency-Key': secret } });
    });

    await t.test('long numbers that are no cards are fine', async () => {
        for (const text of ['1764027600000', 'order 20261124-000017', '1234567890123456', 'DE89370400440532013000', '+49 30 901820 00', '4242424242424241', '00000000-0000-0000-0000-000000000000', '9007199254740993', 'sk_test_short']) {
            const response = await send('POST', '/v1/payment_intents', { body: `${good}&description=${encodeURIComponent(text)}&metadata[n]=${encodeURIComponent(text)}` });
            assert.equal(response.status, 200, response.text);
        }
    });

    await kill(daemon, 'SIGKILL');
    const again = await startDaemon(t, folder);
    assert.equal((await kill(again, 'SIGTERM')).code, 0);
    assert.equal(florin('ledger', 'verify', '--data-dir', folder).code, 0);

    // In plain text, as hexadecimal, in base64 at any offset, packed two digits to a byte.
    const packed = (n) => Buffer.from(n.length % 2 ? `${n}f` : n, 'hex');
    const shapes = (n) => [Buffer.from(n), Buffer.from(Buffer.from(n).toString('hex')), packed(n), Buffer.from(n, 'utf16le'),
        ...[0, 1, 2].map((k) => Buffer.from(Buffer.from('x'.repeat(k) + n).toString('base64').slice(k ? 4 : 0, -4)))];
    const secrets = readFileSync(path.join(folder, 'vault.key'), 'utf8').match(/[0-9a-f]{64}/g);
    const logs = daemon.log + again.log;
    const stores = files(folder).map((file) => [path.relative(folder, file), readFileSync(file)]);
    assert.ok(stores.some(([name, bytes]) => name === 'vault/vault.sqlite' && bytes.length > 8192));
    for (const n of new Set(numbers)) {
        for (const shape of shapes(n)) {
            for (const [name, bytes] of stores) assert.equal(bytes.includes(shape), false, `${n} is in ${name}`);
        }
        assert.equal(logs.includes(n), false, `${n} is in the log`);
        for (const answer of answers) assert.equal(answer.includes(n), false, `${n} is in an answer: ${answer}`);
    }
    for (const [name, bytes] of stores) {
        if (name !== 'dev.json') for (const key of [secret, admin, secret.slice(20), admin.slice(20)]) assert.equal(bytes.includes(key), false, `a key is in ${name}`);
        if (name !== 'vault.key') for (const key of secrets) assert.equal(bytes.includes(key) || bytes.includes(Buffer.from(key, 'hex')), false, `the vault's key is in ${name}`);
        assert.equal(/(cvc|cvv|security_code)\W{1,5}8317/i.test(bytes.toString('latin1')), false, name);
    }
    for (const key of [secret, admin, ...secrets]) assert.equal(logs.includes(key), false);
    for (const answer of answers) for (const key of [secret, admin]) assert.equal(answer.includes(key), false);
    assert.equal(/(?<!\d)8317(?!\d)/.test(logs), false);
    assert.ok(logs.split('\n').filter(Boolean).every((line) => JSON.parse(line)), 'every line of the log is JSON');
    t.diagnostic(`${new Set(numbers).size} numbers, ${answers.length} answers, ${stores.length} files, ${logs.length} bytes of log`);
    for (const [name] of stores) assert.equal(statSync(path.join(folder, name)).mode & 0o077, 0, name);
    rmSync(folder, { recursive: true });
});
