/** Which bytes of a report's two files go into one config map: from (inclusive), to (exclusive). */
export interface Part {
  log: readonly [from: number, to: number];
  json: readonly [from: number, to: number];
}

/**
 * Bytes of a compressed report in one config map: 675 KiB, 900 KiB as base64. A config map may have 1 MiB of data in all
 * (k8s.io/api MaxSecretSize), its annotations not counted. A multiple of 3, so that each part's base64 stands by itself.
 */
export const PART_BYTES = 675 * 1024;

/**
 * Spreads two files over config maps: the text first, then the JSON, each filling what the one before left free. All the
 * parts' pieces of a key, one behind the other, are the whole base64 text.
 */
export function planParts(logBytes: number, jsonBytes: number): Part[] {
  const parts: Part[] = [];
  let log = 0;
  let json = 0;
  do {
    const logEnd = Math.min(logBytes, log + PART_BYTES);
    // A key's last piece may end anywhere; the other key's first piece then starts with what is left, in threes.
    const free = Math.floor((PART_BYTES - (logEnd - log)) / 3) * 3;
    const jsonEnd = logEnd < logBytes ? json : Math.min(jsonBytes, json + free);
    parts.push({ log: [log, logEnd], json: [json, jsonEnd] });
    log = logEnd;
    json = jsonEnd;
  } while (log < logBytes || json < jsonBytes);
  return parts;
}
