import { z } from 'zod';
import { baselineFaultSchema } from './protocol.ts';

/** `apiVersion` of a page of findings. It changes when a page is no longer what a tool that knows this one can read. */
export const FINDINGS_VERSION = 'findings.fileintegrity.openshift.io/v1';

const time = z.iso.datetime({ offset: true });
const counts = z.object({ added: z.int().min(0), changed: z.int().min(0), removed: z.int().min(0) });

const attributeSchema = z.object({
  name: z.string().describe('As AIDE names it, such as perm, uid, sha512, acl. Checksums are base64.'),
  old: z
    .string()
    .exactOptional()
    .describe('In the baseline. Escaped as a path is; several lines have line breaks between.'),
  new: z.string().exactOptional().describe('On the node.'),
  cut: z.literal(true).exactOptional().describe('A value was longer than 1,024 characters and is not whole.'),
});

const findingSchema = z.object({
  path: z
    .string()
    .describe(
      'On the node. Control characters, bidirectional and invisible marks, bytes that are not UTF-8 and backslashes are escaped: \\xNN is a byte, \\uNNNN and \\u{N} a character, \\\\ a backslash.',
    ),
  pathBytes: z.base64().exactOptional().describe('The bytes of the path, where the path has escapes.'),
  change: z.enum(['added', 'changed', 'removed']),
  type: z
    .enum(['file', 'directory', 'link', 'character-device', 'block-device', 'fifo', 'socket', 'changed', 'other'])
    .describe('What it is, for a removed one what it was; changed: it is another type now, see the attribute ftype.'),
  attributes: z.array(attributeSchema).describe('What differs; empty for what was added or removed.'),
});

/** What stands above the findings of each page, and is the same on all pages of a report but for the page's number. */
const headSchema = z.object({
  apiVersion: z.literal(FINDINGS_VERSION),
  kind: z.literal('Findings'),
  fileIntegrity: z.string(),
  node: z.string(),
  message: z.string().describe("Id of the daemon's message; also the annotation file-integrity.openshift.io/message."),
  scan: z
    .object({ startedAt: time.exactOptional(), finishedAt: time.exactOptional() })
    .describe('By the clock of the node.'),
  baseline: z.object({
    digest: z
      .string()
      .exactOptional()
      .describe('SHA-256 of the database that was compared with, hex, as AIDE said it.'),
    fault: baselineFaultSchema.exactOptional(),
  }),
  unverified: z
    .boolean()
    .describe('True: the database on the node is not the one on record, so nothing here is verified.'),
});
export type FindingsHead = z.output<typeof headSchema>;

/** A page of structured findings, as it is under the key `findings.json` of its config map. */
export const findingsPageSchema = z.strictObject({
  ...headSchema.shape,
  page: z.int().min(1),
  pages: z.int().min(1),
  totals: counts.describe('Files in the report.'),
  listed: counts.describe('Of these, the files on all pages together. The text report has the others.'),
  findings: z.array(findingSchema),
});
