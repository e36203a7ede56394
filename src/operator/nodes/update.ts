import type { Node } from 'kubernetes-types/core/v1.d.ts';
import type { Hold } from '../../api/protocol.ts';
import type { ObjectMeta } from '../../kube/types.ts';
import { printable } from '../../lib/text.ts';
import { managerOf, type Owned } from '../managers.ts';
import type { NodeUpdate, Transition, UpdateMemory } from './memory.ts';

/** A node with this label is being updated. Admission keeps a kubelet from setting it on its own node. */
export const UPDATING_LABEL = 'file-integrity.node-restriction.kubernetes.io/updating';

const machineConfig = (name: string) => `machineconfiguration.openshift.io/${name}`;
const CURRENT = machineConfig('currentConfig');
const DESIRED = machineConfig('desiredConfig');
const STATE = machineConfig('state');

export interface UpdatePlan {
  /** To be remembered until the next time. */
  readonly memory: UpdateMemory;
  /** While the update lasts. */
  readonly hold?: Hold;
  /** An update has ended since the last look, and this is what it did: the node needs a new baseline. */
  readonly finished?: Transition;
}

/**
 * Follows a node through an update: the Machine Config Operator's, or one that somebody marks with the label.
 * An update that began and ended while the operator was away shows by the machine configuration, which is another one.
 *
 * A node is held whenever it says that it is being updated. But a new baseline follows only where others than the node have
 * asked for an update: another desired configuration, which the Machine Config Operator's controller writes, or the label.
 * Its daemon writes all else on the node with the kubelet's credentials, as root on the node could.
 * @param hasMachineConfigs whether there is a Machine Config Operator: where there is none, its annotations are anybody's
 */
export function followUpdate(node: Node, memory: UpdateMemory, now: Date, hasMachineConfigs: boolean): UpdatePlan {
  return hasMachineConfigs ? follow(node, memory, now) : follow(unconfigured(node), withoutMachineConfig(memory), now);
}

function unconfigured(node: Node): Node {
  const { annotations = {} } = node.metadata ?? {};
  const others = Object.entries(annotations).filter(([key]) => !key.startsWith(machineConfig('')));
  return { ...node, metadata: { ...node.metadata, annotations: Object.fromEntries(others) } };
}

function withoutMachineConfig({ update }: UpdateMemory): UpdateMemory {
  return update && update.source !== 'MachineConfig' ? { update } : {};
}

function follow(node: Node, memory: UpdateMemory, now: Date): UpdatePlan {
  const seen = look(node, memory);
  const remembered = memory.configuration;
  if (seen) {
    const from = memory.update?.from ?? seen.from;
    const isAsked = seen.source === 'NodeUpdating' || from !== seen.to || isAskedFor(memory.update);
    const update: NodeUpdate = {
      source: seen.source,
      from,
      to: seen.to,
      since: memory.update?.since ?? now.toISOString(),
      ...(isAsked && { asked: true }),
    };
    return {
      memory: { ...(remembered !== undefined && { configuration: remembered }), update },
      hold: { reason: update.source, message: seen.message, owner: seen.owner, since: update.since },
    };
  }
  // A node that stops saying which one it has could else begin anew with another one.
  const configuration = annotation(node, CURRENT) ?? remembered;
  const finished = finishedUpdate(node, memory, configuration);
  return {
    memory: configuration === undefined ? {} : { configuration },
    ...(finished !== undefined && { finished }),
  };
}

/** Nothing is under way now. What has come to its end since the last look, from what to what? */
function finishedUpdate(
  node: Node,
  { update, configuration: remembered }: UpdateMemory,
  configuration: string | undefined,
): Transition | undefined {
  if (remembered !== undefined && configuration !== undefined && configuration !== remembered) {
    return { from: remembered, to: configuration };
  }
  if (!update || !isAskedFor(update)) return undefined;
  const to = update.source === 'MachineConfig' ? (configuration ?? update.to) : describeSystem(node);
  return { from: update.from, to };
}

/** One that an earlier operator has remembered tells by its configurations. */
function isAskedFor(update: NodeUpdate | undefined): boolean {
  return (
    update !== undefined && (update.asked === true || update.source === 'NodeUpdating' || update.from !== update.to)
  );
}

interface Sighting {
  readonly source: NodeUpdate['source'];
  readonly from: string;
  readonly to: string;
  readonly message: string;
  readonly owner: string;
}

function look(node: Node, memory: UpdateMemory): Sighting | undefined {
  const current = annotation(node, CURRENT);
  const desired = annotation(node, DESIRED);
  const state = annotation(node, STATE);
  if (isUpdating(current, desired, state, memory)) {
    const from = memory.configuration ?? current ?? 'an unknown configuration';
    const to = desired ?? 'an unknown configuration';
    const message =
      state === 'Degraded'
        ? `The Machine Config Operator could not update the node (Degraded) from ${from} to ${to}.`
        : `The Machine Config Operator updates the node from ${from} to ${to}.`;
    const said = state === 'Working' || current === desired ? STATE : DESIRED;
    return { source: 'MachineConfig', from, to, message, owner: ownerOf(node, 'annotations', said) };
  }
  const label = node.metadata?.labels?.[UPDATING_LABEL];
  if (label === undefined) return undefined;
  const named = label === '' ? '' : ` to ${label}`;
  const to = label === '' ? 'an unnamed state' : label;
  return {
    source: 'NodeUpdating',
    from: describeSystem(node),
    to,
    message: `The label ${UPDATING_LABEL} says that the node is being updated${named}.`,
    owner: ownerOf(node, 'labels', UPDATING_LABEL),
  };
}

/**
 * Once begun, an update lasts until the node is Done. A node becomes Degraded without one when a file that the Machine
 * Config Operator manages was changed: then above all it must be scanned.
 */
function isUpdating(
  current: string | undefined,
  desired: string | undefined,
  state: string | undefined,
  { configuration, update }: UpdateMemory,
): boolean {
  if (state === 'Working') return true;
  if (current !== undefined && desired !== undefined && current !== desired) return true;
  if (state === undefined || state === 'Done') return false;
  return (
    update?.source === 'MachineConfig' ||
    (configuration !== undefined && current !== undefined && configuration !== current)
  );
}

/**
 * Who says that the node is being updated. A node may write its own annotations, and a client names its field manager
 * itself: this is for the record, and a hold that lasts too long is an alert whoever it names.
 */
function ownerOf({ metadata = {} }: Node, what: Owned, key: string): string {
  const manager = managerOf(metadata as ObjectMeta, what, key);
  return manager === undefined ? 'unknown' : printable(manager, 128);
}

/** What can be told of a node's software from outside. The node says it itself: untrusted. */
function describeSystem(node: Node): string {
  const info = node.status?.nodeInfo;
  if (!info) return 'an unknown system';
  return printable(`${info.osImage}, kernel ${info.kernelVersion}, kubelet ${info.kubeletVersion}`, 200);
}

/** Whether it is one of what an update is told by. */
export function tellsOfUpdate(key: string): boolean {
  return key === UPDATING_LABEL || key.startsWith(machineConfig(''));
}

/** The annotation made safe to show; absent when empty. */
function annotation(node: Node, key: string): string | undefined {
  const value = node.metadata?.annotations?.[key];
  return value === undefined || value === '' ? undefined : printable(value, 253);
}
