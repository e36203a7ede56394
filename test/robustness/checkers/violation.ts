import type { Happened } from '../history.ts';

/** A promise that was not kept, and what shows it. */
export interface Violation {
  /** In a sentence. */
  readonly message: string;
  /** Numbers of the entries in the history that show it, the last one last. */
  readonly entries: readonly number[];
}

/** Looks through a whole history. Pure. */
export type Checker = (history: readonly Happened[]) => Violation[];

/** An entry of one kind. */
export type Of<Type extends Happened['type']> = Extract<Happened, { type: Type }>;

export function ofType<Type extends Happened['type']>(history: readonly Happened[], type: Type): Of<Type>[] {
  return history.filter((event): event is Of<Type> => event.type === type);
}

export function violation(message: string, ...events: readonly (Happened | undefined)[]): Violation {
  return { message, entries: events.filter((event) => event !== undefined).map(({ n }) => n) };
}

/** By key, in order. */
export function group<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  return Map.groupBy(values, keyOf);
}
