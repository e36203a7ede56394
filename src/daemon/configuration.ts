import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { DEFAULT_FILES } from '../api/names.ts';
import type { Orders } from '../api/outcome.ts';
import type { Client } from '../kube/client.ts';
import { ApiError, isNotFound } from '../kube/errors.ts';
import { configMaps } from '../kube/resources.ts';
import { explain } from '../lib/errors.ts';
import { writeWhole } from './files.ts';
import type { NodePaths } from './paths.ts';

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
    const text = configMap.data?.[key];
    if (text === undefined) {
      const message = `The config map ${namespace}/${name} has no key ${key}.`;
      return { type: 'unconfigured', code: 'CONFIGURATION_MISSING', message, transient: false };
    }
    if (createHash('sha256').update(text).digest('hex') !== digest) {
      const message = `The configuration in ${namespace}/${name} is not the one that was ordered.`;
      return { type: 'unconfigured', code: 'CONFIGURATION_MISMATCH', message, transient: false };
    }
    await writeWhole(path, text);
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
