/**
 * What a daemon loads, from its entry through all that this imports: `node:` modules and this repository's files. Imports of
 * types are not seen here (`tsPreCompilationDeps`), because nothing is left of them when the program runs.
 */
const { options } = require('./.dependency-cruiser.cjs');

module.exports = {
  forbidden: [
    {
      name: 'daemon-reaches-no-package',
      comment: 'every node pays for what the daemon loads, be it through another file',
      severity: 'error',
      from: {},
      to: { dependencyTypesNot: ['core', 'local'] },
    },
  ],
  options: { ...options, tsPreCompilationDeps: false },
};
