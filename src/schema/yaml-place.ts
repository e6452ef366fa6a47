/** From 1, as editors count. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** What is wrong, and where. */
export interface Fault extends Place {
  readonly sentence: string;
}
