import type { ConfigMap, Node, Taint } from 'kubernetes-types/core/v1.d.ts';
import {
  type FileIntegrity,
  type FileIntegritySpecInput,
  fileIntegritySpecSchema,
} from '../../src/api/fileintegrity.ts';
import type { FileIntegrityNodeStatus } from '../../src/api/nodestatus.ts';
import type { Action } from '../../src/operator/fileintegrity/actions.ts';
import { plan } from '../../src/operator/fileintegrity/plan.ts';
import type { World } from '../../src/operator/fileintegrity/world.ts';
import type { Daemon } from '../../src/operator/nodes/daemon.ts';
import { planNodeState } from '../../src/operator/nodes/state.ts';
import { memoryOf } from '../../src/operator/orders/orders.ts';

// Builders for the tests of plans: worlds that read as sentences.

export const NOW = new Date('2026-11-24T12:00:00.000Z');

export function minutesBefore(minutes: number): string {
  return new Date(NOW.getTime() - minutes * 60_000).toISOString();
}

export function aNode(name: string, labels: Record<string, string> = {}, taints?: Taint[]): Node {
  return {
    metadata: { name, uid: `uid-of-${name}`, labels, annotations: {} },
    spec: { ...(taints && { taints }) },
    status: {
      conditions: [{ type: 'Ready', status: 'True' }],
      nodeInfo: {
        osImage: 'Debian GNU/Linux 13 (trixie)',
        kernelVersion: '6.12.0',
        kubeletVersion: 'v1.36.3',
        architecture: 'amd64',
        bootID: '',
        containerRuntimeVersion: '',
        kubeProxyVersion: '',
        machineID: '',
        operatingSystem: 'linux',
        systemUUID: '',
      },
    },
  };
}

export function annotated(node: Node, annotations: Record<string, string>): Node {
  return { ...node, metadata: { ...node.metadata, annotations: { ...node.metadata?.annotations, ...annotations } } };
}

/** A node under the Machine Config Operator. */
export function machineConfigured(node: Node, current: string, desired: string, state: string): Node {
  return annotated(node, {
    'machineconfiguration.openshift.io/currentConfig': current,
    'machineconfiguration.openshift.io/desiredConfig': desired,
    'machineconfiguration.openshift.io/state': state,
  });
}

export function anIntegrity(
  spec: Partial<FileIntegritySpecInput> = {},
  annotations: Record<string, string> = {},
): FileIntegrity {
  return {
    apiVersion: 'fileintegrity.openshift.io/v1alpha1',
    kind: 'FileIntegrity',
    metadata: {
      name: 'worker',
      namespace: 'fio',
      uid: 'uid-of-worker',
      generation: 1,
      resourceVersion: '100',
      creationTimestamp: minutesBefore(60),
      annotations,
    },
    spec: fileIntegritySpecSchema.parse({ config: {}, ...spec }),
  };
}

/** A world with one FileIntegrity and nothing made for it yet. */
export function aWorld(changes: Partial<World> = {}): World {
  const integrity = changes.integrity ?? anIntegrity();
  return {
    now: NOW,
    integrity,
    spec: integrity.spec,
    exceeded: [],
    nodes: [aNode('a'), aNode('b')],
    statuses: new Map(),
    others: [],
    foreignStatuses: new Map(),
    departed: new Map(),
    unwritten: [],
    messages: [],
    leases: new Map(),
    daemonSet: undefined,
    settledDaemonSet: undefined,
    effective: undefined,
    judged: { kind: 'default' },
    hasMachineConfigs: true,
    priorityClass: 'unnamed',
    image: 'registry.example/fio:1',
    defaults: { linux: '/usr linux\n', openshift: '/usr openshift\n' },
    ...changes,
  };
}

/** The world after what the plan for it asks was done, as the API server would have it. */
export function carriedOut(world: World, actions: readonly Action[] = plan(world).actions): World {
  return actions.reduce(apply, world);
}

function apply(world: World, action: Action): World {
  switch (action.do) {
    case 'apply-configuration':
      return { ...world, effective: action.object };
    case 'apply-daemon-set': {
      const count = world.nodes.length;
      const status = {
        currentNumberScheduled: count,
        desiredNumberScheduled: count,
        numberMisscheduled: 0,
        numberReady: count,
        updatedNumberScheduled: count,
        observedGeneration: 1,
      };
      const metadata = { ...action.object.metadata, generation: 1 };
      return { ...world, daemonSet: { ...action.object, metadata, status } };
    }
    case 'remove-daemon-set':
      return { ...world, daemonSet: undefined };
    case 'apply-node-status': {
      const { nodeName, metadata } = action.object;
      // By server-side apply a field goes that is not sent again.
      const { unselected: _, predecessor: __, ...before } = world.statuses.get(nodeName) ?? {};
      const kept = { uid: `uid-of-status-${nodeName}`, creationTimestamp: NOW.toISOString() };
      const after = { ...before, ...action.object, metadata: { ...kept, ...metadata } };
      return { ...world, statuses: new Map([...world.statuses, [nodeName, after]]) };
    }
    case 'remove-node-status':
      return { ...world, statuses: new Map([...world.statuses].filter(([node]) => node !== action.nodeName)) };
    case 'apply-lease':
      return { ...world, leases: new Map([...world.leases, [action.object.metadata?.name ?? '', action.object]]) };
    case 'remove-annotations': {
      const { metadata } = world.integrity;
      const left = Object.entries(metadata.annotations ?? {}).filter(([key]) => !(key in action.values));
      return {
        ...world,
        integrity: { ...world.integrity, metadata: { ...metadata, annotations: Object.fromEntries(left) } },
      };
    }
    case 'write-status':
      return { ...world, integrity: { ...world.integrity, status: action.status } };
    case 'remove-lease':
      return { ...world, leases: new Map([...world.leases].filter(([name]) => name !== action.name)) };
    case 'remove-message':
      return { ...world, messages: world.messages.filter(({ metadata }) => metadata?.name !== action.name) };
    case 'write-departed': {
      const written = action.nodes.map((node) => [node.node, node] as const);
      return { ...world, departed: new Map([...world.departed, ...written]), unwritten: [] };
    }
    case 'write-record':
    case 'write-closing-record':
    case 'clear-priority-class':
    case 'event':
      return world;
  }
}

/** A world in which all that was asked for has been made, and nothing is left to do. */
export function aSettledWorld(changes: Partial<World> = {}): World {
  return settle(aWorld(changes));
}

/** Plans and carries out, with daemons that do what they are ordered, until a plan asks for nothing. */
export function settle(world: World): World {
  let current = world;
  for (let round = 0; round < 10; round++) {
    current = withBaselinesMade(current);
    const { actions } = plan(current);
    if (actions.length === 0) return current;
    current = carriedOut(current, actions);
  }
  throw new Error(`The plan never comes to rest: ${JSON.stringify(plan(current).actions.map((action) => action.do))}`);
}

/** Every daemon that is not held has carried out its order. */
export function withBaselinesMade(world: World): World {
  const statuses = [...world.statuses].map(
    ([node, status]) => [node, status.orders?.hold ? status : obedient(status, world.now)] as const,
  );
  return withStates({ ...world, statuses: new Map(statuses) });
}

/** Each node status says what its node is; their daemons run, but for those that are named. */
export function withStates(world: World, daemons: Readonly<Record<string, Daemon>> = {}): World {
  const { integrity, spec, now } = world;
  const statuses = [...world.statuses].map(([name, status]) => {
    const told = planNodeState({
      now,
      fields: { ...status, ...status.status },
      daemon: daemons[name] ?? { is: 'running' },
      node: world.nodes.find(({ metadata }) => metadata?.name === name),
      spec,
      generation: integrity.metadata.generation,
    });
    const { changesAt: _, conditions, ...fields } = told;
    return [name, { ...status, ...fields, status: { conditions } }] as const;
  });
  return { ...world, statuses: new Map(statuses) };
}

function obedient(status: FileIntegrityNodeStatus, now: Date): FileIntegrityNodeStatus {
  if (!status.orders) return status;
  const baseline = {
    orderId: status.orders.baseline.id,
    digest: 'd'.repeat(64),
    entries: 1,
    configurationDigest: status.orders.configuration.digest,
    aideVersion: '0.19.1',
    bootId: 'boot',
    reason: status.orders.baseline.reason,
    createdAt: now.toISOString(),
  };
  // An order that is carried out already is not carried out again.
  return status.baseline?.orderId === baseline.orderId ? status : { ...status, baseline };
}

/** The world with a node's last result. */
export function withResult(world: World, node: string, condition: 'Succeeded' | 'Failed' | 'Errored'): World {
  const status = world.statuses.get(node);
  if (!status) throw new Error(`${node} has no status`);
  const lastResult = { condition, lastProbeTime: NOW.toISOString() };
  return withStates({ ...world, statuses: new Map([...world.statuses, [node, { ...status, lastResult }]]) });
}

export function withAnnotations(world: World, annotations: Record<string, string>): World {
  const { integrity } = world;
  const resourceVersion = String(Number(integrity.metadata.resourceVersion) + 1);
  const metadata = {
    ...integrity.metadata,
    resourceVersion,
    annotations: { ...integrity.metadata.annotations, ...annotations },
  };
  return { ...world, integrity: { ...integrity, metadata } };
}

export function withSpec(world: World, spec: Partial<FileIntegritySpecInput>): World {
  const merged = fileIntegritySpecSchema.parse({ ...world.integrity.spec, ...spec });
  return { ...world, spec: merged, integrity: { ...world.integrity, spec: merged } };
}

/** What a plan asks for, as verbs. */
export function verbs(world: World): string[] {
  return plan(world).actions.map((action) => action.do);
}

export function actionsOf<Verb extends Action['do']>(world: World, verb: Verb): Extract<Action, { do: Verb }>[] {
  return plan(world).actions.filter((action): action is Extract<Action, { do: Verb }> => action.do === verb);
}

export function eventsOf(world: World): string[] {
  return actionsOf(world, 'event').map(({ reason, message }) => `${reason}: ${message}`);
}

export function ordersOf(world: World, node: string) {
  return world.statuses.get(node)?.orders;
}

export function memoryOn(world: World, node: string) {
  return memoryOf(world.statuses.get(node));
}

export function updatedOf({ effective }: { effective: ConfigMap | undefined }): string | undefined {
  return effective?.metadata?.annotations?.['file-integrity.openshift.io/updated'];
}
