import { FioError } from '../lib/errors.ts';
import { apiVersionOf, type KubeObject, type Resource } from './types.ts';

/** The URL path of an object, or of a collection when `name` is left out (of all namespaces when `namespace` is too). */
export function pathOf(resource: Resource, namespace?: string, name?: string, subresource?: string): string {
  if (resource.namespaced && name !== undefined && !namespace) {
    throw new TypeError(`${resource.kind} ${name} needs a namespace`);
  }
  const segments = [resource.group === '' ? 'api' : 'apis', ...apiVersionOf(resource).split('/')];
  if (resource.namespaced && namespace) segments.push('namespaces', namespace);
  segments.push(resource.plural);
  if (name !== undefined) segments.push(name);
  if (subresource !== undefined) segments.push(subresource);
  return `/${segments.map(encodeSegment).join('/')}`;
}

/** A segment that cannot leave its place in the path. `.` and `..` cannot be encoded, and no object is called that. */
function encodeSegment(segment: string): string {
  if (segment === '' || segment === '.' || segment === '..') {
    throw new TypeError(`${JSON.stringify(segment)} is no name of an object`);
  }
  return encodeURIComponent(segment);
}

export function nameOf(object: KubeObject): string {
  const name = object.metadata?.name;
  if (!name) throw new TypeError('The object has no name');
  return name;
}

/** The object with the apiVersion and kind that the server wants in it. */
export function typed<T extends KubeObject>(resource: Resource<T>, object: T): T {
  return { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind };
}

/** @throws FioError `KUBE_RESPONSE_INVALID` */
export function parse<T>(text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new FioError('KUBE_RESPONSE_INVALID', 'The API server answered with something that is no JSON', { cause });
  }
}
