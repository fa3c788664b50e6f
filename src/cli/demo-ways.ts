/** What `dsg demo` compares. */
import type { Card } from '../card/card.ts';
import { preset } from '../guidance/presets.ts';
import type { Task } from '../pipeline/tasks.ts';
import type { Method } from '../pipeline/method.ts';

export const titles: Record<Task, string> = {
  inpaint: 'inpainting',
  sr: 'super-resolution ×4',
  deblur: 'deblurring',
};

export interface Way {
  readonly title: string;
  method(task: Task, steps: number, card: Card): Method;
}

/** The last is compared with those before. */
export const ways: readonly Way[] = [
  {
    title: 'DPS as published',
    method: (task, steps) => ({ name: 'dps', ...preset(task, 'dps', steps, 'article') }),
  },
  {
    title: 'DPS tuned',
    method: (task, steps, card) => ({ name: 'dps', ...preset(task, 'dps', steps, card.presets) }),
  },
  {
    title: 'DPS+DSG',
    method: (task, steps, card) => ({
      name: 'dsg',
      ...preset(task, 'dsg', steps, card.presets),
    }),
  },
];
