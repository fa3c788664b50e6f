/** Law cases of reductions. */
import type { LawCase } from '../law.ts';
import { apart, onX, type Details } from './case.ts';

/** What each reduction can be differentiated at. */
const ranges: Record<string, Omit<Details, 'rest'>> = {
  ReduceSum: {},
  ReduceMean: {},
  ReduceSumSquare: {},
  ReduceL1: { values: apart(24) },
  ReduceL2: { low: 0.2, high: 1 },
  ReduceLogSum: { low: 0.5, high: 2 },
  ReduceLogSumExp: {},
  ReduceMax: { values: apart(24) },
  ReduceMin: { values: apart(24) },
  ReduceProd: { low: 0.5, high: 1.5 },
};

/** Axes as an input, which ReduceSum takes from opset 13 and the others from 18. */
const byInput = (operator: string, name: string, axes: number[], keepdims: number): LawCase =>
  onX(operator, `${name}, keepdims ${keepdims}`, [2, 3, 4], {
    ...ranges[operator],
    attributes: { keepdims },
    rest: (b) => [b.ints(axes)],
    opset: 18,
  });

const byAttribute = (operator: string, axes: number[] | undefined, keepdims: number): LawCase =>
  onX(operator, `axes attribute ${axes ?? 'absent'}, keepdims ${keepdims}`, [2, 3, 4], {
    ...ranges[operator],
    attributes: { axes, keepdims },
  });

const cumSum = (axis: number, exclusive: number, reverse: number): LawCase =>
  onX('CumSum', `axis ${axis}, exclusive ${exclusive}, reverse ${reverse}`, [2, 3, 4], {
    rest: (b) => [b.ints(axis)],
    attributes: { exclusive, reverse },
  });

const prod = (name: string, values: number[]): LawCase =>
  onX('ReduceProd', name, [2, 3], { values, attributes: { axes: [1] } });

export const reduction: LawCase[] = [
  ...Object.keys(ranges).flatMap((operator) => [
    ...(operator === 'ReduceSum'
      ? []
      : [
          byAttribute(operator, [0, 2], 0),
          byAttribute(operator, [-1], 1),
          byAttribute(operator, undefined, 0),
          byAttribute(operator, undefined, 1),
        ]),
    byInput(operator, 'axes [1,2]', [1, 2], 0),
    byInput(operator, 'axes [-2]', [-2], 1),
    byInput(operator, 'axes []', [], 0),
    onX(operator, 'no axes, none reduced', [2, 3, 4], {
      ...ranges[operator],
      attributes: { noop_with_empty_axes: 1 },
      rest: (b) => [b.ints([])],
      opset: 18,
    }),
    onX(operator, 'no axes at all', [2, 3, 4], { ...ranges[operator], opset: 18 }),
  ]),
  onX('ReduceSum', 'opset 17', [2, 3, 4], {
    rest: (b) => [b.ints([0, -1])],
    attributes: { keepdims: 0 },
  }),
  prod('one zero', [0, 0.5, -1.5, 1, 2, 0.75]),
  prod('two zeros', [0, 0.5, 0, 1, 2, 0.75]),
  cumSum(0, 0, 0),
  cumSum(1, 1, 0),
  cumSum(2, 0, 1),
  cumSum(-1, 1, 1),
];
