/** Sampling at computed places, as spatial transformers and optical flow do. */
import { intAttr, stringAttr } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import type { NodeView } from '../../onnx/node-view.ts';
import { showShape, sizeOf } from '../../tensor/tensor.ts';
import { constantInputs } from '../constant-inputs.ts';
import { derivedFloats } from '../derived.ts';
import { unless, writtenAs, type RuleTable } from '../rule.ts';
import { sampled, type Sampling } from '../sampling.ts';

/** GridSample: x at places in [-1,1]. */
function gridSample(b: GraphBuilder, { node, x, w: grid }: NodeView): Value[] {
  const [n = 1, channels = 1, ...sizes] = x.shape;
  const places = sizeOf(grid.shape.slice(1, -1));
  const corners = intAttr(node, 'align_corners', 0) === 1;
  // The grid's last axis begins with the image's last.
  const coordinates = b
    .parts(b.reshape(grid, [n, places, sizes.length]), sizes.length, 2)
    .toReversed();
  const at = sizes.map((size, axis) => {
    const place = b.reshape(coordinates[axis] as Value, [n, 1, places]);
    // -1 and 1 are the outermost pixels' centres, or the image's edges.
    const half = (corners ? size - 1 : size) / 2;
    return b.add(b.scale(place, half), b.scalar((size - 1) / 2, place));
  });
  const values = sampled(b, x, at, {
    mode: stringAttr(node, 'mode', 'linear').replace(/^bi/, '') as Sampling['mode'],
    beyond: beyondOf(stringAttr(node, 'padding_mode', 'zeros'), corners),
  });
  return [b.reshape(b.transpose(values, [0, 2, 1]), [n, channels, ...grid.shape.slice(1, -1)])];
}

function beyondOf(padding: string, corners: boolean): Sampling['beyond'] {
  if (padding === 'reflection') return corners ? 'mirrored at centres' : 'mirrored at edges';
  return padding === 'border' ? 'border' : 'zeros';
}

const cubicInSpace = ({ node, x }: NodeView): string | undefined =>
  x.shape.length > 4 && stringAttr(node, 'mode', '').endsWith('cubic')
    ? 'cubic interpolation is for images only'
    : undefined;

/** AffineGrid: every place of the output, by the matrix. */
function affineGrid(b: GraphBuilder, v: NodeView): Value[] {
  const [n = 1, , ...sizes] = v.constant(1) ?? [];
  const corners = intAttr(v.node, 'align_corners', 0) === 1;
  const shape = [sizeOf(sizes), sizes.length + 1];
  const name = `places${showShape(sizes)}${corners ? ':corners' : ''}`;
  const places = derivedFloats(b, name, shape, () =>
    Float32Array.from(homogeneous(sizes, corners)),
  );
  const moved = b.matMul(b.cast(places, v.x.dtype), b.swapLast(v.x));
  return [b.reshape(moved, [n, ...sizes, sizes.length])];
}

/** x, y, … and 1 of every pixel, row by row, in [-1,1]. */
function* homogeneous(sizes: readonly number[], corners: boolean): Generator<number> {
  for (let i = 0; i < sizeOf(sizes); i++) {
    let rest = i;
    for (const size of sizes.toReversed()) {
      const k = rest % size;
      rest = (rest - k) / size;
      const span = corners ? size - 1 : size;
      yield corners ? (span === 0 ? 0 : (2 * k) / span - 1) : (2 * k + 1) / span - 1;
    }
    yield 1;
  }
}

export const warping: RuleTable = {
  GridSample: unless(cubicInSpace, writtenAs([0, 1], gridSample)),
  AffineGrid: unless(constantInputs(1), writtenAs([0], affineGrid)),
};
