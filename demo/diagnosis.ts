import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { nodeStatuses } from '../src/api/group.ts';
import { pods } from '../src/kube/resources.ts';
import { explain } from '../src/lib/errors.ts';
import { printable } from '../src/lib/text.ts';
import { NAMESPACE, type Stage } from './stage.ts';

/** Sentences on what keeps the story from going on: pods that do not run, nodes that reported an error. Never throws. */
export async function explainWait(stage: Stage): Promise<string> {
  try {
    const where = { namespace: NAMESPACE, signal: stage.signal };
    const [foundPods, statuses] = await Promise.all([
      stage.client.list(pods, where),
      stage.client.list(nodeStatuses, where),
    ]);
    const sentences = foundPods.items.flatMap(podTrouble);
    for (const { nodeName, lastResult } of statuses.items) {
      const message = lastResult?.errorMessage ? `: ${printable(lastResult.errorMessage, 300)}` : '';
      sentences.push(`Node ${nodeName} is ${lastResult?.condition ?? 'not scanned yet'}${message}.`);
    }
    if (foundPods.items.length === 0) sentences.push(`There is no pod in the namespace ${NAMESPACE}.`);
    return sentences.join(' ');
  } catch (error) {
    return `The cluster could not be asked why: ${explain(error)}`;
  }
}

function podTrouble({ metadata, status }: Pod): string[] {
  const name = metadata?.name ?? '';
  const troubled = status?.containerStatuses?.filter(({ ready }) => !ready) ?? [];
  if (troubled.length === 0) {
    return status?.phase === 'Running' ? [] : [`The pod ${name} is ${status?.phase ?? 'unknown'}.`];
  }
  return troubled.map(({ state, lastState }) => {
    const waiting = state?.waiting;
    const ended = state?.terminated ?? lastState?.terminated;
    const why = [
      waiting?.reason,
      waiting?.message,
      ended && `it ended with code ${ended.exitCode}`,
      ended?.message,
    ].filter((text) => text !== undefined && text !== '');
    return `The pod ${name} does not run: ${printable(why.join(', ') || 'no reason is given', 500)}.`;
  });
}
