import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import { fileIntegrities, nodeStatuses } from '../../src/api/group.ts';
import {
  HISTORY_LABEL,
  NODE_LABEL,
  OWNER_LABEL,
  RECORD_KEY,
  RECORD_LABEL,
  RESULT_LOG_LABEL,
  SET_ASIDE_LABEL,
} from '../../src/api/keys.ts';
import type { FileIntegrityNodeStatus } from '../../src/api/nodestatus.ts';
import {
  DIGEST_ANNOTATION,
  MESSAGE_ANNOTATION,
  PREVIOUS_ANNOTATION,
  SEQUENCE_ANNOTATION,
} from '../../src/evidence/kept.ts';
import type { Client } from '../../src/kube/client.ts';
import { configMaps } from '../../src/kube/resources.ts';
import type { KubeObject, Resource } from '../../src/kube/types.ts';
import { observe } from '../../src/kube/watcher.ts';

import { type Change, type Happening, type KeptHappening, ORPHAN, type Recorder } from './history.ts';

/**
 * Writes down every version of what the operator shows, as a watch tells it. Runs until the signal aborts.
 * @param integrity only of this FileIntegrity
 */
export async function observeAll(
  client: Client,
  namespace: string,
  recorder: Recorder,
  signal: AbortSignal,
  integrity?: string,
): Promise<void> {
  const owned = integrity === undefined ? OWNER_LABEL : `${OWNER_LABEL}=${integrity}`;
  const follow = <T extends KubeObject>(
    resource: Resource<T>,
    tell: (change: Change, rv: number, object: T) => Happening | undefined,
    labelSelector?: string,
  ) => followOne(client, resource, { namespace, signal, ...(labelSelector && { labelSelector }) }, recorder, tell);
  await Promise.all([
    follow(nodeStatuses, tellStatus, integrity === undefined ? undefined : owned),
    follow(fileIntegrities, (change, rv, object) =>
      integrity === undefined || object.metadata.name === integrity
        ? { type: 'integrity', change, rv, integrity: object }
        : undefined,
    ),
    follow(configMaps, tellConfigMap, owned),
  ]);
}

async function followOne<T extends KubeObject>(
  client: Client,
  resource: Resource<T>,
  options: { namespace: string; labelSelector?: string; signal: AbortSignal },
  recorder: Recorder,
  tell: (change: Change, rv: number, object: T) => Happening | undefined,
): Promise<void> {
  const known = new Map<string, { rv: number; object: T }>();
  const see = (change: Change, object: T) => {
    const { uid = '', resourceVersion = '' } = object.metadata ?? {};
    const rv = Number(resourceVersion);
    if (change === 'deleted') known.delete(uid);
    else if (known.get(uid)?.rv === rv) return;
    else known.set(uid, { rv, object });
    const happening = tell(change, rv, object);
    if (happening) recorder.record(happening);
  };
  for await (const event of observe(client, resource, { ...options, transform: withoutManagers })) {
    if (event.type !== 'restarted') {
      see(event.type, event.object);
      continue;
    }
    const there = new Set(event.objects.map(({ metadata }) => metadata?.uid));
    for (const [uid, { object }] of known) if (!there.has(uid)) see('deleted', object);
    for (const object of event.objects) see('listed', object);
  }
}

function withoutManagers<T extends KubeObject>(object: T): T {
  delete object.metadata?.managedFields;
  return object;
}

function tellStatus(change: Change, rv: number, status: FileIntegrityNodeStatus): Happening {
  return { type: 'status', change, rv, uid: status.metadata.uid ?? '', status: lighten(status) };
}

/** What the checkers read of a version. */
function lighten(status: FileIntegrityNodeStatus): FileIntegrityNodeStatus {
  const { results: _, status: __, notices: ___, baselines: ____, ...rest } = status;
  return rest;
}

function tellConfigMap(change: Change, rv: number, { metadata = {}, data }: ConfigMap): Happening | undefined {
  const { name = '', labels = {}, annotations = {} } = metadata;
  if (RECORD_LABEL in labels) return { type: 'record', change, rv, name, text: data?.[RECORD_KEY] ?? '' };
  const kind = keptKind(labels);
  if (kind === undefined) return undefined;
  const [node = '', message = ''] = [labels[NODE_LABEL], annotations[MESSAGE_ANNOTATION]];
  const sequence = annotations[SEQUENCE_ANNOTATION];
  const [digest = '', previous = ''] = [annotations[DIGEST_ANNOTATION], annotations[PREVIOUS_ANNOTATION]];
  const link = sequence === undefined ? {} : { link: { sequence: Number(sequence), digest, previous } };
  const isOrphaned = Object.values(data ?? {}).some((text) => text.includes(ORPHAN));
  const orphaned = isOrphaned ? { orphaned: true as const } : {};
  return { type: 'kept', change, rv, name, node, kind, message, ...orphaned, ...link };
}

function keptKind(labels: Record<string, string>): KeptHappening['kind'] | undefined {
  if (HISTORY_LABEL in labels) return 'history';
  if (SET_ASIDE_LABEL in labels) return 'set-aside';
  return RESULT_LOG_LABEL in labels ? 'failed' : undefined;
}
