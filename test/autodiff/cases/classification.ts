/** Law cases of losses of classification. */
import type { Attributes } from '../../../src/onnx/attributes.ts';
import type { LawCase } from '../law.ts';

const lossCase = (
  operator: string,
  name: string,
  attributes: Attributes = {},
  weighted = false,
): LawCase => ({
  name,
  operator,
  inputs: { x: { shape: [2, 3, 4] } },
  build: (b, { x }) => {
    const labels = b.constant([0, 2, 1, 1, 2, 0, 0, 1], 'int64', [2, 4]);
    const given = weighted ? b.constant([0.5, 2, 1.25]) : undefined;
    return b.op(operator, [x, labels, given], attributes);
  },
});

export const classification: LawCase[] = [
  ...['NegativeLogLikelihoodLoss', 'SoftmaxCrossEntropyLoss'].flatMap((operator) => [
    lossCase(operator, 'mean'),
    lossCase(operator, 'sum', { reduction: 'sum' }),
    lossCase(operator, 'each', { reduction: 'none' }),
    lossCase(operator, 'weighted mean', {}, true),
    lossCase(operator, 'weighted, each', { reduction: 'none' }, true),
    lossCase(operator, 'a label that does not count', { ignore_index: 1 }),
    lossCase(operator, 'weighted, a label that does not count', { ignore_index: 2 }, true),
    lossCase(operator, 'sum, a label that does not count', { reduction: 'sum', ignore_index: 0 }),
  ]),
  {
    name: 'labels that are no class do not count',
    operator: 'SoftmaxCrossEntropyLoss',
    inputs: { x: { shape: [3, 2] } },
    build: (b, { x }) =>
      b.op('SoftmaxCrossEntropyLoss', [x, b.constant([1, -7, 0], 'int64')], { ignore_index: -7 }),
  },
  {
    name: 'the logarithms too',
    operator: 'SoftmaxCrossEntropyLoss',
    inputs: { x: { shape: [2, 3] } },
    build: (b, { x }) => {
      const labels = b.constant([2, 0], 'int32');
      const [loss, logP] = b.ops('SoftmaxCrossEntropyLoss', [x, labels], { reduction: 'sum' }, 2);
      return b.mul(loss!, b.op('Exp', [logP]));
    },
  },
];
