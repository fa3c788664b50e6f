/** Losses of classification that a network may end in. */
import { hasAttr, intAttr, stringAttr } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import type { NodeView } from '../../onnx/node-view.ts';
import { writtenAs, type RuleTable } from '../rule.ts';

/** −w log p of the labels, added up or averaged; `logP` is `[n, classes, ...]`, labels are `[n, ...]`. */
function negativeLogLikelihood(b: GraphBuilder, v: NodeView, logP: Value): Value {
  const [labels, classWeights] = [v.w, v.input(2)];
  const ignored = b.constant(intAttr(v.node, 'ignore_index', -100), labels.dtype);
  const counts = hasAttr(v.node, 'ignore_index')
    ? b.op('Not', [b.op('Equal', [labels, ignored])])
    : undefined;
  const safe = counts ? b.op('Where', [counts, labels, b.constant(0, labels.dtype)]) : labels;
  const picked = b.reshape(
    b.op('GatherElements', [logP, b.reshape(safe, logP.shape.with(1, 1))], { axis: 1 }),
    labels.shape,
  );
  const counted = counts && b.cast(counts, logP.dtype);
  const given = classWeights && b.op('Gather', [classWeights, safe]);
  const weight = given && counted ? b.mul(given, counted) : (given ?? counted);
  const losses = b.neg(weight ? b.mul(picked, weight) : picked);
  const all = [...labels.shape.keys()];
  const reduction = stringAttr(v.node, 'reduction', 'mean');
  if (reduction === 'none') return losses;
  if (reduction === 'mean' && !weight) return b.reduce('Mean', losses, all, false);
  const sum = (of: Value): Value => b.reduce('Sum', of, all, false);
  return reduction === 'mean' && weight ? b.div(sum(losses), sum(weight)) : sum(losses);
}

export const classification: RuleTable = {
  NegativeLogLikelihoodLoss: writtenAs([0], (b, v) => [negativeLogLikelihood(b, v, v.x)]),
  SoftmaxCrossEntropyLoss: writtenAs([0], (b, v) => {
    const logP = b.op('LogSoftmax', [v.x], { axis: 1 });
    return [negativeLogLikelihood(b, v, logP), logP];
  }),
};
