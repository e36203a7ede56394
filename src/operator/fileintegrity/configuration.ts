import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { ConfigMap, Node } from 'kubernetes-types/core/v1.d.ts';
import type { FileIntegrity } from '../../api/fileintegrity.ts';
import {
  AIDE_CONF_LABEL,
  CHANGED_BY_ANNOTATION,
  CONFIGURED_BY_ANNOTATION,
  FIELD_MANAGER,
  OWNER_LABEL,
  REINIT_REQUEST_ANNOTATION,
  UPDATED_ANNOTATION,
} from '../../api/keys.ts';
import { labelValue } from '../../api/names.ts';
import type { FileIntegrityNodeStatus } from '../../api/nodestatus.ts';
import type { Orders } from '../../api/protocol.ts';
import { printable } from '../../lib/text.ts';
import { contains } from '../contains.ts';
import { lastManagerOf } from '../managers.ts';
import { PROFILE_NAMES, type Profile } from '../nodes/profile.ts';
import { isOwnedBy, ownerReference } from '../owner.ts';
import type { ReinitPlan } from '../requests/reinit.ts';

/** The key of the effective configuration that the contract names. */
const CONFIGURATION_KEY = 'aide.conf';
/** The key of the default for the nodes of the other kind, where a FileIntegrity watches both kinds. */
const OTHER_KEY: Readonly<Record<Profile, string>> = { linux: 'aide-linux.conf', openshift: 'aide-openshift.conf' };

/** Annotation on the effective configuration: `default`, or `namespace/name:key` of the user's. */
const SOURCE_ANNOTATION = 'file-integrity.openshift.io/configuration-source';
/** Annotation on the effective configuration: SHA-256 of `aide.conf`, so that an edit by hand is not taken for the last good one. */
const DIGEST_ANNOTATION = 'file-integrity.openshift.io/configuration-digest';
/** Annotation on the effective configuration: RFC 3339, since when its texts are these. */
const SINCE_ANNOTATION = 'file-integrity.openshift.io/configuration-since';
const DEFAULT_SOURCE = 'default';

/** What became of `spec.config`. Texts are effective ones: with the paths as the daemon sees them. */
export type JudgedConfiguration =
  /** No user configuration is named. */
  | { readonly kind: 'default' }
  /** One is named, and it is not there: the default stands in. `message`: a sentence for the person. */
  | { readonly kind: 'missing'; readonly message: string }
  | {
      readonly kind: 'user';
      readonly source: string;
      readonly text: string;
      /** Who changed it last, as far as the API server tells. */
      readonly who?: string;
      /** What does not do all that it says, or hardly what is meant. */
      readonly notes: readonly string[];
      /** What was carried over in other words, or left out because it means nothing here. */
      readonly remarks: readonly string[];
      /** For each line of the text the user's; absent where that is not known. */
      readonly lines?: readonly number[];
      /** It is in another namespace than the FileIntegrity: nothing that it says is told. */
      readonly isForeign?: boolean;
    }
  /** Not fit for a node: the last good one stays. `message` says line and reason. */
  | { readonly kind: 'refused'; readonly source: string; readonly message: string };

export interface ConfigurationWorld {
  readonly now: Date;
  readonly integrity: FileIntegrity;
  /** The nodes that the FileIntegrity watches. */
  readonly nodes: readonly Node[];
  readonly judged: JudgedConfiguration;
  /** The effective configuration as it is in the cluster. */
  readonly effective: ConfigMap | undefined;
  /** The last good one, where the effective one does not tell (any more). */
  readonly lastGood?: GoodConfiguration;
  readonly defaults: Readonly<Record<Profile, string>>;
  readonly profileOf: (node: Node) => Profile;
}

/** A user's configuration that was fit for the nodes. */
export interface GoodConfiguration {
  readonly source: string;
  readonly text: string;
  /** RFC 3339, when it came into use; absent where that was not written down. */
  readonly since?: string;
}

export interface ConfigurationPlan {
  readonly source: string;
  readonly data: Readonly<Record<string, string>>;
  /** What a node's orders say. */
  forNode(node: Node): Orders['configuration'];
  /** Which configuration is in use, in words for the person. */
  readonly description: string;
  /** Who made it what it is, as far as the API server tells. */
  readonly who: string | undefined;
  /** RFC 3339, when it came into use; undefined where that was not written down. */
  readonly since: string | undefined;
}

export function planConfiguration(world: ConfigurationWorld): ConfigurationPlan {
  const plan = planTexts(world);
  const { annotations = {} } = world.effective?.metadata ?? {};
  const { [CONFIGURED_BY_ANNOTATION]: who, [SINCE_ANNOTATION]: since } = annotations;
  const isInUse =
    annotations[SOURCE_ANNOTATION] === plan.source && isDeepStrictEqual(textsInUse(world.effective), plan.data);
  if (isInUse) return { ...plan, who, since: plan.since ?? since };
  return { ...plan, who: whoConfigured(world, plan), since: plan.since ?? world.now.toISOString() };
}

/** The fields of `spec.config` that say which configuration it is. */
const NAMING = ['name', 'namespace', 'key'];

type TextsPlan = Omit<ConfigurationPlan, 'who' | 'since'> & Pick<GoodConfiguration, 'since'>;

/**
 * Who is behind a configuration that is another one than before: who changed the config map; or, where another one is named,
 * the FileIntegrity. It is kept with the effective one, so that it is known until each node has its orders.
 */
function whoConfigured({ integrity, judged, effective }: ConfigurationWorld, { source }: TextsPlan) {
  const before = effective?.metadata?.annotations?.[SOURCE_ANNOTATION];
  if (judged.kind === 'missing') return undefined;
  if (before === source) return judged.kind === 'user' ? judged.who : FIELD_MANAGER;
  if (before === undefined) return undefined;
  const { metadata } = integrity;
  const user = metadata.annotations?.[CHANGED_BY_ANNOTATION];
  // Of a name that was taken away, the API server does not say by which client.
  const client = () => (judged.kind === 'default' ? undefined : lastManagerOf(metadata, ['spec', 'config'], NAMING));
  const who = user || client();
  return who === undefined ? undefined : printable(who, 253);
}

/** Without those by which nodes’ baselines go that are to be made anew, and without what does not belong there. */
function textsInUse(effective: ConfigMap | undefined): Record<string, string> {
  const texts = Object.entries(effective?.data ?? {});
  const keys = [CONFIGURATION_KEY, ...Object.values(OTHER_KEY)];
  return Object.fromEntries(texts.filter(([key]) => keys.includes(key)));
}

function planTexts(world: ConfigurationWorld): TextsPlan {
  const { judged, effective } = world;
  if (judged.kind === 'user') return singleText(world, judged, `Your configuration ${judged.source} is used.`);
  const good = judged.kind === 'refused' ? (lastGoodOf(effective, world.integrity) ?? world.lastGood) : undefined;
  return good ? singleText(world, good, describeLastGood(world, good)) : defaultTexts(world);
}

/** A config map that was edited has the same name: which of its texts it is, time and digest tell. */
function describeLastGood({ integrity }: ConfigurationWorld, { source, text, since }: GoodConfiguration): string {
  const when = since === undefined ? '' : ` as of ${since}`;
  const where = `in the config map ${integrity.metadata.name ?? ''}, SHA-256 ${digestOf(text).slice(0, 12)}…`;
  return `The last good one, ${source}${when}, stays in use (${where}).`;
}

/** The user's configuration that is in effect; undefined when it is a default, was edited by hand, or is another FileIntegrity's. */
export function lastGoodOf(effective: ConfigMap | undefined, integrity: FileIntegrity): GoodConfiguration | undefined {
  if (effective && isOfEarlier(effective, integrity)) return undefined;
  const text = effective?.data?.[CONFIGURATION_KEY];
  const annotations = effective?.metadata?.annotations ?? {};
  const { [SOURCE_ANNOTATION]: source, [DIGEST_ANNOTATION]: digest, [SINCE_ANNOTATION]: since } = annotations;
  if (!source || source === DEFAULT_SOURCE || text === undefined || digestOf(text) !== digest) return undefined;
  return { source, text, ...(since !== undefined && { since }) };
}

/** It goes with a FileIntegrity of the name that is gone. */
function isOfEarlier(effective: ConfigMap, integrity: FileIntegrity): boolean {
  const owners = (effective.metadata?.ownerReferences ?? []).filter(({ kind }) => kind === 'FileIntegrity');
  return owners.length > 0 && !isOwnedBy(effective, integrity);
}

function singleText(world: ConfigurationWorld, good: GoodConfiguration, description: string): TextsPlan {
  const { source, text, since } = good;
  const reference = { name: world.integrity.metadata.name ?? '', key: CONFIGURATION_KEY, digest: digestOf(text) };
  const data = { [CONFIGURATION_KEY]: text };
  return { source, data, forNode: () => reference, description, ...(since !== undefined && { since }) };
}

function defaultTexts(world: ConfigurationWorld): TextsPlan {
  const { defaults, integrity, nodes, profileOf } = world;
  const counts: Record<Profile, number> = { linux: 0, openshift: 0 };
  for (const node of nodes) counts[profileOf(node)] += 1;
  const main = mainProfile(world, counts);
  const other: Profile = main === 'linux' ? 'openshift' : 'linux';
  const keys = { [main]: CONFIGURATION_KEY, [other]: OTHER_KEY[other] } as Record<Profile, string>;
  const used = ([main, other] as const).filter((profile) => profile === main || counts[profile] > 0);
  const references = Object.fromEntries(
    used.map((profile) => [
      profile,
      { name: integrity.metadata.name ?? '', key: keys[profile], digest: digestOf(defaults[profile]) },
    ]),
  ) as Record<Profile, Orders['configuration']>;
  const parts = used.map((profile) => `${PROFILE_NAMES[profile]} (${keys[profile]}, nodes: ${counts[profile]})`);
  return {
    source: DEFAULT_SOURCE,
    data: Object.fromEntries(used.map((profile) => [keys[profile], defaults[profile]])),
    forNode: (node) => references[profileOf(node)],
    description: `The default configuration for ${parts.join(' and for ')} is used.`,
  };
}

/** Whose default stands under `aide.conf`: it stays as long as any node needs it, so that keys do not swap to and fro. */
function mainProfile({ effective, defaults }: ConfigurationWorld, counts: Record<Profile, number>): Profile {
  const standing = effective?.data?.[CONFIGURATION_KEY];
  for (const profile of ['linux', 'openshift'] as const) {
    if (counts[profile] > 0 && standing === defaults[profile]) return profile;
  }
  return counts.openshift > counts.linux ? 'openshift' : 'linux';
}

/** The effective configuration, as it goes out by server-side apply. */
export function desiredConfigMap(
  integrity: FileIntegrity,
  plan: ConfigurationPlan,
  reinit: Pick<ReinitPlan, 'requests' | 'updated'>,
  earlier: Readonly<Record<string, string>> = {},
): ConfigMap {
  const name = integrity.metadata.name ?? '';
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name,
      namespace: integrity.metadata.namespace ?? '',
      labels: { [AIDE_CONF_LABEL]: '', [OWNER_LABEL]: labelValue(name) },
      annotations: {
        [SOURCE_ANNOTATION]: plan.source,
        [DIGEST_ANNOTATION]: digestOf(plan.data[CONFIGURATION_KEY] ?? ''),
        ...(plan.who !== undefined && { [CONFIGURED_BY_ANNOTATION]: plan.who }),
        ...(plan.since !== undefined && { [SINCE_ANNOTATION]: plan.since }),
        ...(reinit.requests.length > 0 && { [REINIT_REQUEST_ANNOTATION]: JSON.stringify(reinit.requests) }),
        ...(reinit.updated !== undefined && { [UPDATED_ANNOTATION]: reinit.updated }),
      },
      ownerReferences: [ownerReference(integrity)],
    },
    data: { ...plan.data, ...earlier },
  };
}

/** Earlier texts that are kept, and characters of all texts together: the object has to fit into the API server. */
const EARLIER_PREFIX = 'previous-';
const EARLIER_LIMIT = 2;
const TEXTS_LIMIT = 900_000;

/**
 * The texts by which nodes' baselines still go, as far as they are in the effective configuration as it is: a node is
 * compared with its baseline, by the baseline's own configuration, before a new one takes its place.
 */
export function earlierTexts(
  effective: ConfigMap | undefined,
  { data }: Pick<ConfigurationPlan, 'data'>,
  statuses: Iterable<Pick<FileIntegrityNodeStatus, 'baseline'>>,
): Record<string, string> {
  const current = new Set(Object.values(data).map(digestOf));
  const counts = new Map<string, number>();
  for (const { baseline } of statuses) {
    const digest = baseline?.configurationDigest;
    if (digest !== undefined && !current.has(digest)) counts.set(digest, (counts.get(digest) ?? 0) + 1);
  }
  if (counts.size === 0) return {};
  const there = new Map(Object.values(effective?.data ?? {}).map((text) => [digestOf(text), text]));
  const earlier: Record<string, string> = {};
  let room = TEXTS_LIMIT - Object.values(data).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  for (const [digest] of [...counts].sort(([a, one], [b, other]) => other - one || a.localeCompare(b))) {
    const text = there.get(digest);
    if (text === undefined || Object.keys(earlier).length === EARLIER_LIMIT) continue;
    room -= Buffer.byteLength(text);
    if (room >= 0) earlier[`${EARLIER_PREFIX}${digest.slice(0, 16)}`] = text;
  }
  return earlier;
}

/** Whether the effective configuration is what the operator wants, to the letter in its texts and in `updated`. */
export function isEffective(actual: ConfigMap, desired: ConfigMap): boolean {
  return contains(actual, desired) && leftovers(actual, desired) === undefined;
}

/**
 * A merge patch that takes away what is not wanted: texts, and the annotations of requests. Server-side apply leaves what
 * another client wrote: an earlier operator, or a person.
 */
export function leftovers(actual: ConfigMap, desired: ConfigMap): object | undefined {
  const unwanted = (there: object = {}, wanted: object = {}) =>
    Object.fromEntries(Object.keys(there).flatMap((key) => (key in wanted ? [] : [[key, null]])));
  const { [UPDATED_ANNOTATION]: updated, [REINIT_REQUEST_ANNOTATION]: request } = actual.metadata?.annotations ?? {};
  const ours = {
    ...(updated !== undefined && { [UPDATED_ANNOTATION]: updated }),
    ...(request !== undefined && { [REINIT_REQUEST_ANNOTATION]: request }),
  };
  const annotations = unwanted(ours, desired.metadata?.annotations);
  const data = unwanted(actual.data, desired.data);
  const binaryData = unwanted(actual.binaryData, {});
  const isEmpty = [annotations, data, binaryData].every((part) => Object.keys(part).length === 0);
  return isEmpty ? undefined : { metadata: { annotations }, data, binaryData };
}

/** A config map of that name which has nothing to do with the operator: a user's own, not to be overwritten. */
export function isForeign(integrity: FileIntegrity, existing: ConfigMap | undefined): boolean {
  if (!existing) return false;
  return (
    !isOwnedBy(existing, integrity) &&
    existing.metadata?.labels?.[AIDE_CONF_LABEL] === undefined &&
    existing.metadata?.annotations?.[SOURCE_ANNOTATION] === undefined
  );
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
