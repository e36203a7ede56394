/**
 * A filter of system calls for seccomp, as `setpriv --seccomp-filter` takes it: sockets of the families that the network
 * and the resolver need, and connected pairs of Unix sockets, by which processes talk to their children; no others. So
 * nothing behind it reaches the container runtime, systemd or whatever else takes orders by a Unix socket of the node.
 *
 * https://docs.kernel.org/userspace-api/seccomp_filter.html; numbers from the kernel's headers.
 */
export function socketFilter(): Buffer {
  const program = [
    load(ARCHITECTURE),
    ...forArchitecture(0xc000003e, { socket: 41, socketpair: 53 }), // x86-64
    ...forArchitecture(0xc00000b7, { socket: 198, socketpair: 199 }), // AArch64
    answer(REFUSE), // 32-bit programs
  ];
  return Buffer.concat(program.map(encode));
}

/** One of the virtual machine's, `struct sock_filter`; the jumps are numbers of instructions to skip. */
interface Instruction {
  code: number;
  k: number;
  yes?: number;
  no?: number;
}

/** Where the kernel puts what a filter looks at; of arguments the low half, as both architectures are little-endian. */
const NUMBER = 0;
const ARCHITECTURE = 4;
const FIRST_ARGUMENT = 16;
const SECOND_ARGUMENT = 24;

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const SOCK_DGRAM = 2;
/** The kind of a socket, without its flags. */
const SOCK_KIND = 0xf;
/** Opens sockets, too, past every filter. The same number everywhere. */
const IO_URING_SETUP = 425;
/** Numbers from here on are of the x32 way to call an x86-64 kernel; AArch64 has none. */
const X32 = 0x40000000;

const ALLOW = 0x7fff0000;
/** With EACCES. */
const REFUSE = 0x00050000 | 13;

/** What is answered on that architecture; on another one it goes on behind. */
function forArchitecture(architecture: number, { socket, socketpair }: { socket: number; socketpair: number }) {
  const calls = [
    load(NUMBER),
    isAtLeast(X32, 'refuse'),
    is(IO_URING_SETUP, 'refuse'),
    is(socket, 'family'),
    is(socketpair, 'pair'),
    answer(ALLOW),
    'family:',
    load(FIRST_ARGUMENT),
    is(AF_INET, 'connect'),
    is(AF_INET6, 'connect'),
    is(AF_NETLINK, 'connect'),
    'refuse:',
    answer(REFUSE),
    // A pair of datagram sockets could be connected to another one later.
    'pair:',
    load(FIRST_ARGUMENT),
    is(AF_UNIX, 'unix'),
    answer(REFUSE),
    'unix:',
    load(SECOND_ARGUMENT),
    { code: 0x54, k: SOCK_KIND },
    is(SOCK_DGRAM, 'datagram'),
    'connect:',
    answer(ALLOW),
    'datagram:',
    answer(REFUSE),
  ];
  const inside = resolve(calls);
  return [{ code: 0x15, no: inside.length, k: architecture }, ...inside];
}

type Labelled = Instruction | (Instruction & { to: string }) | string;

/** Jumps to labels, which lie behind them, become numbers. */
function resolve(lines: readonly Labelled[]): Instruction[] {
  const places = new Map<string, number>();
  let count = 0;
  for (const line of lines) {
    if (typeof line === 'string') places.set(line, count);
    else count += 1;
  }
  return lines
    .filter((line) => typeof line !== 'string')
    .map((line, index) => {
      if (!('to' in line)) return line;
      const { to, ...instruction } = line;
      return { ...instruction, yes: (places.get(`${to}:`) ?? Number.NaN) - index - 1 };
    });
}

function load(offset: number): Instruction {
  return { code: 0x20, k: offset };
}

function answer(k: number): Instruction {
  return { code: 0x06, k };
}

function is(k: number, to: string) {
  return { code: 0x15, k, to };
}

function isAtLeast(k: number, to: string) {
  return { code: 0x35, k, to };
}

function encode({ code, k, yes = 0, no = 0 }: Instruction): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(yes, 2); // throws for a jump that leads nowhere
  bytes.writeUInt8(no, 3);
  bytes.writeUInt32LE(k, 4);
  return bytes;
}
