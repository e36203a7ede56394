/**
 * Whether `actual` holds everything that `desired` asks for: objects may have more fields, lists and plain values must be
 * equal in length and value. With this the operator writes only what has to change.
 * @param ignore tells the paths (`.spec.template…`, list indexes as numbers) that do not count.
 */
export function contains(actual: unknown, desired: unknown, ignore: (path: string) => boolean = () => false): boolean {
  return covers(actual, desired, '', ignore);
}

function covers(actual: unknown, desired: unknown, path: string, ignore: (path: string) => boolean): boolean {
  if (ignore(path) || Object.is(actual, desired)) return true;
  if (Array.isArray(desired)) {
    return (
      Array.isArray(actual) &&
      actual.length === desired.length &&
      desired.every((item, index) => covers(actual[index], item, `${path}.${index}`, ignore))
    );
  }
  if (!isRecord(desired)) return false;
  return (
    isRecord(actual) &&
    Object.entries(desired).every(
      ([key, value]) => value === undefined || covers(actual[key], value, `${path}.${key}`, ignore),
    )
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
