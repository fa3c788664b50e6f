/** Regions of an image resampled to one size: RoIAlign of He et al. 2017. */
import { floatAttr, intAttr, stringAttr } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import type { NodeView } from '../../onnx/node-view.ts';
import { sizeOf } from '../../tensor/tensor.ts';
import { unless, writtenAs, type RuleTable } from '../rule.ts';
import { weighedAround } from '../sampling.ts';

/** Along one axis, for every bin of every region. */
interface Points {
  /** Places in the image, `[regions, bins, points]`. */
  readonly at: Value;
  /** What each counts: its share in a mean, or 1; outside of the image nothing. */
  readonly counts: Value;
}

/**
 * Regions are divided into bins, of which each is read at the points of a grid. The largest that ONNX Runtime
 * takes of a bin is that of the pixels around all points, weighed, and not of what they add up to (1.30).
 */
function roiAlign(b: GraphBuilder, v: NodeView): Value[] {
  const { node, x, w: rois } = v;
  const moved = b.scale(rois, floatAttr(node, 'spatial_scale', 1));
  const edges = b.parts(byHalf(v) ? b.sub(moved, b.scalar(0.5, moved)) : moved, 4, 1);
  const [rows, columns] = [pointsAlong(b, v, edges, 0), pointsAlong(b, v, edges, 1)];
  const [regions = 0, ...down] = rows.at.shape;
  const across = columns.at.shape.slice(1);
  const grid = [...down, ...across];
  const places = sizeOf(grid);
  const vertical = (p: Value): Value => b.reshape(p, [regions, ...down, 1, 1]);
  const horizontal = (p: Value): Value => b.reshape(p, [regions, 1, 1, ...across]);
  const at = [vertical(rows.at), horizontal(columns.at)].map((p) =>
    b.reshape(b.expand(p, [regions, ...grid]), [regions, 1, places]),
  );
  const counts = b.mul(vertical(rows.counts), horizontal(columns.counts));

  const around = weighedAround(b, x, at, { mode: 'linear', beyond: 'border' }, v.input(2));
  const largest = ofLargest(v);
  const read = largest ? around : b.reduce('Sum', around, [1]);
  const counted = b.mul(read, b.reshape(counts, [regions, 1, places, 1]));
  const [, values = 1, , channels = 1] = read.shape;
  const binned = b.reshape(counted, [regions, values, ...grid, channels]);
  const pooled = b.reduce(largest ? 'Max' : 'Sum', binned, [1, 3, 5], false);
  return [b.transpose(pooled, [0, 3, 1, 2])];
}

const ofLargest = ({ node }: NodeView): boolean => stringAttr(node, 'mode', 'avg') === 'max';

/** Whether a region's edges are those of pixels, whose centres are half a pixel from there. */
const byHalf = ({ node }: NodeView): boolean =>
  stringAttr(node, 'coordinate_transformation_mode', 'half_pixel') === 'half_pixel';

const binsAlong = ({ node }: NodeView, axis: number): number =>
  intAttr(node, axis === 0 ? 'output_height' : 'output_width', 1);

/** Where a region begins and ends along the rows or columns, in x₁, y₁, x₂, y₂. */
const ends = (axis: number): [number, number] => [1 - axis, 3 - axis];

/** @param edges of the regions in pixels, x₁, y₁, x₂ and y₂, `[regions, 1]` each */
function pointsAlong(b: GraphBuilder, v: NodeView, edges: readonly Value[], axis: number): Points {
  const bins = binsAlong(v, axis);
  const [start, end] = ends(axis).map((i) => {
    const edge = edges[i] as Value;
    return b.reshape(edge, [...edge.shape, 1]);
  }) as [Value, Value];
  const length = b.sub(end, start);
  const bin = b.scale(byHalf(v) ? length : b.op('Max', [length, b.scalar(1, length)]), 1 / bins);
  const before = b.constant([...Array(bins).keys()], bin.dtype, [1, bins, 1]);
  const { within, share } = gridOf(v, axis);
  const most = (within[0] as number[]).length;
  const column = (list: readonly number[][]): Value =>
    b.constant(list.flat(), bin.dtype, [list.length, 1, most]);
  const at = b.add(b.add(start, b.mul(bin, before)), b.mul(bin, column(within)));

  const size = v.x.shape[2 + axis] as number;
  const inside = b.op('And', [
    b.op('GreaterOrEqual', [at, b.scalar(-1, at)]),
    b.op('LessOrEqual', [at, b.scalar(size, at)]),
  ]);
  return {
    at: b.op('Clip', [at, b.scalar(0, at), b.scalar(size - 1, at)]),
    counts: b.mul(b.cast(inside, at.dtype), column(share)),
  };
}

/**
 * Where the points of a bin are within it and what each counts, for all regions or for each. Where others have
 * more of them, the last is there once more, and counts in no mean.
 */
function gridOf(v: NodeView, axis: number): { within: number[][]; share: number[][] } {
  const counts = pointCounts(v, axis);
  const all = [...Array(Math.max(...counts)).keys()];
  return {
    within: counts.map((n) => all.map((k) => (Math.min(k, n - 1) + 0.5) / n)),
    share: counts.map((n) => all.map((k) => (ofLargest(v) ? 1 : k < n ? 1 / n : 0))),
  };
}

/** How many points bins have along an axis: as many in all regions, or by each one's size, a point a pixel. */
function pointCounts(v: NodeView, axis: number): number[] {
  const given = intAttr(v.node, 'sampling_ratio', 0);
  if (given > 0) return [given];
  // In float32, as the kernel counts.
  const f = Math.fround;
  const rois = v.constant(1) ?? [];
  const scale = f(floatAttr(v.node, 'spatial_scale', 1));
  return Array.from({ length: rois.length / 4 }, (_, region) => {
    const [start, end] = ends(axis).map((i) => {
      const moved = f((rois[4 * region + i] as number) * scale);
      return byHalf(v) ? f(moved - 0.5) : moved;
    }) as [number, number];
    const length = f(end - start);
    return Math.ceil(f((byHalf(v) ? length : Math.max(length, 1)) / binsAlong(v, axis)));
  });
}

function obstacle(v: NodeView): string | undefined {
  if (intAttr(v.node, 'sampling_ratio', 0) > 0) return undefined;
  if (!v.initializer(1)) return 'how many points it reads depends on regions that are computed';
  const empty = [0, 1].some((axis) => pointCounts(v, axis).some((n) => n < 1));
  return empty ? 'one of its regions has no extent' : undefined;
}

export const regions: RuleTable = { RoiAlign: unless(obstacle, writtenAs([0, 1], roiAlign)) };
