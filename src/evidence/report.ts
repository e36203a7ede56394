import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { HOST_ROOT } from '../aide/config/host-path.ts';
import { showPath } from '../aide/path.ts';
import { readReportStream } from '../aide/report.ts';
import type { FileChange } from '../aide/report-types.ts';
import { COMPRESSED_ANNOTATION, PARTS_ANNOTATION, REPORT_JSON_KEY } from '../api/keys.ts';
import { partName } from '../api/names.ts';
import type { FileIntegrityNodeStatus } from '../api/nodestatus.ts';
import type { Client } from '../kube/client.ts';
import { configMaps } from '../kube/resources.ts';
import { FioError } from '../lib/errors.ts';

/**
 * The files that a node's last scan found added, changed or removed, from the kept failure that its status names. Paths
 * are the node's own.
 * @throws FioError `EVIDENCE_REPORT_UNREADABLE`
 */
export async function readFindings(
  client: Client,
  status: FileIntegrityNodeStatus,
  signal: AbortSignal,
): Promise<readonly FileChange[]> {
  const { resultConfigMapName: name, resultConfigMapNamespace } = status.lastResult ?? {};
  const namespace = resultConfigMapNamespace ?? status.metadata.namespace ?? '';
  if (name === undefined) throw unreadable(status.nodeName, 'its status names no config map');
  const first = await client.get(configMaps, { namespace, name }, { signal });
  const { annotations = {} } = first.metadata ?? {};
  let text = first.data?.[REPORT_JSON_KEY] ?? '';
  for (let number = 2; number <= Number(annotations[PARTS_ANNOTATION] ?? 1); number += 1) {
    const part = await client.get(configMaps, { namespace, name: partName(name, number) }, { signal });
    text += part.data?.[REPORT_JSON_KEY] ?? '';
  }
  const isCompressed = annotations[COMPRESSED_ANNOTATION] !== undefined;
  const bytes = Readable.from([Buffer.from(text, isCompressed ? 'base64' : 'utf8')]);
  const reading = await readReportStream(isCompressed ? bytes.compose(createGunzip()) : bytes, { signal });
  if (!reading.ok) throw unreadable(status.nodeName, reading.sentence);
  return reading.report.files.map((file) => ({ ...file, path: onNode(file.path) }));
}

/** One line for a person: `changed  /etc/issue  (sha512, size)`. */
export function describeFinding({ change, path, attributes }: FileChange): string {
  const names = attributes.map(({ name }) => name).join(', ');
  return `${change.padEnd(8)} ${showPath(path)}${names === '' ? '' : `  (${names})`}`;
}

function onNode(path: string): string {
  return path.startsWith(`${HOST_ROOT}/`) ? path.slice(HOST_ROOT.length) : path;
}

function unreadable(node: string, why: string): FioError {
  return new FioError('EVIDENCE_REPORT_UNREADABLE', `The report of ${node} cannot be read: ${why}`);
}
