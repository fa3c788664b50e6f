/** No guidance: samples of the prior. */
import type { Guidance } from './guidance.ts';

export const none: Guidance = {
  name: 'none',
  guides: () => false,
  apply: ({ sample }) => sample,
};
