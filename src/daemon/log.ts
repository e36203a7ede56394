import { printable } from '../lib/text.ts';

/** Writes one line, made safe to print, after a time stamp. Debug lines only while the settings ask for them. */
export interface Log {
  info(text: string): void;
  debug(text: string): void;
}

/** @param wantsDebug asked for each debug line, since the setting changes while the daemon runs. */
export function createLog(write: (line: string) => void, wantsDebug: () => boolean): Log {
  const line = (text: string) => write(`${new Date().toISOString()}: ${printable(text, 4096)}\n`);
  return {
    info: line,
    debug: (text) => {
      if (wantsDebug()) line(text);
    },
  };
}
