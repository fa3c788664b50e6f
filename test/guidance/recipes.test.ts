/** The published values, as the repositories of their articles print them. */
import { expect, test } from 'vitest';
import { UserError } from '../../src/errors.ts';
import { recipeOf, recipes } from '../../src/guidance/recipes.ts';
import { covers } from '../../src/guidance/extent.ts';
import { linearSteps } from '../helpers/diffusion.ts';

test('DSG, FaceID: every step with t > 100', () => {
  const { steps, eta, rate, interval, guideTo = 0 } = recipeOf('dsg-faceid');
  expect({ steps, eta, rate, interval }).toEqual({ steps: 100, eta: 1, rate: 0.05, interval: 1 });
  const guided = linearSteps(steps).filter(covers({ from: 0, to: guideTo }, steps));
  expect(guided).toEqual(linearSteps(steps).filter((s) => s.timestep > 100));
});

test('DSG, style: indices 69 to 30, of which those to 40 three times', () => {
  const recipe = recipeOf('dsg-style');
  expect(recipe).toMatchObject({ steps: 100, eta: 1, rate: 0.1, guideFrom: 0.3, guideTo: 0.7 });
  const { timeTravel, travelFrom: from = 0, travelTo: to = 0 } = recipe;
  const again = linearSteps(100).filter(covers({ from, to }, 100));
  expect([timeTravel, again[0]?.index, again.at(-1)?.index]).toEqual([3, 69, 40]);
});

test('FreeDoM, text: ten times from t = 800 to t = 500', () => {
  const { timeTravel, stepSize, travelFrom: from = 0, travelTo: to = 0 } = recipeOf('freedom-text');
  const again = linearSteps(100).filter(covers({ from, to }, 100));
  expect([timeTravel, stepSize]).toEqual([10, 0.02]);
  // Its timesteps are 0, 10, …, 990; those here are spread from 0 to 999.
  expect([again[0]?.index, again.at(-1)?.index]).toEqual([80, 50]);
});

test('universal guidance, text: 2 on 100 cos, ten times each', () => {
  const { steps, stepSize, timeTravel } = recipeOf('ugd-text');
  expect({ steps, stepSize, timeTravel }).toEqual({ steps: 1000, stepSize: 200, timeTravel: 10 });
});

test('each says where it is from and what for', () => {
  for (const { source, about } of Object.values(recipes()))
    expect([/published code/.test(source), /--loss/.test(about)]).toEqual([true, true]);
});

test('others are refused', () => {
  expect(() => recipeOf('toString')).toThrow(UserError);
  expect(() => recipeOf('dsg')).toThrow("no guidance recipe 'dsg'");
});
