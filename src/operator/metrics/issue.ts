import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { promisify } from 'node:util';
import type { KeyPair } from '../http.ts';
import {
  bitString,
  boolean,
  context,
  contextPrimitive,
  integer,
  octetString,
  oid,
  sequence,
  set,
  time,
  utf8String,
} from './der.ts';
import { AUTHORITY_NAME } from './serving-secret.ts';

const SERVING_NAME = 'file-integrity-operator metrics';

export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/**
 * A certificate authority (P-256, RFC 5280) that may vouch for these DNS names, and for no other in the world: whoever
 * trusts it, or steals its key, can do no more with it.
 * @param key of the authority that it takes the place of: whoever trusts that one trusts what this one signs too
 */
export async function makeAuthority(names: readonly string[], validity: Validity, key?: string): Promise<KeyPair> {
  const own = key === undefined ? await newKey() : createPrivateKey(key);
  const certificate = signCertificate({
    subject: AUTHORITY_NAME,
    publicKey: createPublicKey(own),
    signer: own,
    validity,
    extensions: [
      extension(OID.basicConstraints, true, sequence(boolean(true), integer(Buffer.of(0)))),
      extension(OID.keyUsage, true, bitString(Buffer.of(KEY_CERT_SIGN), 2)),
      extension(OID.nameConstraints, true, sequence(context(0, ...names.map((name) => sequence(dnsName(name)))))),
      extension(OID.subjectKeyId, false, octetString(keyId(createPublicKey(own)))),
    ],
  });
  return { certificate, key: pem(own) };
}

/** A server's certificate with a key of its own, signed by an authority of `makeAuthority`. */
export async function issueServing(authority: KeyPair, names: readonly string[], validity: Validity): Promise<KeyPair> {
  const key = await newKey();
  const signer = createPrivateKey(authority.key);
  const certificate = signCertificate({
    subject: SERVING_NAME,
    publicKey: createPublicKey(key),
    signer,
    validity,
    extensions: [
      extension(OID.basicConstraints, true, sequence()),
      extension(OID.keyUsage, true, bitString(Buffer.of(DIGITAL_SIGNATURE), 7)),
      extension(OID.extendedKeyUsage, false, sequence(oid(OID.serverAuth))),
      extension(OID.subjectAltName, false, sequence(...names.map(dnsName))),
      extension(OID.subjectKeyId, false, octetString(keyId(createPublicKey(key)))),
      extension(OID.authorityKeyId, false, sequence(contextPrimitive(0, keyId(createPublicKey(signer))))),
    ],
  });
  return { certificate, key: pem(key) };
}

const OID = {
  commonName: '2.5.4.3',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
} as const;
// Bits of a key usage, counted from the left.
const DIGITAL_SIGNATURE = 0b1000_0000;
const KEY_CERT_SIGN = 0b0000_0100;

interface Contents {
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly signer: KeyObject;
  readonly validity: Validity;
  readonly extensions: readonly Buffer[];
}

function signCertificate({ subject, publicKey, signer, validity, extensions }: Contents): string {
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  const contents = sequence(
    context(0, integer(Buffer.of(2))), // version 3
    serialNumber(),
    algorithm,
    distinguishedName(AUTHORITY_NAME),
    sequence(time(validity.notBefore), time(validity.notAfter)),
    distinguishedName(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    context(3, sequence(...extensions)),
  );
  const signature = sign('sha256', contents, signer);
  const base64 = sequence(contents, algorithm, bitString(signature)).toString('base64');
  const lines = base64.match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

function extension(id: string, isCritical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(isCritical ? [boolean(true)] : []), octetString(value));
}

function distinguishedName(commonName: string): Buffer {
  return sequence(set(sequence(oid(OID.commonName), utf8String(commonName))));
}

function dnsName(name: string): Buffer {
  return contextPrimitive(2, Buffer.from(name, 'ascii'));
}

/** RFC 5280: positive, at most 20 bytes, and here not to be guessed. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return integer(bytes);
}

/** RFC 7093, method 1. */
function keyId(key: KeyObject): Buffer {
  const { x = '', y = '' } = key.export({ format: 'jwk' });
  const point = Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  return createHash('sha256').update(point).digest().subarray(0, 20);
}

const generate = promisify(generateKeyPair);

async function newKey(): Promise<KeyObject> {
  return (await generate('ec', { namedCurve: 'P-256' })).privateKey;
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
