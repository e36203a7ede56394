import { createRandom, type Random } from './random.ts';

/** Places for nodes: a step names one of them, whether or not a node is there when it is done. */
export const PLACES = 12;

/** Whose list a step speaks of: some places, or every node. */
export type Places = readonly number[] | 'all';

/** When a daemon is killed: at once, or at the next such moment. */
const KILL_MOMENTS = [
  'now',
  'before-send',
  'during-send',
  'after-send',
  'during-scan',
  'before-receipt',
  'before-database',
  'after-database',
] as const;
export type KillMoment = (typeof KILL_MOMENTS)[number];

/** What an intruder with a node's root does to what the daemon keeps there, and says in its name. */
const INTRUSIONS = [
  'touch-trigger',
  'replace-database',
  'damage-database',
  'remove-database',
  'forge-succeeded',
  'forge-receipt-unordered',
  'forge-receipt-again',
  'overwrite-message',
  'delete-outbox',
  'forge-ahead',
  'orphan-part',
] as const;
export type Intrusion = (typeof INTRUSIONS)[number];

/** One thing that is done to the world. Where it makes no sense in a moment, nothing is done. */
export type Step =
  /** The node's clock goes forward until its next scan is due. */
  | { do: 'scan'; place: number }
  | { do: 'plant'; place: number; file: number; how: 'add' | 'change' | 'remove' | 'many' }
  /** All files are as in the baseline on record again. */
  | { do: 'revert'; place: number }
  /** Every node's clock goes forward. */
  | { do: 'advance'; seconds: number }
  | { do: 'reinit'; places: Places }
  | { do: 'reinit-on-failed' }
  | { do: 'hold'; places: Places }
  | { do: 'release' }
  | { do: 'update-begins'; place: number; by: 'machine-config' | 'label'; changes: number }
  | { do: 'update-ends'; place: number; changes: number }
  | { do: 'join' | 'leave' | 'replace'; place: number }
  /** The node has the label that the FileIntegrity selects by from now on, or not. */
  | { do: 'relabel'; place: number; selected: boolean }
  /** The node has a taint that nobody tolerates from now on, and that ends what runs there; or not. */
  | { do: 'taint'; place: number; on: boolean }
  /** An administrator says that it is right that these nodes are not watched. */
  | { do: 'forget'; places: Places }
  /** Something is mounted over watched files, or is not any more. */
  | { do: 'mount'; place: number; over: number; on: boolean }
  /** Somebody takes the name of the node's message. `unbound`: by taking the policy away for that moment. */
  | { do: 'squat'; place: number; by: 'user' | 'administrator' | 'unbound' }
  /** The binding of an admission policy is taken away, until all are put back. */
  | { do: 'policy-away'; policy: number }
  | { do: 'policy-back' }
  /** The operator is killed when it has written so often, and started again. */
  | { do: 'kill-operator'; afterWrites: number }
  | { do: 'restart-operator' }
  /** Another one waits for the leadership, and the one that leads is killed or frozen. */
  | { do: 'change-leader'; how: 'kill' | 'freeze' }
  | { do: 'cut-operator' | 'lose-operator-answers'; count: number }
  | { do: 'kill-daemon'; place: number; when: KillMoment }
  | { do: 'daemon-down' | 'daemon-up'; place: number }
  | { do: 'freeze-daemon' | 'thaw-daemon'; place: number }
  | { do: 'cut-node' | 'partition-node' | 'heal-node' | 'lose-answer'; place: number }
  | { do: 'kill-api-server' }
  | { do: 'edit-integrity'; what: Edit; value: number }
  | { do: 'scribble'; place: number; what: 'owner' | 'labels' | 'hold' }
  | { do: 'intrude'; place: number; how: Intrusion };

/** What an administrator changes of the FileIntegrity. */
export type Edit = 'grace-period' | 'debug' | 'stale-after' | 'configuration' | 'labels';

const WEIGHTS: Readonly<Record<Step['do'], number>> = {
  scan: 330,
  plant: 130,
  revert: 90,
  advance: 25,
  reinit: 22,
  'reinit-on-failed': 10,
  hold: 9,
  release: 20,
  'update-begins': 12,
  'update-ends': 20,
  join: 24,
  leave: 5,
  replace: 5,
  relabel: 9,
  taint: 8,
  forget: 8,
  mount: 14,
  squat: 9,
  'policy-away': 3,
  'policy-back': 6,
  'kill-operator': 7,
  'restart-operator': 2,
  'change-leader': 0.4,
  'cut-operator': 5,
  'lose-operator-answers': 8,
  'kill-daemon': 40,
  'daemon-down': 5,
  'daemon-up': 20,
  'freeze-daemon': 5,
  'thaw-daemon': 20,
  'cut-node': 12,
  'partition-node': 6,
  'heal-node': 26,
  'lose-answer': 14,
  'kill-api-server': 1.6,
  'edit-integrity': 12,
  scribble: 8,
  intrude: 44,
};

/** The same list for the same seed; a longer list begins like a shorter one. */
export function makeSteps(seed: number, count: number): Step[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => makeStep(random));
}

function makeStep(random: Random): Step {
  const place = () => random.integer(0, PLACES - 1);
  const places = (): Places =>
    random.chance(0.3) ? 'all' : Array.from({ length: random.integer(1, 4) }, place).sort((a, b) => a - b);
  const kind = random.weighted(WEIGHTS);
  switch (kind) {
    case 'plant':
      return { do: kind, place: place(), file: random.integer(0, 7), how: random.pick(HOW) };
    case 'advance':
      return { do: kind, seconds: random.pick([5, 20, 60, 300]) };
    case 'reinit':
    case 'hold':
      return { do: kind, places: places() };
    case 'forget':
      return { do: kind, places: places() };
    case 'taint':
      return { do: kind, place: place(), on: random.chance(0.4) };
    case 'mount':
      return { do: kind, place: place(), over: random.integer(0, 2), on: random.chance(0.5) };
    case 'squat':
      return { do: kind, place: place(), by: random.pick(['user', 'administrator', 'unbound', 'unbound']) };
    case 'policy-away':
      return { do: kind, policy: random.integer(0, 4) };
    case 'reinit-on-failed':
    case 'policy-back':
    case 'release':
    case 'restart-operator':
    case 'kill-api-server':
      return { do: kind };
    case 'update-begins':
      return { do: kind, place: place(), by: random.pick(['machine-config', 'label']), changes: random.integer(0, 3) };
    case 'update-ends':
      return { do: kind, place: place(), changes: random.integer(0, 3) };
    case 'kill-operator':
      return { do: kind, afterWrites: random.integer(0, 12) };
    case 'change-leader':
      return { do: kind, how: random.pick(['kill', 'freeze']) };
    case 'cut-operator':
    case 'lose-operator-answers':
      return { do: kind, count: random.integer(1, 4) };
    case 'kill-daemon':
      return { do: kind, place: place(), when: random.pick(KILL_MOMENTS) };
    case 'relabel':
      return { do: kind, place: place(), selected: random.chance(0.75) };
    case 'edit-integrity':
      return { do: kind, what: random.pick(EDITS), value: random.integer(0, 9) };
    case 'scribble':
      return { do: kind, place: place(), what: random.pick(['owner', 'labels', 'hold']) };
    case 'intrude':
      return { do: kind, place: place(), how: random.pick(INTRUSIONS) };
    default:
      return { do: kind, place: place() };
  }
}

const HOW = ['add', 'add', 'change', 'change', 'change', 'remove', 'many'] as const;
const EDITS = ['grace-period', 'grace-period', 'debug', 'stale-after', 'configuration', 'labels'] as const;
