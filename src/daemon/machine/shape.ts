/** Whether a parsed JSON value has the expected form. */
export type Check = (value: unknown) => boolean;

/** A text of so many characters at most, and of this form. */
export function text(limit: number, form?: RegExp): Check {
  return (value) => typeof value === 'string' && value.length <= limit && (form?.test(value) ?? true);
}

/** One of the names of a type: all of them have to be listed, and no other. */
export function oneOf<Name extends string>(names: Readonly<Record<Name, true>>): Check {
  return (value) => typeof value === 'string' && Object.hasOwn(names, value);
}

export function wholeNumber(most = Number.MAX_SAFE_INTEGER): Check {
  return (value) => Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= most;
}

/** Also below zero. */
export const integer: Check = (value) => Number.isSafeInteger(value);

export const flag: Check = (value) => typeof value === 'boolean';

/** What need not be there. */
export function optional(check: Check): Check {
  return (value) => value === undefined || check(value);
}

export function listOf(check: Check, most: number): Check {
  return (value) => Array.isArray(value) && value.length <= most && value.every(check);
}

/** An object of this type, each of whose fields has to be listed; what else it has does not matter. */
export function shape<Type extends object>(fields: { readonly [Field in keyof Type]-?: Check }): Check {
  const checks = Object.entries<Check>(fields);
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    return checks.every(([name, check]) => check((value as Record<string, unknown>)[name]));
  };
}

/** RFC 3339 in UTC, to the second or finer: a day that is on no calendar is none. */
export const time: Check = (value) => {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(value)) return false;
  const at = new Date(value);
  return !Number.isNaN(at.getTime()) && at.toISOString().slice(0, 19) === value.slice(0, 19);
};
