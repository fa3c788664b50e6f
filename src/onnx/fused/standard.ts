/** What writes an operator of com.microsoft as standard ones. */
import type { GraphBuilder } from '../builder.ts';
import type { NodeView } from '../node-view.ts';
import type { Written } from '../rewrite.ts';

/** Appends what a node is; undefined for a form of the operator that is not known. */
export type Standard = (b: GraphBuilder, v: NodeView) => Written | undefined;
