import fc, { type Arbitrary } from 'fast-check';
import { z } from 'zod';

/** Values that a schema of the protocol accepts. Times are in UTC, as a daemon writes them. */
export function valuesOf(schema: z.ZodType): Arbitrary<unknown> {
  if (schema instanceof z.ZodObject) return objectsOf(schema);
  if (schema instanceof z.ZodDiscriminatedUnion) {
    return fc.oneof(...schema.options.map((option) => valuesOf(option as z.ZodType)));
  }
  if (schema instanceof z.ZodArray) return fc.array(valuesOf(schema.element as z.ZodType), { maxLength: 3 });
  if (schema instanceof z.ZodEnum) return fc.constantFrom(...schema.options);
  if (schema instanceof z.ZodLiteral) return fc.constantFrom(...schema.values);
  if (schema instanceof z.ZodBoolean) return fc.boolean();
  if (schema instanceof z.ZodISODateTime) {
    const range = { min: new Date('1970-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true };
    return fc.date(range).map((date) => date.toISOString());
  }
  if (schema instanceof z.ZodNumber) {
    const { minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER } = z.toJSONSchema(schema);
    return fc.integer({ min: minimum, max: maximum });
  }
  if (schema instanceof z.ZodString) return textsOf(schema);
  throw new Error(`no values are known for ${schema.type}`);
}

function objectsOf(schema: z.ZodObject): Arbitrary<unknown> {
  const fields = Object.entries(schema.shape) as [string, z.ZodType][];
  const optional = fields.filter(([, field]) => field instanceof z.ZodExactOptional).map(([name]) => name);
  const values = Object.fromEntries(
    fields.map(([name, field]) => [
      name,
      valuesOf(field instanceof z.ZodExactOptional ? (field.unwrap() as z.ZodType) : field),
    ]),
  );
  const requiredKeys = fields.map(([name]) => name).filter((name) => !optional.includes(name));
  return fc.oneof(fc.record(values), fc.record(values, { requiredKeys }));
}

function textsOf(schema: z.ZodString): Arbitrary<string> {
  const { pattern } = z.toJSONSchema(schema);
  const texts = pattern === undefined ? fc.string({ maxLength: 64 }) : fc.stringMatching(new RegExp(pattern));
  return texts.filter((text) => schema.safeParse(text).success);
}

const LENGTHS = [63, 64, 65, 128, 129, 200, 253, 254, 256, 257, 512, 513, 4096, 4097];
const ODD: readonly unknown[] = [
  ...[null, true, 0, -1, 1.5, 255, 256, 100_000, 100_001, 2 ** 53, '', ' ', '\n', 'a\n', 'é', '\ud800', [], {}],
  ...['Succeeded', 'Replaced', 'Initial', 'Path', 'Gone', 'toString', '__proto__', 'soon', '2026-02-30T00:00:00Z'],
  ...LENGTHS.flatMap((length) => ['a'.repeat(length), ' '.repeat(length)]),
];

/** The same values with one place of each otherwise: taken away, of another kind, too long or too many. */
export function spoiled(values: Arbitrary<unknown>): Arbitrary<unknown> {
  const change = fc.oneof(
    fc.constant({ type: 'remove' as const }),
    fc.constantFrom(...ODD).map((value) => ({ type: 'replace' as const, value })),
    fc.constantFrom(16, 17, 32, 33, 64, 65).map((length) => ({ type: 'repeat' as const, length })),
  );
  return fc.tuple(values, fc.nat(), change).map(([value, at, how]) => {
    const copy = structuredClone(value);
    const places = placesOf(copy);
    const [owner, key] = places[at % places.length] ?? [];
    if (owner === undefined || key === undefined) return copy;
    const old = owner[key];
    if (how.type === 'remove') delete owner[key];
    else if (how.type === 'replace') owner[key] = how.value;
    else if (Array.isArray(old) && old.length > 0) owner[key] = Array.from({ length: how.length }, () => old[0]);
    return JSON.parse(JSON.stringify(copy));
  });
}

type Owner = Record<string, unknown>;

function placesOf(value: unknown): [Owner, string][] {
  if (typeof value !== 'object' || value === null) return [];
  const owner = value as Owner;
  return Object.keys(owner).flatMap((key) => [[owner, key] as [Owner, string], ...placesOf(owner[key])]);
}
