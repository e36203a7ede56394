import { parseArgs } from 'node:util';
import { explain } from '../src/lib/errors.ts';
import { attachCluster, startCluster } from './cluster.ts';

const [command = 'help', ...rest] = process.argv.slice(2);
const { values } = parseArgs({ args: rest, options: { name: { type: 'string', default: 'default' } }, strict: false });
const name = String(values.name);
const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort(new Error('Interrupted')));
try {
  if (command === 'up') {
    const cluster = await startCluster({ name, onProgress: (line) => console.error(line), signal: interrupted.signal });
    console.log(`KUBECONFIG=${cluster.kubeconfigPath}`);
  } else if (command === 'down') {
    await (await attachCluster(name)).stop();
  }
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
}
