import { createHash } from 'node:crypto';
import type { Orders } from '../api/outcome.ts';
import type { Client } from '../kube/client.ts';
import { ApiError, isNotFound } from '../kube/errors.ts';
import { configMaps } from '../kube/resources.ts';
import { explain } from '../lib/errors.ts';
import { writeWhole } from './files.ts';

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
