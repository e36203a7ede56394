import { setTimeout as delay } from 'node:timers/promises';
import { resultName } from '../../src/api/names.ts';
import { type Client, createClient } from '../../src/kube/client.ts';
import type { Connection } from '../../src/kube/connection.ts';
import { isAlreadyExists, isForbidden } from '../../src/kube/errors.ts';
import { configMaps } from '../../src/kube/resources.ts';
import { roleBindings } from '../support/scraper.ts';
import { INTEGRITY, type Place } from './fleet.ts';
import { persist } from './persist.ts';
import { NAMES_BINDING } from './policies.ts';
import type { Scene } from './scene.ts';

/** The API server takes a moment to know that a policy is gone, in milliseconds. */
const TRY_MS = 100;
const TRIES = 40;

/** Takes the name of a node's message with an object that has no label of ours. Returns why nothing was done, if nothing was. */
export async function squat(
  scene: Scene,
  place: Place,
  by: 'user' | 'administrator' | 'unbound',
): Promise<string | undefined> {
  const { admin, user, policies } = scene;
  if (by !== 'unbound') return await attempt(scene, place, by, by === 'user' ? user : admin);
  const isMine = (await policies.takeAway(NAMES_BINDING)) === undefined;
  let answer: string | undefined;
  for (let number = 0; number < TRIES; number += 1) {
    answer = await attempt(scene, place, by, user);
    if (answer !== 'refused') break;
    await delay(TRY_MS);
  }
  if (isMine) await policies.putBack([NAMES_BINDING]);
  return answer;
}

async function attempt(scene: Scene, place: Place, by: string, client: Client): Promise<string | undefined> {
  const { namespace, recorder, fleet, signal } = scene;
  const object = { metadata: { name: resultName(INTEGRITY, place.node), namespace }, data: { text: 'squatted' } };
  const tell = (taken: boolean) => {
    recorder.record({ type: 'squat', by, taken, ...fleet.subjectOf(place, INTEGRITY) });
  };
  try {
    await persist(signal, () => client.create(configMaps, object));
  } catch (error) {
    if (isAlreadyExists(error)) return 'there is something already';
    if (!isForbidden(error)) throw error;
    tell(false);
    return 'refused';
  }
  tell(true);
  return undefined;
}

/** Somebody who has Kubernetes's role `edit` in the namespace, and no other right. */
export async function connectUser(admin: Client, connection: Connection, namespace: string): Promise<Client> {
  await admin.create(roleBindings, {
    metadata: { name: 'somebody', namespace },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'somebody' }],
  });
  const { tls } = await connection.credentials();
  const credentials = { tls, headers: { 'impersonate-user': 'somebody' } };
  return createClient({ ...connection, credentials: async () => credentials, forget() {} }, { userAgent: 'somebody' });
}
