import { createHash } from 'node:crypto';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { checkConfiguration, type PreparedConfiguration } from '../../aide/config/prepare.ts';
import { describeProblems, type Problem } from '../../aide/config/problem.ts';
import type { FileIntegrity, FileIntegritySpec } from '../../api/fileintegrity.ts';
import {
  AIDE_CONF_LABEL,
  CHANGED_BY_ANNOTATION,
  CONFIGURATION_LABEL,
  LOG_LABEL,
  RECORD_LABEL,
  RESULT_LOG_LABEL,
} from '../../api/keys.ts';
import type { Client } from '../../kube/client.ts';
import { isForbidden } from '../../kube/errors.ts';
import { createInformer, type Informer, keyOf } from '../../kube/informer.ts';
import { configMaps } from '../../kube/resources.ts';
import type { ObjectMeta } from '../../kube/types.ts';
import { printable } from '../../lib/text.ts';
import { lastManagerOf } from '../managers.ts';
import type { JudgedConfiguration } from './configuration.ts';

export interface JudgeOptions {
  readonly client: Client;
  /** Starts AIDE, which has the last word on a configuration; default `['aide']`, as in the image. */
  readonly aide?: readonly [string, ...string[]];
  /** Told of the FileIntegrity whose config map has changed. */
  readonly onChange: (key: string) => void;
  readonly onError: (error: unknown) => void;
}

/** Texts whose check is remembered. Every reconcile asks again, and AIDE takes some milliseconds. */
const REMEMBERED = 32;

/**
 * Reads the users' config maps, wherever they are, and says what is fit for a node. Each config map that is named by a
 * FileIntegrity is watched by name, as long as it is named.
 */
export class Judge {
  readonly #options: JudgeOptions;
  readonly #signal: AbortSignal;
  /** By FileIntegrity. */
  readonly #watches = new Map<string, { name: string; informer: Informer<ConfigMap>; stop: AbortController }>();
  /** By SHA-256 of the user's text, the least recently used first. */
  readonly #checked = new Map<string, Promise<PreparedConfiguration>>();

  constructor(options: JudgeOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  async judge(integrity: FileIntegrity, spec: FileIntegritySpec, signal: AbortSignal): Promise<JudgedConfiguration> {
    const { name, key } = spec.config;
    const integrityKey = keyOf(integrity);
    if (!name) {
      this.forget(integrityKey);
      return { kind: 'default' };
    }
    const ref = { namespace: spec.config.namespace || (integrity.metadata.namespace ?? ''), name };
    const where = `${ref.namespace}/${name}`;
    const isForeign = ref.namespace !== integrity.metadata.namespace;
    const found = await this.#read(integrityKey, ref, signal);
    if (found === 'forbidden')
      return { kind: 'missing', message: `The operator may not read the config map ${where}.` };
    const text = found?.data?.[key];
    if (text === undefined) return { kind: 'missing', message: whatIsMissing(where, key, found, isForeign) };
    const source = `${where}:${key}`;
    if (isOutput(found)) {
      const message = `The configuration ${source} was refused: ${OF_OPERATOR}: the operator itself writes this config map, so it would follow its own output. Name one of your own.`;
      return { kind: 'refused', source, message };
    }
    const { usable, problems, text: effective, lines } = await this.#check(text);
    const say = (severity: Problem['severity']) => {
      const mine = problems.filter((problem) => problem.severity === severity);
      return describeProblems(mine, isForeign ? ({ code }) => code : undefined);
    };
    if (usable) {
      const who = found ? whoChanged(found, key) : 'unknown';
      const said = { notes: say('warning'), remarks: say('info') };
      return { kind: 'user', source, text: effective, who, ...said, lines, isForeign };
    }
    const more = isForeign ? ' What the codes mean is documented; more is said of one in its own namespace.' : '';
    const message = `The configuration ${source} was refused: ${say('error').join('. ')}.${more}`;
    return { kind: 'refused', source, message };
  }

  /** Stops watching for a FileIntegrity. */
  forget(integrityKey: string): void {
    this.#watches.get(integrityKey)?.stop.abort();
    this.#watches.delete(integrityKey);
  }

  /** Undefined: it does not exist. */
  async #read(
    integrityKey: string,
    ref: { namespace: string; name: string },
    signal: AbortSignal,
  ): Promise<ConfigMap | undefined | 'forbidden'> {
    const where = `${ref.namespace}/${ref.name}`;
    const informer = this.#watch(integrityKey, ref);
    try {
      return informer.isSynced ? informer.get(where) : await this.#options.client.find(configMaps, ref, { signal });
    } catch (error) {
      if (isForbidden(error)) return 'forbidden';
      throw error;
    }
  }

  #watch(integrityKey: string, { namespace, name }: { namespace: string; name: string }): Informer<ConfigMap> {
    const where = `${namespace}/${name}`;
    const standing = this.#watches.get(integrityKey);
    if (standing?.name === where) return standing.informer;
    this.forget(integrityKey);
    const { client, onChange, onError } = this.#options;
    const informer = createInformer(client, configMaps, { namespace, name, onError });
    const stop = new AbortController();
    informer.onChange(() => onChange(integrityKey));
    informer.run(AbortSignal.any([this.#signal, stop.signal])).catch(onError);
    this.#watches.set(integrityKey, { name: where, informer, stop });
    return informer;
  }

  #check(text: string): Promise<PreparedConfiguration> {
    const digest = createHash('sha256').update(text).digest('hex');
    const { aide } = this.#options;
    const check =
      this.#checked.get(digest) ?? checkConfiguration(text, { ...(aide && { command: aide }), signal: this.#signal });
    this.#checked.delete(digest);
    this.#checked.set(digest, check);
    const [oldest] = this.#checked.keys();
    if (this.#checked.size > REMEMBERED && oldest !== undefined) this.#checked.delete(oldest);
    const forget = () => {
      if (this.#checked.get(digest) === check) this.#checked.delete(digest);
    };
    // An AIDE that could not be asked now can perhaps be asked the next time.
    check.then(({ problems }) => problems.some(({ code }) => code === 'CONFIG_UNCHECKED') && forget(), forget);
    return check;
  }
}

const OF_OPERATOR = 'CONFIG_OF_OPERATOR';

/** Whether the operator or a daemon writes this config map. */
function isOutput(configMap: ConfigMap | undefined): boolean {
  const labels = configMap?.metadata?.labels ?? {};
  return [AIDE_CONF_LABEL, LOG_LABEL, RESULT_LOG_LABEL, RECORD_LABEL].some((label) => label in labels);
}

/**
 * What is said of a FileIntegrity is for whoever may read it, and they need not be allowed to read a config map of another
 * namespace: of that it is told neither what is in it nor which part of it is missing.
 */
function whatIsMissing(where: string, key: string, found: ConfigMap | undefined, isForeign: boolean): string {
  if (isForeign) return `There is no config map ${where} with the key ${key}.`;
  return found ? `The config map ${where} has no key ${key}.` : `The config map ${where} does not exist.`;
}

/** The user, where the admission policy wrote it; else the client that wrote the text, as far as the API server tells. */
function whoChanged({ metadata = {} }: ConfigMap, key: string): string {
  const { annotations, labels } = metadata;
  const isRecorded = key === 'aide.conf' || labels?.[CONFIGURATION_LABEL] !== undefined;
  const user = isRecorded ? annotations?.[CHANGED_BY_ANNOTATION] : undefined;
  return printable(user || (lastManagerOf(metadata as ObjectMeta, ['data'], [key]) ?? 'unknown'), 253);
}
