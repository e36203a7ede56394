import { Gauge, type Registry } from 'prom-client';
import type { Standing } from '../admission/standing.ts';
import type { IntegrityFacts, NodeFacts } from './facts.ts';
import { boundedLabel, OWNER } from './label.ts';

/** What the gauges show, asked for at each scrape: right from the first one after a restart. */
export interface Facts {
  nodes(): Iterable<NodeFacts>;
  integrities(): Iterable<IntegrityFacts>;
  /** Undefined where nobody looks, or has not looked yet. */
  admission?(): Standing | undefined;
  reads?(): Iterable<ReadFact>;
}

/** While the operator leads: whether it has read all of a resource that it follows, and is told of changes. */
export interface ReadFact {
  readonly resource: string;
  readonly isRead: boolean;
}

/** Labels beside those that every gauge of its kind has, and the number. */
type Sample<L extends string> = readonly [number: number, labels: Readonly<Record<L, string>>];

/** Of each node and of each FileIntegrity only what is so now is a series: nothing is left of what was. */
export function registerGauges(registry: Registry, prefix: string, facts: Facts): void {
  const register = <Fact, Base extends string, L extends string>(
    all: () => Iterable<Fact>,
    base: (fact: Fact) => Readonly<Record<Base, string>>,
    baseNames: readonly Base[],
    [name, help, labelNames]: readonly [name: string, help: string, labelNames: readonly L[]],
    samples: (fact: Fact) => readonly Sample<L>[],
  ) =>
    new Gauge({
      name: `${prefix}${name}`,
      help,
      labelNames: [...baseNames, ...labelNames],
      registers: [registry],
      collect() {
        this.reset();
        for (const fact of all()) {
          for (const [number, labels] of samples(fact)) this.set({ ...base(fact), ...labels }, number);
        }
      },
    });
  const ofNode = <L extends string = never>(
    name: string,
    help: string,
    labelNames: readonly L[],
    samples: (facts: NodeFacts) => readonly Sample<L>[],
  ) =>
    register(
      facts.nodes,
      ({ node, integrity }: NodeFacts) => ({ node, fileintegrity: integrity }),
      ['node', 'fileintegrity'],
      [name, help, labelNames],
      samples,
    );
  const ofIntegrity = <L extends string = never>(
    name: string,
    help: string,
    labelNames: readonly L[],
    samples: (facts: IntegrityFacts) => readonly Sample<L>[],
  ) =>
    register(
      facts.integrities,
      ({ integrity }: IntegrityFacts) => ({ fileintegrity: integrity }),
      ['fileintegrity'],
      [name, help, labelNames],
      samples,
    );

  new Gauge({
    name: `${prefix}admission_enforced`,
    help: '1 while the admission policies are in force as they are shipped, 0 while they are not or cannot be read.',
    registers: [registry],
    collect() {
      this.reset();
      const standing = facts.admission?.();
      const isKnown = standing && !(standing.is === 'unknown' && standing.reason === 'NotRead');
      if (isKnown) this.set(standing.is === 'enforced' ? 1 : 0);
      // Without labels prom-client shows 0 for what was never set.
      else this.remove();
    },
  });
  new Gauge({
    name: `${prefix}reads`,
    help: '1 while the operator leads and has read all objects of the resource.',
    labelNames: ['resource'] as const,
    registers: [registry],
    collect() {
      this.reset();
      for (const { resource, isRead } of facts.reads?.() ?? []) this.set({ resource }, isRead ? 1 : 0);
    },
  });
  ofNode('node_failed', '1 while the last result of the node is Failed.', [], ({ failed }) => [flag(failed)]);
  ofNode(
    'node_failure_stands',
    '1 while findings on the node are neither gone nor accepted, whatever its last result is.',
    [],
    ({ stands }) => [flag(stands)],
  );
  ofNode('node_last_scan_timestamp_seconds', 'When the newest scan of the node ended.', [], ({ scannedAt }) =>
    scannedAt ? [[seconds(scannedAt), {}]] : [],
  );
  ofNode('node_state', '1 for what the node is now.', ['state'], ({ state }) => [[1, { state }]]);
  ofNode(
    'node_fresh',
    '1 while the newest scan of the node is recent enough; none before the first is due.',
    [],
    (all) => (all.fresh === undefined ? [] : [flag(all.fresh)]),
  );
  ofNode('node_baseline_trusted', '1 while the receipt of the node’s baseline is on record.', [], ({ trusted }) => [
    flag(trusted),
  ]);
  ofNode('node_baseline_fault', '1 for what is the matter with the node’s baseline.', ['fault'], ({ fault }) =>
    fault ? [[1, { fault }]] : [],
  );
  ofNode(
    'node_unseen_paths',
    'How many paths the last scan of the node could not read where the configuration looks.',
    ['since'],
    ({ unseen }) =>
      unseen
        ? [
            [unseen.count - unseen.sinceBaseline, { since: 'before' }],
            [unseen.sinceBaseline, { since: 'baseline' }],
          ]
        : [],
  );
  ofNode('node_unwatched', '1 while a node that was watched is not, which nobody asked for.', [], ({ unwatched }) => [
    flag(unwatched),
  ]);
  const ownerLabel = boundedLabel({ pattern: OWNER });
  ofNode('node_held_since_timestamp_seconds', 'Since when the node is held.', ['reason', 'owner'], ({ hold }) =>
    hold ? [[seconds(hold.since), { reason: hold.reason, owner: ownerLabel(hold.owner) }]] : [],
  );
  ofIntegrity(
    'hold_limit_seconds',
    'How long a node may be held before it is an alert.',
    [],
    ({ holdLimitSeconds }) => [[holdLimitSeconds, {}]],
  );
  ofIntegrity('nodes', 'Nodes, by what they are: Selected is all of them.', ['state'], ({ nodes }) =>
    nodes.map(([state, count]) => [count, { state }] as const),
  );
  ofIntegrity(
    'fileintegrity_condition',
    '1 for what a condition of the FileIntegrity says now.',
    ['condition', 'status'],
    ({ conditions }) => conditions.map(([condition, status]) => [1, { condition, status }] as const),
  );
}

function flag(is: boolean): Sample<never> {
  return [is ? 1 : 0, {}];
}

function seconds(time: Date): number {
  return time.getTime() / 1000;
}
