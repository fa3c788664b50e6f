/** The degradations by name. */
export const tasks = ['inpaint', 'sr', 'deblur'] as const;
export type Task = (typeof tasks)[number];
