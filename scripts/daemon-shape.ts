import type { Container, EnvVar, PodSpec, Volume, VolumeMount } from 'kubernetes-types/core/v1.d.ts';
import { fileIntegritySpecSchema } from '../src/api/fileintegrity.ts';
import { desiredDaemonSet } from '../src/operator/fileintegrity/daemonset.ts';

/** What stands for the name and the namespace of a FileIntegrity, of which every other one is right as well. */
const NAME = 'NAME';
const NAMESPACE = 'NAMESPACE';

/**
 * Fields that Kubernetes knows and a daemon does not have. Fields that a later Kubernetes adds by itself pass: else every
 * daemon would be refused from the day of its upgrade on.
 */
const POD_FIELDS = [
  ...['activeDeadlineSeconds', 'dnsConfig', 'ephemeralContainers', 'hostAliases', 'hostIPC', 'hostNetwork', 'hostPID'],
  ...['hostUsers', 'hostname', 'hostnameOverride', 'initContainers', 'os', 'overhead', 'readinessGates'],
  ...['resourceClaims', 'runtimeClassName', 'setHostnameAsFQDN', 'shareProcessNamespace', 'subdomain'],
];
const CONTAINER_FIELDS = [
  ...['envFrom', 'lifecycle', 'livenessProbe', 'ports', 'readinessProbe', 'restartPolicy', 'restartPolicyRules'],
  ...['startupProbe', 'stdin', 'stdinOnce', 'tty', 'volumeDevices', 'workingDir'],
];

/**
 * The admission policy that lets pods and daemon sets of the daemons' account be made as the operator makes them only.
 * Out of what the operator makes, so that the two cannot differ.
 */
export function daemonShapePolicy(): string {
  const { pod, container } = wanted();
  const absent = (fields: string[], from: object) => fields.filter((field) => !(field in from));
  return TEXT.replaceAll(
    /^( *)(.*)\$\{(\w+)\}(.*)$/gm,
    (_, indent: string, before: string, what: string, after: string) => {
      const values: Record<string, unknown> = {
        absentFromPod: absent(POD_FIELDS, pod),
        absentFromContainer: absent(CONTAINER_FIELDS, container),
        podContext: pod.securityContext ?? {},
        context: container.securityContext ?? {},
        command: container.command,
        args: container.args,
        env: container.env?.map(defaultedEnv),
        mounts: container.volumeMounts?.map(defaultedMount),
        volumes: pod.volumes?.map(defaultedVolume),
        name: container.name,
      };
      return `${indent}${before}${render(values[what], indent)}${after}`;
    },
  );
}

function wanted(): { pod: PodSpec; container: Container } {
  const metadata = { name: NAME, namespace: NAMESPACE, uid: '' };
  const spec = fileIntegritySpecSchema.parse({ config: {} });
  const pod = desiredDaemonSet({ metadata, spec }, spec, 'any').spec?.template.spec;
  const container = pod?.containers[0];
  if (!pod || !container || pod.containers.length !== 1) throw new Error('a daemon has one container');
  return { pod, container };
}

// What the API server adds to what it is given.
function defaultedEnv(variable: EnvVar): EnvVar {
  const fieldRef = variable.valueFrom?.fieldRef;
  return fieldRef ? { ...variable, valueFrom: { fieldRef: { apiVersion: 'v1', ...fieldRef } } } : variable;
}

function defaultedMount(mount: VolumeMount): VolumeMount {
  // What is false is left out.
  return Object.fromEntries(Object.entries(mount).filter(([, value]) => value !== false)) as unknown as VolumeMount;
}

function defaultedVolume(volume: Volume): Volume {
  return volume.projected ? { ...volume, projected: { defaultMode: 0o644, ...volume.projected } } : volume;
}

/** A value as an expression of CEL. A list with a line for each item where it does not fit into one. */
function render(value: unknown, indent: string): string {
  const line = inLine(value);
  if (!Array.isArray(value) || line.length + indent.length < 100) return line;
  return `[\n${value.map((item) => `${indent}  ${inLine(item)}`).join(',\n')}\n${indent}]`;
}

function inLine(value: unknown): string {
  if (value === NAME) return 'variables.name';
  if (value === NAMESPACE) return 'request.namespace';
  if (typeof value === 'string') return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  if (Array.isArray(value)) return `[${value.map(inLine).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  // The API server's CEL takes no literal of values of different types, unless their type is left open.
  return `{${Object.entries(value)
    .flatMap(([key, field]) => (field === undefined ? [] : [`'${key}': dyn(${inLine(field)})`]))
    .join(', ')}}`;
}

const TEXT = `# Generated from src/operator/fileintegrity/daemonset.ts by npm run generate.
#
# A daemon can read all of its node and write to some of it. So what runs under the daemons' account is what the operator
# makes, whoever makes it, the operator included: whoever has taken over the operator does not have the nodes with that. Who may
# make it, workloads-policy.yaml and pods-policy.yaml say.
#
# Left to the FileIntegrity: node selector, tolerations, priority class, resources. Left to Kubernetes and what people add to
# it: scheduling, pull secrets.
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: file-integrity-daemon-shape
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - apiGroups: [""]
        apiVersions: ["v1"]
        operations: ["CREATE", "UPDATE"]
        resources: ["pods", "pods/ephemeralcontainers"]
        scope: "*"
      - apiGroups: ["apps"]
        apiVersions: ["v1"]
        operations: ["CREATE", "UPDATE"]
        resources: ["daemonsets"]
        scope: "*"
  matchConditions:
    - name: of-a-daemon
      expression: >-
        request.resource.resource == 'pods'
        ? dyn(object).spec.?serviceAccountName.orValue('') == 'file-integrity-daemon'
        : dyn(object).spec.template.spec.?serviceAccountName.orValue('') == 'file-integrity-daemon' 
    # One that was there before this policy can still be released and removed.
    - name: made-or-changed
      expression: "oldObject == null || object.spec != oldObject.spec"
  variables:
    - name: isPod
      expression: "request.resource.resource == 'pods'"
    - name: labels
      expression: >-
        variables.isPod ? dyn(object).metadata.?labels.orValue({}) : dyn(object).spec.template.?metadata.?labels.orValue({})
    - name: pod
      expression: "variables.isPod ? dyn(object).spec : dyn(object).spec.template.spec"
    - name: container
      expression: "variables.pod.containers[0]"
    - name: args
      expression: "variables.container.?args.orValue([])"
    # Of the FileIntegrity; in labels it is shortened where it is too long for one.
    - name: name
      expression: "variables.args.size() > 1 ? string(variables.args[1]) : ''"
    - name: context
      expression: |-
        \${context}
    - name: env
      expression: |-
        \${env}
    - name: volumes
      expression: |-
        \${volumes}
    - name: mounts
      expression: |-
        \${mounts}
  validations:
    - expression: |-
        variables.pod.containers.size() == 1 && variables.container.name == \${name} &&
        !variables.pod.exists(field, field in
        \${absentFromPod}
        )
      message: "The pod of a daemon has one container, which confines itself, and no field that the operator does not give it."
      reason: Forbidden
    - expression: |-
        !variables.container.exists(field, field in
        \${absentFromContainer}
        )
      message: "The container of a daemon has no probe, port, terminal or source of variables: no field that the operator does not give it."
      reason: Forbidden
    - expression: |-
        variables.container.?command.orValue([]) ==
        \${command}
      message: "The pod of a daemon has one container, which confines itself: its command is the operator's."
      reason: Forbidden
    - expression: |-
        variables.args == \${args} && variables.name.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$') &&
        'file-integrity.openshift.io/owner' in variables.labels &&
        (size(variables.name) > 63 || variables.labels['file-integrity.openshift.io/owner'] == variables.name)
      message: "A daemon is given the FileIntegrity that its label owner names, and its namespace, and no other argument."
      reason: Forbidden
    - expression: |-
        variables.container.?env.orValue([]).size() == variables.env.size() &&
        variables.env.all(each, each in variables.container.?env.orValue([]))
      message: "A daemon has no environment variable but the operator's."
      reason: Forbidden
    - expression: |-
        variables.pod.?securityContext.orValue({}) == \${podContext} &&
        variables.context.all(key, key in variables.container.?securityContext.orValue({}) &&
          variables.container.securityContext[key] == variables.context[key]) &&
        variables.container.?securityContext.orValue({}).all(key, key in variables.context ||
          (key == 'procMount' && variables.container.securityContext[key] == 'Default'))
      message: "A daemon has the security context that the operator gives it: no privilege, no more capabilities, no other user or profile."
      reason: Forbidden
    - expression: |-
        variables.pod.?volumes.orValue([]).size() == variables.volumes.size() &&
        variables.volumes.all(each, each in variables.pod.?volumes.orValue([]))
      message: "A daemon has the operator's volumes, and no other folder of its node, secret or config map."
      reason: Forbidden
    - expression: |-
        variables.container.?volumeMounts.orValue([]).size() == variables.mounts.size() &&
        variables.mounts.all(each, each in variables.container.?volumeMounts.orValue([]))
      message: "A daemon mounts what the operator mounts, read-only where the operator has it read-only."
      reason: Forbidden
    # The namespace is changed by who manages the cluster only. It is asked where a daemon set is written and not for each pod:
    # while a new version is rolled out, nodes go on with the old one.
    - expression: |-
        variables.isPod || namespaceObject.metadata.?annotations['file-integrity.openshift.io/daemon-image']
          .orValue(variables.container.image) == variables.container.image
      messageExpression: >-
        'Daemons run the image that the annotation file-integrity.openshift.io/daemon-image of the namespace names, ' +
        namespaceObject.metadata.annotations['file-integrity.openshift.io/daemon-image'] + '.'
      reason: Forbidden
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: file-integrity-daemon-shape
spec:
  policyName: file-integrity-daemon-shape
  validationActions: ["Deny", "Audit"]
  matchResources:
    namespaceSelector:
      matchExpressions:
        - key: kubernetes.io/metadata.name
          operator: In
          values: ["openshift-file-integrity"] # set by deploy/kustomization.yaml
`;
