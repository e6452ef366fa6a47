/** Whether something allows a promotion, and a sentence about it. */
export interface Finding {
  readonly passed: boolean;
  /** Whether somebody should look at it although it passes. */
  readonly isWarning?: boolean | undefined;
  /** `comparison`: it is about the comparison with other versions as a whole, and is kept with the version. */
  readonly about?: 'comparison' | undefined;
  readonly sentence: string;
}
