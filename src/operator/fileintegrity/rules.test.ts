import { describe, expect, test } from 'vitest';
import { aReceipt, aStatus } from '../../../test/support/result-worlds.ts';
import { prepareConfiguration } from '../../aide/config/prepare.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import type { RuleRecord } from '../../api/protocol.ts';
import type { JudgedConfiguration } from './configuration.ts';
import { tellRules } from './rules.ts';

const { text, lines } = prepareConfiguration('/etc R\n/opt/x R\n!/ect/noisy\n/bin/ R\n');
const lineOf = (part: string) => text.split('\n').findIndex((each) => each.includes(part)) + 1;
const [opt, ect, bin] = ['/opt', '/ect', '/bin'].map(lineOf) as [number, number, number];
const judged: JudgedConfiguration = { kind: 'user', source: 'a/b:c', text, notes: [], remarks: [], lines };

function node(rules: Partial<RuleRecord> | undefined, digest = 'c'.repeat(64)): FileIntegrityNodeStatus {
  const baseline = aReceipt({
    configurationDigest: digest,
    ...(rules && { rules: { idle: [], links: [], ...rules } }),
  });
  return aStatus({ baseline });
}

describe('of a user’s rules', () => {
  test('those are told that have nothing on all nodes', () => {
    expect(tellRules(judged, [node({ idle: [opt, ect] }), node({ idle: [ect] })], [])).toEqual({
      notes: [],
      idle: ['line 3: CONFIG_RULE_IDLE: /ect/noisy leaves out nothing'],
    });
  });

  test.each([
    ['has no baseline yet', aStatus({ baseline: undefined as never })],
    ['has one by another configuration', node({ idle: [ect] }, 'e'.repeat(64))],
    ['has one of a daemon that did not look', node(undefined)],
  ])('nothing is told while a node %s', (_, other) => {
    expect(tellRules(judged, [node({ idle: [ect] }), other], []).idle).toEqual([]);
  });

  test('one that leads to a link on any node is a note', () => {
    const link = { line: bin, target: '/usr/bin/' };
    expect(tellRules(judged, [node({ links: [link] }), node({ links: [link] }), node({})], [])).toEqual({
      notes: ['line 4: CONFIG_RULE_LINK: /bin/ leads to a link, which AIDE does not follow: watch /usr/bin/ as well'],
      idle: [],
    });
  });

  test('in another namespace the codes alone are told', () => {
    const said = [node({ idle: [ect], links: [{ line: bin, target: '/usr/bin/' }] })];
    expect(tellRules({ ...judged, isForeign: true }, said, [])).toEqual({
      notes: ['line 4: CONFIG_RULE_LINK'],
      idle: ['line 3: CONFIG_RULE_IDLE'],
    });
  });

  test('of a default nothing is told', () => {
    expect(tellRules({ kind: 'default' }, [node({ idle: [ect] })], [])).toEqual({ notes: [], idle: [] });
  });
});
