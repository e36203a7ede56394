import type { Target } from './target.ts';

// Readers with a fault each, to see that it is found.

const seeds = () => [Buffer.from('{"name":"value","count":1}')];

/** As most faults are: an input that nobody thought of, and an error that is none of ours. */
const throwsTypeError: Target = {
  name: 'throws',
  seeds,
  run(bytes) {
    const value = JSON.parse(safe(bytes)) as { name?: string } | null;
    value?.name?.toUpperCase();
  },
};

/** A backslash is not escaped. */
const showsTwoAlike: Target = {
  name: 'lies',
  seeds,
  run(bytes) {
    const shown = bytes.toString('latin1').replace(/[^ -~]/g, (c) => `\\x${c.charCodeAt(0).toString(16)}`);
    const back = shown.replace(/\\x([0-9a-f]{1,2})/g, (_all, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
    if (back !== bytes.toString('latin1')) throw new Error('two texts are shown alike');
  },
};

/** A repeated group: the longer the input, the longer it takes, twice for each byte. */
const takesLong: Target = {
  name: 'slow',
  seeds: () => [Buffer.from('aaaa')],
  maxMs: 200,
  run(bytes) {
    /^(a+)+$/.test(bytes.toString('latin1', 0, 27));
  },
};

const neverEnds: Target = {
  name: 'hangs',
  seeds,
  run(bytes) {
    while (bytes.includes('[[')) bytes.swap16;
  },
};

const takesAllMemory: Target = {
  name: 'grows',
  seeds,
  run(bytes) {
    const kept: string[] = [];
    while (bytes.includes('{{')) kept.push(String(Math.random()).repeat(100));
  },
};

const isSound: Target = { name: 'sound', seeds, run: () => {} };

function safe(bytes: Buffer): string {
  try {
    JSON.parse(bytes.toString('utf8'));
    return bytes.toString('utf8');
  } catch {
    return '{}';
  }
}

export const targets: readonly Target[] = [
  throwsTypeError,
  showsTwoAlike,
  takesLong,
  neverEnds,
  takesAllMemory,
  isSound,
];
