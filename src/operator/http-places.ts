import type { Socket } from 'node:net';

/** How many connections a server holds at a time. */
export interface Bounds {
  readonly total: number;
  /** From one address; of IPv6 from one /64, of which a single machine may have every address. */
  readonly perAddress: number;
}

interface Place {
  readonly socket: Socket;
  readonly key: string;
  readonly group: string;
  /** A request of it is being answered. */
  isBusy: boolean;
}

/** As much of a socket as says which connection it is: those of TLS are others than those that were accepted. */
type Ends = Pick<Socket, 'remoteAddress' | 'remotePort' | 'localAddress'>;

/**
 * The places of a server that strangers can reach. A newcomer always gets one: where there is none left, the oldest
 * connection that waits for nothing gives up its own, first of those of the newcomer's address, where that has too many,
 * else of the address that holds most. So whoever holds connections loses them to whoever comes to ask: a kubelet, which
 * has one at a time and is answered at once, is served however many there are.
 */
export class Places {
  readonly #bounds: Bounds;
  /** By group, those that were used least recently first. */
  readonly #groups = new Map<string, Set<Place>>();
  readonly #places = new Map<string, Place>();

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
  }

  /** Gives a connection that was accepted a place. */
  take(socket: Socket): void {
    const place: Place = { socket, key: keyOf(socket), group: groupOf(socket.remoteAddress), isBusy: false };
    const group = this.#groups.get(place.group) ?? new Set();
    if (group.size >= this.#bounds.perAddress) this.#drop(victimOf(group));
    else if (this.#places.size >= this.#bounds.total) this.#drop(victimOf(this.#largest()));
    this.#groups.set(place.group, group.add(place));
    this.#places.set(place.key, place);
    socket.once('close', () => this.#leave(place));
  }

  /** A request of the connection is answered from now on; call what is returned when it has been. */
  answer(socket: Ends): () => void {
    const place = this.#places.get(keyOf(socket));
    if (!place) return () => {};
    place.isBusy = true;
    return () => {
      place.isBusy = false;
      const group = this.#groups.get(place.group);
      if (group?.delete(place)) group.add(place);
    };
  }

  #largest(): Iterable<Place> {
    let largest: ReadonlySet<Place> = new Set();
    for (const group of this.#groups.values()) if (group.size > largest.size) largest = group;
    if (largest.size > 1) return largest;
    // Everybody has one: the oldest of all that wait for nothing.
    return this.#places.values();
  }

  #drop(place: Place | undefined): void {
    if (!place) return;
    this.#leave(place);
    place.socket.destroy();
  }

  #leave(place: Place): void {
    const group = this.#groups.get(place.group);
    if (group?.delete(place) && group.size === 0) this.#groups.delete(place.group);
    if (this.#places.get(place.key) === place) this.#places.delete(place.key);
  }
}

function victimOf(places: Iterable<Place>): Place | undefined {
  let oldest: Place | undefined;
  for (const place of places) {
    if (!place.isBusy) return place;
    oldest ??= place;
  }
  return oldest;
}

function keyOf({ remoteAddress, remotePort, localAddress }: Ends): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}

/** An address as it is bounded. */
export function groupOf(address = ''): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !address.includes(':')) return mapped ?? address;
  const [head = '', tail] = address.toLowerCase().replace(/%.*$/, '').split('::');
  const start = head.split(':').filter((piece) => piece !== '');
  const end = (tail ?? '').split(':').filter((piece) => piece !== '');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - start.length - end.length);
  return [...start, ...Array.from({ length: zeros }, () => '0'), ...end].slice(0, 4).join(':');
}
