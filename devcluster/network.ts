import { readFileSync } from 'node:fs';
import { FioError } from '../src/lib/errors.ts';
import { mustRun, run } from './lib/run.ts';

/** Services have the same addresses in every cluster: only a cluster's own nodes know them. */
export const SERVICE_RANGE = '10.96.0.0/16';
/** The address of the service `kubernetes`, the first of the range. */
export const API_SERVICE_ADDRESS = '10.96.0.1';

// A bridge's name is the claim on its range, so these are what clusters on this machine choose from.
const FIRST_OCTET = 140;
const LAST_OCTET = 219;

/** The bridge that joins a cluster's nodes and the host. */
export function bridgeName(octet: number): string {
  return `fio${octet}`;
}

/** The host's address on the bridge: of the API server, and of the name server. */
export function hostAddress(octet: number): string {
  return `10.${octet}.255.1`;
}

/** The address of a node. */
export function nodeAddress(octet: number, index: number): string {
  return `10.${octet}.255.${10 + index}`;
}

/** The addresses of a node's pods. */
export function nodePodRange(octet: number, index: number): string {
  return `10.${octet}.${index}.0/24`;
}

/** The addresses of all pods of a cluster. */
export function clusterRange(octet: number): string {
  return `10.${octet}.0.0/16`;
}

/** The host's end of a node's cable. At most 15 characters, as the kernel asks. */
export function cableName(octet: number, index: number): string {
  return `fio${octet}n${index}`;
}

/**
 * The second octets of all 10.x networks in the kernel's table of routes, as in /proc/net/route: addresses and masks in
 * hexadecimal, in the byte order of the machine (little-endian here). A wide route such as 10.0.0.0/8 counts for no
 * octet: its more specific ones decide.
 */
export function routedOctets(table: string): Set<number> {
  const octets = new Set<number>();
  for (const line of table.split('\n').slice(1)) {
    const [, destination, , , , , , mask] = line.split(/\s+/);
    if (destination?.length !== 8 || mask === undefined) continue;
    const first = Number.parseInt(destination.slice(6, 8), 16);
    if (first === 10 && Number.parseInt(mask.slice(4, 6), 16) !== 0) {
      octets.add(Number.parseInt(destination.slice(4, 6), 16));
    }
  }
  return octets;
}

/**
 * Makes a bridge for a cluster on a range that nothing on this machine uses. Making it is the claim: the kernel lets
 * only one process make a bridge of a name. Its alias names the cluster's folder. Undefined where the kernel allows no
 * bridges, as in many containers.
 */
export async function claimNetwork(directory: string, signal: AbortSignal): Promise<number | undefined> {
  const used = routedOctets(readFileSync('/proc/net/route', 'utf8'));
  for (let octet = FIRST_OCTET; octet <= LAST_OCTET; octet++) {
    if (used.has(octet)) continue;
    const bridge = bridgeName(octet);
    const made = await run(['ip', 'link', 'add', bridge, 'type', 'bridge'], { signal });
    if (made.code !== 0) {
      if (made.stderr.includes('File exists')) continue;
      if (/not permitted|not supported|Unknown device type/i.test(made.stderr)) return undefined;
      throw new FioError('DEVCLUSTER_NO_NETWORK', `A network bridge cannot be made: ${made.stderr.trim()}`);
    }
    try {
      await mustRun(['ip', 'link', 'set', bridge, 'alias', directory.slice(0, 255)], { signal });
      await mustRun(['ip', 'address', 'add', `${hostAddress(octet)}/24`, 'dev', bridge], { signal });
      await mustRun(['ip', 'link', 'set', bridge, 'up'], { signal });
    } catch (error) {
      await removeNetwork(octet);
      throw error;
    }
    return octet;
  }
  throw new FioError(
    'DEVCLUSTER_NO_NETWORK',
    `No free network range between 10.${FIRST_OCTET} and 10.${LAST_OCTET} is left; stop a cluster`,
  );
}

/** Removes a cluster's bridge, and with it the routes over it. */
export async function removeNetwork(octet: number): Promise<void> {
  await run(['ip', 'link', 'delete', bridgeName(octet)]);
}

/** The octets of the bridges that were made for the cluster in this folder, whatever its state says. */
export async function networksOf(directory: string): Promise<number[]> {
  const shown = await run(['ip', '-json', 'link', 'show', 'type', 'bridge']).catch(() => undefined);
  if (shown?.code !== 0) return [];
  const links = JSON.parse(shown.stdout || '[]') as { ifname?: string; ifalias?: string }[];
  return links
    .filter((link) => link.ifalias === directory.slice(0, 255))
    .flatMap((link) => /^fio(\d+)$/.exec(link.ifname ?? '')?.[1] ?? [])
    .map(Number);
}
