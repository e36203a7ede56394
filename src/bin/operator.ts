import { pino } from 'pino';
import { connectInCluster } from '../kube/connection.ts';
import { connectKubeconfig } from '../kube/kubeconfig.ts';
import { FioError } from '../lib/errors.ts';
import { readShipped } from '../operator/admission/shipped.ts';
import { longestPause } from '../operator/bounds.ts';
import { runOperator } from '../operator/operator.ts';

/** As the command line has them. */
export interface OperatorFlags {
  readonly namespace?: string;
  readonly image?: string;
  readonly kubeconfig?: string;
  readonly probePort: number;
  readonly metricsPort: number;
  readonly secureMetricsPort: number;
  readonly logLevel: string;
}

/**
 * Runs the operator as flags and environment say: WATCH_NAMESPACE, RELATED_IMAGE_OPERATOR, POD_NAME, LOG_LEVEL,
 * MAX_GRACE_PERIOD_SECONDS.
 */
export async function startOperator(flags: OperatorFlags, signal: AbortSignal): Promise<void> {
  const { env } = process;
  const levels = ['trace', 'debug', 'info', 'warn', 'error'];
  if (!levels.includes(flags.logLevel)) {
    throw new FioError('USAGE', `${flags.logLevel} is no log level: ${levels.join(', ')} are.`);
  }
  const namespace = flags.namespace ?? env.WATCH_NAMESPACE;
  const image = flags.image ?? env.RELATED_IMAGE_OPERATOR;
  const log = pino({ level: flags.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime });
  await runOperator(
    {
      connection: flags.kubeconfig ? await connectKubeconfig(flags.kubeconfig) : connectInCluster(),
      ...(namespace && { namespace }),
      ...(image && { image }),
      ...(env.POD_NAME && { podName: env.POD_NAME }),
      longestPause: longestPause(env.MAX_GRACE_PERIOD_SECONDS),
      log,
      policies: await readShipped(),
      probePort: flags.probePort,
      metrics: { plainPort: flags.metricsPort, securePort: flags.secureMetricsPort },
    },
    signal,
  );
}
