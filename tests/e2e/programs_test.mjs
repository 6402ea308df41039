// What every program says of itself, before it does anything.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { programs } from './support.mjs';

const [, version] = /project\(florin VERSION ([0-9.]+) /.exec(readFileSync(new URL('../../CMakeLists.txt', import.meta.url), 'utf8'));

for (const [name, program] of [['florind', programs.florind], ['florin', programs.florin], ['florin-banksim', programs.banksim]]) {
    const run = (...args) => spawnSync(program, args, { encoding: 'utf8' });

    test(`${name} says its version, helps, and refuses what it does not know`, () => {
        const told = run('--version');
        assert.deepEqual([told.status, told.stdout], [0, `${name} ${version}\n`]);
        const help = run('--help');
        assert.equal(help.status, 0);
        assert.match(help.stdout, /--version/);
        const wrong = run('--no-such-option');
        assert.equal(wrong.status, 2);
        assert.match(wrong.stderr, /no-such-option|required/);
        assert.equal(wrong.stdout, '');
    });
}
