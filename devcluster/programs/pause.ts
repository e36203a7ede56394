/**
 * The program `pause` for Linux, written without a compiler, so that a machine that can download everything else needs
 * no Go for this alone. It does what pause/main.go does: it holds a pod's namespaces, reaps what is orphaned in them, and
 * waits for TERM or INT, at which it ends with 0. In C:
 *
 *     sigaction(SIGCHLD, {SIG_IGN}, NULL);       // the kernel reaps
 *     sigprocmask(SIG_BLOCK, {TERM, INT}, NULL); // else the first process of a namespace would never get them
 *     while (sigtimedwait({TERM, INT}, NULL, NULL) < 0);
 *     exit_group(0);
 *
 * @param architecture As Node.js names it.
 * @returns The program's file; undefined for a machine whose code is not here.
 */
export function pauseProgram(architecture: string): Buffer | undefined {
  if (architecture === 'x64') return elf(62, Buffer.from([...CODE_X64, ...DATA]));
  if (architecture === 'arm64') return elf(183, Buffer.from([...CODE_ARM64, ...DATA]));
  return undefined;
}

/** Where the code finds what it refers to: both codes are as long as this, and a `struct sigaction` takes 32 bytes. */
const ACTION = 72;
const SET = ACTION + 32;

/** `struct sigaction` with the handler SIG_IGN, then the set of INT (signal 2) and TERM (15). */
const DATA: readonly number[] = [1, ...new Array(31).fill(0), 0x02, 0x40, 0, 0, 0, 0, 0, 0];

// The kernel keeps all registers but those of the answer (and rcx, r11), so a value once set is not set again.
const CODE_X64: readonly number[] = [
  ...[0xb8, 13, 0, 0, 0], //                     mov eax, 13  rt_sigaction
  ...[0xbf, 17, 0, 0, 0], //                     mov edi, 17  SIGCHLD
  ...[0x48, 0x8d, 0x35, ACTION - 17, 0, 0, 0], // lea rsi, [ACTION]
  ...[0x31, 0xd2], //                            xor edx, edx
  ...[0x41, 0xba, 8, 0, 0, 0], //                mov r10d, 8  the bytes of a set
  ...[0x0f, 0x05], //                            syscall
  ...[0xb8, 14, 0, 0, 0], //                     mov eax, 14  rt_sigprocmask
  ...[0x31, 0xff], //                            xor edi, edi  SIG_BLOCK
  ...[0x48, 0x8d, 0x35, SET - 41, 0, 0, 0], //   lea rsi, [SET]
  ...[0x0f, 0x05], //                            syscall
  ...[0xb8, 128, 0, 0, 0], //                    wait: mov eax, 128  rt_sigtimedwait
  ...[0x48, 0x8d, 0x3d, SET - 55, 0, 0, 0], //   lea rdi, [SET]
  ...[0x31, 0xf6], //                            xor esi, esi
  ...[0x0f, 0x05], //                            syscall
  ...[0x85, 0xc0], //                            test eax, eax
  ...[0x78, 0xec], //                            js wait
  ...[0xb8, 231, 0, 0, 0], //                    mov eax, 231  exit_group
  ...[0x31, 0xff], //                            xor edi, edi
  ...[0x0f, 0x05], //                            syscall
];

const SVC = 0xd4000001;
const CODE_ARM64: readonly number[] = words(
  movz(8, 134), //       rt_sigaction
  movz(0, 17), //        SIGCHLD
  adr(1, ACTION - 8),
  movz(2, 0),
  movz(3, 8), //         the bytes of a set
  SVC,
  movz(8, 135), //       rt_sigprocmask
  movz(0, 0), //         SIG_BLOCK
  adr(1, SET - 32),
  SVC,
  movz(8, 137), //       wait: rt_sigtimedwait
  adr(0, SET - 44),
  movz(1, 0),
  SVC,
  0x37ffff80, //         tbnz w0, #31, wait
  movz(8, 94), //        exit_group
  movz(0, 0),
  SVC,
);

// mov xREGISTER, #value
function movz(register: number, value: number): number {
  return (0xd2800000 | (value << 5) | register) >>> 0;
}

// adr xREGISTER, . + distance; the distances here are multiples of 4.
function adr(register: number, distance: number): number {
  return (0x10000000 | ((distance >> 2) << 5) | register) >>> 0;
}

function words(...instructions: readonly number[]): number[] {
  return instructions.flatMap((word) => [0, 8, 16, 24].map((shift) => (word >>> shift) & 0xff));
}

// The smallest ELF file: its header, the header of one segment that can be read and executed, and that segment.
function elf(machine: number, content: Buffer): Buffer {
  const headers = Buffer.alloc(64 + 56);
  const size = BigInt(headers.length + content.length);
  const address = 0x400000n;
  headers.write('\x7fELF\x02\x01\x01', 'latin1'); // 64 bits, little-endian, version 1
  headers.writeUInt16LE(2, 16); // an executable
  headers.writeUInt16LE(machine, 18);
  headers.writeUInt32LE(1, 20);
  headers.writeBigUInt64LE(address + BigInt(headers.length), 24); // where it starts
  headers.writeBigUInt64LE(64n, 32); // where the segment's header is
  headers.writeUInt16LE(64, 52); // how long this header is
  headers.writeUInt16LE(56, 54); // how long a segment's is
  headers.writeUInt16LE(1, 56); // how many there are
  headers.writeUInt32LE(1, 64); // to be loaded
  headers.writeUInt32LE(5, 68); // read, execute
  headers.writeBigUInt64LE(address, 80);
  headers.writeBigUInt64LE(address, 88);
  headers.writeBigUInt64LE(size, 96);
  headers.writeBigUInt64LE(size, 104);
  headers.writeBigUInt64LE(0x10000n, 112); // aligned to the largest page
  return Buffer.concat([headers, content]);
}
