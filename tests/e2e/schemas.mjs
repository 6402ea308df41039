// Objects held against the published schemas (schemas/components.json), which are not ours.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import Ajv from 'ajv/dist/2020.js';

const ajv = new Ajv({ strict: false, allErrors: true });
ajv.addSchema(JSON.parse(readFileSync(new URL('schemas/components.json', import.meta.url))));

// Every required field, no unknown one, every type. Answers the object.
export function conforms(kind, object) {
    const validate = ajv.getSchema(`components.json#/$defs/${kind}`);
    const { lastResponse, ...plain } = object;
    assert.ok(validate(plain), `${kind}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(plain, null, 1)}`);
    return object;
}
