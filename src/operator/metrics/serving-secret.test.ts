import { X509Certificate } from 'node:crypto';
import type { Secret } from 'kubernetes-types/core/v1.d.ts';
import { beforeAll, describe, expect, test } from 'vitest';
import type { KeyPair } from '../http.ts';
import { issueServing, makeAuthority } from './issue.ts';
import {
  authorityOf,
  filledSecret,
  LIFETIMES,
  planServing,
  readServing,
  type ServingWorld,
  serviceNames,
} from './serving-secret.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const NAMES = serviceNames('example');
const T0 = new Date('2026-06-01T00:00:00Z');
const onDay = (days: number) => new Date(T0.getTime() + days * DAY_MS);

let authority: KeyPair;
let serving: KeyPair;
let ours: Secret;

beforeAll(async () => {
  authority = await makeAuthority(NAMES, { notBefore: T0, notAfter: onDay(3650) });
  serving = await issueServing(authority, NAMES, { notBefore: T0, notAfter: onDay(90) });
  ours = filledSecret('example', serving, authority);
});

const world = (change: Partial<ServingWorld> = {}): ServingWorld => ({
  secret: ours,
  names: NAMES,
  lifetimes: LIFETIMES,
  hasServiceCa: false,
  now: onDay(1),
  ...change,
});

/** The secret with some keys set to other texts, or taken out. */
function changed(data: Record<string, string | undefined>): Secret {
  const all = Object.entries({ ...ours.data }).map(([key, value]) => {
    const text = key in data ? data[key] : Buffer.from(value, 'base64').toString();
    return [key, text] as const;
  });
  const kept = all.flatMap(([key, text]) =>
    text === undefined ? [] : [[key, Buffer.from(text).toString('base64')] as const],
  );
  return { ...ours, data: Object.fromEntries(kept) };
}

describe('where there is no secret', () => {
  test('a certificate is made', () => {
    expect(planServing(world({ secret: undefined }))).toMatchObject({ do: 'issue', renewAuthority: true });
  });

  test('a service CA that was asked for it is waited for', () => {
    expect(planServing(world({ secret: undefined, hasServiceCa: true }))).toEqual({ do: 'wait' });
  });
});

describe('a secret of ours', () => {
  test('is kept until its certificate has less than the margin left', () => {
    expect(planServing(world({ now: onDay(59.9) }))).toEqual({ do: 'keep', renewAt: onDay(60) });
  });

  test('is renewed then, by the same authority, so that nobody has to trust anew', () => {
    const plan = planServing(world({ now: onDay(60) }));
    expect(plan).toMatchObject({ do: 'issue', authority, renewAuthority: false });
  });

  test('is renewed with an authority that is renewed too, before a certificate would outlive it', () => {
    const short = { ...LIFETIMES, servingMs: 3600 * DAY_MS };
    expect(planServing(world({ now: onDay(60), lifetimes: short }))).toMatchObject({
      authority,
      renewAuthority: true,
    });
  });

  test('is made good when it begins only later, because the clock was ahead', () => {
    expect(planServing(world({ now: onDay(-0.1) }))).toMatchObject({ do: 'issue', authority, renewAuthority: true });
  });

  test('is made anew for other names, with another authority: the old one may not vouch for them', () => {
    const plan = planServing(world({ names: [...NAMES, 'metrics.other'] }));
    expect(plan).toMatchObject({ do: 'issue', renewAuthority: true });
    expect(plan).not.toHaveProperty('authority');
  });

  test.each([
    ['no certificate', { 'tls.crt': undefined }],
    ['garbage for a certificate', { 'tls.crt': 'garbage' }],
    ['an empty key', { 'tls.key': '' }],
    ['garbage for a key', { 'tls.key': '-----BEGIN PRIVATE KEY-----\ngarbage\n-----END PRIVATE KEY-----' }],
    ['no authority', { 'ca.crt': undefined }],
    ['garbage for an authority', { 'ca.crt': 'garbage' }],
    ['no key of the authority', { 'ca.key': undefined }],
  ])('is made anew when it has %s', (_, data) => {
    const plan = planServing(world({ secret: changed(data) }));
    expect(plan).toMatchObject({ do: 'issue', renewAuthority: true });
    expect(plan).not.toHaveProperty('authority');
  });

  test('is made anew when another authority signed it, when it is no authority, or when a key is another’s', async () => {
    const other = await makeAuthority(NAMES, { notBefore: T0, notAfter: onDay(3650) });
    for (const data of [
      { 'ca.crt': other.certificate, 'ca.key': other.key },
      { 'ca.crt': serving.certificate, 'ca.key': serving.key },
      { 'ca.key': other.key },
      { 'tls.key': other.key },
    ]) {
      expect(planServing(world({ secret: changed(data) }))).toMatchObject({ do: 'issue', renewAuthority: true });
    }
  });
});

describe('a secret that somebody else made', () => {
  const theirs = (secret: Secret): Secret => ({ ...secret, metadata: { ...secret.metadata, labels: {} } });

  test('is left alone, also when it has ended or cannot be used', () => {
    for (const secret of [theirs(ours), theirs(changed({ 'tls.crt': 'garbage' })), { metadata: {} }]) {
      expect(planServing(world({ secret, now: onDay(1000) }))).toEqual({ do: 'keep' });
    }
  });

  test('is served with, and its authority is not published as ours', () => {
    expect(readServing(theirs(ours))).toEqual({ pair: serving });
    expect(authorityOf(theirs(ours))).toBeUndefined();
    expect(authorityOf(ours)).toBe(authority.certificate);
  });
});

describe('what there is to serve with', () => {
  test('needs a certificate and the key that belongs to it', async () => {
    const other = await issueServing(authority, NAMES, { notBefore: T0, notAfter: onDay(90) });
    expect(readServing(changed({ 'tls.key': other.key }))).toEqual({
      unusable: 'tls.key does not belong to tls.crt',
    });
    expect(readServing(changed({ 'tls.key': undefined }))).toEqual({ unusable: 'it has no tls.crt and tls.key' });
    expect(readServing(changed({ 'tls.crt': 'garbage' }))).toHaveProperty('unusable');
    expect(readServing({})).toHaveProperty('unusable');
  });

  test('is for the names under which the service is reached', () => {
    expect(new X509Certificate(serving.certificate).checkHost('metrics.example.svc')).toBeDefined();
    expect(NAMES).toContain('metrics.example.svc.cluster.local');
  });
});
