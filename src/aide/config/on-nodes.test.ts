import { expect, test } from 'vitest';
import { problemsOnNodes, type RulesOnNodes } from './on-nodes.ts';
import { prepareConfiguration } from './prepare.ts';

const USER =
  '# mine\n/etc R\n/opt/\u202ex R\n!/ect/noisy\n/bin/ R\n/sbin/ R\n/usr/sbin R\n/boot/grub2?/grubenv$ PERMS\n';
const { text, lines } = prepareConfiguration(`PERMS = p\n${USER}`);
const lineOf = (start: string) => text.split('\n').findIndex((each) => each.replace(/^[!-]/, '').startsWith(start)) + 1;

function told(said: Partial<RulesOnNodes>, usual: readonly string[] = []): string[] {
  const problems = problemsOnNodes({ text, lines }, { idle: [], links: [], ...said }, usual);
  return problems.map(({ line, severity, code, sentence }) => `${line} ${severity} ${code} ${sentence}`);
}

test('a rule that has nothing on any node is an info, with the user’s line and path', () => {
  expect(told({ idle: [lineOf('/hostroot/opt'), lineOf('/hostroot/ect')] })).toEqual([
    '4 info CONFIG_RULE_IDLE /opt/\\u202ex selects nothing',
    '5 info CONFIG_RULE_IDLE /ect/noisy leaves out nothing',
  ]);
});

test('a rule that leads to a link is a warning with the remedy, unless another rule watches what is behind it', () => {
  expect(told({ links: [{ line: lineOf('/hostroot/bin'), target: '/usr/bin/' }] })).toEqual([
    '6 warning CONFIG_RULE_LINK /bin/ leads to a link, which AIDE does not follow: watch /usr/bin/ as well',
  ]);
  expect(told({ links: [{ line: lineOf('/hostroot/sbin'), target: '/usr/sbin/' }] })).toEqual([]);
});

test('what a default has, too, is made for all kinds of nodes', () => {
  const line = lineOf('/hostroot/boot');
  expect(told({ idle: [line] })).toHaveLength(1);
  expect(told({ idle: [line] }, [`x\n${text.split('\n')[line - 1]}\n`])).toEqual([]);
});

test('a line that has no rule, or none of the user’s, is nothing', () => {
  expect(told({ idle: [1, 9999, lineOf('/hostroot/etc/kubernetes')], links: [{ line: 1, target: '/x' }] })).toEqual([]);
});
