/** Operators that com.microsoft had before there were standard ones of that name. */
import { plainAttributes, stringAttr } from '../attributes.ts';
import { wordOfResize } from '../forms.ts';
import type { Standard } from './standard.ts';

const gridSample: Standard = (b, v) => {
  const { mode: _, ...attributes } = plainAttributes(v.node);
  const mode = stringAttr(v.node, 'mode', 'bilinear');
  const named = b.graph.opset < 20 ? mode : wordOfResize(mode);
  return [b.op('GridSample', [v.x, v.w], { ...attributes, mode: named })];
};

export const earlier: Readonly<Record<string, Standard>> = {
  GridSample: gridSample,
  GatherND: (b, v) => [b.op('GatherND', [v.x, b.cast(v.w, 'int64')])],
  ExpandDims: (b, v) => [b.reshape(v.x, v.y.shape)],
};
