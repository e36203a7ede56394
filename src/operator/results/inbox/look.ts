import type { Lease } from 'kubernetes-types/coordination/v1.d.ts';
import type { ConfigMap } from 'kubernetes-types/core/v1.d.ts';
import {
  AIDE_CONF_LABEL,
  FINDINGS_LABEL,
  HISTORY_LABEL,
  LOG_LABEL,
  OUTCOME_ANNOTATION,
  RECORD_LABEL,
  SET_ASIDE_LABEL,
} from '../../../api/keys.ts';
import type { FileIntegrityNodeStatus } from '../../../api/nodestatus.ts';
import { isKept } from '../../../evidence/kept.ts';
import type { ObjectMeta } from '../../../kube/types.ts';
import { printable } from '../../../lib/text.ts';
import { find, findMetadata, type Place } from './place.ts';

/** Reason of the condition Ready of a node whose slot holds what cannot be removed. */
export const SLOT_TAKEN = 'SlotTaken';

/**
 * What is in a node's slot, as it is now: no store has the words of a message, nor what carries none of the labels. Of its
 * data the keys, and these only where the message says nothing itself.
 */
export async function lookAtSlot(
  name: string,
  place: Pick<Place, 'client' | 'namespace' | 'signal'>,
): Promise<ConfigMap | undefined> {
  const slot = await findMetadata(name, place);
  const { labels = {}, annotations = {} } = slot?.metadata ?? {};
  if (!slot || OUTCOME_ANNOTATION in annotations || !(LOG_LABEL in labels)) return slot;
  // Of a daemon of the earlier operator, whose verdict lies in what data there is.
  const whole = await find(name, place as Place);
  if (!whole) return undefined;
  return { ...slot, metadata: whole.metadata ?? {}, data: keysOf(whole.data) };
}

function keysOf(data: ConfigMap['data'] = {}): Record<string, string> {
  return Object.fromEntries(Object.keys(data).map((key) => [key, '']));
}

/**
 * Whether a slot in which the store knows no message has to be looked at: its daemon says that something is in it, or the
 * node is late, or was found so at the last look.
 */
export function hasToLook({ status }: FileIntegrityNodeStatus, isSaid: boolean): boolean {
  const { conditions = [] } = status ?? {};
  return (
    isSaid ||
    conditions.some(({ type, status: says, reason }) => {
      return (type === 'Fresh' && says === 'False') || (type === 'Ready' && reason === SLOT_TAKEN);
    })
  );
}

/** Whether a heartbeat says that the slot is taken. */
export function saysSlotTaken(lease: Lease | undefined): boolean {
  const text = lease?.metadata?.annotations?.[OUTCOME_ANNOTATION] ?? '';
  if (!text.includes('lotTaken')) return false;
  try {
    const { slotTaken, notice } = (JSON.parse(text) ?? {}) as { slotTaken?: unknown; notice?: unknown };
    return slotTaken === true || notice === 'SlotTaken';
  } catch {
    return false;
  }
}

/** Something in a node's slot that is no message, not even another node's. */
export interface Squatter {
  /** Who put it there, and when, as far as the API server tells; safe to show. */
  readonly who: string;
  /** It has nothing to do with the operator, whose name it took. */
  readonly removable: boolean;
}

const OURS = [AIDE_CONF_LABEL, FINDINGS_LABEL, HISTORY_LABEL, RECORD_LABEL, SET_ASIDE_LABEL];

/**
 * What squats in a slot; undefined when a message is there, of whatever node, or what was kept of one. An object of the
 * operator's own that has this name because names can meet is not removed, nor one that is being deleted and does not go.
 */
export function squatterIn(slot: ConfigMap): Squatter | undefined {
  const { labels = {}, deletionTimestamp, ownerReferences = [] } = slot.metadata ?? {};
  if (LOG_LABEL in labels || isKept(slot)) return undefined;
  const isOurs = OURS.some((label) => label in labels) || ownerReferences.some(({ kind }) => kind === 'FileIntegrity');
  return { who: whoMade(slot), removable: !isOurs && deletionTimestamp === undefined };
}

function whoMade({ metadata }: ConfigMap): string {
  const { managedFields = [], creationTimestamp = 'unknown' } = (metadata ?? {}) as ObjectMeta;
  const managers = managedFields.map((entry) => (entry as { manager?: unknown } | null)?.manager);
  const [manager = 'unknown'] = managers.filter((each) => typeof each === 'string');
  return printable(`made at ${creationTimestamp} with ${manager}`, 200);
}
