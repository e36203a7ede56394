import { Command } from 'commander';
import { explain, FioError } from '../lib/errors.ts';
import type { OperatorFlags } from './operator.ts';

// Each subcommand imports its own room when it is called: the operator is not loaded to print a version.

const program = new Command('fio')
  .description('File Integrity Operator: file integrity monitoring for Kubernetes nodes')
  .showHelpAfterError();

program
  .command('operator')
  .description('run the operator, in a pod of the cluster or with --kubeconfig')
  .option('--namespace <name>', 'where the FileIntegrities are; else WATCH_NAMESPACE, else the own namespace')
  .option('--image <image>', "the daemons' image; else RELATED_IMAGE_OPERATOR, else that of the own pod")
  .option('--kubeconfig <file>', 'reach the API server by a kubeconfig')
  .option('--probe-port <port>', 'for /healthz and /readyz', port, 8081)
  .option('--metrics-port <port>', 'for /metrics: how the operator itself fares, in the clear', port, 8383)
  .option('--secure-metrics-port <port>', 'for /metrics-fio: the metrics of the nodes, over TLS', port, 8585)
  .option('--log-level <level>', 'trace, debug, info, warn or error', process.env.LOG_LEVEL ?? 'info')
  .action(async (flags: OperatorFlags) => {
    const { startOperator } = await import('./operator.ts');
    await startOperator(flags, endOfProcess());
  });

program
  .command('daemon')
  .description('run the daemon of one node, as its pod does')
  .allowUnknownOption()
  .helpOption(false)
  .action(async () => {
    await import('./daemon.ts'); // reads the arguments itself: on a node it is started on its own
  });

program
  .command('version')
  .description('print the version')
  .action(async () => {
    const { default: manifest } = await import('../../package.json', { with: { type: 'json' } });
    process.stdout.write(`${manifest.version}\n`);
  });

function port(text: string): number {
  const number = Number(text);
  if (/^\d{1,5}$/.test(text) && number <= 65_535) return number;
  throw new FioError('USAGE', `${text} is no port: a number from 0 to 65535 is expected.`);
}

/** Aborts on the first SIGTERM or SIGINT; a second one ends the process at once, as it does by default. */
function endOfProcess(): AbortSignal {
  const ended = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => ended.abort());
  return ended.signal;
}

try {
  await program.parseAsync();
} catch (error) {
  const code = error instanceof FioError ? error.code : 'UNEXPECTED';
  process.stderr.write(`${explain(error)} (${code})\n`);
  process.exitCode = 1;
}
