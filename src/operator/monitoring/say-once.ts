import type { Logger } from 'pino';
import { printable } from '../../lib/text.ts';

/**
 * Warns of a topic when what there is to say of it is new: what fails every half minute for a week is one line. Without a
 * text the topic is well again.
 */
export type SayOnce = (topic: string, text: string | undefined) => void;

export function createSayOnce(log: Pick<Logger, 'warn'>): SayOnce {
  const said = new Map<string, string>();
  return (topic, text) => {
    if (said.get(topic) === text) return;
    if (text === undefined) {
      said.delete(topic);
      return;
    }
    said.set(topic, text);
    log.warn(`${topic}: ${printable(text, 512)}`);
  };
}
