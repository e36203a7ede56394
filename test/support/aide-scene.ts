import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { containedAide, type RealAide } from './aide.ts';

/** A small node for the real AIDE: its root, seen at `/hostroot`, and a folder for the test’s own files, seen at `/work`. */
export interface AideScene extends Disposable {
  readonly hostRoot: string;
  readonly work: string;
  /** Starts AIDE in it; append its arguments. */
  readonly command: readonly [string, ...string[]];
  /** Writes a file of the node, its folders included. */
  write(path: string | Buffer, content: string): void;
  remove(path: string): void;
}

/** A node with a few files where the default configurations look. */
export function makeAideScene(aide: RealAide): AideScene {
  const directory = mkdtempSync(join(tmpdir(), 'aide-scene-'));
  const hostRoot = join(directory, 'hostroot');
  const work = join(directory, 'work');
  mkdirSync(work);
  const place = (path: string | Buffer) => Buffer.concat([Buffer.from(`${hostRoot}/`), Buffer.from(path)]);
  const scene: AideScene = {
    hostRoot,
    work,
    command: containedAide(aide, hostRoot, work),
    write: (path, content) => {
      const file = place(path);
      mkdirSync(file.subarray(0, file.lastIndexOf('/')), { recursive: true });
      writeFileSync(file, content);
    },
    remove: (path) => rmSync(place(path), { recursive: true }),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
  for (const folder of ['boot', 'root', 'usr/bin', 'usr/lib', 'etc/kubernetes', 'opt/cni/bin', 'var/log']) {
    mkdirSync(join(hostRoot, folder), { recursive: true });
  }
  symlinkSync('usr/bin', join(hostRoot, 'bin'));
  scene.write('boot/vmlinuz', 'kernel');
  scene.write('usr/bin/login', 'login');
  scene.write('usr/lib/libc.so', 'libc');
  scene.write('etc/passwd', 'root:x:0:0::/root:/bin/sh\n');
  scene.write('etc/hosts', '127.0.0.1 localhost\n');
  scene.write('etc/resolv.conf', 'nameserver 127.0.0.1\n');
  scene.write('root/.profile', 'umask 022\n');
  scene.write('opt/cni/bin/bridge', 'bridge');
  return scene;
}

/** Names that a node’s root may give to files to harm whoever reads a report of them. */
export const HOSTILE_NAMES: readonly Buffer[] = [
  Buffer.from('etc/quote"and\\backslash'),
  Buffer.from('etc/line\nTotal number of entries:\t0\n  Added entries:\t\t0'),
  Buffer.from('etc/\u001b[31mred\u0007\u001f\u007f'),
  Buffer.concat([Buffer.from('etc/latin'), Buffer.of(0xe9, 0xff), Buffer.from('1')]),
  Buffer.from('etc/ship\u202egpj.exe'),
  Buffer.from('etc/": "f", "number_of_entries": {"total": 0}, "x'),
  Buffer.from(`etc/${'long'.repeat(63)}`),
];

/** Writes a configuration where AIDE in the scene finds it, at `/work/aide.conf`. */
export function putConfiguration(scene: AideScene, text: string): void {
  writeFileSync(join(scene.work, 'aide.conf'), text);
}

/**
 * What AIDE itself selects of the node with an effective configuration, without reading any file: the node’s own paths,
 * sorted, the root as `/`. Fails as AIDE fails.
 */
export function selectedBy(scene: AideScene, configuration: string): string[] {
  putConfiguration(scene, configuration);
  const [program, ...words] = scene.command;
  const output = execFileSync(program, [...words, '--dry-init', '--config=/work/aide.conf'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const selected = output.matchAll(/^\[x\] .=[^:]*:\/hostroot(.*): (?:selective|equals?) rule: '/gm);
  return [...selected].map(([, path]) => path || '/').sort();
}

/** Puts the database and reports of a run where the next one looks for them. */
export function adoptDatabase(scene: AideScene, from = 'aide.db.gz.new', to = 'aide.db.gz'): void {
  renameSync(join(scene.hostRoot, 'etc/kubernetes', from), join(scene.hostRoot, 'etc/kubernetes', to));
}

/** Gives a file a FIFO for a neighbour, and another mode. */
export function makeFifo(scene: AideScene, path: string): void {
  execFileSync('mkfifo', [join(scene.hostRoot, path)]);
}

export function changeMode(scene: AideScene, path: string, mode: number): void {
  chmodSync(join(scene.hostRoot, path), mode);
}
