import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { DEFAULT_FILES } from '../../api/names.ts';
import type { Orders } from '../../api/protocol.ts';
import type { Client } from '../../kube/client.ts';
import { ApiError, isForbidden, isNotFound } from '../../kube/errors.ts';
import { configMaps } from '../../kube/resources.ts';
import { explain } from '../../lib/errors.ts';
import { clear, readSmallFile, writeWhole } from '../disk/files.ts';
import type { NodePaths } from '../disk/paths.ts';
import { backoff } from '../machine/backoff.ts';

export type ConfigurationResult =
  | { type: 'configured' }
  | { type: 'unconfigured'; code: string; message: string; transient: boolean };

/**
 * Fetches the effective configuration and puts it into `path`, if it is the very text that the orders name by its
 * digest. Never throws.
 */
export async function loadConfiguration(
  client: Client,
  namespace: string,
  { name, key, digest }: Orders['configuration'],
  path: string,
  signal: AbortSignal,
): Promise<ConfigurationResult> {
  try {
    const configMap = await client.get(configMaps, { namespace, name }, { signal });
    if (configMap.data?.[key] === undefined) {
      const message = `The config map ${namespace}/${name} has no key ${key}.`;
      return { type: 'unconfigured', code: 'CONFIGURATION_MISSING', message, transient: false };
    }
    // An operator that died before it said so may have put another one there already, and kept this one beside it.
    const text = textOf(configMap, digest);
    if (text === undefined) {
      const message = `The configuration in ${namespace}/${name} is not the one that was ordered.`;
      return { type: 'unconfigured', code: 'CONFIGURATION_MISMATCH', message, transient: false };
    }
    await writeWhole(path, text);
    await keepText(path, text, digest);
    return { type: 'configured' };
  } catch (error) {
    if (isNotFound(error)) {
      const message = `The config map ${namespace}/${name} is not there.`;
      return { type: 'unconfigured', code: 'CONFIGURATION_MISSING', message, transient: false };
    }
    const local = error instanceof Error && 'syscall' in error && 'path' in error; // no room to write it, say
    const refused = error instanceof ApiError && error.status === 403;
    const code = 'CONFIGURATION_UNREADABLE';
    return { type: 'unconfigured', code, message: explain(error), transient: !local && !refused };
  }
}

/** Texts that are kept beside the one in use: a baseline that is to be replaced goes by one of them. */
const TEXTS_KEPT = 3;
const TEXT_BYTES = 1024 * 1024;

/** Where the text with this digest is kept. */
function textPath(path: string, digest: string): string {
  return `${path}.${digest.slice(0, 16)}`;
}

async function keepText(path: string, text: string, digest: string): Promise<void> {
  const own = textPath(path, digest);
  await writeWhole(own, text);
  const start = `${basename(path)}.`;
  const folder = dirname(path);
  const names = (await readdir(folder)).filter(
    (name) => name.startsWith(start) && /^[0-9a-f]{16}$/.test(name.slice(start.length)) && name !== basename(own),
  );
  const aged = await Promise.all(names.map(async (name) => ({ name, at: (await stat(join(folder, name))).mtimeMs })));
  aged.sort((one, other) => other.at - one.at);
  for (const { name } of aged.slice(TEXTS_KEPT - 1)) await clear(join(folder, name));
}

/** A file with an earlier configuration, or a sentence that says why there is none. */
export type EarlierConfiguration = { path: string } | { lacking: string };

/**
 * Finds the text of a configuration by its digest, to compare a node with a baseline that goes by it: one that this daemon
 * has had, or one that the operator keeps beside the effective one. Waits while the API server is away.
 * @throws the signal's reason when it aborts.
 */
export async function findConfiguration(
  client: Client,
  namespace: string,
  { name }: Orders['configuration'],
  digest: string,
  path: string,
  signal: AbortSignal,
): Promise<EarlierConfiguration> {
  const own = textPath(path, digest);
  const kept = await readSmallFile(own, TEXT_BYTES).catch(() => undefined);
  if (kept !== undefined && digestOf(kept) === digest) return { path: own };
  for (let attempt = 1; ; attempt += 1) {
    try {
      const configMap = await client.find(configMaps, { namespace, name }, { signal });
      const text = textOf(configMap, digest);
      if (text === undefined) return { lacking: 'The configuration that the baseline goes by is not kept any more' };
      await keepText(path, text, digest);
      return { path: own };
    } catch (error) {
      signal.throwIfAborted();
      const isAway = !(error instanceof Error && 'syscall' in error && 'path' in error) && !isForbidden(error);
      if (!isAway) return { lacking: `The configuration that the baseline goes by cannot be had: ${explain(error)}` };
      await delay(backoff(attempt, Math.random()), undefined, { signal });
    }
  }
}

/** The text with this digest, under whatever key. */
function textOf(configMap: ConfigMap | undefined, digest: string): string | undefined {
  return Object.values(configMap?.data ?? {}).find((each) => digestOf(each) === digest);
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The line for the text report in the effective configuration. */
const REPORT = /^(\s*report_url\s*=\s*file:\S*\/)aide\.log\.new(?=\s|$)/gm;

/**
 * The path of the configuration for a node's files: the effective one names the report that a node with one FileIntegrity
 * has, and AIDE would write over that of the other one.
 */
export async function ownConfiguration({
  configuration,
  paths,
}: {
  configuration: string;
  paths: NodePaths;
}): Promise<string> {
  if (paths.files === DEFAULT_FILES) return configuration;
  const text = await readFile(configuration, 'utf8');
  const own = `${configuration}.${paths.files}`;
  await writeWhole(own, text.replace(REPORT, `$1${basename(paths.newLog)}`));
  return own;
}
