/** Copies of protobuf messages. */
import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf';

/**
 * A shallow copy with some fields changed. Spreading a message would lose its default values,
 * which live on its prototype.
 */
export function amend<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  changes: Partial<MessageShape<Desc>>,
): MessageShape<Desc> {
  return Object.assign(create(schema), message, changes);
}
