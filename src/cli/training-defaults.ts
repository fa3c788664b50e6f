/** Where the options of training are silent; apart from them, as some want to know what was said. */
export const usualTraining = {
  /** Ho & Salimans (2022) found 0.1 and 0.2 best. */
  pUncond: 0.1,
  /** Of a new network. */
  width: 32,
  levels: 3,
  blocks: 1,
} as const;
