import { createHash } from 'node:crypto';
import type { TokenReview } from 'kubernetes-types/authentication/v1.d.ts';
import type { SubjectAccessReview } from 'kubernetes-types/authorization/v1.d.ts';
import type { Client } from '../../kube/client.ts';
import type { Resource } from '../../kube/types.ts';
import type { Answer, Request } from '../http.ts';

const tokenReviews: Resource<TokenReview> = {
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'TokenReview',
  plural: 'tokenreviews',
  namespaced: false,
};

const accessReviews: Resource<SubjectAccessReview> = {
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SubjectAccessReview',
  plural: 'subjectaccessreviews',
  namespaced: false,
};

export interface AccessOptions {
  readonly client: Client;
  /** Told when the API server could not be asked. */
  readonly onError: (error: unknown) => void;
  /** Milliseconds that only grow; default `performance.now`. */
  readonly clock?: () => number;
}

/** Lets a request through, or answers it. */
export type Access = (request: Request) => Promise<Answer | undefined>;

type Verdict = 'allowed' | 'unknown' | 'forbidden';

/** How long the API server's answer counts. A right that is taken away is gone after the first of these. */
const ALLOWED_MS = 60_000;
const REFUSED_MS = 10_000;
/** Tokens remembered of each kind. A cluster has a few scrapers; all others are strangers. */
const REMEMBERED = 128;
// The API server is not to be flooded through the operator: so many strangers' tokens are looked at, at most.
const REVIEWS_PER_SECOND = 5;
const REVIEWS_AT_ONCE = 20;
const REVIEW_TIMEOUT_MS = 10_000;

/** RFC 6750; a service account's token has some 1,000 characters. */
const BEARER = /^bearer +([\w.~+/-]{1,8192}=*)$/i;

/**
 * Lets a request through whose bearer token may `get` its path, as the API server says (TokenReview, then
 * SubjectAccessReview of the non-resource path). Its answers are kept for a minute at most; a token that was good lately is
 * reviewed again even while strangers' tokens are put off (429).
 */
export function createAccess({ client, onError, clock = () => performance.now() }: AccessOptions): Access {
  /** Until when the answer counts. A token stays here longer: its next review is never put off. */
  const allowed = new Map<string, number>();
  /** Apart from the others, so that strangers make no room at the expense of those who may. */
  const refused = new Map<string, { verdict: Verdict; until: number }>();
  const underWay = new Map<string, Promise<Verdict>>();
  let reviewsLeft = REVIEWS_AT_ONCE;
  let refilledAt = clock();

  function mayReview(): boolean {
    const now = clock();
    reviewsLeft = Math.min(REVIEWS_AT_ONCE, reviewsLeft + ((now - refilledAt) / 1000) * REVIEWS_PER_SECOND);
    refilledAt = now;
    if (reviewsLeft < 1) return false;
    reviewsLeft -= 1;
    return true;
  }

  function remember(id: string, verdict: Verdict): void {
    allowed.delete(id);
    refused.delete(id);
    if (verdict === 'allowed') put(allowed, id, clock() + ALLOWED_MS);
    else put(refused, id, { verdict, until: clock() + REFUSED_MS });
  }

  async function judge(token: string, path: string): Promise<Verdict | 'put off'> {
    const id = createHash('sha256').update(`${path}\0${token}`).digest('base64');
    const allowedUntil = allowed.get(id);
    if (allowedUntil !== undefined && clock() < allowedUntil) return 'allowed';
    const refusal = refused.get(id);
    if (refusal && clock() < refusal.until) return refusal.verdict;
    const running = underWay.get(id);
    if (running) return running;
    if (allowedUntil === undefined && !mayReview()) return 'put off';
    const asked = review(client, token, path)
      .then((verdict) => {
        remember(id, verdict);
        return verdict;
      })
      .finally(() => underWay.delete(id));
    underWay.set(id, asked);
    return asked;
  }

  return async ({ path, headers }) => {
    const token = BEARER.exec(headers.authorization ?? '')?.[1];
    if (token === undefined) return unauthorized('A bearer token is needed.');
    try {
      switch (await judge(token, path)) {
        case 'allowed':
          return undefined;
        case 'unknown':
          return unauthorized('The API server does not know this token.', 'error="invalid_token"');
        case 'forbidden':
          return {
            status: 403,
            body: `The token’s user may not get ${path}; docs/metrics.md says which right it needs.\n`,
          };
        case 'put off':
          return { status: 429, body: 'Too many unknown tokens; try again.\n', headers: { 'retry-after': '1' } };
      }
    } catch (error) {
      onError(error);
      const body = 'The API server could not be asked about the token; try again.\n';
      return { status: 503, body, headers: { 'retry-after': '5' } };
    }
  };
}

async function review(client: Client, token: string, path: string): Promise<Verdict> {
  const signal = AbortSignal.timeout(REVIEW_TIMEOUT_MS);
  const { status } = await client.create(tokenReviews, { spec: { token } }, { signal });
  const user = status?.user;
  if (!status?.authenticated || !user) return 'unknown';
  const { username = '', uid, groups, extra } = user;
  const spec = {
    user: username,
    ...(uid && { uid }),
    ...(groups && { groups }),
    ...(extra && { extra }),
    nonResourceAttributes: { path, verb: 'get' },
  };
  const answer = await client.create(accessReviews, { spec }, { signal });
  return answer.status?.allowed && !answer.status.denied ? 'allowed' : 'forbidden';
}

function unauthorized(why: string, detail?: string): Answer {
  const challenge = ['Bearer realm="file-integrity-operator"', ...(detail ? [detail] : [])].join(', ');
  return { status: 401, body: `${why}\n`, headers: { 'www-authenticate': challenge } };
}

/** Adds to a map that forgets its oldest. */
function put<T>(map: Map<string, T>, key: string, value: T): void {
  map.set(key, value);
  const oldest = map.keys().next();
  if (map.size > REMEMBERED && !oldest.done) map.delete(oldest.value);
}
