import type { Resource } from '../kube/types.ts';
import type { FileIntegrity } from './fileintegrity.ts';
import type { FileIntegrityNodeStatus } from './nodestatus.ts';

export const GROUP = 'fileintegrity.openshift.io';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

export const fileIntegrities: Resource<FileIntegrity> = {
  group: GROUP,
  version: VERSION,
  kind: 'FileIntegrity',
  plural: 'fileintegrities',
  namespaced: true,
};

export const nodeStatuses: Resource<FileIntegrityNodeStatus> = {
  group: GROUP,
  version: VERSION,
  kind: 'FileIntegrityNodeStatus',
  plural: 'fileintegritynodestatuses',
  namespaced: true,
};
