import { lstat, opendir, readFile, readlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { HOST_ROOT } from '../../aide/config/host-path.ts';
import { type RulePlace, rulePlaces } from '../../aide/config/rule-places.ts';
import { errorCode } from '../../aide/file.ts';
import type { RuleRecord } from '../../api/protocol.ts';
import { explain } from '../../lib/errors.ts';
import type { AideSetup } from '../scans/aide-setup.ts';
import { ownConfiguration } from '../sources/configuration.ts';

/** What a receipt lists at most. */
const IDLE = 64;
const LINKS = 16;
const TARGET_CHARACTERS = 200;
/** Rules that are looked at, entries of one folder, and links that are followed. */
const RULES = 5000;
const ENTRIES = 10_000;
const HOPS = 8;

/**
 * Which rules have nothing on this node, by the names that their paths begin with, and which lead to a link, which AIDE does not
 * follow. What cannot be told counts as there: a rule that is named surely has nothing. A few calls for each rule, and
 * nothing is opened but folders. Undefined where it could not be done.
 */
export async function lookAtRules(setup: AideSetup, signal: AbortSignal): Promise<RuleRecord | undefined> {
  try {
    const places = rulePlaces(await readFile(await ownConfiguration(setup), 'utf8'));
    const idle: number[] = [];
    const links: RuleRecord['links'] = [];
    let more = 0;
    for (const place of places.slice(0, RULES)) {
      signal.throwIfAborted();
      const found = await find(place, setup.hostRoot);
      if (found === 'there') continue;
      if (typeof found === 'object' && links.length < LINKS) links.push({ line: place.line, target: found.target });
      else if (found === 'nothing' && idle.length < IDLE) idle.push(place.line);
      else more += 1;
    }
    return { idle, links, ...(more > 0 && { more }) };
  } catch (error) {
    signal.throwIfAborted();
    setup.log.info(`the rules could not be compared with the node: ${explain(error)}`);
    return undefined;
  }
}

type Found = 'there' | 'nothing' | { readonly target: string };

async function find({ start, isSelecting, takesBelow }: RulePlace, hostRoot: string): Promise<Found> {
  const root = [HOST_ROOT, hostRoot].find((each) => start.startsWith(`${each}/`));
  if (root === undefined) return 'there';
  const names = start.slice(root.length + 1).split('/');
  const last = names.pop() ?? '';
  let path = '';
  for (const name of names) {
    path = `${path}/${name}`;
    const kind = await kindOf(join(hostRoot, path));
    if (kind === 'folder') continue;
    if (kind === 'link' && isSelecting) return await toTarget(hostRoot, path, start.slice(root.length + path.length));
    return kind === 'unknown' ? 'there' : 'nothing';
  }
  if (last === '') return 'there';
  const whole = `${path}/${last}`;
  const kind = await kindOf(join(hostRoot, whole));
  if (kind === 'link' && takesBelow) return await toTarget(hostRoot, whole, '/');
  if (kind !== 'nothing') return 'there';
  return (await hasEntry(join(hostRoot, path), last)) ? 'there' : 'nothing';
}

type Kind = 'folder' | 'link' | 'file' | 'nothing' | 'unknown';

async function kindOf(path: string): Promise<Kind> {
  try {
    const entry = await lstat(path);
    return entry.isDirectory() ? 'folder' : entry.isSymbolicLink() ? 'link' : 'file';
  } catch (error) {
    return ['ENOENT', 'ENOTDIR'].includes(errorCode(error)) ? 'nothing' : 'unknown';
  }
}

/** Where a link leads on the node, if that is a folder: what the rule goes for may be there. */
async function toTarget(hostRoot: string, link: string, rest: string): Promise<Found> {
  let path = link;
  for (let hops = 0; hops < HOPS; hops += 1) {
    const to = await readlink(join(hostRoot, path)).catch(() => undefined);
    if (to === undefined) return 'there';
    path = resolve(dirname(path), to);
    const kind = await kindOf(join(hostRoot, path));
    if (kind === 'link') continue;
    const target = path === '/' ? rest : `${path}${rest}`;
    const isTold = kind === 'folder' && target.length <= TARGET_CHARACTERS && /^[!-~]+$/.test(target);
    return isTold ? { target } : 'there';
  }
  return 'there';
}

async function hasEntry(folder: string, start: string): Promise<boolean> {
  try {
    let entries = 0;
    for await (const { name } of await opendir(folder)) {
      entries += 1;
      if (entries > ENTRIES || name.startsWith(start)) return true;
    }
    return false;
  } catch {
    return true;
  }
}
