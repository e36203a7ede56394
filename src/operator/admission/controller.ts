import { isDeepStrictEqual } from 'node:util';
import { FIELD_MANAGER } from '../../api/keys.ts';
import { type Controller, createController } from '../../kube/controller.ts';
import { configMaps } from '../../kube/resources.ts';
import { reportOutcome } from '../outcomes.ts';
import type { Tools } from '../tools.ts';
import { type AdmissionRecord, readRecord, recordLook, recordMap } from './record.ts';
import { ADMISSION_RECORD, admissionEnforced, type Standing, tellFaults } from './standing.ts';
import type { AdmissionWatch } from './watch.ts';

/** The only key. */
export const ADMISSION_KEY = 'admission';
/** So often the record is written though nothing changed, so that it says when the policies were last seen in force. */
const SEEN_MS = 60 * 60 * 1000;
/** So soon it is looked again whether they can be read. */
const UNKNOWN_MS = 30_000;

/**
 * Tells how the admission policies are: in the record, in an event for each FileIntegrity, and, by way of `onStanding`, in
 * their conditions.
 * @param onStanding what is said of them has changed
 */
export function createAdmissionController(
  tools: Pick<Tools, 'client' | 'recorder' | 'stores' | 'log' | 'meters' | 'runtime'>,
  namespace: string,
  watch: Pick<AdmissionWatch, 'standing' | 'versions'>,
  onStanding: () => void,
): Controller {
  const { client, recorder, stores, log } = tools;
  let said: string | undefined;
  /** As it was written last: who removes or changes it in the cluster changes nothing. */
  let record: AdmissionRecord | undefined;
  let isFirst = true;

  function tell(standing: Standing, before: AdmissionRecord | undefined, after: AdmissionRecord): void {
    const [newest] = after.periods;
    const [previous] = before?.periods ?? [];
    if (!newest || isDeepStrictEqual(newest, previous)) return;
    const faults = tellFaults(newest.faults);
    if (standing.is === 'enforced') {
      const message = `The admission policies are as they are shipped again. They were not from ${newest.from} to ${newest.until}: ${faults}.`;
      log.warn({ period: newest }, 'the admission policies are in force again');
      for (const each of stores.integrities.list()) recorder.record(each, 'Warning', 'AdmissionEnforced', message);
      return;
    }
    const { message } = admissionEnforced(standing);
    log.warn({ period: newest }, 'the admission policies are not in force');
    for (const each of stores.integrities.list()) recorder.record(each, 'Warning', 'AdmissionNotEnforced', message);
  }

  return createController({
    name: 'admission',
    async reconcile(_key, { signal }) {
      const standing = watch.standing();
      const { status, message } = admissionEnforced(standing);
      if (said !== `${status} ${message}`) onStanding();
      said = `${status} ${message}`;
      // Nothing is known yet, so there is nothing to write down.
      if (standing.is === 'unknown' && standing.reason === 'NotRead')
        return { kind: 'done', requeueAfterMs: UNKNOWN_MS };
      const ref = { namespace, name: ADMISSION_RECORD };
      const found = readRecord(await client.find(configMaps, ref, { signal }));
      const before = record ?? found;
      const look = { standing, versions: watch.versions(), now: new Date(), isFirst };
      const after = recordLook(before, look);
      const { seen, ...facts } = after;
      const { seen: seenBefore, ...factsBefore } = before ?? {};
      const isOld = !seenBefore || Date.parse(seenBefore.at) + SEEN_MS <= look.now.getTime();
      const isNews = !isDeepStrictEqual(facts, factsBefore) || !isDeepStrictEqual(seen.versions, seenBefore?.versions);
      if (isNews || isOld || !isDeepStrictEqual(found, before)) {
        await client.apply(configMaps, recordMap(after, namespace), { fieldManager: FIELD_MANAGER, signal });
        tell(standing, before, after);
        record = after;
      } else {
        record = before;
      }
      isFirst = false;
      return { kind: 'done', requeueAfterMs: standing.is === 'unknown' ? UNKNOWN_MS : SEEN_MS };
    },
    stopTimeoutMs: 3000,
    onOutcome: (key, outcome, durationMs) => reportOutcome(tools, 'admission', key, outcome, durationMs),
  });
}
