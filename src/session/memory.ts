/** How much memory a guided step may take for how much arithmetic. */
export const memories = ['low', 'balanced', 'fast'] as const;
export type Memory = (typeof memories)[number];
