import type { Target } from './target.ts';
import { annotationTargets } from './targets/annotations.ts';
import { apiServerTargets } from './targets/api-server.ts';
import { configurationTargets } from './targets/configurations.ts';
import { forgeryTargets } from './targets/forgeries.ts';
import { inboxTargets } from './targets/inbox.ts';
import { messageTargets } from './targets/messages.ts';
import { nodeFileTargets } from './targets/node-files.ts';
import { reportTargets } from './targets/reports.ts';
import { resultTargets } from './targets/results.ts';
import { textTargets } from './targets/text.ts';
import { unseenTargets } from './targets/unseen.ts';

/** All that reads bytes of nodes and users. */
export const targets: readonly Target[] = [
  ...textTargets,
  ...reportTargets,
  ...unseenTargets,
  ...configurationTargets,
  ...nodeFileTargets,
  ...messageTargets,
  ...inboxTargets,
  ...resultTargets,
  ...forgeryTargets,
  ...annotationTargets,
  ...apiServerTargets,
];
