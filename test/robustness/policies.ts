import type { Client } from '../../src/kube/client.ts';
import { isAlreadyExists } from '../../src/kube/errors.ts';
import type { Resource } from '../../src/kube/types.ts';
import { type AdmissionObject, KINDS } from '../../src/operator/admission/policies.ts';
import type { Recorder } from './history.ts';
import { persist } from './persist.ts';

/** The one that keeps the names of messages. */
export const NAMES_BINDING = 'file-integrity-names';

/** Bindings that may be taken away without another step doing what it could not do else. */
const BINDINGS = [
  NAMES_BINDING,
  'file-integrity-nodes',
  'file-integrity-configuration',
  'file-integrity-accounts',
  'file-integrity-workloads',
] as const;

/** The bindings of the admission policies, as an administrator takes them away and puts them back. */
export class Policies {
  readonly #options: { readonly admin: Client; readonly recorder: Recorder; readonly signal: AbortSignal };
  readonly #away = new Map<string, AdmissionObject>();

  constructor(options: { readonly admin: Client; readonly recorder: Recorder; readonly signal: AbortSignal }) {
    this.#options = options;
  }

  /** Names of the bindings that are away. */
  get away(): string[] {
    return [...this.#away.keys()];
  }

  /** The binding of that number. Returns why nothing was done, if nothing was. */
  async takeAwayOne(number: number): Promise<string | undefined> {
    return await this.takeAway(BINDINGS[number % BINDINGS.length] ?? NAMES_BINDING);
  }

  async takeAway(name: string): Promise<string | undefined> {
    if (this.#away.has(name)) return 'away already';
    const { admin, recorder, signal } = this.#options;
    const { metadata, spec, kind } = await persist(signal, () => admin.get(bindings(), { name }));
    this.#away.set(name, { kind, metadata: { name: metadata.name ?? '', labels: metadata.labels ?? {} }, spec });
    recorder.record({ type: 'policy', binding: name, what: 'away' });
    await persist(signal, () => admin.remove(bindings(), { name }));
    return undefined;
  }

  async putBack(names: readonly string[] = this.away): Promise<string | undefined> {
    const { admin, recorder, signal } = this.#options;
    if (names.length === 0) return 'all there';
    for (const name of names) {
      const object = this.#away.get(name);
      if (object === undefined) continue;
      await persist(signal, () =>
        admin.create(bindings(), object).catch((error: unknown) => {
          if (!isAlreadyExists(error)) throw error; // the answer was lost
        }),
      );
      this.#away.delete(name);
      recorder.record({ type: 'policy', binding: name, what: 'back' });
    }
    return undefined;
  }
}

function bindings(): Resource<AdmissionObject> {
  const found = KINDS.find(({ resource }) => resource.kind === 'ValidatingAdmissionPolicyBinding');
  if (found === undefined) throw new Error('never: it is one of the kinds');
  return found.resource;
}
