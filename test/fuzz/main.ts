import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { describeFault, fuzz } from './run.ts';
import { targets } from './targets.ts';

// npm run fuzz [-- --seconds 600 --target NAME --seed SEED --unguided]: gives inputs to what reads bytes of nodes and users.

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    target: { type: 'string', multiple: true },
    seed: { type: 'string', default: randomBytes(4).toString('hex') },
    unguided: { type: 'boolean', default: false },
  },
});
const { seed } = values;
const names = values.target ?? targets.map(({ name }) => name);
console.log(`seed ${seed}, ${names.length} targets, ${values.seconds} s in all`);
const ended = await fuzz({
  targets: names,
  seed,
  secondsEach: Number(values.seconds) / names.length,
  guided: !values.unguided,
  onEnd: ({ target, inputs, fault }) =>
    console.log(fault ? describeFault(fault, seed) : `${target}: ${inputs} inputs, nothing wrong`),
});
const faults = ended.filter(({ fault }) => fault !== undefined);
console.log(`${ended.reduce((sum, { inputs }) => sum + inputs, 0)} inputs, ${faults.length} targets with a fault`);
if (faults.length > 0) process.exitCode = 1;
