import { z } from 'zod';
import { fileIntegritySpecSchema, fileIntegrityStatusSchema } from './fileintegrity.ts';
import { fileIntegrities, GROUP, nodeStatuses, VERSION } from './group.ts';
import { nodeStatusFieldsSchema } from './nodestatus.ts';

/** A JSON schema in the structural form that a CustomResourceDefinition takes. */
interface StructuralSchema {
  type?: string;
  description?: string;
  properties?: Record<string, StructuralSchema>;
  additionalProperties?: StructuralSchema;
  items?: StructuralSchema;
  required?: string[];
  [keyword: string]: unknown;
}

interface PrinterColumn {
  name: string;
  type: 'string' | 'integer' | 'date';
  jsonPath: string;
  description?: string;
  /** Above 0: shown by `-o wide` only. */
  priority?: number;
}

/** The CustomResourceDefinitions of both resources, made from the schemas that also give the types and defaults. */
export function customResourceDefinitions(): object[] {
  return [
    definition({
      ...fileIntegrities,
      shortNames: ['fi'],
      description: 'Which nodes are watched for changes of their files, and how.',
      schema: {
        spec: structural(fileIntegritySpecSchema),
        status: structural(fileIntegrityStatusSchema),
      },
      required: ['spec'],
      subresources: { status: {} },
      columns: [
        { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
        {
          name: 'Ready',
          type: 'string',
          jsonPath: ofCondition('Ready', 'status'),
          description: 'Whether every selected node is watched, or held, with the newest configuration.',
        },
        {
          name: 'Integrity',
          type: 'string',
          jsonPath: ofCondition('IntegrityHeld', 'status'),
          description: 'Whether the last scan of every node found no difference from its baseline.',
        },
        {
          name: 'Fresh',
          type: 'string',
          jsonPath: ofCondition('Fresh', 'status'),
          description: 'Whether the last scan of every node is recent enough to count.',
        },
        {
          name: 'Fresh until',
          type: 'string',
          jsonPath: '.status.freshUntil',
          description: 'Until when this counts, by the clock of the operator, which may be gone.',
        },
        { name: 'Nodes', type: 'integer', jsonPath: '.status.nodes.selected', description: 'Nodes that are selected.' },
        { name: 'Failed', type: 'integer', jsonPath: '.status.nodes.failed', description: 'Nodes with findings.' },
        { name: 'Watched', type: 'integer', jsonPath: '.status.nodes.watched', priority: 1 },
        { name: 'Silent', type: 'integer', jsonPath: '.status.nodes.silent', priority: 1 },
        { name: 'Held', type: 'integer', jsonPath: '.status.nodes.held', priority: 1 },
        {
          name: 'Trusted',
          type: 'string',
          jsonPath: ofCondition('BaselineTrusted', 'status'),
          description: 'Whether the baseline of every node is the one on record.',
          priority: 1,
        },
        { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
      ],
    }),
    definition({
      ...nodeStatuses,
      shortNames: ['fins'],
      description: 'What the newest scan of one node found. Written by the operator only.',
      schema: structural(nodeStatusFieldsSchema).properties ?? {},
      required: ['nodeName'],
      columns: [
        { name: 'Node', type: 'string', jsonPath: '.nodeName' },
        {
          name: 'Status',
          type: 'string',
          jsonPath: '.state',
          description: 'The node in one word. A result that is too old shows as Silent.',
        },
        { name: 'Last scan', type: 'date', jsonPath: '.lastResult.lastProbeTime' },
        {
          name: 'Fresh',
          type: 'string',
          jsonPath: ofCondition('Fresh', 'status'),
          description: 'Whether the last scan is recent enough to count.',
        },
        {
          name: 'Fresh until',
          type: 'string',
          jsonPath: '.freshUntil',
          description: 'Until when this counts, by the clock of the operator, which may be gone.',
        },
        { name: 'Held', type: 'string', jsonPath: '.orders.hold.reason', description: 'Why no scan is started.' },
        {
          name: 'Result',
          type: 'string',
          jsonPath: '.lastResult.condition',
          description: 'Of the last scan, however old it is.',
          priority: 1,
        },
        { name: 'Added', type: 'integer', jsonPath: '.lastResult.filesAdded', priority: 1 },
        { name: 'Changed', type: 'integer', jsonPath: '.lastResult.filesChanged', priority: 1 },
        { name: 'Removed', type: 'integer', jsonPath: '.lastResult.filesRemoved', priority: 1 },
        {
          name: 'Daemon',
          type: 'string',
          jsonPath: ofCondition('Ready', 'reason'),
          description: 'Watched, or why not.',
          priority: 1,
        },
        {
          name: 'Baseline',
          type: 'string',
          jsonPath: ofCondition('BaselineTrusted', 'reason'),
          description: 'Recorded, or why it is not to be trusted.',
          priority: 1,
        },
        { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', priority: 1 },
      ],
    }),
  ];
}

function ofCondition(type: string, field: 'status' | 'reason'): string {
  return `.status.conditions[?(@.type=="${type}")].${field}`;
}

function definition(resource: {
  kind: string;
  plural: string;
  shortNames: string[];
  description: string;
  schema: Record<string, StructuralSchema>;
  required: string[];
  subresources?: object;
  columns: PrinterColumn[];
}): object {
  const { kind, plural } = resource;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames: resource.shortNames,
        // Not a name of a resource: kubectl would take `get fileintegrity NAME` for the whole category.
        categories: ['file-integrity'],
      },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          ...(resource.subresources && { subresources: resource.subresources }),
          additionalPrinterColumns: resource.columns,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              description: resource.description,
              properties: {
                apiVersion: { type: 'string' },
                kind: { type: 'string' },
                metadata: { type: 'object' },
                ...resource.schema,
              },
              required: resource.required,
            },
          },
        },
      ],
    },
  };
}

/** What the API server takes of a zod schema. */
function structural(schema: z.ZodType): StructuralSchema {
  const json = z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' }) as StructuralSchema;
  return adapt(json);
}

/** zod writes the range of JavaScript's whole numbers at every integer; it says nothing to a user. */
const SAFE_BOUNDS = new Set([Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]);

function adapt(schema: StructuralSchema): StructuralSchema {
  const { $schema, properties, additionalProperties, items, anyOf, pattern, ...rest } = schema;
  // The one union in the schemas is that of a resource quantity: a number or text.
  if (anyOf !== undefined) return { ...describing(schema), ...texts(anyOf), 'x-kubernetes-int-or-string': true };
  const fitted: StructuralSchema = { ...rest };
  if (SAFE_BOUNDS.has(Number(rest.minimum))) delete fitted.minimum;
  if (SAFE_BOUNDS.has(Number(rest.maximum))) delete fitted.maximum;
  if (rest.type === 'integer') fitted.format = 'int64';
  // `date-time` is enough for a CRD; zod's pattern repeats it in 300 characters that no user can read.
  if (pattern !== undefined && rest.format !== 'date-time') fitted.pattern = pattern;
  if (properties) fitted.properties = mapValues(properties, adapt);
  if (items) fitted.items = adapt(items);
  // Structural schemas have either properties or additionalProperties, and no `false`: unknown fields are pruned anyway.
  if (!properties && additionalProperties && typeof additionalProperties === 'object') {
    fitted.additionalProperties = adapt(additionalProperties);
  }
  if (isConditionList(fitted))
    Object.assign(fitted, { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] });
  else if (fitted.type === 'array') fitted['x-kubernetes-list-type'] = 'atomic';
  return fitted;
}

function describing({ description }: StructuralSchema): StructuralSchema {
  return description === undefined ? {} : { description };
}

/** What the texts of a union have to look like. Structural schemas may say it beside the union only. */
function texts(anyOf: unknown): StructuralSchema {
  const { pattern, maxLength } = (anyOf as StructuralSchema[]).find(({ type }) => type === 'string') ?? {};
  return { ...(maxLength !== undefined && { maxLength }), ...(pattern !== undefined && { pattern }) };
}

/** Conditions as Kubernetes knows them: a list whose items are told apart by their type. */
function isConditionList({ items }: StructuralSchema): boolean {
  return items?.properties?.lastTransitionTime !== undefined && items.properties.type !== undefined;
}

function mapValues<T>(values: Record<string, T>, change: (value: T) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, change(value)]));
}
