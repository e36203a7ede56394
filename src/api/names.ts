import { createHash } from 'node:crypto';

/** A DNS subdomain, the longest name of most Kubernetes objects. */
const NAME_LIMIT = 253;
/** A label's value, and the name of an object whose name becomes one (daemon sets: the pods carry it). */
const LABEL_LIMIT = 63;

/** The daemon set of a FileIntegrity; its name is also the pods' `app` label, hence the label's limit. */
export function daemonSetName(integrity: string): string {
  return shorten(`aide-${integrity}`, LABEL_LIMIT);
}

/** The temporary result of a node, and the node's heartbeat lease, which share a name and differ in kind. */
export function resultName(integrity: string, node: string): string {
  return shorten(`aide-${integrity}-${node}`, NAME_LIMIT - PART_SUFFIX_ROOM);
}

/** The kept failure of a node. */
export function failedName(integrity: string, node: string): string {
  return shorten(`aide-${integrity}-${node}-failed`, NAME_LIMIT - PART_SUFFIX_ROOM);
}

/** The kept report of what was found on a node while it was updated. */
export function setAsideName(integrity: string, node: string): string {
  return shorten(`aide-${integrity}-${node}-set-aside`, NAME_LIMIT - PART_SUFFIX_ROOM);
}

/** A kept failure that is no longer the newest: `failed` is the name that it had, `sequence` its number. */
export function historyName(failed: string, sequence: number): string {
  return shorten(`${failed}.${sequence}`, NAME_LIMIT - PART_SUFFIX_ROOM);
}

/** The first page of the structured findings of a kept report; the others as `partName` has it. */
export function findingsName(report: string): string {
  return shorten(`${report}.findings`, NAME_LIMIT - PART_SUFFIX_ROOM);
}

/** The record of a re-initialisation. */
export function recordName(integrity: string, id: string): string {
  return shorten(`aide-${integrity}-reinit-${id}`, NAME_LIMIT);
}

/** What was on record of nodes whose statuses went. */
export function departedName(integrity: string): string {
  return shorten(`aide-${integrity}-reinit-departed`, NAME_LIMIT);
}

/** The `number`-th config map, counted from 1, of a report that begins in the config map `first`. */
export function partName(first: string, number: number): string {
  return number === 1 ? first : `${first}-${number}`;
}

/**
 * Config maps that one message may have, the first included; admission allows a daemon no more. At 900 KiB each it is more
 * than any node's list of files, and bounds what a node can have the API server hold.
 */
export const PARTS_LIMIT = 99;

/** The status of a node under a FileIntegrity. */
export function nodeStatusName(integrity: string, node: string): string {
  return shorten(`${integrity}-${node}`, NAME_LIMIT);
}

/** How the names of a node's database and log begin, as the contract has them. */
export const DEFAULT_FILES = 'aide';

/** How they begin for a FileIntegrity that shares the node with another. */
export function ownFiles(integrity: string): string {
  return `${DEFAULT_FILES}.${labelValue(integrity)}`;
}

/** A value for a label: as it is where it fits, shortened with a hash where not. */
export function labelValue(value: string): string {
  return shorten(value, LABEL_LIMIT);
}

/** Room for `-` and a part's number behind the name of a report's first config map. */
const PART_SUFFIX_ROOM = 6;

/**
 * A name as it is where it fits; else its beginning and ten hex digits of its SHA-256, so that different long names stay
 * different and the same one always gives the same.
 */
function shorten(name: string, limit: number): string {
  if (name.length <= limit) return name;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 10);
  return `${name.slice(0, limit - 11).replace(/[-._]+$/, '')}-${digest}`;
}
