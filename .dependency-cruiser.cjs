/** Import rules: the rooms of ARCHITECTURE.md, and the one direction in which they may see each other. */
const only = (name, from, forbidden, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from, pathNot: TESTS },
  to: { path: forbidden },
});

/** Groups of a room from the lowest to the highest: each may see those before it. */
const layers = (room, groups) =>
  groups
    .slice(0, -1)
    .map((group, index) =>
      only(
        `${room.replace('src/', '')}-${group}-is-below`,
        `^${room}/${group}/`,
        `^${room}/(${groups.slice(index + 1).join('|')})/`,
        'groups see each other in one direction',
      ),
    );

// Tests and what they are made of use more than the product may.
const TESTS = '\\.test\\.ts$|/fixtures\\.ts$';

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      comment: 'a file that needs another, be it for a type, is above it',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-dev-dependency-in-product',
      severity: 'error',
      from: { path: '^src', pathNot: TESTS },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    only('lib-knows-nobody', '^src/lib', '^src/(?!lib)', 'small helpers know no room of the product'),
    only('kube-knows-no-product', '^src/kube', '^src/(?!kube|lib)', 'kube is a runtime that knows no FileIntegrity'),
    only('aide-knows-no-kubernetes', '^src/aide', '^src/(?!aide|lib)', 'aide knows AIDE and nothing of Kubernetes'),
    only('api-is-below', '^src/api', '^src/(?!api|lib|kube/types)', 'api holds schemas, names and pure rules'),
    only(
      'evidence-is-below',
      '^src/evidence',
      '^src/(?!evidence|api|kube|aide|lib)',
      'what is kept is read by whoever wants to, and not by the operator alone',
    ),
    only(
      'results-inbox-knows-no-room-above',
      '^src/operator/results/inbox',
      '^src/operator/results/(evidence|verdict)',
      'a message is read before anything is kept or said of it',
    ),
    only(
      'results-evidence-knows-no-verdict',
      '^src/operator/results/evidence',
      '^src/operator/results/verdict',
      'what is kept does not depend on what is said of it',
    ),
    only(
      'operator-not-daemon',
      '^src/operator',
      '^src/(daemon|cli|bin|dashboard|exporter)/',
      'operator and daemon meet only in the API server',
    ),
    only(
      'daemon-not-operator',
      '^src/daemon',
      '^src/(operator|cli|bin|dashboard|exporter|evidence)/',
      'operator and daemon meet only in the API server',
    ),
    only(
      'readers-stand-alone',
      '^src/(cli|dashboard|exporter|evidence)/',
      '^src/(operator|daemon|bin)/',
      'what people and other programs read with knows the cluster and what is kept there, not those who write it',
    ),
    ...layers('src/daemon', ['machine', 'disk', 'sources', 'scans', 'baselines', 'effects']),
    only('product-not-tools', '^src', '^(devcluster|test|bench|demo|scripts)', 'the product does not know its tools'),
    only(
      'devcluster-stands-alone',
      '^devcluster',
      '^(src/(?!lib)|test|bench|demo)',
      'devcluster could be any project’s',
    ),
    {
      name: 'daemon-loads-no-package',
      comment: 'every node pays for what the daemon loads: node: modules only (types excepted)',
      severity: 'error',
      from: { path: '^src/(daemon|lib)', pathNot: TESTS },
      to: { dependencyTypes: ['npm'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
